"""How much CallManager can do: workers, service times, a bounded queue.

Theory of operation. Requests are served first come, first served by `workers` equal workers. The service time of the
n-th arrival depends on the seed and on n alone, so it is known on arrival, and so is the whole schedule: a request
starts when the first worker is free of everything before it, and ends one service time later. Nothing that happens
afterwards moves it, because a client that goes away does not free its worker (docs/design/capacity-model.md). So
`arrive` answers with a final plan, and there is no timer to run: the real server sleeps until `ends_ns`, a test in
virtual time just reads it. Both run this same code.

Time is passed in, integer nanoseconds that never go back; nothing here reads a clock.
"""

import hashlib
import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from emulator.callmanager.load import Load, LoadCounters

NS_PER_MS = 1_000_000

STANDARD_NORMAL = NormalDist()
Z99 = STANDARD_NORMAL.inv_cdf(0.99)
"""The 99th percentile of the standard normal distribution, 2.326."""

UNIFORM_BITS = 52
"""Bits of a uniform draw: with the half step added it still fits a float's 53, so it is never 0 and never 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTime:
    """Log-normal service times, given by the two percentiles that people can state.

    `ln(service)` is normal with `mu = ln(p50)` and `sigma = ln(p99 / p50) / 2.326`. The shape is assumed: no source
    gives CallManager's, and service times of web applications with a database behind them have such long right tails.
    """

    p50_ms: float
    """Median, milliseconds, above 0."""
    p99_ms: float
    """99th percentile, milliseconds, not below the median; equal to it every service takes exactly that long."""
    seed: int

    def __post_init__(self) -> None:
        """Raise ValueError where the percentiles describe no distribution."""
        if not 0 < self.p50_ms <= self.p99_ms < math.inf:
            raise ValueError(f"service time: 0 < p50 <= p99 is needed, got p50 = {self.p50_ms}, p99 = {self.p99_ms}")

    @property
    def mu(self) -> float:
        """Mean of the logarithm of the service time in milliseconds."""
        return math.log(self.p50_ms)

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.log(self.p99_ms / self.p50_ms) / Z99

    @property
    def mean_ms(self) -> float:
        """Mean service time: `exp(mu + sigma^2 / 2)`, always at or above the median."""
        return math.exp(self.mu + self.sigma**2 / 2)

    def draw_ns(self, ordinal: int) -> int:
        """Service time of the arrival with this ordinal, nanoseconds, at least 1; it depends on nothing else."""
        digest = hashlib.blake2b(f"{self.seed}:{ordinal}".encode("ascii"), digest_size=8).digest()
        uniform = ((int.from_bytes(digest) >> (64 - UNIFORM_BITS)) + 0.5) / (1 << UNIFORM_BITS)
        drawn_ms = math.exp(self.mu + self.sigma * STANDARD_NORMAL.inv_cdf(uniform))
        return max(1, round(drawn_ms * NS_PER_MS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the model decided for one arrival; it never changes."""

    ordinal: int
    """From 0, over all arrivals: admitted, rejected and answered from the cache."""
    arrived_ns: int
    admitted: bool
    """False: the queue was full, answer 503 now. The three times below are then those of the arrival, and 0."""
    starts_ns: int
    ends_ns: int
    service_ns: int
    queue_on_arrival: int
    """Waiting requests that it met, itself not counted."""
    busy_on_arrival: int
    """Busy workers that it met."""

    @property
    def wait_ns(self) -> int:
        """Time in the queue."""
        return self.starts_ns - self.arrived_ns


