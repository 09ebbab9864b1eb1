import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.bootstrap import RUNS_MIN, interval

figures = st.lists(st.floats(-1e6, 1e6), min_size=RUNS_MIN, max_size=7)


@pytest.mark.parametrize("runs", range(RUNS_MIN))
def test_too_few_runs_give_none(runs: int) -> None:
    assert interval([1.0] * runs, [1.0] * 9, "x") is None
    assert interval([1.0] * 9, [1.0] * runs, "x") is None


def test_same_seed_same_interval_another_metric_another() -> None:
    a, b = [1.0, 5.0, 9.0, 2.0, 7.0], [3.0, 4.0, 8.0, 6.0, 1.5]
    assert interval(a, b, "x") == interval(a, b, "x")


@given(a=figures, b=figures)
def test_within_the_ranges_and_in_order(a: list[float], b: list[float]) -> None:
    found = interval(a, b, "x")
    assert found is not None
    low, high = found
    assert min(b) - max(a) <= low <= high <= max(b) - min(a)


def test_figures_that_never_move_leave_no_doubt() -> None:
    assert interval([0.0] * 3, [1.0] * 3, "x") == (1.0, 1.0)


def test_three_runs_are_as_sure_as_their_ranges() -> None:
    assert interval([10.0, 11.0, 12.0], [20.0, 22.0, 24.0], "x") == (8.0, 14.0)


def test_zero_is_inside_nearly_always_where_nothing_changed() -> None:
    draw = random.Random(1)
    inside = 0
    for n in range(200):
        a, b = ([draw.gauss(100, 10) for _ in range(5)] for _ in range(2))
        low, high = interval(a, b, str(n)) or (1.0, 1.0)
        inside += low <= 0 <= high
    assert inside >= 180


def test_a_shift_of_many_scatters_is_found() -> None:
    draw = random.Random(2)
    a, b = [draw.gauss(100, 3) for _ in range(5)], [draw.gauss(150, 3) for _ in range(5)]
    found = interval(a, b, "x")
    assert found is not None
    assert found[0] > 0
    assert found[0] <= statistics.median(b) - statistics.median(a) <= found[1]
