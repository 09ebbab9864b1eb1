"""What CallManager's capacity model is held against: formulas of queueing theory, and clients that lose patience.

Used by bench/callmanager_curve.py, bench/callmanager_recovery.py and tests/emulator/callmanager/test_capacity_curve.py.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass

from emulator.callmanager.capacity import Capacity, Plan, ServiceTime
from emulator.callmanager.load import NS_PER_S


def poisson_ns(count: int, per_s: float, seed: int) -> list[int]:
    """Times of Poisson arrivals, nanoseconds from 0."""
    source = random.Random(f"poisson-{seed}")
    now, times = 0.0, []
    for _ in range(count):
        now += source.expovariate(per_s)
        times.append(round(now * NS_PER_S))
    return times


def erlang_c(workers: int, offered: float) -> float:
    """Probability that an arrival has to wait in M/M/c; `offered` = arrival rate x mean service, below `workers`."""
    last = offered**workers / math.factorial(workers) * workers / (workers - offered)
    return last / (sum(offered**k / math.factorial(k) for k in range(workers)) + last)


def mean_wait_s(workers: int, per_s: float, service: ServiceTime) -> float:
    """Mean wait in M/G/c by the approximation of Lee and Longton: that of M/M/c times half of 1 + squared variation.

    Exact for one worker (Pollaczek-Khinchine). For a log-normal time the squared variation is exp(sigma^2) - 1.
    """
    mean_s = service.mean_ms / 1000
    offered = per_s * mean_s
    markov_s = erlang_c(workers, offered) * mean_s / (workers - offered)
    return markov_s * math.exp(service.sigma**2) / 2


def open_load(service: ServiceTime, times_ns: list[int], *, workers: int, queue: int) -> list[Plan]:
    """Arrivals at these times, in virtual time."""
    capacity = Capacity(workers=workers, queue=queue, service_ns=service.draw_ns)
    return [capacity.arrive(now) for now in times_ns]


@dataclass(frozen=True, kw_only=True)
class Clients:
    """A base load of single questions, and a burst upon it; who is not answered in time may ask again."""

    per_s: float
    """Base load: Poisson."""
    burst: int
    burst_at_s: float = 10.0
    until_s: float = 200.0
    """When the base load ends."""
    timeout_s: float = 3.0
    tries: int = 1
    """In all; 1: nobody asks again."""
    pause_s: float = 1.0
    """Between giving up and asking again, plus or minus half of it, drawn."""
    seed: int = 1

    def first_tries(self) -> list[tuple[float, int]]:
        """When each client asks first, seconds, and its number; those of the burst come last."""
        base = poisson_ns(round(self.per_s * self.until_s * 1.2), self.per_s, self.seed)
        asked = [t / NS_PER_S for t in base if t / NS_PER_S < self.until_s]
        source = random.Random(f"burst-{self.seed}")
        asked += sorted(self.burst_at_s + source.random() * 0.1 for _ in range(self.burst))
        return [(at, number) for number, at in enumerate(asked)]

    def pause_of(self, client: int, attempt: int) -> float:
        """How long this client waits after this attempt."""
        return self.pause_s * (0.5 + random.Random(f"pause-{self.seed}-{client}-{attempt}").random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One client's story."""

    at_s: float
    answered_s: float | None
    """When it was answered in time; None: never."""
    attempts: int


def played(clients: Clients, service: ServiceTime, *, workers: int, queue: int) -> list[Asked]:
    """The clients against the model, in virtual time. 503 is no answer in time, and comes at once."""
    capacity = Capacity(workers=workers, queue=queue, service_ns=service.draw_ns)
    first = clients.first_tries()
    due = [(at, client, 1) for at, client in first]
    heapq.heapify(due)
    done: dict[int, tuple[float | None, int]] = {}
    while due:
        at, client, attempt = heapq.heappop(due)
        plan = capacity.arrive(round(at * NS_PER_S))
        ends_s = plan.ends_ns / NS_PER_S
        if plan.admitted and ends_s - at <= clients.timeout_s:
            done[client] = (ends_s, attempt)
            continue
        # Whoever gives up leaves the request behind: its worker works on it all the same.
        given_up_s = at + clients.timeout_s if plan.admitted else at
        if attempt < clients.tries:
            heapq.heappush(due, (given_up_s + clients.pause_of(client, attempt), client, attempt + 1))
        else:
            done[client] = (None, attempt)
    return [Asked(at_s=at, answered_s=done[client][0], attempts=done[client][1]) for at, client in first]


SOON_S = 1.0
"""Answered within that: as if nothing had happened (the model alone answers 99.9 % of a moderate load so)."""
WINDOW_S = 2.0
RECOVERED_SHARE = 0.9


def recovery_s(clients: Clients, asked: list[Asked]) -> float | None:
    """Seconds from the burst until nine of ten who then ask are answered within a second; None: not while it ran.

    Counted in windows of two seconds, from the last one that is not so.
    """
    base = asked[: len(asked) - clients.burst]
    recovered = 0.0
    windows = math.ceil((clients.until_s - clients.burst_at_s) / WINDOW_S)
    for number in range(windows):
        begins_s = clients.burst_at_s + number * WINDOW_S
        inside = [one for one in base if begins_s <= one.at_s < begins_s + WINDOW_S]
        soon = sum(one.answered_s is not None and one.answered_s - one.at_s <= SOON_S for one in inside)
        if inside and soon < RECOVERED_SHARE * len(inside):
            if number == windows - 1:
                return None
            recovered = (number + 1) * WINDOW_S
    return recovered
