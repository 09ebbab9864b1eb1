"""The objects that a phone shows, held to the limits of Cisco's schema.

One table says what each object may hold; its figures are from the XSD in CUAE (CiscoIPPhoneServices.xsd) unless a
line says otherwise. Elements that the table does not name are ignored, as their like is by phones of another release
(assumed).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.parsers import expat

_DEPTH: Final = 8
"""The deepest object is four deep (TouchArea of a menu's item); a very deep one is an attack on the parser."""
_APPLICATION_CHARACTERS: Final = 64
"""OL20949 p.5-20."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,5}")
_READ: Final = 16
"""An alert is the same object for thousands of phones: it is read and held once."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most so many characters."""

    most: int


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Items:
    """An element that may come several times, with elements of its own; `required` ones must be there."""

    most: int
    fields: Mapping[str, Text | Number]
    required: tuple[str, ...] = ()


Field = Text | Number | Items
_URL: Final = Text(256)
_TITLES: Final[dict[str, Field]] = {"Title": Text(32), "Prompt": Text(32)}
_SOFT_KEYS: Final[dict[str, Field]] = {
    "SoftKeyItem": Items(8, {"Name": Text(32), "URL": _URL, "Position": Number(1, 8)}, required=("Position",))
}
_PLACE: Final[dict[str, Field]] = {"LocationX": Number(-1, 297), "LocationY": Number(-1, 167)}
"""-1 centres (XSI, CiscoIPPhoneImage); the far ends are assumed."""
_PICTURE: Final[dict[str, Field]] = {
    "Width": Number(1, 133), "Height": Number(1, 65), "Depth": Number(1, 2), "Data": Text(2200),
}  # fmt: skip
_MENU: Final[dict[str, Text | Number]] = {"Name": Text(64), "URL": _URL}
_COMMON: Final[dict[str, Field]] = {**_TITLES, **_SOFT_KEYS}

OBJECTS: Final[Mapping[str, Mapping[str, Field]]] = {
    "CiscoIPPhoneText": {**_COMMON, "Text": Text(4000)},
    "CiscoIPPhoneMenu": {**_COMMON, "MenuItem": Items(100, _MENU)},
    "CiscoIPPhoneDirectory": {**_COMMON, "DirectoryEntry": Items(32, {"Name": Text(32), "Telephone": Text(32)})},
    "CiscoIPPhoneInput": {
        **_COMMON,
        "URL": _URL,
        "InputItem": Items(
            5,
            # The lengths of the name and of the default are assumed.
            {"DisplayName": Text(32), "QueryStringParam": Text(32), "DefaultValue": Text(32), "InputFlags": Text(3)},
        ),
    },
    "CiscoIPPhoneImage": {**_COMMON, **_PLACE, **_PICTURE},
    # The file itself has at most 198 x 168 pixels; only its URL is known here.
    "CiscoIPPhoneImageFile": {**_COMMON, **_PLACE, "URL": _URL},
    "CiscoIPPhoneGraphicMenu": {**_COMMON, **_PLACE, **_PICTURE, "MenuItem": Items(12, _MENU)},
    "CiscoIPPhoneGraphicFileMenu": {**_COMMON, **_PLACE, "URL": _URL, "MenuItem": Items(32, _MENU)},  # 32: assumed
    "CiscoIPPhoneIconMenu": {
        **_COMMON,
        "MenuItem": Items(100, {**_MENU, "IconIndex": Number(0, 9)}),
        "IconItem": Items(
            10,
            {
                "Index": Number(0, 9),
                "Width": Number(1, 16),
                "Height": Number(1, 10),
                "Depth": Number(1, 2),
                "Data": Text(80),
            },
        ),
    },
    "CiscoIPPhoneStatus": {
        "Text": Text(32),  # assumed
        "Timer": Number(0, 5939),
        **_PLACE,
        "Width": Number(1, 106),
        "Height": Number(1, 21),
        "Depth": Number(1, 2),
        "Data": Text(1114),  # 106 x 21 pixels of two bits, in hexadecimal
    },
}
"""Per object its elements and their limits."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a phone shows. One instance serves all phones that show the same."""

    kind: str
    """The object's name; `XML Error` and `HTTP Error` for the phone's own messages (XSI-T)."""
    fields: Mapping[str, str]
    items: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """Repeated elements in order: name and fields."""
    application: str = ""
    """The object's `appId` (XSI-4, Application Management; CUIPP sends it), or empty."""

    @property
    def title(self) -> str:
        """The object's title, or empty."""
        return self.fields.get("Title", "")


XML_ERROR: Final = Screen("XML Error", {"Text": "XML Error[4]"})
"""What was fetched is no object that can be shown (XSI-T)."""
HTTP_REFUSED: Final = Screen("HTTP Error", {"Text": "HTTP Error[8]"})
"""The server's answer is an error, or no HTTP (XSI-T; which of the two numbers fits is assumed)."""
HTTP_UNREACHABLE: Final = Screen("HTTP Error", {"Text": "HTTP Error[10]"})
"""The server could not be reached in time (XSI-T; assumed as above)."""


class _NoObject(Exception):  # noqa: N818 - a verdict on the input, not an error of the program
    pass


class _Reader:
    """expat's callbacks: an object is two levels of elements below its root; deeper ones are ignored."""

    def __init__(self) -> None:
        self.kind = ""
        self.application = ""
        self.fields: dict[str, str] = {}
        self.items: list[tuple[str, dict[str, str]]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._limits: Mapping[str, Field] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        self._text = []
        depth = len(self._path)
        if depth > _DEPTH:
            raise _NoObject
        if depth == 1:
            if name not in OBJECTS:
                raise _NoObject
            self.kind, self._limits = name, OBJECTS[name]
            self.application = attributes.get("appId", "")
            if len(self.application) > _APPLICATION_CHARACTERS:
                raise _NoObject
        elif depth == 2:
            limit = self._limits.get(name)
            if isinstance(limit, Items):
                if sum(item == name for item, _ in self.items) == limit.most:
                    raise _NoObject
                self.items.append((name, {}))

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        depth = len(self._path)
        limit = self._limits.get(self._path[1]) if depth > 1 else None
        if depth == 2 and isinstance(limit, Items):
            if any(required not in self.items[-1][1] for required in limit.required):
                raise _NoObject
        elif depth == 2 and limit is not None and not isinstance(limit, Items):
            self._keep(self.fields, name, limit)
        elif depth == 3 and isinstance(limit, Items) and name in limit.fields:
            self._keep(self.items[-1][1], name, limit.fields[name])
        self._path.pop()
        self._text = []

    def _keep(self, fields: dict[str, str], name: str, limit: Text | Number) -> None:
        text = "".join(self._text).strip()
        if name in fields:
            raise _NoObject
        if isinstance(limit, Text):
            if len(text) > limit.most:
                raise _NoObject
        elif not _NUMBER.fullmatch(text) or not limit.least <= int(text) <= limit.most:
            raise _NoObject
        fields[name] = text


def _refuse(*_: object) -> None:
    raise _NoObject


@lru_cache(maxsize=_READ)
def read_object(document: bytes) -> Screen | None:
    """The object in an XML document; None where it is none, or goes over a limit of the schema."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    # No object has a DTD; without one there are no entities to expand or to fetch.
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, _NoObject, ValueError, LookupError):
        return None
    return Screen(reader.kind, reader.fields, tuple(reader.items), reader.application)
