"""Write the objects that a phone shows, and the response in which it fetches them. No I/O.

An object is UTF-8 and says so twice, in the response's Content-Type and in its own declaration: phones take Latin-1
where nothing is said (Cisco development notes, HTTP Encoding Header Setting). Element order is that of Cisco's XML
schema (CiscoIPPhoneServices.xsd in CUAE), which the older parsers are assumed to want. Limits are checked here and not
cut: a text that is cut silently is another text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_TITLE: Final = 32
"""Characters of Title and Prompt (the schema)."""
MAX_TEXT: Final = 4000
"""Characters of a CiscoIPPhoneText (the schema)."""
MAX_URL: Final = 256
MAX_MENU_NAME: Final = 64
MAX_MENU_ITEMS: Final = 100
MAX_KEY_NAME: Final = 32
MAX_KEYS: Final = 8
EXIT: Final = "SoftKey:Exit"
"""Leaves what is shown (XSI-5, SoftKey)."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#13;"})


@dataclass(frozen=True, slots=True)
class SoftKey:
    """One key below a phone's screen; its position is its place in the list."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One line of a menu."""

    name: str
    url: str


def text_object(*, title: str, prompt: str, text: str, keys: Sequence[SoftKey]) -> bytes:
    """A CiscoIPPhoneText.

    Raises:
        ValueError: More than the schema allows.
    """
    return _object("CiscoIPPhoneText", title, prompt, _element("Text", text, MAX_TEXT), keys)


def menu_object(*, title: str, prompt: str, items: Sequence[MenuItem], keys: Sequence[SoftKey]) -> bytes:
    """A CiscoIPPhoneMenu.

    Raises:
        ValueError: More than the schema allows.
    """
    if len(items) > MAX_MENU_ITEMS:
        raise ValueError(f"a menu has at most {MAX_MENU_ITEMS} items, got {len(items)}")
    lines = "".join(
        f"<MenuItem>{_element('Name', item.name, MAX_MENU_NAME)}{_element('URL', item.url, MAX_URL)}</MenuItem>"
        for item in items
    )
    return _object("CiscoIPPhoneMenu", title, prompt, lines, keys)


def object_response(document: bytes, *, refresh_s: int | None = None) -> bytes:
    """The response that carries an object: the fields that phones need and no others (69xx phones fail on more).

    Args:
        document: The object.
        refresh_s: After so many seconds a phone that still shows it asks for the same URL again (OL-5375-01 p. 5-62,
            Refresh); None: never.
    """
    refresh = "" if refresh_s is None else f"Refresh: {refresh_s}\r\n"
    return (
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n"
        f"{refresh}Content-Length: {len(document)}\r\nConnection: close\r\n\r\n"
    ).encode("ascii") + document


def _object(kind: str, title: str, prompt: str, content: str, keys: Sequence[SoftKey]) -> bytes:
    if len(keys) > MAX_KEYS:
        raise ValueError(f"an object has at most {MAX_KEYS} soft keys, got {len(keys)}")
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f"<{kind}>",
        _element("Title", title, MAX_TITLE),
        _element("Prompt", prompt, MAX_TITLE) if prompt else "",
        content,
        *(
            f"<SoftKeyItem>{_element('Name', key.name, MAX_KEY_NAME)}{_element('URL', key.url, MAX_URL)}"
            f"<Position>{position}</Position></SoftKeyItem>"
            for position, key in enumerate(keys, 1)
        ),
        f"</{kind}>",
    ]
    return "".join(parts).encode("utf-8")


def _element(name: str, text: str, most: int) -> str:
    if len(text) > most:
        raise ValueError(f"{name} has at most {most} characters, got {len(text)}")
    if any(not (code >= 0x20 or code in (0x9, 0xA, 0xD)) or 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF)
           for code in map(ord, text)):  # fmt: skip
        raise ValueError(f"{name} has a character that XML cannot hold")
    return f"<{name}>{text.translate(_ESCAPES)}</{name}>"
