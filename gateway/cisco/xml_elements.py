"""Read a phone's XML with all the quirks of old firmware, and nothing that could hurt the reader.

Theory of operation: cap the bytes, turn them into text (UTF-8, or else Latin-1 as the 79xx write), drop every XML
declaration (old phones send two, and some with ``encoding=""``), escape bare ampersands (phones echo URLs unescaped),
then let expat read the rest with handlers that refuse any document type and any depth beyond what these objects have.
The repairs are those that CUAE's reader of phone answers needed (captures in its tests).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.parsers import expat

MAX_BYTES = 64 * 1024
"""The same cap as for a whole response."""
MAX_DEPTH = 16
"""Cisco's objects are 2 or 3 levels deep; 200,000 levels cost seconds and stack in a tree builder."""
MAX_ELEMENTS = 2000
"""Elements of one object. DeviceInformation has about 25."""

_DECLARATION = re.compile(r"<\?xml[^>]{0,200}\?>")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")


class XmlDefectError(Exception):
    """The bytes are no XML that a phone may send. The text says why, and holds none of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """One element: its name, attributes, the text directly in it, and how deep it stands (the root: 0)."""

    name: str
    attributes: dict[str, str]
    text: str
    depth: int


class _Collector:
    def __init__(self) -> None:
        self.elements: list[tuple[str, dict[str, str], list[str], int]] = []
        self._open: list[list[str]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise XmlDefectError(f"nested deeper than {MAX_DEPTH}")
        if len(self.elements) >= MAX_ELEMENTS:
            raise XmlDefectError(f"more than {MAX_ELEMENTS} elements")
        text: list[str] = []
        self.elements.append((name, attributes, text, len(self._open)))
        self._open.append(text)

    def end(self, name: str) -> None:  # noqa: ARG002  expat gives it
        self._open.pop()

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1].append(data)

    def doctype(self, *_: object) -> None:
        raise XmlDefectError("a document type")


def read_elements(data: bytes) -> list[Element]:
    """All elements of ``data``, in the order in which they begin.

    Raises:
        XmlDefectError: Not well-formed even after the known repairs, or beyond a limit.
    """
    if len(data) > MAX_BYTES:
        raise XmlDefectError(f"more than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = _BARE_AMPERSAND.sub("&amp;", _DECLARATION.sub("", text)).strip()
    if not text:
        raise XmlDefectError("empty")
    collector = _Collector()
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    parser.StartDoctypeDeclHandler = collector.doctype
    try:
        parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        raise XmlDefectError(f"not well-formed: {expat.ErrorString(error.code)}") from None
    return [
        Element(name=name, attributes=attributes, text="".join(parts), depth=depth)
        for name, attributes, parts, depth in collector.elements
    ]
