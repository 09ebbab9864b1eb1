"""Which pages there are, what they show, and pictures of the screen."""

import struct
import zlib
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.fleet.catalogue import load
from emulator.phone.model import Display
from emulator.phone.pages import QUERY_CHARACTERS, Hearing, Sending, View, is_protected, page, protected
from emulator.phone.picture import Picture, bmp, draw, image_object, png

MODELS = load().models
OLD, JAVA, LATE = MODELS["CP-7960G"], MODELS["CP-7961G"], MODELS["CP-8851"]
VIEW = View(
    name="SEP001BD4000001",
    mac="001BD4000001",
    dn="2001",
    address="10.20.0.1",
    authentication_url="http://10.20.128.20/CCMCIP/authenticate.asp?a=1&b=<2>",
    time="15:42:33",
    date="03/21/13",
    log=("first", "second & third"),
)
HEARING = Hearing(
    remote="10.20.128.10/40000", local="10.20.0.1/32674", start="1:2:3", packets=50, lost=1, jitter_ms=2.6,
    most_jitter_ms=7.2,
)  # fmt: skip
SENDING = Sending(remote="10.20.128.11/20480", local="10.20.0.1/50000", start="3:2:1", packets=25)


def text_of(model: object, path: str, query: str = "", view: View = VIEW) -> str | None:
    found = page(model, path, query, view)  # type: ignore[arg-type]
    return None if found is None else found.body.decode()


def test_the_authentication_url_in_force_is_shown() -> None:
    for model in MODELS.values():
        x = page(model, "/NetworkConfigurationX", "", VIEW)
        assert x is not None
        assert ET.fromstring(x.body).findtext("AuthenticationURL") == VIEW.authentication_url  # noqa: S314
    html = text_of(OLD, "/NetworkConfiguration")
    assert html is not None
    assert "authenticate.asp?a=1&amp;b=&lt;2&gt;</B>" in html


def test_live_numbers_of_the_stream_are_in_the_first_and_nowhere_else() -> None:
    view = replace(VIEW, hearing=HEARING)
    for model in MODELS.values():
        first = page(model, "/StreamingStatisticsX", "1", view)
        assert first is not None
        root = ET.fromstring(first.body)  # noqa: S314 - our own bytes
        said = {element.tag: element.text for element in root}
        assert (said["RcvrPackets"], said["RcvrOctets"], said["RcvrLostPackets"]) == ("50", "8000", "1")
        assert (said["RemoteAddr"], said["LocalAddr"]) == ("10.20.128.10/40000", "10.20.0.1/32674")
        assert said.get("AvgJitter", said.get("RcvrJitter")) == "3"
        assert said.get("StreamStatus", said.get("RowStatus")) == "Active"
        second = page(model, "/StreamingStatisticsX", "2", view)
        assert second is not None
        assert b"<RcvrPackets>0</RcvrPackets>" in second.body


def test_what_a_phone_sends_is_in_the_first_stream_too() -> None:
    for model in MODELS.values():
        for view in (replace(VIEW, sending=SENDING), replace(VIEW, hearing=HEARING, sending=SENDING)):
            first = page(model, "/StreamingStatisticsX", "1", view)
            assert first is not None
            said = {element.tag: element.text for element in ET.fromstring(first.body)}  # noqa: S314 - our own bytes
            assert (said["SenderPackets"], said["SenderOctets"]) == ("25", "4000")
            assert said.get("SenderCodec", "G.711u") == "G.711u"
            assert said.get("StreamStatus", said.get("RowStatus")) == "Active"
            hears = view.hearing is not None
            assert said["RcvrPackets"] == ("50" if hears else "0")
            assert said["RemoteAddr"] == (HEARING.remote if hears else SENDING.remote)
            assert said.get("MaxJitter", "7") == ("7" if hears else said.get("AvgJitter", "7"))


def test_java_phones_have_the_same_pages_behind_adapters() -> None:
    for adapter, path, query in (
        ("device.statistics.device", "/DeviceInformation", ""),
        ("device.statistics.configuration", "/NetworkConfiguration", ""),
        ("device.statistics.ethernet", "/EthernetInformation", ""),
        ("device.statistics.port.network", "/PortInformation", "1"),
        ("device.statistics.streaming.0", "/StreamingStatistics", "1"),
        ("device.statistics.streaming.4", "/StreamingStatistics", "5"),
    ):
        for x in ("", "X"):
            behind = page(JAVA, "/CGI/Java/Serviceability", f"adapter{x}={adapter}", VIEW)
            assert behind == page(JAVA, path + x, query, VIEW) is not None
        assert page(OLD, "/CGI/Java/Serviceability", f"adapter={adapter}", VIEW) is None
    for wrong in ("", "adapter=", "adapter=device.statistics.streaming.5", "adapter=../x", "adapterY=a", "x=y"):
        assert page(JAVA, "/CGI/Java/Serviceability", wrong, VIEW) is None


def test_a_udi_has_hardware_version_and_serial_number_where_clients_look() -> None:
    x = text_of(JAVA, "/DeviceInformationX")
    assert x is not None
    lines = x[x.index("<udi>") :].splitlines()
    assert (lines[3], lines[4]) == ("V01", "FCH00000001")
    html = text_of(LATE, "/")
    assert html is not None
    assert "Cisco IP Phone CP-8851 ( SEP001BD4000001 )" in html
    assert "<TD><B> Version</B></TD><td width=20></TD><TD><B>sip88xx.12&#x2D;8" in html
    assert "<TITLE>Cisco Systems, Inc.</TITLE>" in html


