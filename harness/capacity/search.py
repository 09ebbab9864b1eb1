"""The search for the largest value that holds: pure, asked for a value and told what it came to.

It doubles until something does not hold, then halves the distance until it is small enough, then asks for the largest
that held again, because one run that passed may have been luck. A run that is inconclusive says nothing about the
gateway: it is asked again, and where it stays so the search goes on below, and the result says that the bed, not what
was tested, came to its end there.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

ASKED_AT_MOST: Final = 2
"""Inconclusive runs of one value before it counts as unknown: a machine stopped once is not stopped twice."""


class Answer(StrEnum):
    """What one run came to."""

    HOLDS = "holds"
    BREAKS = "breaks"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where to look.

    Attributes:
        low, high: least and largest value that is asked, both included; whole numbers.
        start: the first value.
        resolution: share of the largest value that holds by which the next one may be larger, without being asked.
        confirm: how many runs of the largest value must hold.
    """

    low: int
    high: int
    start: int
    resolution: float
    confirm: int

    def __post_init__(self) -> None:
        assert 1 <= self.low <= self.start <= self.high
        assert self.resolution > 0
        assert self.confirm >= 1


@dataclass(slots=True)
class Search:
    """One search, as far as it has come."""

    range: Range
    held: Counter[int] = field(default_factory=Counter)
    """Value → runs that held."""
    broke: set[int] = field(default_factory=set)
    unknown: Counter[int] = field(default_factory=Counter)
    """Value → runs that were inconclusive."""

    def next(self) -> int | None:
        """The value to run, or None: it is over."""
        again = [value for value, runs in self.unknown.items() if runs < ASKED_AT_MOST and not self._is_known(value)]
        if again:
            return again[0]
        floor, ceiling = self.largest, self._ceiling
        if floor is None:
            if ceiling is None:
                return self.range.start
            return None if ceiling <= self.range.low else max(self.range.low, ceiling // 2)
        if ceiling is None and floor < self.range.high:
            return min(self.range.high, floor * 2)
        if ceiling is not None and ceiling - floor > max(1, int(floor * self.range.resolution)):
            return (floor + ceiling) // 2
        return floor if self.held[floor] < self.range.confirm else None

    def tell(self, value: int, answer: Answer) -> None:
        """What the run of a value came to."""
        if answer is Answer.HOLDS:
            self.held[value] += 1
        elif answer is Answer.BREAKS:
            self.broke.add(value)
        else:
            self.unknown[value] += 1

    @property
    def largest(self) -> int | None:
        """The largest value that held, below all that did not; None: none did."""
        ceiling = self._ceiling
        return max((value for value in self.held if ceiling is None or value < ceiling), default=None)

    @property
    def breaks_at(self) -> int | None:
        """The least value that broke; None: none did."""
        return min(self.broke, default=None)

    @property
    def unknown_from(self) -> int | None:
        """The least value of which the bed could not tell; None where all was told, or something broke below it."""
        stayed = [value for value, runs in self.unknown.items() if runs >= ASKED_AT_MOST and not self._is_known(value)]
        least = min(stayed, default=None)
        return None if least is None or (self.broke and min(self.broke) < least) else least

    @property
    def is_confirmed(self) -> bool:
        """Whether the largest value held as often as was asked for."""
        return self.largest is not None and self.held[self.largest] >= self.range.confirm

    @property
    def _ceiling(self) -> int | None:
        values = [*self.broke, *([] if self.unknown_from is None else [self.unknown_from])]
        return min(values, default=None)

    def _is_known(self, value: int) -> bool:
        return value in self.broke or value in self.held
