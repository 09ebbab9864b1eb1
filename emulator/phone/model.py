"""What differs per phone model: read from data, where each value says where it is from and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, cast

SURENESS: Final = ("documented", "seen", "reported", "inferred", "assumed")


class ModelError(ValueError):
    """A model file of ours is wrong. Never the fault of a phone's list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One phone model; sources are in its file in emulator/models."""

    model: str
    """Cisco's spelling, such as `CP-7961G`."""
    aliases: tuple[str, ...]
    object_bytes: int
    """Largest XML object that a push may hold, decoded."""
    unauthorized: Literal["401", "error-4"]
    realm: str
    response: Literal["three-items", "one-item"]
    content_type: str
    server: str
    question_method: Literal["GET", "POST"]
    question_version: Literal["1.0", "1.1"]
    question_head: tuple[str, ...]
    device_information: tuple[tuple[str, str], ...]
    """Elements of /DeviceInformationX in order, with placeholders."""


def _text(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    if not isinstance(value, str):
        raise ModelError(f"expected text, got {value!r}")
    return value


def _count(value: Any) -> int:  # noqa: ANN401 - whatever the file holds
    if not isinstance(value, int) or value < 1:
        raise ModelError(f"expected a positive count, got {value!r}")
    return value


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
        if value not in choices:
            raise ModelError(f"expected one of {', '.join(choices)}, got {value!r}")
        return cast("str", value)

    return read


def _lines(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the file holds
    return tuple(_text(line) for line in value)


def _elements(value: Any) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - whatever the file holds
    return tuple((_text(name), _text(text)) for name, text in value)


_FACTS: Final[Mapping[str, Callable[[Any], object]]] = {
    "object_bytes": _count,
    "unauthorized": _one_of("401", "error-4"),
    "realm": _text,
    "response": _one_of("three-items", "one-item"),
    "content_type": _text,
    "server": _text,
    "question_method": _one_of("GET", "POST"),
    "question_version": _one_of("1.0", "1.1"),
    "question_head": _lines,
    "device_information": _elements,
}


def read_model(document: Mapping[str, Any]) -> Model:
    """A model from its parsed TOML document.

    Raises:
        ModelError: a fact is missing, unknown, of the wrong kind, or without source and sureness.
    """
    known = {field.name for field in fields(Model)}
    if set(document) != known:
        raise ModelError(f"missing or unknown: {', '.join(sorted(set(document) ^ known))}")
    values: dict[str, Any] = {"model": _text(document["model"]), "aliases": _lines(document["aliases"])}
    for name, read in _FACTS.items():
        fact = document[name]
        if set(fact) != {"value", "sure", "source"} or fact["sure"] not in SURENESS or not fact["source"]:
            raise ModelError(f"{name}: needs value, source, and sure ({', '.join(SURENESS)})")
        try:
            values[name] = read(fact["value"])
        except (ModelError, TypeError, ValueError) as error:
            raise ModelError(f"{name}: {error}") from error
    return Model(**values)
