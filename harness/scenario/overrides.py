"""Values from the command line, laid over a file: `--set gateway.concurrency=50`, `--phones 200`."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Final

from harness.scenario.lines import Path, parts_of
from harness.scenario.schema import METRIC_TABLES

OPTIONS: Final = {"--phones": "fleet.phones", "--seed": "seed", "--ground": "ground", "--csv": "fleet.csv"}
"""Options of their own; `fleet.models` and metric names are taken whole behind their table."""
_OPEN: Final = {(table,) for table in METRIC_TABLES} | {("fleet", "models")}

Overrides = Mapping[str, str] | Sequence[tuple[str, str]]


def overlay(raw: dict[str, object], overrides: Overrides) -> tuple[dict[Path, str], list[str]]:
    """Lay the overrides into `raw`.

    Returns:
        The origin of each path set (`--phones`, or `--set`), and the errors.
    """
    origins: dict[Path, str] = {}
    errors: list[str] = []
    pairs = overrides.items() if isinstance(overrides, Mapping) else overrides
    for key, text in pairs:
        origin = key if key in OPTIONS else "--set"
        path = _path(OPTIONS.get(key, key))
        if not path:
            errors.append(f"--set {key}={text}: expected KEY=VALUE such as gateway.concurrency=50")
            continue
        try:
            place = _put(raw, path, _value(text))
        except LookupError as error:
            errors.append(f"{origin} {key}={text}: {error.args[0]}")
            continue
        origins[place] = origin
    return origins, errors


def _path(key: str) -> Path:
    parts = parts_of(key)
    for length in (1, 2):
        if parts[:length] in _OPEN and len(parts) > length:
            return (*parts[:length], ".".join(parts[length:]))
    return parts


def _value(text: str) -> object:
    """The text as TOML where it is, else as a text: `--set ground=netns` needs no quotes."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def _put(raw: dict[str, object], path: Path, value: object) -> Path:
    """Set a value; a repeated table is entered by its number, which may be left out where there is one."""
    table: object = raw
    done: Path = ()
    rest = path
    while len(rest) > 1:
        assert isinstance(table, dict)
        step, *after = rest
        table = table.setdefault(step, {})
        done, rest = (*done, step), tuple(after)
        if isinstance(table, list):
            index = int(rest[0]) if rest[0].isdecimal() else 0
            if rest[0].isdecimal() and len(rest) == 1:
                raise LookupError("expected a key inside the table")
            if index >= len(table) or (not rest[0].isdecimal() and len(table) != 1):
                raise LookupError(f"{'.'.join(done)} has {len(table)} entries; name one as {'.'.join(done)}.0")
            rest = rest[1:] if rest[0].isdecimal() else rest
            table = table[index]
            done = (*done, str(index))
        if not isinstance(table, dict):
            raise LookupError(f"{'.'.join(done)} is no table")  # noqa: TRY004 - the caller's mistake is the path
    assert isinstance(table, dict)
    table[rest[0]] = value
    return (*done, rest[0])
