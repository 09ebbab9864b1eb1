"""Reading a push: the form body of POST /CGI/Execute, its credentials, the Execute object, and the URIs in it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes
from xml.parsers import expat

ITEMS: Final = 3
"""ExecuteItem is given one to three times (Cisco's XSD in CUAE; OL20949 p.3-18)."""
URL_CHARACTERS: Final = 256
"""Longest URL of an item (Cisco's XSD in CUAE)."""
_DEPTH: Final = 8
"""An Execute object is two deep; a deeper one is no Execute, and a very deep one is an attack on the parser."""
_PORTS: Final = range(20480, 32769, 2)
"""RTP ports that a phone takes: even, 20480 to 32768 (XSI-5, RTPRx)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the push's sender claims to be. The phone only passes it on."""

    user: bytes = field(repr=False)
    password: bytes = field(repr=False)


def read_credentials(authorization: bytes | None) -> Credentials | None:
    """Credentials of an `Authorization` field's value; None where it is missing or not Basic (RFC 7617)."""
    scheme, _, encoded = (authorization or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return Credentials(user, password) if colon else None


@dataclass(frozen=True, slots=True)
class Push:
    """What a push asks for. `urls` is what could be read, also of one that is not well-formed."""

    urls: tuple[str, ...]
    well_formed: bool


def read_push(body: bytes, *, object_bytes: int) -> Push:
    """Read a form body with the field `XML`.

    The name is case-sensitive (XSI-6). Blanks come as `+` and as `%20`, and a value that is not encoded at all is
    taken as it is (seen in CUAE, PTT, CUIPP); the Content-Type plays no part.

    Args:
        body: The request's body.
        object_bytes: The model's limit on the decoded object; a larger one is not read (assumed: as a parse error).
    """
    for part in body.split(b"&"):
        if part.startswith(b"XML="):
            document = unquote_to_bytes(part[4:].replace(b"+", b" ")).strip()
            if len(document) > object_bytes:
                break
            return _read_execute(document)
    return Push((), False)


class _NotExecute(Exception):  # noqa: N818 - a verdict on the input, not an error of the program
    pass


def _read_execute(document: bytes) -> Push:
    urls: list[str] = []
    path: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        path.append(name)
        if len(path) > _DEPTH or path[0] != "CiscoIPPhoneExecute":
            raise _NotExecute
        if path == ["CiscoIPPhoneExecute", "ExecuteItem"]:
            url = attributes.get("URL")
            if url is None or len(url) > URL_CHARACTERS or len(urls) == ITEMS:
                raise _NotExecute
            urls.append(url)

    def end(_name: str) -> None:
        path.pop()

    def refuse(*_: object) -> None:
        raise _NotExecute

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    # No object that phones are sent has a DTD; without one there are no entities to expand or to fetch.
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, _NotExecute, ValueError, LookupError):
        return Push(tuple(urls), False)
    return Push(tuple(urls), bool(urls))


@dataclass(frozen=True, slots=True)
class Receive:
    """`RTPRx:i:p[:v]`: receive one stream."""

    source: str
    """The address that the stream comes from."""
    port: int | None
    """The phone's own port; None lets the phone choose."""


@dataclass(frozen=True, slots=True)
class StopReceiving:
    """`RTPRx:Stop`."""


@dataclass(frozen=True, slots=True)
class Press:
    """`Key:<name>`: as if somebody pressed that key. A key that the phone lacks is silently ignored (XSI-5)."""

    key: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """A URI whose name is known and whose parameters are not valid."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A URI that this emulator does not carry out."""


Uri = Receive | StopReceiving | Press | Invalid | Unknown

_RECEIVE: Final = re.compile(
    r"RTPRx:(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::(\d{0,5}))?(?::(\d{0,3}))?(?::([012]?))?", re.ASCII
)

_KEY: Final = re.compile(
    r"Line([1-9]|[1-9]\d|1[01]\d|120)|KeyPad(\d|Star|Pound)|Soft[1-5]|VolUp|VolDwn|Speaker|Headset|Mute|Info|Messages|"
    r"Services|Directories|Settings|Applications|Nav(Up|Dwn|Left|Right|Select)|Hold|FixedFeature3|Release|"
    r"Session[1-6]|Feature([1-9]|[1-9]\d|1[01]\d|120)|PTT"
)
"""Names of keys (XSI-5, Key)."""


def read_uri(url: str) -> Uri:
    """What an item's URL asks for (XSI-5, RTPRx).

    A trailing colon without a volume is taken (seen in UCM-CMD), and so is the fifth field of later phones.
    """
    if url.startswith("Key:"):
        return Press(url[4:]) if _KEY.fullmatch(url[4:]) else Invalid()
    if not url.startswith("RTPRx:"):
        return Unknown()
    if url == "RTPRx:Stop":
        return StopReceiving()
    match = _RECEIVE.fullmatch(url)
    if match is None:
        return Invalid()
    source, port, volume, _ = match.groups()
    octets = [int(octet) for octet in source.split(".")]
    if max(octets) > 255 or (volume and int(volume) > 100):
        return Invalid()
    if not port:
        return Receive(".".join(map(str, octets)), None)
    if int(port) not in _PORTS:
        return Invalid()
    return Receive(".".join(map(str, octets)), int(port))
