import pytest

from harness.judge.hearing import gap_limit_ms
from harness.scenario.thresholds import Threshold


@pytest.mark.parametrize(
    ("limits", "longest_ms"),
    [
        ({}, 100),
        ({"lateness.pacer_ms.p99": "<= 10", "capture.dropped": "== 0"}, 100),
        ({"lateness.pacer_ms.p99": "<= 200"}, 240),
        ({"lateness.pacer_ms.p99": "<= 10", "lateness.pacer_ms.max": "<= 200"}, 240),
        ({"lateness.pacer_ms.p99": "<= 1000", "lateness.pacer_ms.max": "<= 20"}, 100),
    ],
)
def test_a_gap_may_be_as_long_as_the_pacer_may_be_late(limits: dict[str, str], longest_ms: float) -> None:
    assert gap_limit_ms([Threshold.parse(name, text) for name, text in limits.items()]) == longest_ms
