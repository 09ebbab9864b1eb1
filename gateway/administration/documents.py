"""Read JSON documents strictly: unknown keys with the nearest known one, all errors at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from gateway.administration.page_request import RequestError

_WORDS = {str: "text", bool: "true or false", int: "a whole number", list: "a list"}


def read_document(
    document: object, required: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> dict[str, object]:
    """The document's values; optional ones may be missing or null.

    Args:
        document: what was sent.
        required: key to type.
        optional: key to type.

    Raises:
        RequestError: with every error found.
    """
    if not isinstance(document, dict):
        raise RequestError(["the body must be a JSON object"])
    known = {**required, **(optional or {})}
    errors = unknown_keys(document, tuple(known))
    values: dict[str, object] = {}
    for key, kind in known.items():
        value = document.get(key)
        if value is None:
            if key in required:
                errors.append(f"{key} is missing")
        elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            errors.append(f"{key} must be {_WORDS.get(kind, kind.__name__)}")
        else:
            values[key] = value
    if errors:
        raise RequestError(errors)
    return values


def unknown_keys(document: Mapping[object, object], known: Sequence[str]) -> list[str]:
    """An error for each key that is not known."""
    errors = []
    for key in document:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            errors.append(f"unknown key {str(key)[:40]!r}" + (f", did you mean {near[0]}?" if near else ""))
    return errors


def whole_number(text: str | None, name: str, default: int, low: int, high: int) -> int:
    """A number of the query.

    Raises:
        RequestError: it is none, or out of range.
    """
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16 and low <= int(text) <= high):
        raise RequestError([f"{name} must be a whole number from {low} to {high}"])
    return int(text)


def texts(value: object, name: str) -> list[str]:
    """A list of texts.

    Raises:
        RequestError: it is none.
    """
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise RequestError([f"{name} must be a list of names"])
    return value
