"""What was read, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from harness.site import models
from harness.site.merging import Site
from harness.site.phone import SUBNET_BITS

SHOWN_MAX: Final = 12
"""Lines of one kind on the terminal; JSON has all."""


def summary(site: Site) -> list[str]:
    """The lines for a terminal."""
    by_model, by_subnet, by_zone = (site.counted(each) for each in ("model", "subnet", "zone"))
    named = [zone for zone in by_zone if zone]
    head = ", ".join(
        [
            _count(len(site.phones), "phone"),
            _count(len(by_model), "model"),
            _count(len(by_subnet), "subnet"),
            _count(len(named), "zone"),
        ]
    )
    lines = [head, *(f"  from {file} ({kind})" for file, kind in site.files.items())]
    lines += _table("models", by_model, {name: _emulation(name) for name in by_model})
    assumed = f" (/{SUBNET_BITS} assumed where no file and no --subnet gives one)" if site.subnets_assumed else ""
    lines += _table(f"subnets{assumed}", by_subnet, {})
    if named:
        lines += _table("zones", {zone or "(none)": count for zone, count in by_zone.items()}, {})
    lines += _left_out(site)
    if site.notes:
        lines += ["to look at", *_shortened(f"  {note}" for note in site.notes)]
    return lines


def facts(site: Site) -> dict[str, object]:
    """The same, whole, as JSON takes it."""
    return {
        "phones": len(site.phones),
        "files": dict(site.files),
        "models": [
            {
                "model": name,
                "phones": count,
                "known": models.find(name) is not None,
                "emulated_as": models.emulated_as(name),
            }
            for name, count in site.counted("model").items()
        ],
        "subnets": site.counted("subnet"),
        "subnets_assumed": site.subnets_assumed,
        "zones": site.counted("zone"),
        "left_out": [{"name": one.name, "reason": one.reason, "detail": one.detail} for one in site.left_out],
        "notes": list(site.notes),
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _emulation(model: str) -> str:
    """What a twin makes of the model; empty where it is emulated itself."""
    taken = models.emulated_as(model)
    if models.find(model) is None:
        return f"not known; a twin takes {taken}"
    return "" if taken == model else f"a twin takes {taken}"


def _table(title: str, counts: Mapping[str, int], remarks: Mapping[str, str]) -> list[str]:
    shown = dict(list(counts.items())[:SHOWN_MAX])
    width = max(len(name) for name in shown)
    digits = max(len(f"{count:,}") for count in shown.values())
    lines = [
        f"  {name:<{width}}  {count:>{digits},}  {remarks.get(name, '')}".rstrip() for name, count in shown.items()
    ]
    rest = len(counts) - len(shown)
    return [title, *lines, *([f"  and {rest} more; --json has all"] if rest else [])]


def _left_out(site: Site) -> list[str]:
    if not site.left_out:
        return ["nothing was left out"]
    lines = [f"left out: {_count(len(site.left_out), 'device')}"]
    for reason, ones in site.left_out_by_reason().items():
        lines.append(f"  {reason}: {len(ones):,}")
        lines += _shortened(f"    {one.name}  {one.detail}" for one in ones)
    return lines


def _shortened(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    rest = len(every) - SHOWN_MAX
    return every if rest <= 0 else [*every[:SHOWN_MAX], f"    and {rest:,} more; --json has all"]
