"""The RTP Streaming API: `startMedia` and `stopMedia`, pushed like an Execute object.

Source: XSI-4 "RTP Streaming API" and OL20949 p.4-1 to 4-6 (schema, interaction with the RTP URIs, error table). The
objects arrive in the form field `XML` of POST /CGI/Execute (UCM-CMD mediastream; several other public clients). What no
source says is marked assumed where it is decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address
from typing import Final, Literal
from urllib.parse import quote
from xml.parsers import expat
from xml.sax.saxutils import escape

from emulator.phone.uri import PORTS

Mode = Literal["receive", "send", "sendReceive"]
Fault = Literal["InvalidXML", "InvalidURL", "InvalidResourceID", "UnavailableResource"]

_MODES: Final[dict[str, Mode]] = {"receive": "receive", "send": "send", "sendReceive": "sendReceive"}
_CODECS: Final = frozenset({"G.711", "G.722", "G.729"})
"""Of those in the schema the ones that phones support (OL-22505 p.3-22)."""
CARRIED: Final = "G.711"
"""What is carried out here; the others are answered as if no resource for them were free (ours)."""
_ROOTS: Final = (b"<startMedia", b"<stopMedia")
_DEPTH: Final = 8
_TEXT_CHARACTERS: Final = 256
_IDENTITY_CHARACTERS: Final = 64
_READ: Final = 16
NO_RESOURCE: Final = "No Media Resource Available"
"""Data of `UnavailableResource` (OL20949 p.4-6)."""


@dataclass(frozen=True, slots=True)
class Handler:
    """Whom the phone tells that a stream ended: an http server."""

    address: str
    port: int
    target: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`errorResponse`, under HTTP status 400 (OL20949 p.4-5)."""

    fault: Fault
    data: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StartMedia:
    """One stream to start."""

    mode: Mode
    codec: str
    address: str
    """Of the other end; where it is received from a group, the group."""
    multicast: bool
    port: int | None
    """None lets the phone choose its own; sending needs one."""
    volume: int | None
    on_stopped: Handler | None = field(repr=False)
    """Whom the phone tells when the stream ends."""


@dataclass(frozen=True, slots=True)
class StopMedia:
    """One stream to stop; None: all service streams, also those that RTP URIs began (OL20949 p.4-2)."""

    identity: str | None


Media = StartMedia | StopMedia | Refusal


@dataclass(frozen=True, slots=True)
class Medium:
    """A stream that `startMedia` began and that has not ended."""

    identity: str
    mode: Mode
    on_stopped: Handler | None = field(repr=False)

    @property
    def receives(self) -> bool:
        """Whether the phone hears by it."""
        return self.mode != "send"

    @property
    def sends(self) -> bool:
        """Whether the phone speaks by it."""
        return self.mode != "receive"


def equivalents(media: Media) -> tuple[str, ...]:
    """The RTP URIs that would do the same, as the records tell it: whoever reads them needs to know one form only."""
    if isinstance(media, Refusal):
        return ()
    if isinstance(media, StopMedia):
        return ("RTPRx:Stop", "RTPTx:Stop")
    multicast = "M" if media.multicast else ""
    place = f"{media.address}:{'' if media.port is None else media.port}"
    volume = "" if media.volume is None else f":{media.volume}"
    uris = []
    if media.mode != "send":
        uris.append(f"RTP{multicast}Rx:{place}{volume}")
    if media.mode != "receive":
        uris.append(f"RTP{multicast}Tx:{place}")
    return tuple(uris)


class _Wrong(Exception):  # noqa: N818 - a verdict on the input, not an error of the program
    def __init__(self, data: str, fault: Fault = "InvalidXML") -> None:
        super().__init__(data)
        self.refusal = Refusal(fault, data)


def is_media(document: bytes) -> bool:
    """Whether a pushed document is one of these objects, however malformed."""
    return any(root in document for root in _ROOTS)


