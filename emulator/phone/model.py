"""What differs per phone model: read from data, where each value says where it is from and how sure that is.

A model's file names a family, whose facts hold unless the model's own file says otherwise. A fact is a table with
`value`, `sure` and `source`; one of a model's without `value` says how sure its family's value is there. Reading is
strict: everything that is wrong with a file is reported at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, cast

SURENESS: Final = ("documented", "seen", "reported", "inferred", "assumed")
PLACEHOLDERS: Final = frozenset({
    "mac", "name", "dn", "serial", "model", "load", "boot", "version", "hardware", "udi_name", "udi_version",
    "address", "authentication_url", "services_url", "time", "date", "number",
    "remote", "local", "status", "start", "packets", "octets", "codec", "lost", "jitter", "max_jitter",
    "sent_packets", "sent_octets", "sent_codec", "sent_size",
})  # fmt: skip
"""What a page's text may hold in braces: filled in from the phone and from the stream it hears."""


URIS: Final = ("Display", "SendDigits", "App", "Device")
"""URIs that not every model has; the others are common to all of these."""


class ModelError(ValueError):
    """A model file is wrong; `problems` has all that is. Never the fault of a phone's list."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Display:
    """What a phone shows pixels on, as `x-CiscoIPPhoneDisplay` tells it."""

    width: int
    height: int
    depth: int
    """Bits."""
    colour: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Firmware:
    """Names and numbers that /DeviceInformation shows."""

    load: str
    boot: str
    version: str
    hardware: str
    serial: str
    """What stands before the eight digits of a made-up serial number."""
    udi_name: str
    udi_version: str


Elements = tuple[tuple[str, str, str], ...]
"""Element of the X form, label of the HTML form, text with placeholders; an empty name leaves the line out there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One phone model; sources are in its file in emulator/models and in its family's."""

    model: str
    """Cisco's spelling, such as `CP-7961G`."""
    aliases: tuple[str, ...]
    family: str
    object_bytes: int
    """Largest XML object that a push may hold, decoded."""
    unauthorized: Literal["401", "error-4"]
    page_challenge: Literal["401", "as-refused"]
    """What a request for a protected page is answered that has no credentials."""
    realm: str
    response: Literal["three-items", "one-item"]
    response_data: str
    """Data of an item that succeeded."""
    answer_version: Literal["1.0", "1.1"]
    answer_head: str
    """Fields of an answer in order and case, with `{type}`, `{date}`, `{length}`, `{server}` and `{more}`."""
    server: str
    """Empty: no such field."""
    content_type: str
    html_type: str
    mode_info_type: str
    head_answer: Literal["error-4", "page"]
    """What HEAD is answered: the head of error 4 whatever the path, or that of the page."""
    beyond: Literal["invalid-argument", "404"]
    """What a port or stream number is answered that the phone has not."""
    media_api: bool
    """Whether it knows `startMedia` and `stopMedia`."""
    stop_media: Literal["empty", "stream"]
    """Body of the answer to `stopMedia`."""
    uris: frozenset[str]
    """Of `URIS` those that it knows."""
    https: bool
    question_method: Literal["GET", "POST"]
    question_version: Literal["1.0", "1.1"]
    question_head: tuple[str, ...]
    configuration: Literal["http", "tftp"]
    """By which way it fetches its configuration file first."""
    redirect: Literal["follow", "refuse", "drop-query"]
    answer_fields: frozenset[str]
    """Names, in lower case, of the fields that an authentication answer may have; empty: any."""
    title: str
    """How the HTML pages call the phone."""
    display: Display
    screenshot: Literal["xml", "bmp", "png"]
    java_pages: bool
    """Whether /CGI/Java/Serviceability exists."""
    declaration: str
    """XML declaration of the X pages."""
    empty_elements: Literal["pair", "single"]
    html_escape: Literal["plain", "hexadecimal"]
    ports: int
    logs: int
    streams: int
    firmware: Firmware
    device_information: Elements
    network_configuration: Elements
    ethernet_information: Elements
    port_information: Elements
    streaming_statistics: Elements


class _Wrong(Exception):  # noqa: N818 - a verdict on one value
    pass


