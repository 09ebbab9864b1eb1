import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import figures
from harness.scenario.metrics import CATALOGUE, names


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("callmanager.authentications", 2000, "2,000"),
        ("callmanager.authentications", 0, "0"),
        ("push.per_s", 1834.4, "1,834/s"),
        ("push.per_s", 9.04, "9.0/s"),
        ("push.answer_ms.p99", 1999.6, "2,000 ms"),
        ("push.answer_ms.p99", 38.24, "38.2 ms"),
        ("push.answer_ms.p50", 0.04, "0.04 ms"),
        ("push.answer_ms.count", 2000, "2,000"),
        ("loop.lag_ms.gateway.p99", 3.41, "3.4 ms"),
        ("callmanager.busy_s", 18.274, "18.3 s"),
        ("callmanager.busy_s", 0, "0 s"),
        ("phones.delivered_fraction", 1, "100 %"),
        ("phones.delivered_fraction", 0.988, "98.8 %"),
        ("phones.delivered_fraction", 0.99999, "> 99.99 %"),
        ("rtp.lost_fraction", 0.000002, "< 0.01 %"),
        ("rtp.lost_fraction", 0, "0 %"),
        ("lateness.callmanager_model_fraction.p99", 0.031, "3.1 %"),
        ("lateness.callmanager_model_fraction.max", 12.5, "1,250 %"),
        ("push.per_s", None, figures.ABSENT),
        ("push.per_s", math.nan, figures.ABSENT),
        ("push.per_s", math.inf, figures.ABSENT),
    ],
)
def test_metric_reads_with_its_unit(metric: str, value: float | None, text: str) -> None:
    assert figures.show(metric, value) == text


def test_units_agree_with_the_catalogue() -> None:
    ours = {"ms": "ms", "s": "s", "1/s": "/s", "share": "%"}
    for name, metric in CATALOGUE.items():
        assert figures.unit(name) == ours.get(metric.unit, ""), name


def test_every_labelled_metric_is_in_the_catalogue() -> None:
    assert set(figures.LABELS) <= set(names())


@given(st.floats(min_value=1e-9, max_value=1, exclude_max=True))
def test_almost_all_is_never_all_and_a_little_is_never_nothing(value: float) -> None:
    assert figures.share(value) not in {"0 %", "100 %"}


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_what_is_not_zero_never_reads_as_zero(value: float) -> None:
    assert float(figures.number(value).replace(",", "")) > 0


@pytest.mark.parametrize(
    ("check", "value", "text"),
    [
        ("callmanager.authentications == 0", 2000, "2,000"),
        ("phones.delivered_fraction == 1", 0.988, "98.8 %"),
        # Rounded it would be the bound itself, and nobody would see why it fails.
        ("push.answer_ms.p99 < 2000", 2000.4, "2,000.4"),
        ("push.answer_ms.p99 < 2000", 2000, "2,000 ms"),
        ("every-start-stopped", 3, "3"),
        ("every-start-stopped", None, figures.ABSENT),
        ("every-start-stopped", True, "yes"),
        ("every-start-stopped", math.nan, figures.ABSENT),
        ("callmanager-count-agrees", {"callmanager": 1, "wire": 2}, "callmanager 1, wire 2"),
        ("callmanager-count-agrees", ["SEP1", "SEP2"], "SEP1, SEP2"),
        ("callmanager-count-agrees", [], "none"),
        ("callmanager-count-agrees", "a\x1b[31mb", "a�[31mb"),
    ],
)
def test_observed_reads_as_its_metric(check: str, value: object, text: str) -> None:
    assert figures.observed(check, value) == text


def test_threshold_splits_into_metric_and_expectation() -> None:
    assert figures.split_threshold("push.answer_ms.p99 < 2000") == ("push.answer_ms.p99", "< 2000")
    assert figures.split_threshold("every-start-stopped") == ("every-start-stopped", "")


@given(st.text())
def test_cleaned_text_neither_moves_a_cursor_nor_breaks_xml(text: str) -> None:
    cleaned = figures.clean(text)
    assert all(character >= " " and not 0x7F <= ord(character) <= 0x9F for character in cleaned)
    assert figures.clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("push.answer_ms.p99 < 2000", "< 2,000 ms"),
        ("callmanager.authentications == 0", "== 0"),
        ("phones.delivered_fraction == 1", "== 100 %"),
        ("phones.delivered_fraction >= 0.99999", ">= 99.999 %"),
        ("lateness.callmanager_model_fraction.p99 <= 0.1", "<= 10 %"),
        ("push.per_s >= 1.5e3", ">= 1,500/s"),
        ("every-start-stopped", ""),
        ("callmanager.authentications == many", "== many"),
    ],
)
def test_bound_reads_in_the_metrics_unit(check: str, text: str) -> None:
    assert figures.bound(check) == text
