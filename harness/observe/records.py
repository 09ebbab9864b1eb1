"""Reads the records of the witnesses (docs/reference/events.md)."""

import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.observe.kinds import MAX_COUNT, WITNESSES, problem

MAX_LINE_BYTES: Final = 2**20
"""A record is a few hundred bytes; a fault that names 30,000 phones is half a megabyte."""
MAX_PROBLEMS: Final = 100
"""Kept word for word; one is enough to blind a witness, and a damaged file would fill memory with them."""
_decode: Final = json.JSONDecoder().decode
"""`json.loads` looks for other encodings first."""


class RecordsError(Exception):
    """The file of records cannot be read at all. Not: single lines that are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that a witness saw. Known kinds have the fields that `kinds.REQUIRED` lists, with their types."""

    t_ns: int
    witness: str
    kind: str
    phone: str
    """Device name; empty where the record has none."""
    push: str
    """Empty where the record has none."""
    fields: dict[str, object] = field(repr=False)

    def text(self, name: str, default: str = "") -> str:
        """A text field."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else default

    def whole(self, name: str, default: int = 0) -> int:
        """A whole-number field of at most 63 bits."""
        value = self.fields.get(name)
        fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_COUNT
        return value if fits else default  # type: ignore[return-value] # an int, as checked

    def number(self, name: str) -> float | None:
        """A number, None where it is absent, and where it is none that can be reckoned with (NaN, infinite, huge)."""
        value = self.fields.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        return float(value) if abs(value) <= sys.float_info.max else None

    def flag(self, name: str) -> bool:
        """A boolean field, false where it is absent."""
        return self.fields.get(name) is True

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.fields.get(name)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A line that could not be used."""

    line: int
    witness: str
    """Whose it is; empty where that cannot be told."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All records of a run in order of time."""

    all: tuple[Record, ...]
    problems: tuple[Problem, ...]
    by_kind: dict[tuple[str, str], list[Record]] = field(repr=False)

    @classmethod
    def of_lines(cls, lines: Iterable[bytes]) -> "Records":
        """Read records from lines."""
        found: list[Record] = []
        problems: list[Problem] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            result = parse(line)
            if isinstance(result, Record):
                found.append(result)
            elif len(problems) < MAX_PROBLEMS:
                problems.append(Problem(line=number, witness=result[0], why=result[1]))
        found.sort(key=lambda record: record.t_ns)
        by_kind: dict[tuple[str, str], list[Record]] = {}
        for record in found:
            by_kind.setdefault((record.witness, record.kind), []).append(record)
        return cls(all=tuple(found), problems=tuple(problems), by_kind=by_kind)

    def of(self, witness: str, kind: str) -> list[Record]:
        """The records of one kind, in order of time."""
        return self.by_kind.get((witness, kind), [])

    def count(self, witness: str) -> int:
        """How many records one witness wrote."""
        return sum(len(found) for (who, _), found in self.by_kind.items() if who == witness)


def parse(line: bytes) -> Record | tuple[str, str]:
    """One line: a record, or whose it was and what is wrong with it."""
    if len(line) > MAX_LINE_BYTES:
        return "", f"a line of {len(line)} bytes; at most {MAX_LINE_BYTES}"
    try:
        fields = _decode(line.decode())
    except (ValueError, RecursionError):
        return "", "not JSON"
    if not isinstance(fields, dict):
        return "", f"expected an object, got {type(fields).__name__}"
    witness, kind, t_ns = fields.get("witness"), fields.get("kind"), fields.get("t_ns")
    if not isinstance(witness, str) or witness not in WITNESSES:
        return "", f"expected witness as one of {', '.join(sorted(WITNESSES))}"
    if not isinstance(kind, str):
        return witness, "expected kind as text"
    if not isinstance(t_ns, int) or isinstance(t_ns, bool):
        return witness, f"{kind}: expected t_ns as a whole number"
    if abs(t_ns) >= MAX_COUNT:
        return witness, f"{kind}: t_ns has more than 63 bits"
    why = problem(witness, kind, fields)
    if why is not None:
        return witness, why
    phone, push = fields.get("phone"), fields.get("push")
    return Record(
        t_ns=t_ns,
        witness=witness,
        kind=kind,
        phone=phone if isinstance(phone, str) else "",
        push=push if isinstance(push, str) else "",
        fields=fields,
    )


def read_records(path: Path) -> Records:
    """Read a file of records, packed with gzip or not. A file that ends within a line costs that line only.

    Raises:
        RecordsError: it cannot be opened, or nothing of it can be unpacked.
    """
    try:
        return Records.of_lines(_lines(path))
    except OSError as error:
        raise RecordsError(f"{path}: cannot be read: {error.strerror or error}") from None


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        while True:
            try:
                line = stream.readline(MAX_LINE_BYTES + 1)
            except (EOFError, zlib.error):
                # What was unpacked so far has been given; the rest is one problem more.
                yield b"the packed file ends early"
                return
            if not line:
                return
            yield line
