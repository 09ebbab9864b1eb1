"""The judge is tested as well: each wrong judge is planted, with a question that tells it from a right one.

A question is a function that asks a judge for a verdict on evidence made by hand, and raises AssertionError where the
answer is wrong. The right judge answers each; the planted one must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge_synthetic import MS, SEND, Run, name_of

from harness.capture.reader import Packets
from harness.judge import evidence as evidence_module
from harness.judge import integrity as integrity_module
from harness.judge import judge
from harness.judge import judging as judging_module
from harness.judge import ledger as ledger_module
from harness.judge.diaries import PhoneStory
from harness.judge.laws import LAWS, Case, Law
from harness.judge.laws import executed_only_when_authorised as authorised_module
from harness.judge.sight import Integrity
from harness.judge.verdict import Blindness, Check, Judgement, Kind, Verdict
from harness.judge.verdict import merge as right_merge

ZERO = '[thresholds]\n"callmanager.authentications" = "== 0"\n'
PHONES, SERVICE_MS, STALL_MS = 200, 5.0, 2000.0

Question = Callable[[Path], None]
Patch = pytest.MonkeyPatch


def check_of(judgement: Judgement, name: str) -> Check:
    return next(check for check in judgement.checks if check.name == name)


# --- HM1: one packet in a hundred is lost on the way to the judge, and nobody says so


def test_hm1_frames_dropped_silently_are_noticed(tmp_path: Path, monkeypatch: Patch) -> None:
    run = Run(frames=100, scenario=ZERO)
    run.facts["packets"] = len(run.packets)
    folder = run.write(tmp_path / "run")
    assert judge(folder).verdict is Verdict.PASS
    genuine = evidence_module.read

    def lossy(path: Path, facts: Mapping[str, Any]) -> Packets:
        packets = genuine(path, facts)
        return packets.select(np.arange(len(packets)) % 100 != 50)

    monkeypatch.setattr(evidence_module, "read", lossy)
    judgement = judge(folder)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    for claim in ("callmanager.authentications == 0", "no-foreign-audio", "stream-well-formed"):
        assert check_of(judgement, claim).verdict is Verdict.INCONCLUSIVE


# --- HM2: nobody looks whether the canaries came


def a_missing_canary_is_noticed(folder: Path) -> None:
    run = Run(scenario=ZERO)
    run.packets = [packet for packet in run.packets if packet.payload != b"canary"]
    judgement = judge(run.write(folder))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert check_of(judgement, "canary rtp").verdict is Verdict.INCONCLUSIVE


def no_canary_check(monkeypatch: Patch) -> None:
    def believes(_evidence: object, clause: str) -> tuple[list[Blindness], Check]:
        return [], Check(name=f"canary {clause}", kind=Kind.CONTROL, verdict=Verdict.PASS)

    monkeypatch.setattr(integrity_module, "canary", believes)


# --- HM3: times from when a push was sent, not from when it was due (coordinated omission)


def waiting_counts_as_a_queue_says(folder: Path) -> None:
    """One slot, one push after the other, and a stall of 2 s in the middle: the times that D/D/1 has, from Send on."""
    run = Run(phones=PHONES, frames=50)
    model = []
    for index in range(PHONES):
        due_ms = index * SERVICE_MS + (STALL_MS if index >= PHONES // 2 else 0.0)
        model.append(due_ms + SERVICE_MS)
        begin = run.one("gateway", "push.sent", phone=name_of(index))
        shift = SEND + int(due_ms * MS) - begin["t_ns"]
        push = begin["push"]
        for record in run.records:
            if record.get("push") == push:
                record["t_ns"] += shift
        run.one("phones", "stream.listening", phone=name_of(index))["t_ns"] = SEND + int(model[-1] * MS)
    metrics = judge(run.write(folder)).metrics
    expected = float(np.percentile(model, 99, method="inverted_cdf"))
    assert metrics["page.listening_ms.p99"] == pytest.approx(expected, rel=0.01)
    assert metrics["push.answer_ms.p99"] * 10 < expected, "the closed load's own time hides the queue, as documented"


def from_the_sending_on(monkeypatch: Patch) -> None:
    genuine = ledger_module._first_listening

    def late_start(story: PhoneStory) -> int | None:
        first = genuine(story)
        sent = story.start_attempts[0].sent
        return None if first is None or sent is None else SEND + first - sent.t_ns

    monkeypatch.setattr(ledger_module, "_first_listening", late_start)


# --- HM4: what a law raises is taken for nothing found


def a_law_that_breaks_is_an_error(folder: Path) -> None:
    def breaks(_case: Case) -> object:
        raise ZeroDivisionError

    broken = Law(name="broken", sentence="It breaks.", witnesses=(), essential=(), find=breaks)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging_module, "LAWS", (*LAWS, broken))
        judgement = judge(Run().write(folder))
    assert check_of(judgement, "broken").verdict is Verdict.ERROR
    assert judgement.verdict is Verdict.ERROR
    assert judgement.exit_code == 6


def swallows(monkeypatch: Patch) -> None:
    genuine = judging_module.decide

    def forgiving(law: Law, case: Case, sight: Integrity) -> Check:
        check = genuine(law, case, sight)
        broke = check.verdict is Verdict.ERROR
        return Check(name=law.name, kind=Kind.LAW, verdict=Verdict.PASS) if broke else check

    monkeypatch.setattr(judging_module, "decide", forgiving)


# --- HM6: phones that answer before they asked


def an_answer_before_the_question_is_noticed(folder: Path) -> None:
    run = Run(scenario=ZERO)
    for index in range(run.phones):
        for answered in run.find("phones", "push.answered", phone=name_of(index)):
            asked = run.one("phones", "authentication.asked", push=answered["push"])
            answered["t_ns"] = asked["t_ns"] - MS
    judgement = judge(run.write(folder))
    assert check_of(judgement, "executed-only-when-authorised").verdict is Verdict.FAIL


def does_not_look_at_order(monkeypatch: Patch) -> None:
    blind = authorised_module.PushDiary
    monkeypatch.setattr(blind, "answered_first", property(lambda _self: False))


def questions_that_no_server_saw_are_noticed(folder: Path) -> None:
    """An emulator that takes itself for authorised: its diary has the answers, the servers' logs have none."""
    run = Run(scenario=ZERO)
    log = ("gateway", "authentication.answered", name_of(0))
    run.drop(lambda r: (r["witness"], r["kind"], r.get("phone")) == log)
    assert check_of(judge(run.write(folder)), "executed-only-when-authorised").verdict is Verdict.FAIL


