"""TFTP as a server of read requests: RFC 1350 with the options of RFC 2347 to 2349. Bytes and times in, bytes out.

One `Transfer` is one file on its way to one client. Whoever runs it hands it what came, and asks it again when `due`
has come. A duplicate of an acknowledgement is never answered: answering it doubles every later packet (the "sorcerer's
apprentice" of RFC 1123, 4.2.3.1).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

REQUEST_BYTES: Final = 512
"""RFC 2347: a request packet with its options."""
BLOCK_BYTES: Final = 512
_BLKSIZE: Final = range(8, 65465)
"""RFC 2348."""
BLKSIZE_MAX: Final = 1428
"""What is granted at most: a block that fits into one Ethernet frame. A server may lower it (RFC 2348)."""
_TIMEOUT: Final = range(1, 256)
"""RFC 2349, seconds."""
TIMEOUT_S: Final = 1.0
"""Of a client that does not say. RFC 1350 names none; assumed."""
SENDINGS: Final = 6
"""Of one packet, then the transfer is given up: six seconds of silence."""
_RRQ, _WRQ, _DATA, _ACK, _ERROR, _OACK = range(1, 7)
_MODES: Final = frozenset({b"octet", b"netascii"})

NOT_DEFINED, NOT_FOUND, ACCESS_VIOLATION, _FULL, ILLEGAL, UNKNOWN_TRANSFER = range(6)
"""Error codes (RFC 1350, appendix)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """A client wants a file."""

    name: str
    netascii: bool
    options: dict[bytes, bytes] = field(default_factory=dict)
    """Names in lower case, in the client's order."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is answered to a request that cannot be served."""

    data: bytes


def error(code: int, text: str) -> bytes:
    """An ERROR packet."""
    return struct.pack("!HH", _ERROR, code) + text.encode("ascii", "replace") + b"\0"


def read_request(data: bytes) -> ReadRequest | Refusal | None:
    """What a datagram at the server's port asks for; None: it is no request and is not answered."""
    if len(data) < 2 or len(data) > REQUEST_BYTES:
        return None
    (kind,) = struct.unpack_from("!H", data)
    if kind == _WRQ:
        return Refusal(error(ACCESS_VIOLATION, "files are only read here"))
    if kind != _RRQ:
        return None
    fields = data[2:].split(b"\0")
    if len(fields) < 3 or fields[-1]:
        return Refusal(error(ILLEGAL, "file name and mode are needed, each ended by a zero"))
    mode = fields[1].lower()
    if mode not in _MODES:
        return Refusal(error(ILLEGAL, "mode octet or netascii is needed"))
    pairs = fields[2:-1]
    if len(pairs) % 2:
        return Refusal(error(8, "an option without a value"))  # RFC 2347's own code
    options = {name.lower(): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
    return ReadRequest(name=fields[0].decode("latin-1"), netascii=mode == b"netascii", options=options)


def netascii(data: bytes) -> bytes:
    """Text with the line ends of netascii (RFC 764): CR LF, and a single CR as CR NUL."""
    return data.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")


class Transfer:
    """One file on its way to one client."""

    def __init__(self, request: ReadRequest, content: bytes, *, now: float) -> None:
        """Take a file; `packet` is then what to send first.

        Args:
            request: with the options that the client asks for.
            content: the whole file.
            now: seconds of any clock that only goes forward.
        """
        self._content = netascii(content) if request.netascii else content
        self._block_bytes = BLOCK_BYTES
        self._timeout_s = TIMEOUT_S
        self._block = 0
        self._sendings = 1
        self.done = False
        """Whether the client has all of it."""
        self.failed = False
        """Whether there is nothing to be sent any more, and the client has not all of it."""
        granted = self._grant(request.options)
        if granted:
            self.packet = struct.pack("!H", _OACK) + granted
        else:
            self._next()
        self.due = now + self._timeout_s
        """When to ask `late`."""

    def _grant(self, options: dict[bytes, bytes]) -> bytes:
        """The options that are acknowledged; the rest is left out (RFC 2347)."""
        granted = b""
        for name, value in options.items():
            number = int(value) if value.isdigit() and len(value) < 10 else -1
            if name == b"blksize" and number in _BLKSIZE:
                self._block_bytes = min(number, BLKSIZE_MAX)
                granted += b"blksize\0%d\0" % self._block_bytes
            elif name == b"tsize" and number == 0:
                granted += b"tsize\0%d\0" % len(self._content)
            elif name == b"timeout" and number in _TIMEOUT:
                self._timeout_s = float(number)
                granted += b"timeout\0%d\0" % number
        return granted

    def _next(self) -> None:
        start = self._block * self._block_bytes
        self._block += 1
        # Beyond 65,535 blocks the number begins again; no file here comes near.
        number = self._block & 0xFFFF
        self.packet = struct.pack("!HH", _DATA, number) + self._content[start : start + self._block_bytes]

    def received(self, data: bytes, now: float) -> bytes | None:
        """What to send now that this came from the client; None: nothing."""
        if len(data) < 4 or self.done or self.failed:
            return None
        kind, number = struct.unpack_from("!HH", data)
        if kind == _ERROR:
            self.failed = True
            return None
        if kind != _ACK:
            self.failed = True
            return error(ILLEGAL, "an acknowledgement is expected")
        if number != self._block & 0xFFFF:
            return None  # of an earlier packet, come twice or late
        if self._block and len(self.packet) - 4 < self._block_bytes:
            self.done = True
            return None
        self._next()
        self._sendings = 1
        self.due = now + self._timeout_s
        return self.packet

    def late(self, now: float) -> bytes | None:
        """The last packet again when `due` has come; None: the client is given up."""
        if self._sendings >= SENDINGS:
            self.failed = True
            return None
        self._sendings += 1
        self.due = now + self._timeout_s
        return self.packet