@lru_cache(maxsize=_READ)
def read_media(document: bytes) -> Media:
    """What the object asks for, or why it is refused: it does not comply with the schema."""
    elements: list[str] = []
    attributes: dict[str, str] = {}
    texts: dict[str, str] = {}
    path: list[str] = []

    def start(name: str, given: dict[str, str]) -> None:
        path.append(name)
        if len(path) > _DEPTH or (len(path) == 1 and name not in {"startMedia", "stopMedia"}):
            raise _Wrong(f"unexpected element {name[:32]}")
        if len(path) == 2:
            if name != "mediaStream" or "mediaStream" in elements:
                raise _Wrong("expected one mediaStream")
            attributes.update(given)
        elements.append(name)
        if len(path) == 3:
            if name in texts:
                raise _Wrong(f"{name[:32]} is given twice")
            texts[name] = ""

    def text(more: str) -> None:
        if len(path) == 3:
            texts[path[2]] += more
            if len(texts[path[2]]) > _TEXT_CHARACTERS:
                raise _Wrong(f"{path[2][:32]} is too long")

    def end(_name: str) -> None:
        path.pop()

    def refuse(*_: object) -> None:
        raise _Wrong("document type declarations are not allowed")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.CharacterDataHandler = text
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
        if "mediaStream" not in elements:
            raise _Wrong("expected one mediaStream")
        if elements[0] == "stopMedia":
            identity = attributes.get("id")
            if identity is not None and len(identity) > _IDENTITY_CHARACTERS:
                raise _Wrong("id is too long")
            return StopMedia(identity)
        return _read_start(attributes, {name: value.strip() for name, value in texts.items()})
    except _Wrong as wrong:
        return wrong.refusal
    except (expat.ExpatError, ValueError, LookupError) as error:
        return Refusal("InvalidXML", str(error)[:_TEXT_CHARACTERS])


def _read_start(attributes: dict[str, str], texts: dict[str, str]) -> StartMedia:
    if texts.get("type") != "audio":
        raise _Wrong("type: expected audio")
    codec = texts.get("codec", "")
    if codec not in _CODECS:
        raise _Wrong("codec: expected G.711, G.722 or G.729")
    mode = _MODES.get(texts.get("mode", ""))
    if mode is None:
        raise _Wrong("mode: expected receive, send or sendReceive")
    try:
        address = IPv4Address(texts.get("address", ""))
    except AddressValueError:
        raise _Wrong("address: expected an IPv4 address") from None
    port = _number(texts.get("port", ""), "port")
    if port is not None and port not in PORTS:
        raise _Wrong("port: expected an even number from 20480 to 32768")
    if port is None and (mode != "receive" or address.is_multicast):
        raise _Wrong("port: expected where the phone sends, and of a group")  # it has nothing to choose (inferred)
    volume = _number(attributes.get("receiveVolume", ""), "receiveVolume")
    if volume is not None and volume > 100:
        raise _Wrong("receiveVolume: expected 0 to 100")
    return StartMedia(
        mode=mode,
        codec=codec,
        address=str(address),
        multicast=address.is_multicast,
        port=port,
        volume=volume,
        on_stopped=_read_handler(attributes.get("onStopped", "")),
    )


def _number(text: str, what: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        raise _Wrong(f"{what}: expected a number")
    return int(text)


def _read_handler(uri: str) -> Handler | None:
    """`Notify:http:host:port:path[:…]` (XSI-5, Notify); another URI may stand there, an http URL may not (XSI-4)."""
    if uri.lower().startswith(("http:", "https:")):
        raise _Wrong("onStopped: an http URL is not allowed", "InvalidURL")
    parts = uri.split(":")
    if parts[:2] != ["Notify", "http"] or len(parts) < 5:
        return None  # other URIs are not carried out here, nor Notify by https
    try:
        address, port = str(IPv4Address(parts[2])), int(parts[3] or "80")
    except ValueError:
        return None  # names are not resolved here
    target = "/" + quote(parts[4].lstrip("/"), safe="/?&=%.-_~+;,@!$'()*")
    return Handler(address, port, target) if 0 < port < 65536 else None


def started(medium: Medium, port: int | None) -> bytes:
    """Answer to `startMedia` (OL20949 p.4-5); a port that the phone chose is in it (p.4-2; its place is inferred)."""
    identity = escape(medium.identity, {'"': "&quot;"})
    if port is None:
        return f'<mediaStream id="{identity}"/>'.encode()
    return f'<mediaStream id="{identity}"><port>{port}</port></mediaStream>'.encode()


def stopped(medium: Medium | None) -> bytes:
    """Answer to `stopMedia` where it has a body: the stream, without a name where all were stopped (assumed)."""
    return b"<mediaStream/>" if medium is None else started(medium, None)


def refused(refusal: Refusal) -> bytes:
    """The `errorResponse` document."""
    return f"<errorResponse><type>{refusal.fault}</type><data>{escape(refusal.data)}</data></errorResponse>".encode(
        "ascii", "xmlcharrefreplace"
    )


def notification(medium: Medium, origin: Literal["user", "application"]) -> bytes:
    """Form body that `onStopped` is told with (OL20949 p.4-5, `origin="user"`; any other origin's name is assumed)."""
    identity = escape(medium.identity, {'"': "&quot;"})
    event = f'<notifyMediaEvent type="stopped" origin="{origin}"><mediaStream id="{identity}"/></notifyMediaEvent>'
    return b"DATA=" + quote(event, safe="").encode()
