"""What a queueing system counts of its load, whichever way it plans. Time is passed in and never goes back."""

from dataclasses import dataclass

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the model has seen so far; the fields of the record `callmanager.ended`."""

    authentications: int
    rejected: int
    cached: int
    concurrent_max: int
    """Most requests inside at once, waiting and served."""
    queue_max: int
    busy_s: float
    """Seconds with all workers busy."""
    authentications_peak_per_s: int
    """Most arrivals in one second on the second's grid of the first arrival."""


class LoadCounters:
    """The counters of one system, and its time."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.now_ns = 0
        self.rejected = 0
        self.cached = 0
        self._arrivals = 0
        self._concurrent_max = 0
        self._queue_max = 0
        self._zero_ns = 0
        self._second = 0
        self._in_second = 0
        self._peak_per_s = 0

    def advance(self, now_ns: int) -> None:
        """It is `now_ns`.

        Raises:
            ValueError: it lies before an earlier call's.
        """
        if now_ns < self.now_ns:
            raise ValueError(f"time went back: {now_ns} after {self.now_ns}")
        self.now_ns = now_ns

    def arrived(self) -> int:
        """Count an arrival, now; its ordinal, from 0."""
        if not self._arrivals:
            self._zero_ns = self.now_ns
        second = (self.now_ns - self._zero_ns) // NS_PER_S
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        self._peak_per_s = max(self._peak_per_s, self._in_second)
        self._arrivals += 1
        return self._arrivals - 1

    def inside(self, *, queued: int, served: int) -> None:
        """So many are inside now."""
        self._queue_max = max(self._queue_max, queued)
        self._concurrent_max = max(self._concurrent_max, queued + served)

    def load(self, *, busy_ns: int) -> Load:
        """All counters; `busy_ns` is how long all workers were busy."""
        return Load(
            authentications=self._arrivals,
            rejected=self.rejected,
            cached=self.cached,
            concurrent_max=self._concurrent_max,
            queue_max=self._queue_max,
            busy_s=busy_ns / NS_PER_S,
            authentications_peak_per_s=self._peak_per_s,
        )
