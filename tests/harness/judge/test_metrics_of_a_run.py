from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_synthetic import MS, SEND, Run, name_of

from harness.judge import Judgement
from harness.judge.metrics import _busy_s, _inside, _peak, distribution
from harness.observe.records import Record
from harness.scenario.metrics import known, names

NUMBERS = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1)


@given(NUMBERS)
def test_percentiles_are_values_that_occurred(values: list[float]) -> None:
    figures = distribution("x", values)
    rounded = {round(value, 6) for value in values}
    assert figures["x.count"] == len(values)
    assert all(figures[f"x.{s}"] in rounded for s in ("p50", "p90", "p95", "p99", "max"))
    assert figures["x.p50"] <= figures["x.p90"] <= figures["x.p95"] <= figures["x.p99"] <= figures["x.max"]
    below = sum(value <= figures["x.p50"] + 1e-6 for value in values)
    assert below >= len(values) / 2


def test_nearest_rank() -> None:
    figures = distribution("x", map(float, range(1, 101)))
    assert [figures[f"x.{s}"] for s in ("p50", "p90", "p95", "p99", "max")] == [50, 90, 95, 99, 100]


def test_nothing_measured_has_no_percentiles() -> None:
    assert distribution("x", [None]) == {"x.count": 0}


@given(st.lists(st.integers(0, 5_000_000_000), min_size=1, max_size=60))
def test_the_peak_is_that_of_a_plain_loop(times: list[int]) -> None:
    arrived = np.sort(np.array(times, np.int64))
    plain = max(sum(start <= t < start + 1_000_000_000 for t in times) for start in times)
    assert _peak(arrived) == plain


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 500)), min_size=1, max_size=40))
def test_concurrency_is_that_of_a_plain_loop(stays: list[tuple[int, int]]) -> None:
    arrived = np.sort(np.array([begin for begin, _ in stays], np.int64))
    left = np.sort(np.array([begin + stay for begin, stay in stays], np.int64))
    plain = max(sum(b <= t <= b + s for b, s in stays) for t, _ in stays)
    assert _inside(arrived, left) == plain


def _answer(begin_ms: int, wait_ms: float, answer_ms: int) -> Record:
    fields: dict[str, object] = {"arrived_ns": begin_ms * MS, "wait_ms": wait_ms, "answer": "authorized"}
    return Record(t_ns=(begin_ms + answer_ms) * MS, witness="callmanager", kind="x", phone="", push="", fields=fields)


def test_busy_is_the_time_with_all_workers_busy() -> None:
    log = [_answer(0, 0.0, 100), _answer(40, 0.0, 100), _answer(50, 50.0, 100)]
    assert _busy_s(log, 2) == pytest.approx(0.100)
    assert _busy_s(log, 1) == pytest.approx(0.150)
    assert _busy_s(log, 3) == 0


@pytest.mark.parametrize("url", ["gateway", "callmanager"])
def test_figures_of_a_right_run(judged: Callable[[Run], Judgement], url: str) -> None:
    figures = judged(Run(url=url)).metrics
    assert all(known(name) for name in figures)
    at_gateway = 6 if url == "gateway" else 0
    assert figures["authentication.gateway"] == at_gateway
    assert figures["callmanager.authentications"] == 6 - at_gateway
    assert figures["phones.delivered_fraction"] == 1
    assert figures["push.answer_ms.count"] == 6
    assert figures["push.concurrent_max"] == 3
    assert figures["push.per_s"] == pytest.approx(3 / 0.0072, rel=1e-4)
    assert figures["page.activation_spread_ms"] == pytest.approx(0.2)
    assert figures["rtp.packets_expected"] == figures["rtp.packets_at_phones"] == 150
    assert figures["rtp.lost_fraction"] == 0


def test_every_metric_but_the_open_loads_is_measured(judged: Callable[[Run], Judgement]) -> None:
    figures = judged(Run(url="callmanager")).metrics
    # No open load, no alert, no directory server, no administrator: their figures are nobody's.
    unmeasured = ("load.", "lateness.load_ms", "callmanager.directory_ms.", "alert.", "administration.")
    assert {name for name in names() if name not in figures} == {
        name
        for name in names()
        if name.startswith(unmeasured) and name not in ("callmanager.directory_ms.count", "alert.displayed_ms.count")
    }
    assert figures["callmanager.directory_asked"] == figures["callmanager.directory_failed"] == 0


def test_what_the_gateway_read_is_held_against_the_roster(judged: Callable[[Run], Judgement]) -> None:
    run = Run(phones=4)
    run.one("gateway", "inventory.read", phone=name_of(1))["directory_number"] = "9"
    run.one("gateway", "inventory.read", phone=name_of(2))["outcome"] = "unreachable"
    figures = judged(run).metrics
    assert figures["inventory.read"] == 2
    assert figures["inventory.read_fraction"] == 0.5
    assert (figures["inventory.wrong"], figures["inventory.unreachable"]) == (1, 1)


def test_what_a_directory_was_asked(judged: Callable[[Run], Judgement]) -> None:
    run = Run(url="callmanager")
    first = run.one("callmanager", "authentication.answered", phone=name_of(0))
    first["directory_ms"] = 7.5
    second = run.one("callmanager", "authentication.answered", phone=name_of(1))
    second |= {"directory_ms": 2.5, "answer": "error", "reason": "directory"}
    figures = judged(run).metrics
    assert figures["callmanager.directory_asked"] == 2
    assert figures["callmanager.directory_failed"] == 1
    assert figures["callmanager.directory_ms.max"] == 7.5


def test_callmanager_counts_the_largest_of_three_witnesses(judged: Callable[[Run], Judgement]) -> None:
    run = Run()
    run.add(SEND, "callmanager", "authentication.answered", connection="10.20.128.10:1", answer="authorized")
    assert judged(run).metrics["callmanager.authentications"] == 1


def test_audio_before_a_phone_listens_is_clipped(judged: Callable[[Run], Judgement]) -> None:
    run = Run()
    run.audio(0)[0].t_ns = SEND + 6 * MS
    figures = judged(run).metrics
    assert figures["rtp.clipped_ms.max"] == 20
    assert figures["rtp.clipped_ms.p50"] == 0


@pytest.mark.parametrize(("kept", "verdict"), [(8, "pass"), (7, "fail")])
def test_what_an_administrator_entered_and_a_restart_lost(
    judged: Callable[[Run], Judgement], kept: int, verdict: str
) -> None:
    scenario = '[gateway]\nset_up = "administration"\n[thresholds]\n"administration.kept_fraction" = "== 1"'
    run = Run(scenario=scenario)
    lost = ["zone Whole site"][: 8 - kept]
    run.add(SEND - 100 * MS, "harness", "administration.checked", facts=8, kept=kept, lost=lost)
    judgement = judged(run)
    assert judgement.metrics["administration.kept_fraction"] == kept / 8
    (check,) = [each for each in judgement.checks if each.name == "administration.kept_fraction == 1"]
    assert check.verdict.text == verdict
