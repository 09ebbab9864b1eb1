"""The statistic of the timing check."""

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probe.checks.timing import PAIRS, judged, median_interval

CHARACTERS = 20


@pytest.mark.parametrize("count", range(2, 15))
def test_the_interval_covers_the_median_as_often_as_it_says(count: int) -> None:
    ranks = [float(rank) for rank in range(count)]
    interval = median_interval(ranks, 0.9)
    # Each sample is above or below the true median with equal chance: of all 2^n patterns count those that it covers.
    low, high = int(interval.low), int(interval.high)
    covered = sum(low < sum(pattern) <= high for pattern in product((0, 1), repeat=count)) / 2**count
    assert covered >= 0.9 or (low, high) == (0, count - 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_the_interval_holds_the_median(differences: list[float]) -> None:
    interval = median_interval(differences)
    assert interval.low <= interval.middle <= interval.high


def test_a_leak_of_a_millisecond_a_character_is_plain() -> None:
    rng = random.Random(1)
    assert judged([CHARACTERS + rng.gauss(0, 2) for _ in range(PAIRS)], CHARACTERS).verdict == "fail"


def test_quiet_is_a_pass() -> None:
    rng = random.Random(1)
    assert judged([rng.gauss(0, 0.5) for _ in range(PAIRS)], CHARACTERS).verdict == "pass"


def test_noise_of_any_kind_never_fails() -> None:
    for seed in range(500):
        rng = random.Random(seed)
        noises = (
            [rng.gauss(0, 30) for _ in range(PAIRS)],
            [rng.lognormvariate(4, 0.7) - rng.lognormvariate(4, 0.7) for _ in range(PAIRS)],
            [rng.choice((0.0, 0.0, 0.0, 100.0)) for _ in range(PAIRS)],
        )
        assert all(judged(noise, CHARACTERS).verdict != "fail" for noise in noises[2:])
        # 1 % of intervals miss the median; both halves have to lie beyond the limit as well.
        assert sum(judged(noise, CHARACTERS).verdict == "fail" for noise in noises) <= 1


def test_a_machine_that_stalls_in_one_half_is_no_leak() -> None:
    assert judged([0.0] * (PAIRS // 2) + [50.0] * (PAIRS // 2), CHARACTERS).verdict == "inconclusive"


def test_a_few_stalls_do_not_spoil_a_pass() -> None:
    assert judged([0.0] * (PAIRS - 2) + [500.0, -500.0], CHARACTERS).verdict == "pass"
