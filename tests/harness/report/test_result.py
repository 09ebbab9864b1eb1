import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from harness.report.figures import ABSENT
from harness.report.result import ReportError, read_result
from harness.scenario.file import load
from harness.scenario.resolved import write_resolved


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
    blind = ["the wire dropped 41", {"witness": "wire", "scope": "rtp", "why": "its canary is missing"}]
    result = read_result(make_run(phones=5, blind=blind))
    assert result.blind == ("the wire dropped 41", "wire (rtp): its canary is missing")


def test_nothing_judged(make_run: Callable[..., Path]) -> None:
    assert read_result(make_run(phones=5, checks=[], verdict="none")).why == "nothing was judged"


def test_not_measured_is_absent_not_zero(make_run: Callable[..., Path]) -> None:
    result = read_result(make_run(phones=5, metrics={"push.per_s": None, "rtp.lost_fraction": float("nan")}))
    assert result.show("push.per_s") == result.show("rtp.lost_fraction") == ABSENT


def test_excused_phones_are_named(make_run: Callable[..., Path]) -> None:
    excused = [f"SEP{number:012d}" for number in range(12)]
    check = {"name": "x", "kind": "law", "verdict": "pass", "why": "holds", "excused": excused}
    (told,) = read_result(make_run(phones=5, checks=[check])).checks
    assert told.why.startswith("holds (excused by a fault: SEP000000000000, SEP000000000001,")
    assert told.why.endswith("SEP000000000009 and 2 more)")


def test_failure_by_other_checks_than_expected(make_run: Callable[..., Path]) -> None:
    unexpected = ["page.listening_ms.p50 < 2000: inconclusive, expected fail"]
    result = read_result(make_run("direct", phones=60, as_expected=False, unexpected=unexpected))
    assert result.expectation == "not what the scenario expects"
    assert result.unexpected == tuple(unexpected)


def test_command_has_every_value_that_was_changed(make_run: Callable[..., Path]) -> None:
    folder = make_run(phones=5)
    (folder / "scenario.toml").write_text(
        """
        [fleet]
        phones = 5
        models = { CP-7960G = 1.0 }
        [[page]]
        audio = "two words.wav"
        late_after_ms = 1500.0
        [thresholds]
        "push.answer_ms.p99" = "< 2000"
        [resolved]
        source = "/somewhere/scenarios/load/burst-offload.toml"
        [resolved.origins]
        "fleet.phones" = "--phones"
        "fleet.models" = "--set"
        "page.0.audio" = "--set"
        "page.0.late_after_ms" = "--set"
        'thresholds."push.answer_ms.p99"' = "--set"
        """
    )
    assert read_result(folder).command == (
        "pushlab run burst-offload --phones 5 --seed 1 --ground netns --set 'fleet.models={ \"CP-7960G\" = 1.0 }' "
        "--set 'page.0.audio=two words.wav' --set page.0.late_after_ms=1500.0 "
        "--set 'thresholds.push.answer_ms.p99=< 2000'"
    )


def test_command_repeats_a_resolved_scenario_whatever_was_set(make_run: Callable[..., Path]) -> None:
    given = [
        ("thresholds.push.answer_ms.p99", "< 500"),
        ('integrity."lateness.pacer_ms.p99"', "<= 400"),
        ("fault", '[{ kind = "canary-blocked" }, { kind = "port-blocked", phones = 0.5 }]'),
        ("callmanager.service_ms", "{ p50 = 5, p99 = 10 }"),
        ("callmanager.user", '[{ name = "2024" }]'),
        ("gateway.user", '"2024"'),
        ("gateway.kind", "command"),
        ("gateway.command", '["/bin/sh", "-c", "exit 3"]'),
        ("expect", '{ verdict = "inconclusive" }'),
    ]
    scenario = load("burst-offload", given)
    folder = make_run(phones=5)
    write_resolved(scenario, folder / "scenario.toml", {}, {})
    words = shlex.split(read_result(folder).command)
    assert words[:3] == ["pushlab", "run", "burst-offload"]
    again = [tuple(text.split("=", 1)) for option, text in pairwise(words) if option == "--set"]
    repeated = load("burst-offload", [(key, text) for key, text in again])
    assert replace(repeated, origins={}) == replace(scenario, origins={})


def test_scenario_that_lacks_what_was_set_costs_only_that_part(make_run: Callable[..., Path]) -> None:
    folder = make_run(phones=5)
    (folder / "scenario.toml").write_text('[resolved.origins]\n"page.3.audio" = "--set"\n"seed.x" = "--set"\n')
    assert read_result(folder).command == "pushlab run burst-offload --phones 5 --seed 1 --ground netns"


def test_command_names_the_file_of_ones_own_scenario(make_run: Callable[..., Path]) -> None:
    folder = make_run(phones=5)
    (folder / "scenario.toml").write_text('[fleet]\ncsv = "site.csv"\n[resolved]\nsource = "/home/me/mine.toml"\n')
    assert read_result(folder).command == "pushlab run /home/me/mine.toml --seed 1 --ground netns"


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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"verdict": "pass"}, "a check says fail"),
        ({"outcomes": {"delivered": 999}}, "the fleet has 1,000"),
        ({"outcomes": {"delivered": 1000}}, "other end states"),
    ],
)
def test_a_result_changed_by_hand_is_refused(
    make_run: Callable[..., Path], change: dict[str, object], told: str
) -> None:
    with pytest.raises(ReportError, match=told):
        read_result(make_run("failing", **change))
