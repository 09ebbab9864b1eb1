"""Reading a push: the form body of POST /CGI/Execute, its credentials, and the Execute object or the one to show."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes
from xml.parsers import expat

from emulator.phone.media import Media, Refusal, equivalents, is_media, read_media
from emulator.phone.screen import Screen, read_object
from emulator.phone.uri import Fetch, read_uri

ITEMS: Final = 3
"""ExecuteItem is given one to three times (Cisco's XSD in CUAE; OL20949 p.3-18)."""
URL_CHARACTERS: Final = 256
"""Longest URL of an item (Cisco's XSD in CUAE)."""
FETCHES: Final = 1
"""http URLs in one Execute (OL20949 p.3-18)."""
_PRIORITIES: Final = frozenset("0123")
"""The documents name 0 to 2, Cisco's XSD takes 3 as well; it counts as 2 (assumed)."""
_DEPTH: Final = 8
"""An Execute object is two deep; a deeper one is no Execute, and a very deep one is an attack on the parser."""
_DECLARATION: Final = re.compile(rb"<\?xml[ \t\r\n][^<>]*>")
_VALID_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*["']1\.[0-9]+["'](\s+encoding\s*=\s*["'][A-Za-z0-9._-]+["'])?"""
    rb"""(\s+standalone\s*=\s*["'](yes|no)["'])?\s*\?>"""
)
"""XML 1.0, production 23."""
_READ: Final = 16
"""A page is the same body for thousands of phones: it is read once."""


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
    """What a push asks for.

    `urls` is what could be read, also of one that is not well-formed; of `startMedia` and `stopMedia` the URIs that
    would do the same.
    """

    urls: tuple[str, ...]
    well_formed: bool
    priorities: tuple[int, ...] = ()
    """Per URL: 0 at once, 1 when the phone is idle, 2 only if it is idle (XSI-6)."""
    shown: Screen | None = None
    """An object to show that was pushed directly."""
    media: Media | None = None
    """`startMedia` or `stopMedia`; not well-formed where it is to be refused."""


@lru_cache(maxsize=_READ)
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
            document = _declared(document)
            # Only an Execute can have more than the name of it wrong and still tell URLs for the diary.
            if b"<CiscoIPPhoneExecute" not in document:
                if is_media(document):
                    media = read_media(document)
                    return Push(equivalents(media), not isinstance(media, Refusal), media=media)
                screen = read_object(document)
                return Push((), screen is not None, (), screen)
            return _read_execute(document)
    return Push((), False)


def _declared(document: bytes) -> bytes:
    """The document without an XML declaration that is none.

    A public client that is used with real phones begins with `<?xml version="1.0" charset="UTF-8">` (UCM-CMD
    mediastream), so their parser skips it (inferred).
    """
    begin = _DECLARATION.match(document)
    if begin is None or _VALID_DECLARATION.fullmatch(begin.group()):
        return document
    return document[begin.end() :]


class _NotExecute(Exception):  # noqa: N818 - a verdict on the input, not an error of the program
    pass


def _read_execute(document: bytes) -> Push:
    urls: list[str] = []
    priorities: list[int] = []
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
            priority = attributes.get("Priority", "0")
            if priority not in _PRIORITIES:
                raise _NotExecute
            priorities.append(int(priority))

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
    # One http URL and two URIs, or three URIs (OL20949 p.3-18).
    fetches = sum(isinstance(read_uri(url), Fetch) for url in urls)
    return Push(tuple(urls), bool(urls) and fetches <= FETCHES, tuple(priorities))
