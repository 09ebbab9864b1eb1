import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.report.figures import ABSENT
from harness.report.result import ReportError, read_result


def test_passing_run(make_run: Callable[..., Path]) -> None:
    result = read_result(make_run("offload", phones=40))
    assert result.title == "burst-offload · 40 phones · seed 1 · netns"
    assert result.why == "all 16 checks hold"
    assert result.expectation == ""
    assert result.open_checks == result.missed == ()
    assert result.command == "pushlab run burst-offload --phones 40 --seed 1 --ground netns"


def test_failing_run_names_its_phones_and_the_check(make_run: Callable[..., Path]) -> None:
    result = read_result(make_run("failing", phones=200))
    assert result.why == "phones.delivered_fraction == 1: 2 of 200 phones are not delivered"
    assert [row["phone"] for row in result.missed] == ["SEP001BD4000050", "SEP001BD40000A0"]
    assert result.outcome_text() == "198 delivered · 2 no_audio"


def test_expected_failure_says_so(make_run: Callable[..., Path]) -> None:
    result = read_result(make_run("direct", phones=60))
    assert (result.verdict, result.expectation) == ("fail", "as the scenario expects")


def test_unexpected_pass_says_so(make_run: Callable[..., Path]) -> None:
    assert read_result(make_run(phones=5, as_expected=False)).expectation == "not what the scenario expects"


def test_open_checks_come_worst_first(make_run: Callable[..., Path]) -> None:
    checks = [{"name": name, "kind": "law", "verdict": name} for name in ("inconclusive", "pass", "error", "fail")]
    result = read_result(make_run(phones=5, checks=checks, verdict="error"))
    assert [check.verdict for check in result.open_checks] == ["error", "fail", "inconclusive"]


def test_blind_witness_in_words(make_run: Callable[..., Path]) -> None:
    blind = ["the wire dropped 41", {"witness": "wire", "why": "its canary is missing"}]
    result = read_result(make_run(phones=5, blind=blind))
    assert result.blind == ("the wire dropped 41", "wire: its canary is missing")


def test_nothing_judged(make_run: Callable[..., Path]) -> None:
    assert read_result(make_run(phones=5, checks=[], verdict="none")).why == "nothing was judged"


def test_not_measured_is_absent_not_zero(make_run: Callable[..., Path]) -> None:
    result = read_result(make_run(phones=5, metrics={"push.per_s": None, "rtp.lost_fraction": float("nan")}))
    assert result.show("push.per_s") == result.show("rtp.lost_fraction") == ABSENT


def test_folder_without_verdict_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no judged run.*runs/latest"):
        read_result(tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "[]",
        "{",
        '{"schema": 2}',
        '{"schema": 1}',
        json.dumps(
            {
                "schema": 1,
                "verdict": "splendid",
                "as_expected": True,
                "scenario": "x",
                "seed": 1,
                "phones": 1,
                "ground": "netns",
                "outcomes": {},
                "metrics": {},
                "checks": [],
                "blind": [],
            }
        ),
    ],
)
def test_verdict_that_is_none(tmp_path: Path, given: str) -> None:
    (tmp_path / "verdict.json").write_text(given)
    with pytest.raises(ReportError, match=r"verdict\.json"):
        read_result(tmp_path)