class Capacity:
    """The queueing system itself: `arrive` in order of time, and read off the plan."""

    def __init__(self, *, workers: int, queue: int, service_ns: Callable[[int], int]) -> None:
        """Take `workers` (at least 1), the most that may wait (`queue`, at least 0) and the draw by arrival ordinal.

        Raises:
            ValueError: fewer workers than one, or a negative queue.
        """
        if workers < 1 or queue < 0:
            raise ValueError(f"at least one worker and a queue of 0 or more are needed, got {workers} and {queue}")
        self._workers = workers
        self._queue_limit = queue
        self._service_ns = service_ns
        self._free_ns = [0] * workers  # heap: when each worker will have done everything that it has been given
        self._starts_ns: deque[int] = deque()  # of the waiting, in order: first come, first served keeps it sorted
        self._ends_ns: list[int] = []  # heap: of the requests inside
        self._counters = LoadCounters()
        self._all_busy_ns = 0
        self._all_busy_until_ns = 0

    def arrive(self, now_ns: int) -> Plan:
        """Admit or reject the next arrival and plan it to its end.

        Raises:
            ValueError: `now_ns` lies before an earlier call's.
        """
        self._advance(now_ns)
        queued, busy = len(self._starts_ns), len(self._ends_ns) - len(self._starts_ns)
        ordinal = self._counters.arrived()
        if busy == self._workers and queued >= self._queue_limit:
            self._counters.rejected += 1
            return Plan(
                ordinal=ordinal,
                arrived_ns=now_ns,
                admitted=False,
                starts_ns=now_ns,
                ends_ns=now_ns,
                service_ns=0,
                queue_on_arrival=queued,
                busy_on_arrival=busy,
            )
        service_ns = self._service_ns(ordinal)
        starts_ns = max(now_ns, self._free_ns[0])
        ends_ns = starts_ns + service_ns
        heapq.heapreplace(self._free_ns, ends_ns)
        heapq.heappush(self._ends_ns, ends_ns)
        if starts_ns > now_ns:
            self._starts_ns.append(starts_ns)
        self._counters.inside(queued=len(self._starts_ns), served=len(self._ends_ns) - len(self._starts_ns))
        self._note_all_busy(now_ns)
        return Plan(
            ordinal=ordinal,
            arrived_ns=now_ns,
            admitted=True,
            starts_ns=starts_ns,
            ends_ns=ends_ns,
            service_ns=service_ns,
            queue_on_arrival=queued,
            busy_on_arrival=busy,
        )

    def arrive_cached(self, now_ns: int) -> Plan:
        """Plan an arrival that the credential cache answers: at once, without a worker and past the queue (assumed).

        Raises:
            ValueError: `now_ns` lies before an earlier call's.
        """
        self._advance(now_ns)
        self._counters.cached += 1
        return Plan(
            ordinal=self._counters.arrived(),
            arrived_ns=now_ns,
            admitted=True,
            starts_ns=now_ns,
            ends_ns=now_ns,
            service_ns=0,
            queue_on_arrival=len(self._starts_ns),
            busy_on_arrival=len(self._ends_ns) - len(self._starts_ns),
        )

    def occupation(self, now_ns: int) -> tuple[int, int]:
        """Busy workers and waiting requests at `now_ns`; ValueError as for `arrive`."""
        self._advance(now_ns)
        return len(self._ends_ns) - len(self._starts_ns), len(self._starts_ns)

    def load(self, now_ns: int) -> Load:
        """All counters up to `now_ns`; ValueError as for `arrive`."""
        self._advance(now_ns)
        return self._counters.load(busy_ns=self._all_busy_ns - max(0, self._all_busy_until_ns - now_ns))

    def _advance(self, now_ns: int) -> None:
        self._counters.advance(now_ns)
        while self._starts_ns and self._starts_ns[0] <= now_ns:
            self._starts_ns.popleft()
        while self._ends_ns and self._ends_ns[0] <= now_ns:
            heapq.heappop(self._ends_ns)

    def _note_all_busy(self, now_ns: int) -> None:
        """Count in advance the time during which no worker will be free: until the first one is."""
        until_ns = self._free_ns[0]
        since_ns = max(now_ns, self._all_busy_until_ns)
        if until_ns > since_ns:
            self._all_busy_ns += until_ns - since_ns
            self._all_busy_until_ns = until_ns
