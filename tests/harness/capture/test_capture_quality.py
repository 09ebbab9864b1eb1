"""The E-model against figures worked out by hand from its formulas, and how it must run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.quality import RATING_MAX, mean_opinion_score, rating


def test_without_loss_it_is_the_default_channel() -> None:
    """G.107 (06/2015), clause 7.7: R = 93.2; annex B makes 4.41 of it."""
    assert rating(0, 1000) == RATING_MAX
    assert mean_opinion_score(0, 1000) == pytest.approx(4.41, abs=0.005)
    assert mean_opinion_score(0, 0) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("lost", "expected", "bursts", "r"),
    [
        (1, 100, 0, 93.2 - 95 * 1 / (1 + 4.3)),
        (5, 100, 0, 93.2 - 95 * 5 / (5 + 4.3)),
        # Ten lost in one run: 10 against 1 / 0.9 by chance.
        (10, 100, 1, 93.2 - 95 * 10 / (10 / 9 + 4.3)),
        (100, 100, 0, 93.2 - 95 * 100 / 104.3),
    ],
)
def test_formula(lost: int, expected: int, bursts: int, r: float) -> None:
    assert rating(lost, expected, bursts) == pytest.approx(max(0.0, r))


@given(st.integers(1, 10_000), st.data())
def test_more_loss_and_longer_runs_never_sound_better(expected: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, expected))
    less = data.draw(st.integers(0, lost))
    bursts = data.draw(st.integers(1, max(lost, 1)))
    assert 1.0 <= mean_opinion_score(lost, expected) <= mean_opinion_score(less, expected) <= 4.42
    assert rating(lost, expected, 1) <= rating(lost, expected, bursts) <= rating(lost, expected)
