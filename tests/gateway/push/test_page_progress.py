"""Who is due for what: the pure core of a page."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cisco import Outcome
from gateway.push import Begin, Join, PagePlan, PageProgress, Start

EXECUTED, UNREACHABLE, TIMED_OUT = Outcome.EXECUTED, Outcome.UNREACHABLE, Outcome.TIMED_OUT


def progress(phones: int, *, start: Start = Start.TOGETHER, fraction: float = 1.0) -> PageProgress:
    names = tuple(f"p{number}" for number in range(phones))
    plan = PagePlan(phones=names, duration_s=5.0, start=start, start_fraction=fraction, start_deadline_s=2.0)
    return PageProgress(plan, 100.0)


def test_together_waits_for_the_fraction() -> None:
    unit = progress(4, fraction=0.5)
    unit.ended("p0", EXECUTED)
    assert unit.due(100.1) is None
    assert unit.wake_at == 102.0
    unit.ended("p2", EXECUTED)
    assert unit.due(100.2) == Begin(("p0", "p2"))
    assert unit.due(100.2) is None
    assert unit.wake_at == math.inf
    unit.ended("p3", EXECUTED)
    assert unit.due(103.0) == Join(("p3",))


def test_together_starts_at_the_deadline_with_those_who_listen() -> None:
    unit = progress(3)
    unit.ended("p1", EXECUTED)
    assert unit.due(101.999) is None
    assert unit.due(102.0) == Begin(("p1",))


def test_after_the_deadline_the_first_listener_starts_it() -> None:
    unit = progress(3)
    assert unit.due(102.0) is None
    assert unit.wake_at == math.inf
    unit.ended("p0", EXECUTED)
    assert unit.due(103.0) == Begin(("p0",))


def test_together_does_not_wait_for_nobody() -> None:
    unit = progress(2)
    unit.ended("p0", EXECUTED)
    unit.ended("p1", UNREACHABLE)
    assert unit.settled
    assert unit.due(100.1) == Begin(("p0",))


def test_a_phone_that_listens_after_the_end_hears_it_from_the_beginning() -> None:
    unit = progress(2, fraction=0.5)
    unit.ended("p0", EXECUTED)
    assert unit.due(100.0) == Begin(("p0",))
    unit.ended("p1", EXECUTED)
    assert unit.due(105.0) == Begin(("p1",))


def test_the_last_second_of_a_page_is_not_joined() -> None:
    unit = progress(3, fraction=0.3)
    unit.ended("p0", EXECUTED)
    assert unit.due(100.0) == Begin(("p0",))
    unit.ended("p1", EXECUTED)
    assert unit.due(104.0) == Join(("p1",))
    unit.ended("p2", EXECUTED)
    assert unit.due(104.001) == Begin(("p2",))


def test_each_begins_at_once() -> None:
    unit = progress(2, start=Start.EACH)
    unit.ended("p1", EXECUTED)
    assert unit.due(100.5) == Begin(("p1",))
    unit.ended("p0", EXECUTED)
    assert unit.due(101.0) == Begin(("p0",))


def test_those_who_listen_or_may_are_stopped() -> None:
    unit = progress(len(Outcome) + 2)
    for number, outcome in enumerate(Outcome):
        unit.begun(f"p{number}")
        unit.ended(f"p{number}", outcome)
    cut_off = len(Outcome)
    unit.begun(f"p{cut_off}")
    stopped = {list(Outcome)[int(name[1:])] for name in unit.due_for_stop() if int(name[1:]) != cut_off}
    assert stopped == {EXECUTED, TIMED_OUT, Outcome.INDETERMINATE, Outcome.GARBLED}
    assert f"p{cut_off}" in unit.due_for_stop()
    assert f"p{cut_off + 1}" not in unit.due_for_stop()
    unit.settle()
    final = unit.outcomes()
    assert sum(final.values()) == len(Outcome) + 2
    assert final["not_sent"] == 1
    assert final["indeterminate"] == 2


@given(
    st.lists(st.tuples(st.sampled_from(Outcome), st.floats(0, 20)), min_size=1, max_size=30),
    st.sampled_from(Start),
    st.floats(0.01, 1.0),
)
def test_every_listener_is_given_audio_exactly_once(
    ends: list[tuple[Outcome, float]], start: Start, fraction: float
) -> None:
    unit = progress(len(ends), start=start, fraction=fraction)
    played: list[str] = []
    for number, (outcome, at) in sorted(enumerate(ends), key=lambda end: end[1][1]):
        unit.begun(f"p{number}")
        unit.ended(f"p{number}", outcome)
        while (command := unit.due(100.0 + at)) is not None:
            played += command.phones
    assert unit.settled
    assert sorted(played) == sorted(f"p{n}" for n, (outcome, _) in enumerate(ends) if outcome is EXECUTED)
    assert unit.settle() == {}
    assert sum(unit.outcomes().values()) == len(ends)


@pytest.mark.parametrize(
    ("fraction", "phones", "needed"), [(1.0, 3, 3), (0.5, 3, 2), (0.001, 3, 1), (0.9, 10, 9), (0.3, 10, 3)]
)
def test_the_fraction_is_rounded_up_and_at_least_one(fraction: float, phones: int, needed: int) -> None:
    unit = progress(phones, fraction=fraction)
    for number in range(needed):
        assert unit.due(100.0) is None
        unit.ended(f"p{number}", EXECUTED)
    assert unit.due(100.0) is not None
