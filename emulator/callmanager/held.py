"""The same queueing system where nobody knows beforehand how long a service will take.

With a directory a worker is held for the drawn service time and then for as long as the directory takes to answer,
which is real time of a real server. So nothing can be planned on arrival as `emulator.callmanager.capacity` does: a
request that waits starts when a worker is given back. First come, first served, the same draws, the same counters:
where every service takes exactly its draw, both give the same schedule, and a test holds them to it.

Time is passed in, integer nanoseconds that never go back.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from emulator.callmanager.capacity import Plan
from emulator.callmanager.load import Load, LoadCounters


class HeldCapacity:
    """Workers that are taken on `arrive` or at another's `give_back`."""

    def __init__(self, *, workers: int, queue: int, service_ns: Callable[[int], int]) -> None:
        """Take what `Capacity` takes."""
        if workers < 1 or queue < 0:
            raise ValueError(f"at least one worker and a queue of 0 or more are needed, got {workers} and {queue}")
        self._workers = workers
        self._queue_limit = queue
        self._service_ns = service_ns
        self._waiting: deque[Plan] = deque()
        self._busy = 0
        self._counters = LoadCounters()
        self._all_busy_ns = 0
        self._all_busy_since_ns = 0

    def arrive(self, now_ns: int) -> tuple[Plan, bool]:
        """Admit or reject the next arrival, and say whether it starts now: else the times of its plan are provisional.

        Raises:
            ValueError: `now_ns` lies before an earlier call's.
        """
        self._counters.advance(now_ns)
        ordinal = self._counters.arrived()
        queued, busy = len(self._waiting), self._busy
        starts = busy < self._workers
        admitted = starts or queued < self._queue_limit
        service_ns = self._service_ns(ordinal) if admitted else 0
        plan = Plan(
            ordinal=ordinal,
            arrived_ns=now_ns,
            admitted=admitted,
            starts_ns=now_ns,
            ends_ns=now_ns + service_ns,
            service_ns=service_ns,
            queue_on_arrival=queued,
            busy_on_arrival=busy,
        )
        if not admitted:
            self._counters.rejected += 1
        elif starts:
            self._take()
        else:
            self._waiting.append(plan)
        self._counters.inside(queued=len(self._waiting), served=self._busy)
        return plan, starts

    def arrive_cached(self, now_ns: int) -> Plan:
        """As `Capacity.arrive_cached`."""
        self._counters.advance(now_ns)
        self._counters.cached += 1
        return Plan(
            ordinal=self._counters.arrived(),
            arrived_ns=now_ns,
            admitted=True,
            starts_ns=now_ns,
            ends_ns=now_ns,
            service_ns=0,
            queue_on_arrival=len(self._waiting),
            busy_on_arrival=self._busy,
        )

    def give_back(self, now_ns: int) -> Plan | None:
        """A worker is done: the plan of the request that it takes next, or None where nobody waits.

        Raises:
            ValueError: no worker was taken, or time went back.
        """
        self._counters.advance(now_ns)
        if not self._busy:
            raise ValueError("no worker was taken")
        if self._busy == self._workers:
            self._all_busy_ns += now_ns - self._all_busy_since_ns
        self._busy -= 1
        if not self._waiting:
            return None
        plan = self._waiting.popleft()
        self._take()
        return replace(plan, starts_ns=now_ns, ends_ns=now_ns + plan.service_ns)

    def leave(self, ordinal: int) -> None:
        """Who waits goes away (the server stops); nothing happens if it does not wait."""
        self._waiting = deque(plan for plan in self._waiting if plan.ordinal != ordinal)

    def occupation(self, now_ns: int) -> tuple[int, int]:
        """Busy workers and waiting requests."""
        self._counters.advance(now_ns)
        return self._busy, len(self._waiting)

    def load(self, now_ns: int) -> Load:
        """All counters up to `now_ns`."""
        self._counters.advance(now_ns)
        now_busy_ns = now_ns - self._all_busy_since_ns if self._busy == self._workers else 0
        return self._counters.load(busy_ns=self._all_busy_ns + now_busy_ns)

    def _take(self) -> None:
        self._busy += 1
        if self._busy == self._workers:
            self._all_busy_since_ns = self._counters.now_ns
