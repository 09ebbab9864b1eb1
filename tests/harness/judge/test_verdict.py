from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_synthetic import Run

from harness.judge import Judgement
from harness.judge.thresholds import told
from harness.judge.verdict import Verdict, merge

VERDICTS = st.sampled_from(list(Verdict))


@given(st.lists(VERDICTS), VERDICTS)
def test_no_verdict_ever_lowers_another(verdicts: list[Verdict], one: Verdict) -> None:
    assert merge([*verdicts, one]) == max(merge(verdicts), one)
    assert merge([*verdicts, one]) >= one


@given(st.lists(VERDICTS), st.randoms())
def test_order_does_not_matter(verdicts: list[Verdict], random: object) -> None:
    shuffled = sorted(verdicts, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert merge(shuffled) is merge(verdicts)


@given(VERDICTS, VERDICTS, VERDICTS)
def test_it_is_a_lattice(a: Verdict, b: Verdict, c: Verdict) -> None:
    assert merge([a, merge([b, c])]) is merge([merge([a, b]), c])
    assert merge([a, a]) is a
    assert merge([]) is Verdict.NONE


def test_the_order_of_the_contract() -> None:
    assert [v.text for v in sorted(Verdict)] == ["none", "pass", "inconclusive", "fail", "error"]
    assert all(Verdict.of(v.text) is v for v in Verdict)


def test_json_has_the_contracts_keys(judged: Callable[[Run], Judgement]) -> None:
    content = judged(Run(scenario='[thresholds]\n"callmanager.authentications" = "== 0"')).to_json()
    assert content["schema"] == 1
    assert content["verdict"] == "pass"
    assert content["as_expected"] is True
    assert (content["scenario"], content["seed"], content["phones"], content["ground"]) == ("synthetic", 1, 3, "netns")
    assert content["outcomes"] == {"delivered": 3}
    assert content["blind"] == []
    checks = content["checks"]
    assert isinstance(checks, list)
    threshold = next(check for check in checks if check["kind"] == "threshold")
    assert threshold == {
        "name": "callmanager.authentications == 0",
        "kind": "threshold",
        "verdict": "pass",
        "observed": 0,
        "witnesses": ["callmanager", "phones", "wire"],
        "why": "holds",
    }
    assert {check["kind"] for check in checks} == {"law", "threshold", "control"}


FAILING = '[thresholds]\n"phones.delivered" = "== 2"\n"push.answer_ms.p99" = "< 1"\n'


@pytest.mark.parametrize(
    ("expect", "as_expected", "exit_code"),
    [
        ("", False, 1),
        ('[expect]\nverdict = "fail"\nchecks = ["phones.delivered == 2", "push.answer_ms.p99 < 1"]', True, 0),
        ('[expect]\nverdict = "fail"', True, 0),
        ('[expect]\nverdict = "fail"\nchecks = ["phones.delivered == 2"]', False, 1),
        ('[expect]\nverdict = "fail"\nchecks = ["phones.delivered == 2", "readers-agree"]', False, 1),
        ('[expect]\nverdict = "inconclusive"', False, 1),
    ],
)
def test_expectation(
    judged: Callable[[Run], Judgement],
    expect: str,
    as_expected: bool,  # noqa: FBT001 - a column
    exit_code: int,
) -> None:
    judgement = judged(Run(scenario=FAILING + expect))
    assert judgement.verdict is Verdict.FAIL
    assert judgement.as_expected is as_expected
    assert judgement.exit_code == exit_code
    assert bool(judgement.unexpected) is not as_expected or expect.endswith('"inconclusive"')


def test_a_check_that_was_to_fail_and_was_not_asked_has_not_failed(judged: Callable[[Run], Judgement]) -> None:
    name = "gateway-count-agrees"
    thresholds = '[thresholds]\n"phones.delivered" = "== 2"\n'
    expect = f'[expect]\nverdict = "fail"\nchecks = ["phones.delivered == 2", "{name}"]'
    judgement = judged(Run(head='witnesses = ["phones", "callmanager", "wire"]', scenario=thresholds + expect))
    assert {check.name: check.verdict for check in judgement.checks}[name] is Verdict.NONE
    assert judgement.unexpected == (f"{name}: none, expected fail",)


def test_a_figure_is_never_rounded_to_a_bound_that_it_is_not() -> None:
    assert told(1158.269, 1158.27) == "1158.269"
    assert told(0.9538461538, 1.0) == "0.953846"
    assert told(2.0, 2.0) == "2"
    assert told(None, 1.0) == "unknown"


def test_a_pass_where_a_fail_was_expected_is_not_as_expected(judged: Callable[[Run], Judgement]) -> None:
    judgement = judged(Run(scenario='[expect]\nverdict = "fail"'))
    assert judgement.verdict is Verdict.PASS
    assert not judgement.as_expected
    assert judgement.exit_code == 1


def test_an_expected_failure_with_a_blind_witness_is_not_as_expected(judged: Callable[[Run], Judgement]) -> None:
    run = Run(
        scenario=FAILING + '[expect]\nverdict = "fail"\nchecks = ["phones.delivered == 2", "push.answer_ms.p99 < 1"]'
    )
    run.facts["clauses"][1]["dropped"] = 4
    judgement = judged(run)
    assert not judgement.as_expected
    assert any("capture.dropped == 0" in text for text in judgement.unexpected)
