"""When the page of a gateway that tells nothing has begun, and when it is over: by what its phones did, and the clock.

It has begun with the first push at a phone. It is over when every phone has been pushed to, none listens any more, and
nothing has come for `quiet_s`; or `limit_s` after its beginning, whatever goes on. A gateway that leaves a phone out is
waited for to the end of that limit: it might only be slow.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where the page is."""

    AWAITED = "awaited"
    UNSEEN = "unseen"
    """Nothing came within `wait_s`."""
    RUNNING = "running"
    ENDED = "ended"
    LIMIT = "limit"
    """It went on to `limit_s`, or left phones out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the phones have done so far: all but `listening` only grow.

    Attributes:
        pushed_to: phones of the fleet that a push came to.
        listening: phones that listen now.
        activity: pushes, questions and packets together.
    """

    pushed_to: int
    listening: int
    activity: int


class Page:
    """One page of a foreign gateway; no I/O, times are seconds of one clock."""

    def __init__(self, *, phones: int, wait_s: float, quiet_s: float, limit_s: float, now_s: float) -> None:
        self._phones = phones
        self._quiet_s = quiet_s
        self._limit_s = limit_s
        self._gives_up_s = now_s + wait_s
        self._began_s: float | None = None
        self._last = Seen(pushed_to=0, listening=0, activity=0)
        self._changed_s = now_s

    @property
    def ends_at_s(self) -> float:
        """When it is over at the latest, or given up."""
        return self._gives_up_s if self._began_s is None else self._began_s + self._limit_s

    def look(self, seen: Seen, now_s: float) -> Stage:
        """Where the page is, given what the phones have done by now."""
        if seen != self._last:
            self._last, self._changed_s = seen, now_s
        if self._began_s is None:
            if seen.pushed_to:
                self._began_s = now_s
            elif now_s >= self._gives_up_s:
                return Stage.UNSEEN
            else:
                return Stage.AWAITED
        quiet = not seen.listening and now_s - self._changed_s >= self._quiet_s
        if seen.pushed_to >= self._phones and quiet:
            return Stage.ENDED
        return Stage.LIMIT if now_s >= self.ends_at_s else Stage.RUNNING
