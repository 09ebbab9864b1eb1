"""Failures are slowed per source, in virtual time; right answers never."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.authentication.failures import FLOOD, FREE, PER_S, SOURCES, WAIT_S, Failures

A, B = "10.20.0.1", "10.20.0.2"


def test_b8_ten_thousand_guesses_are_answered_ten_a_second_after_the_first_ten() -> None:
    failures = Failures()
    answered = [0.0 + delay for _ in range(10_000) if (delay := failures.delay_s(A, 0.0)) is not None]
    assert answered[:FREE] == [0.0] * FREE
    assert len(answered) == FREE + WAIT_S * PER_S
    assert max(answered) <= WAIT_S
    assert (failures.total, failures.unanswered) == (10_000, 10_000 - len(answered))


@given(st.lists(st.floats(0, 30), min_size=1, max_size=400))
def test_never_more_than_ten_a_second_beyond_the_free_ones(times: list[float]) -> None:
    failures = Failures()
    answers = sorted(now + delay for now in sorted(times) if (delay := failures.delay_s(A, now)) is not None)
    for start, end in zip(answers, answers[FREE + 10 :], strict=False):
        assert end - start > 1 - 1e-6


def test_another_source_does_not_wait_behind_it() -> None:
    failures = Failures()
    for _ in range(1000):
        failures.delay_s(A, 5.0)
    assert failures.delay_s(B, 5.0) == 0.0


def test_a_source_that_rests_begins_afresh() -> None:
    failures = Failures()
    for _ in range(1000):
        failures.delay_s(A, 0.0)
    assert failures.delay_s(A, WAIT_S + FREE / PER_S + 0.1) == 0.0


def test_a_flood_is_named_and_over_when_it_is_over() -> None:
    failures = Failures()
    for _ in range(FLOOD):
        failures.delay_s(A, 0.0)
    assert failures.flooding(0.0) == []
    failures.delay_s(A, 1.0)
    assert failures.flooding(1.0) == [A]
    assert failures.flooding(200.0) == []


def test_memory_is_bounded() -> None:
    failures = Failures()
    for number in range(SOURCES + 100):
        failures.delay_s(str(number), 0.0)
    assert len(failures._sources) == SOURCES
