"""A saved SOAP answer of CallManager, device by device: what AXL's and RisPort's have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.site.document import walk
from harness.site.errors import SiteError
from harness.site.listed import Export, Kind, Listed, Other


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Where an answer has what.

    Attributes:
        kind: the export's, for people.
        request: what was asked.
        roots: the answer's element, by its names.
        device: the last two elements of the path to a device.
        fields: elements of a device, once each.
        repeats: whether a path within a device is that of an element which it may have several times.
    """

    kind: Kind
    request: str
    roots: frozenset[str]
    device: tuple[str, str]
    fields: frozenset[str]
    repeats: Callable[[list[str]], bool]


@dataclass(slots=True)
class Device:
    """One device of an answer.

    Attributes:
        place: file and line where it begins.
        values: field → text.
        repeated: texts of the element that repeats, in order.
    """

    place: str
    values: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)


class Found:
    """What a reader makes of the devices."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.phones: list[Listed] = []
        self.others: list[Other] = []


def read_answer(file: str, body: bytes, form: Form, add: Callable[[Device, Found], None]) -> Export:
    """Read an answer, and have each of its devices added.

    Raises:
        SiteError: with every error; a fault of CallManager among them.
    """
    found = Found()
    answered = False
    device: Device | None = None

    def start(path: list[str], _attributes: dict[str, str], line: int) -> None:
        nonlocal answered, device
        answered = answered or path[-1] in form.roots
        if tuple(path[-2:]) == form.device:
            device = Device(f"{file}:{line}")

    def end(path: list[str], text: str, line: int) -> None:
        nonlocal device
        if path[-1] == "faultstring":
            found.errors.append(f"{file}:{line}: CallManager answered with a fault: {text[:200]}")
        if device is None:
            return
        if tuple(path[-2:]) == form.device:
            add(device, found)
            device = None
        elif tuple(path[-3:-1]) == form.device and path[-1] in form.fields:
            device.values[path[-1]] = text
        elif form.repeats(path):
            device.repeated.append(text)

    walk(file, body, on_start=start, on_end=end)
    if not answered and not found.errors:
        found.errors.append(f"{file}: expected an answer of {form.request}")
    if found.errors:
        raise SiteError(found.errors)
    return Export(file=file, kind=form.kind, phones=found.phones, others=found.others)
