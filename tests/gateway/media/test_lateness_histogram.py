from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.lateness import Lateness


def test_nothing_counted_has_no_percentiles():
    assert Lateness().summary() == {"count": 0}


def test_one_late_in_a_hundred_is_the_maximum_not_the_p99():
    lateness = Lateness()
    for _ in range(99):
        lateness.add(195_000)
    lateness.add(500_000_000)
    assert lateness.summary() == {"count": 100, "p50": 0.2, "p90": 0.2, "p95": 0.2, "p99": 0.2, "max": 500.0}


def test_early_counts_as_on_time_and_very_late_has_a_bucket():
    lateness = Lateness()
    lateness.add(-5)
    assert lateness.summary()["max"] == 0
    lateness.add(60_000_000_000)
    assert lateness.summary()["max"] == 60_000


@given(st.lists(st.integers(0, 9_000_000_000), min_size=1, max_size=60))
def test_percentiles_are_those_of_the_sorted_list_within_a_bucket(values: list[int]):
    lateness = Lateness()
    for value in values:
        lateness.add(value)
    summary = lateness.summary()
    ordered = sorted(values)
    for percent in (50, 90, 95, 99):
        exact_ms = ordered[-(-len(values) * percent // 100) - 1] / 1e6
        step_ms = 0.01 if exact_ms < 10 else 1.0
        assert exact_ms - 1e-9 <= summary[f"p{percent}"] <= exact_ms + step_ms + 1e-9
    assert summary["max"] == ordered[-1] / 1e6
