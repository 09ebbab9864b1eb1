"""What an operator must know now: named alarms that are raised and cleared, kept in memory and logged once each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger("gateway.alarms")

ALARMS_MAX: Final = 1000
"""Active at once; a flood of names would hide the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """One active alarm."""

    name: str
    """Words with hyphens, such as `journal-lost`; with a subject behind a colon where there are several."""
    text: str
    """What happened and what to do, in one sentence, without secrets."""
    since_s: float
    """Seconds since 1970."""
    stays: bool = False
    """It tells of something that has happened and does not end by itself: somebody acknowledges it."""


class Alarms:
    """The active alarms, the oldest first."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._active: dict[str, Alarm] = {}

    def sound(self, name: str, text: str, *, stays: bool = False) -> None:
        """Make an alarm active; a second time only its text changes."""
        before = self._active.get(name)
        if before is None and len(self._active) >= ALARMS_MAX:
            return
        if before is None or before.text != text:
            _log.error("alarm %s: %s", name, text)
        since_s = self._clock() if before is None else before.since_s
        self._active[name] = Alarm(name=name, text=text, since_s=since_s, stays=stays)

    def clear(self, name: str) -> None:
        """End an alarm; one that is not active is no error."""
        if self._active.pop(name, None) is not None:
            _log.warning("alarm %s: over", name)

    def acknowledge(self, name: str) -> bool:
        """End an alarm that stays; False where there is none of that name, or it ends by itself."""
        alarm = self._active.get(name)
        if alarm is None or not alarm.stays:
            return False
        self.clear(name)
        return True

    def active(self) -> tuple[Alarm, ...]:
        """All of them."""
        return tuple(self._active.values())
