"""Walks over the XML documents in which CallManager lists phones: bounded, with line numbers, nothing expanded.

A document type is refused, and without one there are no entities to expand or to fetch. Namespaces' prefixes do not
count: answers of every release and every client that saved them are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.parsers import expat

from harness.site.errors import SiteError

DOCUMENT_BYTES_MAX: Final = 64 * 2**20
"""RisPort70 says 1.5 kB of a phone and at most 2,000 phones at a time; joined answers of 30,000 phones take 45 MB."""
DEPTH_MAX: Final = 32
"""RisPort70's answer has 12 levels."""
ELEMENTS_MAX: Final = 4_000_000
"""50 elements a phone, 30,000 phones, and room."""

OnStart = Callable[[list[str], dict[str, str], int], None]
"""Called with the path of element names, the new one last; its attributes; its line."""
OnEnd = Callable[[list[str], str, int], None]
"""Called with the path, the ending one last; its own text without blanks around; its line."""


def walk(file: str, body: bytes, *, on_start: OnStart | None = None, on_end: OnEnd | None = None) -> None:
    """Walk over a document.

    Raises:
        SiteError: it is no XML, has a document type, or goes over a limit.
    """
    if len(body) > DOCUMENT_BYTES_MAX:
        raise SiteError([f"{file}: larger than {DOCUMENT_BYTES_MAX // 2**20} MiB, so no list of phones"])
    walker = _Walker(on_start, on_end)
    try:
        walker.parser.Parse(body, True)
    except _RefusedError as error:
        raise SiteError([f"{file}:{walker.parser.CurrentLineNumber}: {error}"]) from None
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "not well-formed")
        raise SiteError([f"{file}:{error.lineno}: no XML: {reason}"]) from None
    except (ValueError, LookupError):  # an encoding that Python's codecs do not have, or not in this way
        raise SiteError([f"{file}:1: no XML: unknown encoding"]) from None


class _RefusedError(Exception):
    """Raised in the parser's callbacks; its text says what was expected."""


class _Walker:
    def __init__(self, on_start: OnStart | None, on_end: OnEnd | None) -> None:
        self._on_start, self._on_end = on_start, on_end
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._elements = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > ELEMENTS_MAX:
            raise _RefusedError(f"expected at most {ELEMENTS_MAX:,} elements")
        if len(self._path) >= DEPTH_MAX:
            raise _RefusedError(f"expected at most {DEPTH_MAX} levels of elements")
        self._path.append(name.rpartition(":")[2])
        self._texts.append([])
        if self._on_start is not None:
            self._on_start(self._path, attributes, self.parser.CurrentLineNumber)

    def _end(self, _name: str) -> None:
        text = "".join(self._texts.pop()).strip()
        if self._on_end is not None:
            self._on_end(self._path, text, self.parser.CurrentLineNumber)
        self._path.pop()

    def _characters(self, data: str) -> None:
        if self._texts:
            self._texts[-1].append(data)

    def _doctype(self, *_: object) -> None:
        raise _RefusedError("expected no document type (DOCTYPE): exports of CallManager have none")