def _text(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    if not isinstance(value, str) or "\r" in value:
        raise _Wrong(f"expected text, got {value!r}")
    return value


def _line(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    if "\n" in _text(value):
        raise _Wrong(f"expected text of one line, got {value!r}")
    return cast("str", value)


def _count(value: Any) -> int:  # noqa: ANN401 - whatever the file holds
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 20:
        raise _Wrong(f"expected a positive count, got {value!r}")
    return value


def _flag(value: Any) -> bool:  # noqa: ANN401 - whatever the file holds
    if not isinstance(value, bool):
        raise _Wrong(f"expected true or false, got {value!r}")
    return value


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
        if value not in choices:
            raise _Wrong(f"expected one of {', '.join(choices)}, got {value!r}")
        return cast("str", value)

    return read


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - whatever the file holds
    if not isinstance(value, list):
        raise _Wrong(f"expected a list, got {value!r}")
    return value


def _lines(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the file holds
    return tuple(_line(line) for line in _list(value))


def _names(value: Any) -> frozenset[str]:  # noqa: ANN401 - whatever the file holds
    return frozenset(line.lower() for line in _lines(value))


def _uris(value: Any) -> frozenset[str]:  # noqa: ANN401 - whatever the file holds
    names = _lines(value)
    if unknown := sorted(set(names) - set(URIS)):
        raise _Wrong(f"expected of {', '.join(URIS)}, got {', '.join(unknown)}")
    return frozenset(names)


def _head(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    """Fields as one template; further ones (a challenge) go before the length."""
    lines = _lines(value)
    lengths = [index for index, line in enumerate(lines) if line.lower().startswith("content-length:")]
    if len(lengths) != 1:
        raise _Wrong("expected Content-Length once")
    template = "".join(f"{'{more}' if index == lengths[0] else ''}{line}\r\n" for index, line in enumerate(lines))
    return _template(template, {"type", "date", "length", "server", "more"})


def _template(text: str, known: set[str] | frozenset[str]) -> str:
    try:
        text.format(**dict.fromkeys(known, ""))
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise _Wrong(f"{text!r}: unknown placeholder or brace ({error})") from error
    return text


def _elements(value: Any) -> Elements:  # noqa: ANN401 - whatever the file holds
    elements = []
    for row in _list(value):
        if not isinstance(row, list) or len(row) != 3:
            raise _Wrong(f"expected [element, label, text], got {row!r}")
        elements.append((_line(row[0]), _line(row[1]), _template(_text(row[2]), PLACEHOLDERS)))
    return tuple(elements)


def _display(value: Any) -> Display:  # noqa: ANN401 - whatever the file holds
    parts = _line(value).split(",")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts[:3]) or parts[3] not in {"C", "G"}:
        raise _Wrong(f"expected width,height,depth,C or G, got {value!r}")
    width, height, depth = map(int, parts[:3])
    if not (1 <= width <= 2048 and 1 <= height <= 2048 and 1 <= depth <= 32):
        raise _Wrong(f"expected at most 2048 x 2048 and 32 bits, got {value!r}")
    return Display(width=width, height=height, depth=depth, colour=parts[3] == "C")


def _firmware(value: Any) -> Firmware:  # noqa: ANN401 - whatever the file holds
    known = {field.name for field in fields(Firmware)}
    if not isinstance(value, dict) or set(value) != known:
        raise _Wrong(f"expected {', '.join(sorted(known))}")
    return Firmware(**{name: _line(text) for name, text in value.items()})


_FACTS: Final[Mapping[str, Callable[[Any], object]]] = {
    "object_bytes": _count,
    "unauthorized": _one_of("401", "error-4"),
    "page_challenge": _one_of("401", "as-refused"),
    "realm": _line,
    "response": _one_of("three-items", "one-item"),
    "response_data": _line,
    "answer_version": _one_of("1.0", "1.1"),
    "answer_head": _head,
    "server": _line,
    "content_type": _line,
    "html_type": _line,
    "mode_info_type": _line,
    "head_answer": _one_of("error-4", "page"),
    "beyond": _one_of("invalid-argument", "404"),
    "media_api": _flag,
    "stop_media": _one_of("empty", "stream"),
    "uris": _uris,
    "https": _flag,
    "question_method": _one_of("GET", "POST"),
    "question_version": _one_of("1.0", "1.1"),
    "question_head": _lines,
    "configuration": _one_of("http", "tftp"),
    "redirect": _one_of("follow", "refuse", "drop-query"),
    "answer_fields": _names,
    "title": _line,
    "display": _display,
    "screenshot": _one_of("xml", "bmp", "png"),
    "java_pages": _flag,
    "declaration": _line,
    "empty_elements": _one_of("pair", "single"),
    "html_escape": _one_of("plain", "hexadecimal"),
    "ports": _count,
    "logs": _count,
    "streams": _count,
    "firmware": _firmware,
    "device_information": _elements,
    "network_configuration": _elements,
    "ethernet_information": _elements,
    "port_information": _elements,
    "streaming_statistics": _elements,
}
FACTS: Final = tuple(_FACTS)
"""Names of the facts, in the order in which the pages of the models show them."""


def read_model(document: Mapping[str, Any], family: Mapping[str, Any] | None = None) -> Model:
    """A model from its parsed TOML document and its family's.

    Raises:
        ModelError: all facts that are missing, unknown, of the wrong kind, or without source and sureness.
    """
    problems: list[str] = []
    merged = merge(document, family or {})
    known = {"model", "aliases", "family", *_FACTS}
    if set(merged) != known:
        problems.append(f"missing or unknown: {', '.join(sorted(set(merged) ^ known))}")
    values: dict[str, Any] = {}
    plain: Mapping[str, Callable[[Any], object]] = {"model": _line, "aliases": _lines, "family": _line}
    for name, read in {**plain, **_FACTS}.items():
        if name not in merged:
            continue
        value = merged[name]
        if name in _FACTS:
            complaint = _incomplete(value)
            if complaint:
                problems.append(f"{name}: {complaint}")
                continue
            value = value["value"]
        try:
            values[name] = read(value)
        except _Wrong as wrong:
            problems.append(f"{name}: {wrong}")
    if problems:
        raise ModelError(problems)
    return Model(**values)


def merge(document: Mapping[str, Any], family: Mapping[str, Any]) -> dict[str, Any]:
    """A model's document with what it takes from its family's."""
    merged = {**family, **document}
    for name, fact in document.items():
        inherited = family.get(name)
        if isinstance(fact, dict) and "value" not in fact and isinstance(inherited, dict) and "value" in inherited:
            merged[name] = {**fact, "value": inherited["value"]}
    return merged


def _incomplete(fact: Any) -> str | None:  # noqa: ANN401 - whatever the file holds
    if not isinstance(fact, dict) or set(fact) != {"value", "sure", "source"}:
        return "expected value, sure and source"
    if fact["sure"] not in SURENESS:
        return f"sure: expected one of {', '.join(SURENESS)}, got {fact['sure']!r}"
    if not isinstance(fact["source"], str) or not fact["source"].strip():
        return "source: expected a text that is not empty"
    return None
