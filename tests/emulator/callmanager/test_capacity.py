"""The capacity model in virtual time, against queueing theory: no clock, no socket."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.callmanager.capacity import NS_PER_MS, Capacity, Plan, ServiceTime
from emulator.callmanager.load import NS_PER_S

DEFAULT = ServiceTime(p50_ms=60, p99_ms=300, seed=1)


def arrivals_ns(count: int, per_s: float, seed: int = 7) -> list[int]:
    """Poisson arrivals."""
    source = random.Random(seed)
    now, times = 0.0, []
    for _ in range(count):
        now += source.expovariate(per_s)
        times.append(round(now * NS_PER_S))
    return times


def erlang_c(workers: int, offered: float) -> float:
    """Probability that an arrival has to wait in M/M/c."""
    last = offered**workers / math.factorial(workers) * workers / (workers - offered)
    return last / (sum(offered**k / math.factorial(k) for k in range(workers)) + last)


def played(capacity: Capacity, times: list[int]) -> list[Plan]:
    return [capacity.arrive(now) for now in times]


def test_service_time_has_the_percentiles_and_the_mean_it_was_given():
    drawn = sorted(DEFAULT.draw_ns(n) / NS_PER_MS for n in range(100_000))
    assert drawn[50_000] == pytest.approx(60, rel=0.02)
    assert drawn[99_000] == pytest.approx(300, rel=0.10)
    assert statistics.fmean(drawn) == pytest.approx(DEFAULT.mean_ms, rel=0.02)
    assert DEFAULT.mean_ms == pytest.approx(76.26, rel=0.001)


def test_service_time_depends_on_seed_and_ordinal_alone():
    again = ServiceTime(p50_ms=60, p99_ms=300, seed=1)
    assert [again.draw_ns(n) for n in (9, 3, 3)] == [DEFAULT.draw_ns(n) for n in (9, 3, 3)]
    other = ServiceTime(p50_ms=60, p99_ms=300, seed=2)
    assert [other.draw_ns(n) for n in range(5)] != [DEFAULT.draw_ns(n) for n in range(5)]


def test_equal_percentiles_make_every_service_the_same():
    assert {ServiceTime(p50_ms=5, p99_ms=5, seed=3).draw_ns(n) for n in range(100)} == {5 * NS_PER_MS}


@pytest.mark.parametrize(("p50", "p99"), [(0, 1), (-1, 1), (2, 1), (1, math.inf), (math.nan, 1)])
def test_percentiles_that_describe_no_distribution_are_refused(p50: float, p99: float):
    with pytest.raises(ValueError, match="p50 <= p99"):
        ServiceTime(p50_ms=p50, p99_ms=p99, seed=1)


def test_full_queue_is_rejected_and_the_plan_is_first_come_first_served():
    capacity = Capacity(workers=2, queue=1, service_ns=[10, 20, 5, 99, 7].__getitem__)
    plans = played(capacity, [0, 0, 1, 2, 12])
    assert [(p.starts_ns, p.ends_ns, p.admitted) for p in plans] == [
        (0, 10, True),
        (0, 20, True),
        (10, 15, True),
        (2, 2, False),
        (15, 22, True),
    ]
    assert [(p.busy_on_arrival, p.queue_on_arrival) for p in plans] == [(0, 0), (1, 0), (2, 0), (2, 1), (2, 0)]
    load = capacity.load(100)
    assert (load.authentications, load.rejected, load.queue_max, load.concurrent_max) == (5, 1, 1, 3)
    assert load.busy_s == pytest.approx(20e-9)  # from 0 until the second worker is free at 20


def test_no_queue_at_all_rejects_whoever_finds_all_workers_busy():
    capacity = Capacity(workers=1, queue=0, service_ns=lambda _: 10)
    assert [plan.admitted for plan in played(capacity, [0, 9, 10])] == [True, False, True]


def test_busy_seconds_count_only_what_has_passed():
    capacity = Capacity(workers=1, queue=9, service_ns=lambda _: NS_PER_S)
    played(capacity, [0, 0, 0])
    assert capacity.load(NS_PER_S // 2).busy_s == 0.5
    assert capacity.occupation(NS_PER_S) == (1, 1)
    assert capacity.load(10 * NS_PER_S).busy_s == 3


def test_peak_counts_arrivals_per_second_of_the_grid():
    capacity = Capacity(workers=1, queue=99, service_ns=lambda _: 1)
    played(capacity, [n * NS_PER_S // 4 for n in range(8)] + [2 * NS_PER_S] * 5)
    assert capacity.load(9 * NS_PER_S).authentications_peak_per_s == 5


def test_saturated_throughput_is_workers_over_mean_service():
    service = ServiceTime(p50_ms=60, p99_ms=300, seed=4)
    capacity = Capacity(workers=8, queue=10**6, service_ns=service.draw_ns)
    plans = played(capacity, [0] * 20_000)
    achieved = len(plans) / (max(plan.ends_ns for plan in plans) / NS_PER_S)
    assert achieved == pytest.approx(8 / (service.mean_ms / 1000), rel=0.05)
    assert achieved == pytest.approx(105, rel=0.05)  # the figure that the contract names
    served = sorted(plan.service_ns / NS_PER_MS for plan in plans)
    assert served[len(served) * 99 // 100] == pytest.approx(300, rel=0.10)


@pytest.mark.parametrize(("workers", "load"), [(1, 0.7), (4, 0.8), (8, 0.6)])
def test_waits_agree_with_erlang_c(workers: int, load: float):
    source = random.Random(11)
    services = [max(1, round(source.expovariate(1) * 0.05 * NS_PER_S)) for _ in range(150_000)]
    capacity = Capacity(workers=workers, queue=10**6, service_ns=services.__getitem__)
    plans = played(capacity, arrivals_ns(len(services), workers * load / 0.05))
    waiting = erlang_c(workers, workers * load)
    assert sum(plan.wait_ns > 0 for plan in plans) / len(plans) == pytest.approx(waiting, rel=0.05)
    mean_wait_s = statistics.fmean(plan.wait_ns for plan in plans) / NS_PER_S
    assert mean_wait_s == pytest.approx(waiting * 0.05 / (workers * (1 - load)), rel=0.10)


def test_waits_of_one_worker_agree_with_pollaczek_and_khinchine():
    """M/G/1 is exact: mean wait = arrival rate x E[service squared] / (2 x (1 - load))."""
    service = ServiceTime(p50_ms=60, p99_ms=300, seed=5)
    per_s = 0.6 / (service.mean_ms / 1000)
    capacity = Capacity(workers=1, queue=10**6, service_ns=service.draw_ns)
    plans = played(capacity, arrivals_ns(200_000, per_s))
    second_moment_s2 = math.exp(2 * service.mu + 2 * service.sigma**2) / 1e6
    expected_s = per_s * second_moment_s2 / (2 * 0.4)
    assert statistics.fmean(plan.wait_ns for plan in plans) / NS_PER_S == pytest.approx(expected_s, rel=0.08)


def test_blocked_share_without_a_queue_is_erlang_b():
    """M/G/c/c: the share of rejected arrivals depends on the service time's mean alone."""
    service = ServiceTime(p50_ms=60, p99_ms=300, seed=6)
    offered = 6.0
    capacity = Capacity(workers=8, queue=0, service_ns=service.draw_ns)
    plans = played(capacity, arrivals_ns(100_000, offered / (service.mean_ms / 1000)))
    blocked = offered**8 / math.factorial(8) / sum(offered**k / math.factorial(k) for k in range(9))
    assert sum(not plan.admitted for plan in plans) / len(plans) == pytest.approx(blocked, rel=0.06)


