"""Gateways whose words are not what they did, evidence that says less than it seems, streams right on average."""

from collections.abc import Callable

import pytest
from judge_synthetic import AUDIO, MS, Packet, Run, name_of

from harness.judge import Judgement, Verdict
from harness.judge.verdict import Check

Judged = Callable[[Run], Judgement]
Break = Callable[[Run], None]
PHONES, LONG = 3, 150


def check_of(judgement: Judgement, name: str) -> Check:
    return next(check for check in judgement.checks if check.name == name)


def start_of(run: Run, index: int) -> str:
    return str(run.one("gateway", "push.sent", phone=name_of(index), action="start")["push"])


# --- told before it was known, or otherwise than it was


def reports_before_it_knows(run: Run) -> None:
    push = start_of(run, 1)
    run.one("gateway", "push.ended", push=push)["t_ns"] = run.one("gateway", "push.sent", push=push)["t_ns"] + MS // 2


def says_it_was_quicker(run: Run) -> None:
    push = start_of(run, 1)
    for record in run.records:
        if record.get("push") == push and record["kind"] in ("push.received", "push.sent"):
            record["t_ns"] -= 900 * MS


def says_it_sent_later(run: Run) -> None:
    push = start_of(run, 1)
    run.one("phones", "push.received", push=push)["t_ns"] -= 300 * MS


def counts_a_question_twice(run: Run) -> None:
    run.records.append(dict(run.one("gateway", "authentication.answered", phone=name_of(0))))


def makes_a_question_up(run: Run) -> None:
    run.one("gateway", "authentication.answered", phone=name_of(0))["connection"] = "10.20.0.1:1"


def names_another_phone(run: Run) -> None:
    run.one("gateway", "authentication.answered", phone=name_of(0))["phone"] = name_of(1)


def logs_a_redirect_as_a_refusal(run: Run) -> None:
    run.one("gateway", "authentication.answered", phone=name_of(0))["answer"] = "refused"
    run.one("phones", "authentication.answered", phone=name_of(0))["answer"] = "redirected"


def holds_a_phone_for_away(run: Run) -> None:
    gone = name_of(2)
    run.drop(lambda r: r.get("phone") == gone and r["kind"] != "inventory.read")
    run.one("gateway", "inventory.read", phone=gone)["outcome"] = "unreachable"


def skips_the_beginning_for_all(run: Run) -> None:
    for record in run.find("gateway", "stream.started"):
        record["first_frame"] = 10
    run.packets = [p for p in run.packets if p.payload in (None, b"canary") or _frame(p) >= 10]


def skips_the_beginning_for_one(run: Run) -> None:
    """As if it had joined late: the others have been listening for as long as it has."""
    run.one("gateway", "stream.started", phone=name_of(1))["first_frame"] = 20
    kept = run.audio(1)[:-20]
    run.packets = [p for p in run.packets if p not in run.audio(1) or p in kept]


def _frame(packet: Packet) -> int:
    return round((packet.t_ns - AUDIO) / (20 * MS))


def heard_what_never_flew(run: Run) -> None:
    run.one("phones", "stream.heard", phone=name_of(1))["ssrc"] += 1


def counts_what_came_once_twice(run: Run) -> None:
    run.one("phones", "stream.heard", phone=name_of(1))["duplicates"] = 3


def wanders(run: Run) -> None:
    """17 ms between packets in the first half and 23 in the second: right on average, and never."""
    for number, packet in enumerate(run.audio(1)):
        half = LONG // 2
        early = 3 * min(number, half) - 3 * max(number - half, 0)
        packet.t_ns -= early * MS


def has_an_extension(run: Run) -> None:
    run.change(run.audio(1)[7], 0, b"\x90")


def has_a_contributing_source(run: Run) -> None:
    run.change(run.audio(1)[7], 0, b"\x81")


