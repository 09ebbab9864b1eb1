"""Values from the command line, laid over a file: `--set gateway.concurrency=50`, `--phones 200`."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Final

from harness.scenario.lines import Path, parts_of
from harness.scenario.schema import METRIC_TABLES

OPTIONS: Final = {"--phones": "fleet.phones", "--seed": "seed", "--ground": "ground", "--csv": "fleet.csv"}
"""Options of their own; `fleet.models` and metric names are taken whole behind their table."""
_OPEN: Final = {(table,) for table in METRIC_TABLES} | {("fleet", "models")}

EXPECTED_SET: Final = "expected KEY=VALUE such as gateway.concurrency=50"
"""What is said of a `--set` that has no key, or no value."""

Overrides = Mapping[str, str] | Sequence[tuple[str, str | None]]
"""Key path, or option, and text; None where it was given none."""


def pair(text: str) -> tuple[str, str | None]:
    """Key and text of a `--set`; None where there is no `=`."""
    key, equals, value = text.partition("=")
    return key.strip(), value.strip() if equals else None


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
        if text is None:
            errors.append(f"--set {key}: no value; {EXPECTED_SET}")
            continue
        if not path:
            errors.append(f"--set {key}={text}: {EXPECTED_SET}")
            continue
        try:
            places = _put(raw, path, _value(text))
        except LookupError as error:
            errors.append(f"{origin} {key}={text}: {error.args[0]}")
            continue
        origins.update(dict.fromkeys(places, origin))
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


def _put(table: dict[str, object], path: Path, value: object, done: Path = ()) -> list[Path]:
    """Set a value; a repeated table is entered by its number, or without one in each of its entries."""
    step, *rest = path
    if not rest:
        table[step] = value
        return [(*done, step)]
    inner, done = table.setdefault(step, {}), (*done, step)
    if not isinstance(inner, list):
        if not isinstance(inner, dict):
            raise LookupError(f"{'.'.join(done)} is no table")  # noqa: TRY004 - the caller's mistake is the path
        return _put(inner, tuple(rest), value, done)
    numbered = rest[0].isdecimal()
    if numbered and len(rest) == 1:
        raise LookupError("expected a key inside the table")
    if not inner or (numbered and int(rest[0]) >= len(inner)):
        raise LookupError(f"{'.'.join(done)} has {len(inner)} entries; name one as {'.'.join(done)}.0")
    places = []
    for index in [int(rest[0])] if numbered else range(len(inner)):
        entry, where = inner[index], (*done, str(index))
        if not isinstance(entry, dict):
            raise LookupError(f"{'.'.join(where)} is no table")  # noqa: TRY004 - as above
        places += _put(entry, tuple(rest[1:] if numbered else rest), value, where)
    return places
