"""Reads the large XML documents in which CallManager lists phones: bounded, and without anything that could hurt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.parsers import expat

from gateway.inventory.sources.source import SourceError

MAX_BYTES: Final = 32 * 1024 * 1024
"""A report of 30,000 phones has 5 MB."""
MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 2_000_000


def read_report(
    body: bytes,
    *,
    on_start: Callable[[str, dict[str, str]], None],
    on_end: Callable[[str, str], None] = lambda _name, _text: None,
) -> None:
    """Walk over a document.

    Args:
        body: the document; any document type is refused.
        on_start: called for each element with its name, without a namespace's prefix, and its attributes.
        on_end: called for each element with its name and the text directly before its end.

    Raises:
        SourceError: it is not well-formed, or beyond a limit.
    """
    if len(body) > MAX_BYTES:
        raise SourceError(f"the answer has more than {MAX_BYTES >> 20} MiB")
    depth = elements = 0
    text: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise SourceError("the answer is nested too deeply, or has too many elements")
        text.clear()
        on_start(name.rpartition(":")[2], attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        on_end(name.rpartition(":")[2], "".join(text).strip())
        text.clear()

    def refuse(*_: object) -> None:
        raise SourceError("the answer has a document type, which is not read")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise SourceError(f"the answer is no XML: {expat.ErrorString(error.code)}") from None