def believes_diaries(monkeypatch: Patch) -> None:
    without = tuple(law for law in LAWS if law.name != "executed-only-when-authorised")
    own = next(law for law in LAWS if law.name == "executed-only-when-authorised")
    lenient = Law(name=own.name, sentence=own.sentence, witnesses=(), essential=(), find=without[0].find)
    monkeypatch.setattr(judging_module, "LAWS", (*without, lenient))


# --- HM8: of several verdicts the best counts


def the_worst_verdict_counts(folder: Path) -> None:
    run = Run(scenario='[thresholds]\n"phones.delivered" = "== 2"\n"callmanager.authentications" = "== 0"\n')
    assert judge(run.write(folder)).verdict is Verdict.FAIL
    merge = judging_module.merge
    for one in Verdict:
        for other in Verdict:
            assert merge([one, other]) >= max(one, other)


def best_of(monkeypatch: Patch) -> None:
    def best(verdicts: Iterable[Verdict]) -> Verdict:
        return min(verdicts, default=Verdict.NONE)

    assert best([Verdict.FAIL, Verdict.PASS]) is not right_merge([Verdict.FAIL, Verdict.PASS])
    monkeypatch.setattr(judging_module, "merge", best)


@dataclass(frozen=True)
class WrongJudge:
    number: str
    question: Question
    plant: Callable[[Patch], None]


WRONG_JUDGES = (
    WrongJudge("HM2", a_missing_canary_is_noticed, no_canary_check),
    WrongJudge("HM3", waiting_counts_as_a_queue_says, from_the_sending_on),
    WrongJudge("HM4", a_law_that_breaks_is_an_error, swallows),
    WrongJudge("HM6", an_answer_before_the_question_is_noticed, does_not_look_at_order),
    WrongJudge("HM6b", questions_that_no_server_saw_are_noticed, believes_diaries),
    WrongJudge("HM8", the_worst_verdict_counts, best_of),
)


@pytest.mark.parametrize("wrong", WRONG_JUDGES, ids=lambda wrong: wrong.number)
def test_a_right_judge_answers_and_a_wrong_one_is_caught(tmp_path: Path, monkeypatch: Patch, wrong: WrongJudge) -> None:
    wrong.question(tmp_path / "right")
    wrong.plant(monkeypatch)
    with pytest.raises(AssertionError):
        wrong.question(tmp_path / "wrong")