UNTRUE: list[tuple[str, Break]] = [
    ("gateway-agrees-with-phones", reports_before_it_knows),
    ("gateway-agrees-with-phones", says_it_was_quicker),
    ("gateway-agrees-with-phones", says_it_sent_later),
    ("gateway-count-agrees", counts_a_question_twice),
    ("gateway-count-agrees", makes_a_question_up),
    ("gateway-count-agrees", names_another_phone),
    ("gateway-count-agrees", logs_a_redirect_as_a_refusal),
    ("every-phone-one-end-state", holds_a_phone_for_away),
    ("audio-is-the-source", skips_the_beginning_for_all),
    ("audio-is-the-source", skips_the_beginning_for_one),
    ("wire-agrees-with-phones", heard_what_never_flew),
    ("wire-agrees-with-phones", counts_what_came_once_twice),
    ("stream-well-formed", wanders),
    ("stream-well-formed", has_an_extension),
    ("stream-well-formed", has_a_contributing_source),
]


@pytest.mark.parametrize(("law", "breaks"), UNTRUE, ids=[breaks.__name__ for _, breaks in UNTRUE])
def test_it_fails_by_the_fitting_law(judged: Judged, law: str, breaks: Break) -> None:
    run = Run(phones=PHONES, frames=LONG)
    breaks(run)
    check = check_of(judged(run), law)
    assert check.verdict is Verdict.FAIL, check


def test_a_long_right_run_passes(judged: Judged) -> None:
    judgement = judged(Run(phones=PHONES, frames=LONG))
    assert judgement.verdict is Verdict.PASS


def test_a_phone_that_joined_late_is_let_pass(judged: Judged) -> None:
    run = Run(phones=PHONES, frames=LONG, scenario='[expect]\nverdict = "pass"')
    late = 20
    run.one("gateway", "stream.started", phone=name_of(1)).update(
        first_frame=late, first_sequence=(65_501 + late) & 0xFFFF, first_timestamp=123_456 + 160 * late
    )
    gone = run.audio(1)[:late]
    run.packets = [p for p in run.packets if p not in gone]
    assert check_of(judged(run), "audio-is-the-source").why.startswith("Every stream")


def test_packets_that_no_router_lets_pass(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge_synthetic.TIME_TO_LIVE", 1)
    check = check_of(judged(Run(phones=PHONES)), "stream-well-formed")
    assert check.verdict is Verdict.FAIL
    assert "time to live" in check.why


def test_a_page_that_is_told_late_has_not_been_quicker(judged: Judged) -> None:
    """A foreign gateway whose word for Send comes when all phones listen."""
    run = Run(phones=PHONES, scenario='[gateway]\nkind = "command"\ncommand = ["/bin/true"]')
    run.drop(lambda r: r["kind"] == "page.requested")
    run.one("gateway", "page.started")["t_ns"] = AUDIO
    listening = judged(run).metrics["page.listening_ms.max"]
    assert 0 < listening < 100


# --- what nobody said


@pytest.mark.parametrize("word", ["received", "kept", "dropped", "left_out", "accounted"])
def test_a_tap_that_does_not_say_what_it_dropped_shows_no_absence(judged: Judged, word: str) -> None:
    run = Run(phones=PHONES)
    del next(clause for clause in run.facts["clauses"] if clause["name"] == "rtp")[word]
    judgement = judged(run)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert check_of(judgement, "no-foreign-audio").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("word", ["packets", "started_t_ns", "ended_t_ns"])
def test_a_capture_of_which_nobody_says_what_it_was_is_blind(judged: Judged, word: str) -> None:
    run = Run(phones=PHONES)
    run.facts[word] = None
    assert judged(run).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("witness", ["gateway", "phones", "callmanager"])
def test_times_of_another_clock_are_no_times(judged: Judged, witness: str) -> None:
    run = Run(phones=PHONES)
    for record in run.records:
        if record["witness"] == witness:
            record["t_ns"] += 1_700_000_000 * 1_000 * MS
    judgement = judged(run)
    assert judgement.verdict is not Verdict.PASS
    assert any(b.witness == witness and "CLOCK_MONOTONIC" in b.why for b in judgement.blind)


@pytest.mark.parametrize("at", [0, 40, LONG - 10])
def test_half_a_second_is_more_than_a_pause(judged: Judged, at: int) -> None:
    """A pause of 200 ms that is caught up moves no half second, and is no clock that is off, wherever it comes."""
    run = Run(phones=PHONES, frames=LONG)
    late = run.audio(1)[at : at + 10]
    for packet in late:
        packet.t_ns = late[-1].t_ns
    check = check_of(judged(run), "stream-well-formed")
    assert check.verdict is Verdict.PASS, check.why