def test_numbers_beyond_and_unknown_paths() -> None:
    assert "<port>Invalid Argument</port>" in (text_of(OLD, "/PortInformationX", "4") or "")
    assert "<Name>Invalid Argument</Name>" in (text_of(OLD, "/StreamingStatisticsX", "3") or "")
    assert text_of(JAVA, "/PortInformationX", "4") is None
    assert text_of(JAVA, "/StreamingStatisticsX", "n1") == text_of(JAVA, "/StreamingStatisticsX", "1")
    for path in ("/deviceinformationx", "/DeviceInformationXX", "/X", "//", "DeviceInformationX", "/CGI/Execute"):
        assert page(OLD, path, "", VIEW) is None
    assert page(OLD, "/DeviceInformationX", "a" * (QUERY_CHARACTERS + 1), VIEW) is None


def test_logs() -> None:
    old = text_of(OLD, "/DeviceLogX", "1") or ""
    assert old.count("<?xml") == 3
    assert "<status>second &amp; third</status>" in old
    java = text_of(JAVA, "/DeviceLogX", "1") or ""
    assert ET.fromstring(java.encode()).findtext("status") == "first\nsecond & third"  # noqa: S314 - our own bytes
    assert "<status></status>" in (text_of(JAVA, "/DeviceLogX", "0") or "")


@given(st.sampled_from(list(MODELS.values())), st.text(max_size=20), st.text(max_size=60))
def test_no_path_and_no_query_raise(model: object, path: str, query: str) -> None:
    text_of(model, "/" + path, query)
    text_of(model, "/PortInformationX", query)
    text_of(model, "/CGI/Java/Serviceability", "adapter=" + query)


def test_which_pages_are_protected() -> None:
    assert is_protected(OLD, "/CGI/Screenshot")
    assert is_protected(JAVA, "/CGI/Java/CallInfo")
    assert not is_protected(OLD, "/CGI/Java/CallInfo")
    assert not is_protected(OLD, "/CGI/Execute")
    assert protected(OLD, "/CGI/ModeInfo", VIEW).kind == "text/html"
    assert protected(LATE, "/CGI/Java/ModeInfo", VIEW).kind.startswith("text/xml")
    line = ET.fromstring(protected(JAVA, "/CGI/LineInfo", VIEW).body)  # noqa: S314 - our own bytes
    assert line.findtext("CiscoIPPhoneLines/lineDirNum") == "2001"


# --- pictures


def read_png(data: bytes) -> Picture:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack("!II", data[16:24])
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack("!I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack("!I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    rows = zlib.decompress(packed)
    pixels = b"".join(rows[row * (width + 1) + 1 : (row + 1) * (width + 1)] for row in range(height))
    return Picture(width, height, pixels)


def read_bmp(data: bytes) -> Picture:
    size, offset = struct.unpack("<2xI4xI", data[:14])
    assert size == len(data)
    width, height = struct.unpack("<ii", data[18:26])
    stride = (width + 3) // 4 * 4
    rows = [data[offset + row * stride :][:width] for row in reversed(range(height))]
    return Picture(width, height, b"".join(rows))


@pytest.mark.parametrize("width", [7, 133, 298])
def test_pictures_are_whole_in_every_format(width: int) -> None:
    display = Display(width=width, height=65, depth=2, colour=False)
    picture = draw(display, "2001", "SEP001BD4000001", ("Fire alarm", "in hall 3"))
    assert (picture.width, picture.height, len(picture.pixels)) == (width, 65, width * 65)
    assert read_png(png(picture)) == picture
    assert read_bmp(bmp(picture)) == picture


def test_an_image_object_keeps_the_limits_and_the_pixels() -> None:
    picture = draw(OLD.display, "2001", "SEP001BD4000001", ("I",))
    root = ET.fromstring(image_object(picture, "SEP001BD4000001"))  # noqa: S314 - our own bytes
    data = bytes.fromhex(root.findtext("Data") or "")
    assert len(data) <= 2200
    shades = [byte >> shift & 3 for byte in data for shift in (0, 2, 4, 6)][: 133 * 65]
    assert shades == [3 if pixel == 0 else 0 for pixel in picture.pixels]


def test_text_is_drawn_and_different_text_differently() -> None:
    display = Display(width=133, height=65, depth=1, colour=False)

    def rows(text: str) -> list[str]:
        pixels = draw(display, "1", "a", (text,)).pixels
        return ["".join(" #"[not pixels[y * 133 + x]] for x in range(2, 5)) for y in range(10, 16)]

    assert rows("I") == ["###", " # ", " # ", " # ", " # ", "###"]
    assert rows("i") == rows("I")
    letters = {sign: tuple(rows(sign)) for sign in "ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789.,:;-_+/()!?"}
    assert len(set(letters.values())) == len(letters)


@given(st.text(max_size=40), st.integers(1, 300), st.integers(1, 80))
def test_no_text_is_too_much_for_a_screen(text: str, width: int, height: int) -> None:
    picture = draw(Display(width=width, height=height, depth=1, colour=False), text, text, (text,) * 100)
    assert len(picture.pixels) == width * height
