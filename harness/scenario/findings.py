"""Checks a parsed file against the key table, and collects every error on the way."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from harness.scenario import metrics
from harness.scenario.keys import REQUIRED, Key, NotYetError, Table, WrongValueError
from harness.scenario.lines import Path, line_of
from harness.scenario.schema import INTEGRITY, METRIC_TABLES, SCHEMA
from harness.scenario.thresholds import EXPECTED, Threshold, ThresholdSyntaxError

DEFAULT: Final = "default"
ASSUMED: Final = "assumed (a)"
MAX_REPEATED: Final = 1000
"""Entries of one repeated table: far above any use, and a bound on the work that a file can cause."""

Values = dict[str, object]


@dataclass(kw_only=True)
class Findings:
    """The errors of one file, and the origin of every value in force."""

    file: str
    lines: Mapping[Path, int]
    given: Mapping[Path, str]
    """Origin of the keys that overrides set."""
    errors: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    whole: bool = True
    """Whether all values are there, whatever else is wrong: then they can be held against each other."""

    def wrong(self, path: Path, message: str, *, spoils: bool = True) -> None:
        """Note an error at a key.

        Args:
            path: the key.
            message: expected, got, what to do.
            spoils: whether a value is missing for it. One too many is none.
        """
        self.whole = self.whole and not spoils
        origin = next((o for p, o in self.given.items() if p[: len(path)] == path), None)
        line = line_of(self.lines, path)
        place = origin or (f"{self.file}:{line}" if line is not None else self.file)
        self.errors.append(f"{place}: {dotted(path)}: {message}")

    def origin(self, path: Path, origin: str) -> None:
        """Note where a value came from; an override wins, also one of a whole table around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.given and origin not in (DEFAULT, ASSUMED):
                origin = self.given[path[:length]]
                # The table itself is noted too: only as a whole can it be given again.
                self.origins[dotted(path[:length])] = origin
                break
        self.origins[dotted(path)] = origin


def dotted(path: Path) -> str:
    """A path as people write it: `thresholds."push.per_s"`."""
    return ".".join(f'"{part}"' if "." in part else part for part in path)


def checked(raw: Mapping[str, object], findings: Findings) -> Values:
    """Every value in force, nested as in the file; what was wrong stands in `findings`."""
    body = {key: value for key, value in raw.items() if key not in METRIC_TABLES}
    values = _table(body, SCHEMA, (), findings, also=METRIC_TABLES)
    integrity = dict.fromkeys(INTEGRITY) | _mapping(raw.get("integrity", {}), ("integrity",), findings)
    values["integrity"] = _conditions(integrity, "integrity", findings)
    values["thresholds"] = _conditions(
        _mapping(raw.get("thresholds", {}), ("thresholds",), findings), "thresholds", findings
    )
    return values


def _mapping(value: object, path: Path, findings: Findings) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    findings.wrong(path, f"expected a table, got {value!r}")
    return {}


def _table(raw: object, table: Table, path: Path, findings: Findings, also: tuple[str, ...] = ()) -> Values:
    entries = _mapping(raw, path, findings)
    names = (*table.keys, *table.tables, *also)
    for name in entries:
        if name not in names:
            findings.wrong((*path, name), f"unknown key; {_hint(name, names)}", spoils=False)
    values: Values = {name: _value(name, entries, key, (*path, name), findings) for name, key in table.keys.items()}
    for name, inner in table.tables.items():
        where = (*path, name)
        given = entries.get(name)
        if inner.later:
            if name in entries:
                findings.wrong(where, f"not available yet: {inner.later}")
        elif inner.repeated:
            values[name] = _repeated(given, inner, where, findings)
        else:
            values[name] = _table({} if given is None else given, inner, where, findings)
    return values


def _hint(name: str, names: tuple[str, ...]) -> str:
    """The nearest key here, the tables that have a key of this very name, or what is known here."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    homes = [home for home, table in _tables(SCHEMA, "") if name in table.keys or name in table.tables]
    if homes:
        return f"{name!r} belongs to {' or '.join(homes)}"
    return f"known here: {', '.join(names)}"


def _tables(table: Table, name: str) -> Iterator[tuple[str, Table]]:
    """Every table as a file writes it: `[fleet]`, `[[page]]`."""
    yield (f"[[{name}]]" if table.repeated else f"[{name}]") if name else "the top of the file", table
    for inner, entries in table.tables.items():
        yield from _tables(entries, f"{name}.{inner}".lstrip("."))


def _repeated(given: object, table: Table, path: Path, findings: Findings) -> list[Values]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MAX_REPEATED:
        findings.wrong(path, f"expected at most {MAX_REPEATED} tables written [[{dotted(path)}]], got {_shown(given)}")
        return []
    return [_table(entry, table, (*path, str(index)), findings) for index, entry in enumerate(given)]


def _value(name: str, entries: Mapping[str, object], key: Key, path: Path, findings: Findings) -> object:
    if name not in entries:
        if key.default is REQUIRED:
            findings.wrong(path, "missing; it has no default")
            return None
        if key.default is not None:
            findings.origin(path, ASSUMED if key.assumed else DEFAULT)
        return key.default
    findings.origin(path, "scenario")
    try:
        return key.accept(entries[name])
    except WrongValueError as error:
        findings.wrong(path, f"expected {error}, got {_shown(entries[name])}")
    except NotYetError as error:
        findings.wrong(path, str(error))
    return key.default


def _conditions(entries: Mapping[str, object], table: str, findings: Findings) -> tuple[Threshold, ...]:
    conditions = []
    for name, given in entries.items():
        path = (table, name)
        if not metrics.known(name):
            near = metrics.nearest(name)
            hint = f"did you mean {near!r}?" if near else "see docs/reference/metrics.md"
            findings.wrong(path, f"unknown metric; {hint}")
            continue
        expression = INTEGRITY[name] if given is None else given
        findings.origin(path, DEFAULT if given is None else "scenario")
        if not isinstance(expression, str):
            findings.wrong(path, f"expected {EXPECTED} in quotes, got {_shown(expression)}")
            continue
        try:
            conditions.append(Threshold.parse(name, expression))
        except ThresholdSyntaxError as error:
            findings.wrong(path, str(error))
    return tuple(conditions)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # 80: a message stays on one line
