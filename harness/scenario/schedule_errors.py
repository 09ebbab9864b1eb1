"""What pages, alerts and a load cannot ask for together: found before anything starts."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from harness.scenario.audio import audio_seconds
from harness.scenario.findings import DEFAULT, Findings, dotted
from harness.scenario.model import MAX_DELIVERIES, MAX_PAGES, MAX_RECORDINGS, Load, Scenario, share_of
from harness.scenario.schedule import count, held_s, shortest_return_s
from harness.scenario.thresholds import Threshold

LATENESS: Final = "lateness.load_ms.p99"
_KEYS: Final = {
    "once": (),
    "rate": ("pages_per_s", "duration_s", "overlapping"),
    "ramp": ("from_per_s", "to_per_s", "duration_s", "overlapping"),
    "overlap": ("pages", "every_s", "groups"),
}
"""Keys of `[load]` that a shape takes."""


def load_limit(load: Load, given: tuple[Threshold, ...], origins: dict[str, str]) -> tuple[Threshold, ...]:
    """The limit of `[integrity]` that a load has beside the usual ones, where the scenario gives none."""
    if not load.open or any(limit.metric == LATENESS for limit in given):
        return ()
    origins[dotted(("integrity", LATENESS))] = DEFAULT
    return (Threshold.parse(LATENESS, f"<= {load.late_ms:g}"),)


def contradictions(values: Mapping[str, Any], findings: Findings) -> None:
    """What can be told without the audio files."""
    fleet, load = values["fleet"]["phones"], Load(**values["load"])
    pages, alerts = values["page"], values["alert"]
    if load.open:
        _of_the_load(load, pages, fleet, findings)
    for key, unset in _plain(Load()).items():
        if key not in ("shape", *_KEYS[load.shape]) and values["load"][key] != unset:
            shapes = " or ".join(shape for shape, keys in _KEYS.items() if key in keys)
            findings.wrong(("load", key), f"only with shape = {shapes}, got shape = {load.shape!r}")
    _groups(values, fleet, findings)
    if values["gateway"]["kind"] != "own":
        if load.open:
            findings.wrong(("load",), "not available yet: a load on another gateway")
        if values["gateway"]["kind"] == "external" and len(pages) > 1:
            findings.wrong(("page", "1"), "not available yet: several pages of an external gateway")
        if alerts and len(pages) + len(alerts) > 1:
            findings.wrong(("alert", "0"), "not available yet: an alert of another gateway beside anything else")
    if values["gateway"]["set_up"] != "file" and load.open:
        findings.wrong(("load",), 'not available yet: a load beside [gateway] set_up = "administration"')
    recordings = len({page["audio"] for page in pages})
    if recordings > MAX_RECORDINGS:
        findings.wrong(("page",), f"at most {MAX_RECORDINGS} different recordings a run, got {recordings}")
    sent = (count(load) if load.open else len(pages) or (0 if alerts else 1)) + len(alerts)
    if sent > MAX_PAGES:
        findings.wrong(("load",) if load.open else ("page",), f"at most {MAX_PAGES} pages and alerts a run, got {sent}")
    deliveries = _deliveries(values, load)
    if deliveries > MAX_DELIVERIES:
        where = ("load",) if load.open else ("page",)
        findings.wrong(where, f"at most {MAX_DELIVERIES:,} deliveries (pages times phones) a run, got {deliveries:,}")


def _of_the_load(load: Load, pages: list[Mapping[str, Any]], fleet: int, findings: Findings) -> None:
    if len(pages) > 1:
        findings.wrong(("page", "1"), f"a load has one [[page]], which it sends many times, got {len(pages)}")
    if pages and pages[0]["group"]:
        findings.wrong(("page", "0", "group"), "a load draws its groups itself: only the share `phones` is given")
    size = share_of(fleet, pages[0]["phones"] if pages else 1.0)
    match load.shape:
        case "overlap":
            if load.pages < 2:  # two is the smallest overlap
                findings.wrong(("load", "pages"), f"expected 2 or more pages to overlap, got {load.pages}")
            elif load.groups == "disjoint" and load.pages * size > fleet:
                findings.wrong(
                    ("load", "groups"),
                    f"{load.pages} disjoint groups of {size} phones in a fleet of {fleet}: expected page.phones of at "
                    f'most {fleet // load.pages / fleet:.3g}, or groups = "same"',
                )
        case "rate":
            if not load.pages_per_s:
                findings.wrong(("load", "pages_per_s"), "expected a rate above 0")
            if not load.duration_s:
                findings.wrong(("load", "duration_s"), "expected a duration above 0")
        case "ramp":
            if load.from_per_s == load.to_per_s:
                findings.wrong(
                    ("load", "to_per_s"),
                    f'a ramp that goes nowhere: from {load.from_per_s:g} to {load.to_per_s:g}; shape = "rate" is that',
                )
            elif load.duration_s and count(load) < 2:
                findings.wrong(("load", "duration_s"), f"{count(load)} page begins in that time: that is no ramp")
            if not load.duration_s:
                findings.wrong(("load", "duration_s"), "expected a duration above 0")


def _groups(values: Mapping[str, Any], fleet: int, findings: Findings) -> None:
    sizes: dict[str, int] = {}
    for table, index, wish in _wishes(values):
        if not wish["group"]:
            continue
        size = share_of(fleet, wish["phones"])
        if sizes.setdefault(wish["group"], size) != size:
            findings.wrong(
                (table, str(index), "phones"),
                f"group {wish['group']!r} has {sizes[wish['group']]} phones where it is first named, here {size}",
            )
    if sum(sizes.values()) > fleet:
        named = ", ".join(f"{name} {size}" for name, size in sizes.items())
        findings.wrong(
            ("page" if values["page"] else "alert",),
            f"groups of {sum(sizes.values())} phones in a fleet of {fleet}: {named}",
        )


def _wishes(values: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for table in ("page", "alert"):
        for index, wish in enumerate(values[table]):
            yield table, index, wish


def _plain(load: Load) -> Mapping[str, object]:
    return {field.name: getattr(load, field.name) for field in fields(load)}


def _deliveries(values: Mapping[str, Any], load: Load) -> int:
    fleet = values["fleet"]["phones"]
    pages = sum(share_of(fleet, page["phones"]) for page in values["page"])
    if load.open:
        pages = count(load) * (pages or fleet)
    return pages + sum(share_of(fleet, alert["phones"]) for alert in values["alert"])


def too_often(scenario: Scenario, findings: Findings) -> None:
    """A rate at which a phone is asked for a page while it still has one: that needs the audio's length."""
    load = scenario.load
    if load.shape not in ("rate", "ramp") or load.overlapping:
        return
    page, fleet = scenario.pages[0], scenario.fleet.phones
    size = share_of(fleet, page.phones)
    held, comes_again = held_s(page, audio_seconds(page.audio_path)), shortest_return_s(load, fleet, size)
    if comes_again >= held or math.isinf(comes_again):
        return
    key = "pages_per_s" if load.shape == "rate" else "from_per_s" if load.from_per_s > load.to_per_s else "to_per_s"
    most = math.floor(1000 * (fleet // size) / held) / 1000  # rounded down, so that it holds as it is told
    findings.wrong(
        ("load", key),
        f"groups cannot be free again: a phone's next page would begin {comes_again:.3g} s after the one before, which "
        f"may take {held:.3g} s (start_deadline_s, audio, stopping). Expected at most {most:g} pages "
        f"a second with groups of {size} in a fleet of {fleet}, smaller groups, or overlapping = true",
    )