@given(
    gaps=st.lists(st.integers(0, 40), min_size=1, max_size=60),
    workers=st.integers(1, 4),
    queue=st.integers(0, 5),
    seed=st.integers(0, 9),
)
def test_every_plan_agrees_with_a_clock_that_counts_nanoseconds(gaps: list[int], workers: int, queue: int, seed: int):
    """Little's law in its exact form, and each figure recounted from the plans alone."""
    services = [random.Random(seed * 1000 + n).randint(1, 60) for n in range(len(gaps))]
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    capacity = Capacity(workers=workers, queue=queue, service_ns=services.__getitem__)
    plans = played(capacity, times)
    inside = [plan for plan in plans if plan.admitted]
    end = max([plan.ends_ns for plan in plans])
    busy = [sum(plan.starts_ns <= t < plan.ends_ns for plan in inside) for t in range(end)]
    waiting = [sum(plan.arrived_ns <= t < plan.starts_ns for plan in inside) for t in range(end)]
    assert max(busy, default=0) <= workers
    assert max(waiting, default=0) <= queue
    assert all(b == workers for b, w in zip(busy, waiting, strict=True) if w), "nobody waits while a worker is free"
    assert sum(busy) + sum(waiting) == sum(plan.ends_ns - plan.arrived_ns for plan in inside)
    starts = [plan.starts_ns for plan in inside]
    assert starts == sorted(starts)
    load = capacity.load(end)
    assert load.busy_s == pytest.approx(sum(b == workers for b in busy) / NS_PER_S)
    assert load.rejected == len(plans) - len(inside)
    assert capacity.occupation(end) == (0, 0)


def test_same_seed_same_plans():
    def run(seed: int) -> list[Plan]:
        service = ServiceTime(p50_ms=60, p99_ms=300, seed=seed)
        return played(Capacity(workers=8, queue=50, service_ns=service.draw_ns), arrivals_ns(2_000, 150))

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_cached_answer_takes_neither_worker_nor_queue_and_keeps_the_others_draws():
    capacity = Capacity(workers=1, queue=0, service_ns=[10, 10**9, 30].__getitem__)
    capacity.arrive(0)
    cached = capacity.arrive_cached(5)
    assert (cached.admitted, cached.ends_ns, cached.ordinal, cached.busy_on_arrival) == (True, 5, 1, 1)
    assert capacity.arrive(10).service_ns == 30
    assert capacity.load(10).cached == 1


def test_time_does_not_go_back_and_there_is_a_worker():
    capacity = Capacity(workers=1, queue=0, service_ns=lambda _: 1)
    capacity.arrive(5)
    with pytest.raises(ValueError, match="time went back"):
        capacity.arrive(4)
    with pytest.raises(ValueError, match="one worker"):
        Capacity(workers=0, queue=0, service_ns=lambda _: 1)
