import pytest

from harness.report.compare import COMPARED
from harness.report.directions import direction
from harness.scenario.metrics import known, names

WITHOUT = {
    "authentication.gateway", "authentication.redirected", "authentication.refused", "callmanager.directory_asked",
    "load.pages_planned", "load.pages_started",
    "push.concurrent_max", "rtp.packets_expected", "rtp.packets_on_wire", "rtp.packets_at_phones", "capture.received",
}  # fmt: skip
"""Metrics that say how much there was to do."""


def test_every_metric_has_one_or_is_known_to_have_none() -> None:
    assert {name for name in names() if direction(name) == 0 and not name.endswith(".count")} == WITHOUT


def test_every_metric_that_is_compared_exists() -> None:
    assert [name for name in COMPARED if not known(name)] == []


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        ("phones.delivered_fraction", 1), ("phones.acknowledged", 1), ("phones.no_audio", -1),
        ("phones.teleported", -1), ("push.answer_ms.p99", -1), ("push.answer_ms.count", 0), ("push.per_s", 1),
        ("loop.lag_ms.gateway.p99", -1), ("of.another.version", 0),
    ],
)  # fmt: skip
def test_which_way(metric: str, better: int) -> None:
    assert direction(metric) == better
