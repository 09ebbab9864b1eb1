"""What a phone shows, as a picture: a title bar and lines of text, in a small font of our own.

Pictures are grey, a byte a pixel, 0 black. They leave as PNG, as BMP, or as the first phones'
`CiscoIPPhoneImage`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final
from zlib import compress, crc32

from emulator.phone.model import Display

_WHITE: Final = 255
_BLACK: Final = 0
_WIDE: Final = 250
"""From so many pixels on letters are twice as large."""
_LINES: Final = 64
_COLUMNS: Final = 256
"""More than any display has room for; what is beyond is not drawn."""

_GLYPHS: Final = {
    "A": "757555", "B": "656566", "C": "744447", "D": "655556", "E": "746447", "F": "746444", "G": "745557",
    "H": "557555", "I": "722227", "J": "111157", "K": "556655", "L": "444447", "M": "577555", "N": "675555",
    "O": "755557", "P": "757444", "Q": "755573", "R": "756655", "S": "742117", "T": "722222", "U": "555557",
    "V": "555552", "W": "555775", "X": "552255", "Y": "557222", "Z": "712447",
    "0": "755557", "1": "262227", "2": "717447", "3": "713117", "4": "557111", "5": "747117", "6": "747557",
    "7": "711222", "8": "757557", "9": "757117",
    ".": "000002", ",": "000024", ":": "020020", ";": "020024", "-": "007000", "_": "000007", "+": "027200",
    "/": "112244", "\\": "442211", "!": "222202", "?": "712202", "(": "244442", ")": "211112", "[": "644446",
    "]": "311113", "=": "070700", "*": "527250", "#": "575750", "%": "512450", "&": "252353", "'": "220000",
    '"': "550000", "@": "755647", "<": "124210", ">": "421240", "|": "222222", "$": "362360", "~": "036000",
}  # fmt: skip
"""Six rows of three pixels, an octal digit a row. Small letters are drawn as capitals; what is not here as a box."""
_BOX: Final = "755557"


@dataclass(frozen=True, slots=True)
class Picture:
    """Grey pixels, row by row from the top."""

    width: int
    height: int
    pixels: bytes


def draw(display: Display, number: str, name: str, lines: tuple[str, ...]) -> Picture:
    """A title bar with the directory number and the device name, and lines below it, cut at the edges."""
    scale = 2 if display.width >= _WIDE else 1
    pixels = bytearray([_WHITE]) * (display.width * display.height)
    bar = min(8 * scale, display.height)
    pixels[: bar * display.width] = bytes([_BLACK]) * (bar * display.width)
    _write(pixels, display, scale, 2, scale, f"{number} {name}", _WHITE)
    top = bar + 2 * scale
    for line in lines[:_LINES]:
        _write(pixels, display, scale, 2, top, line, _BLACK)
        top += 8 * scale
    return Picture(display.width, display.height, bytes(pixels))


def _write(pixels: bytearray, display: Display, scale: int, left: int, top: int, text: str, ink: int) -> None:
    for sign in text[:_COLUMNS]:
        if left + 3 * scale > display.width:
            return
        glyph = "000000" if sign == " " else _GLYPHS.get(sign.upper(), _BOX)
        for row, bits in enumerate(glyph):
            for column in range(3):
                if int(bits, 8) & 4 >> column:
                    _dot(pixels, display, scale, left + column * scale, top + row * scale, ink)
        left += 4 * scale


def _dot(pixels: bytearray, display: Display, scale: int, left: int, top: int, ink: int) -> None:
    for y in range(top, min(top + scale, display.height)):
        at = y * display.width + left
        pixels[at : at + scale] = bytes([ink]) * scale


def png(picture: Picture) -> bytes:
    """PNG, 8 bit grey (RFC 2083)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", crc32(kind + data))

    width = picture.width
    rows = b"".join(b"\0" + picture.pixels[at : at + width] for at in range(0, len(picture.pixels), width))
    head = struct.pack("!IIBBBBB", width, picture.height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", compress(rows)) + chunk(b"IEND", b"")


def bmp(picture: Picture) -> bytes:
    """BMP with a palette of 256 greys, rows from the bottom (BITMAPINFOHEADER)."""
    width, height = picture.width, picture.height
    padding = bytes(-width % 4)
    rows = b"".join(picture.pixels[at : at + width] + padding for at in range((height - 1) * width, -1, -width))
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    offset = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset)
    return (
        head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, len(rows), 2835, 2835, 256, 0) + palette + rows
    )


def image_object(picture: Picture, title: str) -> bytes:
    """`CiscoIPPhoneImage`: at most 133 x 65, two bits a pixel, four pixels a byte with the first in the low bits.

    Names and limits are those of Cisco's XSD (CUAE); that 3 is black and the order of bits are assumed.
    """
    width, height = min(picture.width, 133), min(picture.height, 65)
    shades = [3 - picture.pixels[y * picture.width + x] // 64 for y in range(height) for x in range(width)]
    shades += [0] * (-len(shades) % 4)
    data = bytes(
        shades[at] | shades[at + 1] << 2 | shades[at + 2] << 4 | shades[at + 3] << 6 for at in range(0, len(shades), 4)
    )
    return (
        '<?xml version="1.0" encoding="iso-8859-1"?>\r\n<CiscoIPPhoneImage>\r\n'
        f"<Title>{title}</Title>\r\n<LocationX>0</LocationX>\r\n<LocationY>0</LocationY>\r\n"
        f"<Width>{width}</Width>\r\n<Height>{height}</Height>\r\n<Depth>2</Depth>\r\n"
        f"<Data>{data.hex().upper()}</Data>\r\n</CiscoIPPhoneImage>\r\n"
    ).encode("latin-1")
