"""Workers that are held: the same schedule as the planned model where nothing takes longer than drawn."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.callmanager.capacity import Capacity
from emulator.callmanager.held import HeldCapacity

SMALL = st.integers(min_value=1, max_value=4)
ARRIVALS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), min_size=1, max_size=60)


def played(held: HeldCapacity, arrivals: list[int], extra_ns: int) -> dict[int, tuple[int, int]]:
    """Start and end of each admitted arrival, every worker being held `extra_ns` longer than drawn."""
    done: list[tuple[int, int]] = []
    times: dict[int, tuple[int, int]] = {}

    def starts(ordinal: int, starts_ns: int, ends_ns: int) -> None:
        times[ordinal] = (starts_ns, ends_ns + extra_ns)
        heapq.heappush(done, (ends_ns + extra_ns, ordinal))

    def finish(until_ns: float) -> None:
        while done and done[0][0] <= until_ns:
            now_ns, _ = heapq.heappop(done)
            following = held.give_back(now_ns)
            if following is not None:
                starts(following.ordinal, following.starts_ns, following.ends_ns)

    for now_ns in arrivals:
        finish(now_ns)
        plan, at_once = held.arrive(now_ns)
        if at_once:
            starts(plan.ordinal, plan.starts_ns, plan.ends_ns)
    finish(float("inf"))
    return times


@given(arrivals=ARRIVALS, workers=SMALL, queue=st.integers(0, 5))
def test_the_schedule_and_the_counters_are_those_of_the_planned_model(
    arrivals: list[tuple[int, int]], workers: int, queue: int
):
    now_ns, moments = 0, []
    for gap, _ in arrivals:
        now_ns += gap
        moments.append(now_ns)
    draws = [draw for _, draw in arrivals]
    planned = Capacity(workers=workers, queue=queue, service_ns=draws.__getitem__)
    plans = [planned.arrive(moment) for moment in moments]
    held = HeldCapacity(workers=workers, queue=queue, service_ns=draws.__getitem__)
    times = played(held, moments, 0)
    assert times == {plan.ordinal: (plan.starts_ns, plan.ends_ns) for plan in plans if plan.admitted}
    end_ns = now_ns + 10_000
    assert held.load(end_ns) == planned.load(end_ns)


def test_a_worker_is_not_free_before_it_is_given_back():
    held = HeldCapacity(workers=2, queue=10, service_ns=lambda _: 100)
    assert played(held, [0, 0, 0, 0, 0], 50) == {
        0: (0, 150),
        1: (0, 150),
        2: (150, 300),
        3: (150, 300),
        4: (300, 450),
    }
    assert held.load(1000).busy_s == 300e-9


def test_who_leaves_the_queue_gets_no_worker():
    held = HeldCapacity(workers=1, queue=10, service_ns=lambda _: 100)
    for _ in range(3):
        held.arrive(0)
    held.leave(1)
    following = held.give_back(100)
    assert following is not None
    assert (following.ordinal, following.starts_ns, following.ends_ns) == (2, 100, 200)
    assert held.occupation(100) == (1, 0)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="at least one worker"):
        HeldCapacity(workers=0, queue=1, service_ns=lambda _: 1)
    held = HeldCapacity(workers=1, queue=1, service_ns=lambda _: 1)
    with pytest.raises(ValueError, match="no worker"):
        held.give_back(0)
    held.arrive(5)
    with pytest.raises(ValueError, match="went back"):
        held.arrive(4)
