"""How sure a difference of two medians is, from the runs themselves.

The percentile bootstrap (Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7, 1979): each
side's runs are drawn again with replacement, many times; the middle 95 % of the differences is the interval. With three
runs a side it is about as wide as the two ranges, which is what three runs can tell.
"""

import random
import statistics
from collections.abc import Sequence
from typing import Final

RUNS_MIN: Final = 3
"""Runs a side below which no interval is given: of two, the median is their mean, and drawing again tells nothing."""
CONFIDENCE: Final = 0.95
_DRAWS: Final = 2000
"""Ends of the interval move by less than the runs' own grain with more."""


def interval(a: Sequence[float], b: Sequence[float], seed: str) -> tuple[float, float] | None:
    """The interval of median(b) - median(a); None where one side has too few runs.

    Args:
        a: One figure a run.
        b: As `a`.
        seed: Same seed, same interval.
    """
    if min(len(a), len(b)) < RUNS_MIN:
        return None
    draw = random.Random(seed)
    differences = sorted(
        statistics.median(draw.choices(b, k=len(b))) - statistics.median(draw.choices(a, k=len(a)))
        for _ in range(_DRAWS)
    )
    tail = round((1 - CONFIDENCE) / 2 * _DRAWS)
    return differences[tail], differences[-1 - tail]
