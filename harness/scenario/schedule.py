"""When each page and alert of a run is due, and to which phones: worked out beforehand, from the seed alone.

Theory of operation. A load is open: pages begin by a schedule that nothing changes, however slow the gateway is. A
generator that waited for one page before it sent the next would send less the worse things stand, and measure only the
moments at which the gateway could keep up (coordinated omission). So times are the points at which the integral of the
rate passes whole numbers; groups of phones are cut one after the other from the fleet, shuffled once and closed to a
ring, so that a phone comes again as late as possible.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.scenario.model import Alert, Load, Page, Scenario, share_of

STOPPING_S: Final = 3.0
"""What a page takes beside its audio: starting and stopping 1,000 phones (measured 2 s)."""
_EPSILON: Final = 1e-9
"""Times are reckoned in floating point; a page that is due at the very end is not one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One page or alert of a run."""

    name: str
    """`page 2`, `alert 1`: counted from 1 in the scenario's order, or in that of a load."""
    at_s: float
    """After the run's zero."""
    wish: Page | Alert
    phones: tuple[str, ...]
    """Device names, in the roster's order."""

    @property
    def page(self) -> Page | None:
        """The page; None of an alert."""
        return self.wish if isinstance(self.wish, Page) else None

    @property
    def alert(self) -> Alert | None:
        """The alert; None of a page."""
        return self.wish if isinstance(self.wish, Alert) else None


def schedule(scenario: Scenario, names: Sequence[str]) -> tuple[Planned, ...]:
    """Every page and every alert of a run, pages first.

    Args:
        scenario: without contradictions.
        names: device names of the fleet, in the roster's order.
    """
    groups = _groups(scenario, names)
    if scenario.load.open:
        pages = _loaded(scenario, names)
    else:
        pages = [
            Planned(
                name=f"page {n}", at_s=page.at_s, wish=page, phones=_phones(scenario, names, groups, f"page {n}", page)
            )
            for n, page in enumerate(scenario.pages, start=1)
        ]
    alerts = [
        Planned(
            name=f"alert {n}", at_s=alert.at_s, wish=alert, phones=_phones(scenario, names, groups, f"alert {n}", alert)
        )
        for n, alert in enumerate(scenario.alerts, start=1)
    ]
    return (*pages, *alerts)


def times_s(load: Load) -> tuple[float, ...]:
    """When the pages of a load are due, seconds after its beginning, in order.

    Of `rate` and `ramp` page n (from 0) is due when the integral of the rate is n; the end itself is no page's.
    """
    if load.shape == "overlap":
        return tuple(load.every_s * n for n in range(load.pages))
    first, last = (load.pages_per_s, load.pages_per_s) if load.shape == "rate" else (load.from_per_s, load.to_per_s)
    return tuple(_due_s(n, first, last, load.duration_s) for n in range(count(load)))


def count(load: Load) -> int:
    """How many pages a load has; 0 where there is none."""
    match load.shape:
        case "overlap":
            return load.pages
        case "rate":
            return math.ceil(load.pages_per_s * load.duration_s - _EPSILON)
        case "ramp":
            return math.ceil((load.from_per_s + load.to_per_s) / 2 * load.duration_s - _EPSILON)
        case _:
            return 0


def _due_s(number: int, first: float, last: float, duration_s: float) -> float:
    """When `first*t + (last-first)*t*t/(2*duration)` is `number`."""
    bend = (last - first) / (2 * duration_s)
    if abs(bend) < _EPSILON:
        return number / first
    # The root that is stable for small bends; the square root's argument is 0 at the lowest where the rate falls to 0.
    root = math.sqrt(max(0.0, first * first + 4 * bend * number))
    return min(duration_s, 2 * number / (first + root)) if first + root else 0.0


def held_s(page: Page, audio_s: float) -> float:
    """How long a page may have its phones, seconds: the longest wait for listeners, its audio, and stopping."""
    return page.start_deadline_s + audio_s + STOPPING_S


def shortest_return_s(load: Load, fleet: int, size: int) -> float:
    """The shortest time from one page of `rate` or `ramp` to the next that has a phone of it; infinite without one."""
    turn = fleet // size
    due = times_s(load)
    return min((later - earlier for earlier, later in zip(due, due[turn:], strict=False)), default=math.inf)


def _loaded(scenario: Scenario, names: Sequence[str]) -> list[Planned]:
    load, page = scenario.load, scenario.pages[0]
    size = share_of(len(names), page.phones)
    ring = random.Random(f"load-{scenario.seed}").sample(list(names), len(names))
    places = {name: place for place, name in enumerate(names)}
    planned = []
    for number, at_s in enumerate(times_s(load)):
        first = 0 if load.shape == "overlap" and load.groups == "same" else number * size
        chosen = (ring[(first + step) % len(ring)] for step in range(size))
        phones = tuple(sorted(chosen, key=places.__getitem__))
        planned.append(Planned(name=f"page {number + 1}", at_s=page.at_s + at_s, wish=page, phones=phones))
    return planned


def _groups(scenario: Scenario, names: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """Named groups: cut one after the other from the shuffled fleet, in the order in which they are first named."""
    order = random.Random(f"groups-{scenario.seed}").sample(list(names), len(names))
    found: dict[str, frozenset[str]] = {}
    taken = 0
    for name, size in group_sizes([*scenario.pages, *scenario.alerts], len(names)).items():
        found[name] = frozenset(order[taken : taken + size])
        taken += size
    return found


def group_sizes(wishes: Iterable[Page | Alert], fleet: int) -> Mapping[str, int]:
    """How many phones each named group has, in the order in which groups are first named."""
    sizes: dict[str, int] = {}
    for wish in wishes:
        if wish.group:
            sizes.setdefault(wish.group, share_of(fleet, wish.phones))
    return sizes


def _phones(
    scenario: Scenario, names: Sequence[str], groups: Mapping[str, frozenset[str]], name: str, wish: Page | Alert
) -> tuple[str, ...]:
    if wish.group:
        return tuple(one for one in names if one in groups[wish.group])
    size = share_of(len(names), wish.phones)
    if size >= len(names):
        return tuple(names)
    drawn = frozenset(random.Random(f"{name}-{scenario.seed}").sample(list(names), size))
    return tuple(one for one in names if one in drawn)
