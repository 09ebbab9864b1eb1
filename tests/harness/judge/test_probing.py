"""The probe's results of a run become checks of its verdict."""

from collections.abc import Callable

from judge_synthetic import GATEWAY, SEND, Packet, Run

from harness.judge import Judgement, Verdict

Judged = Callable[[Run], Judgement]
PROBE = '[probe]\nwhen = "before"'
SOURCE = "10.20.127.252"


def probed(run: Run, *, ended: bool = True, **verdicts: str) -> Run:
    for name, verdict in verdicts.items():
        run.add(
            SEND - 1000, "harness", "probe.checked", check=name.replace("_", "-"), verdict=verdict, why="so", observed=1
        )
    if ended:
        run.add(SEND - 900, "harness", "probe.ended", checks=len(verdicts))
    return run


def of_probe(result: Judgement) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in result.checks if check.kind == "probe"}


def test_a_run_without_a_probe_has_no_such_checks(judged: Judged) -> None:
    assert of_probe(judged(probed(Run(), trace="fail"))) == {}


def test_each_result_is_a_check(judged: Judged) -> None:
    result = judged(probed(Run(scenario=PROBE), trace="pass", user_case="none"))
    assert of_probe(result) == {"trace": Verdict.PASS, "user-case": Verdict.NONE}
    assert result.verdict is Verdict.PASS


def test_a_failed_check_fails_the_run(judged: Judged) -> None:
    result = judged(probed(Run(scenario=PROBE), trace="fail"))
    assert result.verdict is Verdict.FAIL
    assert result.exit_code == 1


def test_a_probe_that_did_not_end_is_inconclusive(judged: Judged) -> None:
    result = judged(probed(Run(scenario=PROBE), trace="pass", ended=False))
    assert of_probe(result)["probe-complete"] is Verdict.INCONCLUSIVE
    assert judged(probed(Run(scenario=PROBE))).verdict is Verdict.INCONCLUSIVE


def test_a_verdict_that_is_none_of_ours_is_an_error(judged: Judged) -> None:
    assert judged(probed(Run(scenario=PROBE), trace="fine")).verdict is Verdict.ERROR


def test_its_questions_are_counted_nowhere(judged: Judged) -> None:
    run = probed(Run(scenario=PROBE), trace="pass")
    before = judged(run).metrics
    run.one("harness", "lab.described")["reserved"].append(SOURCE)
    for port, answer in enumerate(("authorized", "redirected", "refused"), start=50000):
        run.add(
            SEND - 950,
            "gateway",
            "authentication.answered",
            connection=f"{SOURCE}:{port}",
            answer=answer,
            answer_ms=1.0,
        )
        run.packets.append(Packet(SEND - 950, SOURCE, port, GATEWAY, 80))
    run.facts["clauses"][1]["received"] += 3  # by the tap, as the wire has it
    after = judged(run)
    assert after.metrics == before
    assert after.verdict is Verdict.PASS
