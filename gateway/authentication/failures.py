"""Slows failures down, per source, and never anything else. No I/O: times come in, delays go out.

The phone port tells right from wrong passwords, so it can be asked for guesses. Nobody is ever locked out for that: a
lock would silence the next emergency page. Instead each source has a few failures for nothing, and further ones are
answered ten a second. A right answer is never delayed, also not from a source that fails all the time (the telephone
next to the attacker's port). Whom a page's own pushes are redirected for is not slowed either: those come from as many
sources as there are phones.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE: Final = 10
"""Failures of one source that are answered at once: another application's pushes to a phone, a mistyped password."""
PER_S: Final = 10.0
"""Failures of one source that are answered in a second beyond those."""
WAIT_S: Final = 4.0
"""Longest delay. A failure that would wait longer is not answered at all: a phone gives up at about that time, and
its next question is answered like any other."""
SOURCES: Final = 10_000
"""Sources remembered; beyond it the one that failed longest ago is forgotten."""
FLOOD: Final = 100
"""Failures of one source within `FLOOD_S` that are worth an alarm."""
FLOOD_S: Final = 60.0

_INTERVAL_S: Final = 1 / PER_S


@dataclass(slots=True)
class _Source:
    due: float
    """When all failures so far are paid for (generic cell rate algorithm)."""
    window: float
    count: int = 0


class Failures:
    """What each source has failed at lately. Times are seconds on any clock, always the same one."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self.total = 0
        """Failures so far."""
        self.unanswered = 0
        """Those of them that were not answered."""

    def delay_s(self, source: str, now: float) -> float | None:
        """Count a failure of `source`; how long its answer is to wait, or None: it is not to be answered."""
        self.total += 1
        entry = self._sources.get(source)
        if entry is None:
            entry = self._sources[source] = _Source(due=now, window=now)
            if len(self._sources) > SOURCES:
                self._sources.popitem(last=False)
        else:
            self._sources.move_to_end(source)
        if now - entry.window >= FLOOD_S:
            entry.window, entry.count = now, 0
        entry.count += 1
        due = max(entry.due, now) + _INTERVAL_S
        delay = due - FREE * _INTERVAL_S - now
        if delay > WAIT_S:
            self.unanswered += 1
            return None
        entry.due = due
        return max(0.0, delay)

    def flooding(self, now: float) -> list[str]:
        """Sources that failed more than `FLOOD` times within the last minute."""
        return [
            name
            for name, entry in self._sources.items()
            if entry.count > FLOOD and now - entry.window < 2 * FLOOD_S and entry.due > now - FLOOD_S
        ]
