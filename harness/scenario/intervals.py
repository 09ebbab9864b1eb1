"""What thresholds leave of a metric: the values between two bounds."""

import math
from dataclasses import dataclass

from harness.scenario.thresholds import Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The values from `low` to `high`; a bound that is open is itself left out."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is no value left."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def also(self, other: "Interval") -> "Interval":
        """The values that both have."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        # Of two equal upper bounds the open one leaves less.
        high, high_closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Interval(low=low, high=high, low_open=low_open, high_open=not high_closed)

    def times(self, factor: float) -> "Interval":
        """The values multiplied by something above 0."""
        return Interval(
            low=self.low * factor, high=self.high * factor, low_open=self.low_open, high_open=self.high_open
        )

    def within(self, other: "Interval") -> bool:
        """Whether every value here is one there, too."""
        return self.also(other) == self


def left_by(threshold: Threshold) -> Interval:
    """The values that satisfy a threshold. `!=` leaves all but one, which is no bound."""
    bound = threshold.bound
    match threshold.relation:
        case "==":
            return Interval(low=bound, high=bound)
        case "<":
            return Interval(high=bound, high_open=True)
        case "<=":
            return Interval(high=bound)
        case ">":
            return Interval(low=bound, low_open=True)
        case ">=":
            return Interval(low=bound)
        case _:
            return Interval()
