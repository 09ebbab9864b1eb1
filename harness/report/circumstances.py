"""Under what circumstances a run went: faults in force, versions, machine, values that were assumed."""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.report import figures
from harness.report.result import lookup, read_settings
from harness.run_folder import EVENTS
from harness.scenario.lines import parts_of

ASSUMED: Final = "assumed (a)"
"""Origin of a value for which no public source gives a figure (scenario.toml of a run folder)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault in force."""

    kind: str
    phones: tuple[str, ...]
    """who had it; empty where the records do not say"""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a reader must know beside the result."""

    purpose: str
    faults: tuple[Fault, ...]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    assumed: Mapping[str, str]
    """key → value in force"""


def read_circumstances(folder: Path) -> Circumstances:
    """The circumstances of a run, as far as its folder tells."""
    settings = read_settings(folder)
    resolved = settings.get("resolved")
    resolved = resolved if isinstance(resolved, Mapping) else {}
    faults = _applied(folder) or _configured(settings)
    return Circumstances(
        purpose=figures.clean(str(settings.get("purpose") or "")),
        faults=faults,
        versions=_texts(resolved.get("versions")),
        machine=_machine(_texts(resolved.get("machine"))),
        assumed=_assumed(settings, resolved.get("origins")),
    )


def _applied(folder: Path) -> tuple[Fault, ...]:
    """Faults as the harness recorded them."""
    found = []
    try:
        with gzip.open(folder / EVENTS, "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if '"fault.applied"' not in line:
                    continue
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict) and record.get("kind") == "fault.applied":
                    phones = record.get("phones")
                    found.append(
                        Fault(
                            kind=figures.clean(str(record.get("fault", ""))),
                            phones=tuple(figures.clean(str(p)) for p in phones) if isinstance(phones, list) else (),
                            detail=figures.clean(str(record.get("detail") or "")),
                        )
                    )
    except (OSError, EOFError, zlib.error):
        pass  # what was read counts: the verdict says that records are damaged
    return tuple(found)


def _configured(settings: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Faults as the scenario asks for them, where nobody recorded that they were applied."""
    given = settings.get("fault")
    return tuple(
        Fault(
            kind=figures.clean(str(each.get("kind", ""))),
            phones=(),
            detail="asked for by the scenario; no record says that it was applied",
        )
        for each in (given if isinstance(given, list) else ())
        if isinstance(each, Mapping)
    )


def _texts(given: object) -> Mapping[str, str]:
    if not isinstance(given, Mapping):
        return {}
    return {figures.clean(str(name)): figures.clean(str(value)) for name, value in given.items()}


def _machine(given: Mapping[str, str]) -> Mapping[str, str]:
    """Facts of the machine; its memory in a unit that people read."""
    found = dict(given)
    size = found.pop("memory_bytes", "")
    if size.isdigit():
        found["memory"] = f"{int(size) / 2**30:.1f} GiB"
    return found


def _assumed(settings: Mapping[str, Any], origins: object) -> Mapping[str, str]:
    found = {}
    for key, origin in origins.items() if isinstance(origins, Mapping) else ():
        if origin != ASSUMED:
            continue
        try:
            value = lookup(settings, parts_of(key))
        except (LookupError, TypeError, ValueError):
            continue  # a file changed by hand
        found[figures.clean(str(key))] = figures.clean(_value(value))
    return found


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    return figures.number(value, 3) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
