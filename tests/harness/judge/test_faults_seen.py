"""Each kind of fault on a run made by hand: excused for its own phone, and a fault of nobody's at any other."""

from collections.abc import Callable

import pytest
from judge_synthetic import GATEWAY, MS, SERVERS, Run, address_of, name_of

from harness.judge import Judgement
from harness.judge.verdict import Check, Verdict
from harness.scenario.faults import FAULTS

Judged = Callable[[Run], Judgement]
Show = Callable[[Run, int, str], None]
CHANGED = 'boot = "fetch"\nauthentication_url_at_boot = "callmanager"'
STRICKEN = 1
"""The phone that has the fault; phone 0 is healthy."""


def check_of(judgement: Judgement, name: str) -> Check:
    return next(check for check in judgement.checks if check.name == name)


def start_of(run: Run, index: int) -> str:
    return str(run.one("gateway", "push.sent", phone=name_of(index), action="start")["push"])


def forget(run: Run, index: int, *kinds: str) -> None:
    """Drop the phone's own records of its start push, and of what it heard."""
    push = start_of(run, index)
    run.drop(lambda r: r["witness"] == "phones" and r["kind"] in kinds and r.get("push") == push)


def gets_no_audio(run: Run, index: int) -> None:
    run.drop(lambda r: r["kind"].startswith("stream.") and r["witness"] == "gateway" and r["phone"] == name_of(index))
    run.packets = [p for p in run.packets if not (p.destination == address_of(index) and p.payload is not None)]
    forget(run, index, "stream.heard")


def ends(run: Run, index: int, outcome: str) -> None:
    """What the gateway says of the start push."""
    run.one("gateway", "push.ended", phone=name_of(index), action="start")["outcome"] = outcome


def spoils(outcome: str) -> Show:
    def show(run: Run, index: int, kind: str) -> None:
        reply = run.one("phones", "push.answered", push=start_of(run, index), phone=name_of(index))
        reply |= {"spoilt": kind, "answer": "response" if outcome == "garbled" else "none"}
        ends(run, index, outcome)
        gets_no_audio(run, index)

    return show


def answers_twice(run: Run, index: int, kind: str) -> None:
    run.one("phones", "push.answered", push=start_of(run, index))["spoilt"] = kind


def port_is_blocked(run: Run, index: int, _: str) -> None:
    run.packets = [p for p in run.packets if p.destination != address_of(index)]
    forget(run, index, "stream.heard")


def nothing_comes_through(run: Run, index: int, _: str) -> None:
    gets_no_audio(run, index)
    ends(run, index, "unreachable")
    del run.one("gateway", "push.ended", phone=name_of(index), action="start")["push"]
    gone = ("push.sent", "authentication.answered")
    run.drop(
        lambda r: r.get("phone") == name_of(index)
        and r["kind"] != "phone.misbehaves"
        and (r["witness"] == "phones" or r.get("action") == "stop" or r["kind"] in gone)
    )


def web_access_is_off(run: Run, index: int, kind: str) -> None:
    nothing_comes_through(run, index, kind)
    run.roster[index][-1] = "false"


def asked_nobody(run: Run, index: int) -> None:
    """Nor was the gateway asked."""
    push = start_of(run, index)
    ends = {r["connection"] for r in run.find("phones", "authentication.asked", push=push)}
    forget(run, index, "authentication.asked", "authentication.answered")
    run.drop(lambda r: r["kind"] == "authentication.answered" and r["connection"] in ends)


def refuses_from_memory(run: Run, index: int, _: str) -> None:
    run.one("phones", "push.answered", push=start_of(run, index)).update(answer="unauthorized", http_status=401)
    gets_no_audio(run, index)
    asked_nobody(run, index)
    forget(run, index, "push.executed", "stream.listening")
    run.drop(lambda r: r["kind"] == "stream.stopped" and r["phone"] == name_of(index))
    ends(run, index, "refused_authentication")


def asks_nobody(run: Run, index: int, _: str) -> None:
    asked_nobody(run, index)
    del run.one("phones", "push.executed", push=start_of(run, index))["authorised_by"]


def answers_first(run: Run, index: int, _: str) -> None:
    run.one("phones", "push.answered", push=start_of(run, index))["t_ns"] -= 5 * MS


def asks_twice(run: Run, index: int, _: str) -> None:
    asked = run.one("phones", "authentication.asked", push=start_of(run, index))
    run.records.append(asked | {"t_ns": asked["t_ns"] - MS, "connection": f"{address_of(index)}:29000"})


def asks_late(run: Run, index: int, _: str) -> None:
    push = start_of(run, index)
    run.one("phones", "push.received", push=push)["t_ns"] -= 3000 * MS
    run.one("gateway", "push.sent", push=push)["t_ns"] -= 3000 * MS
    run.one("gateway", "push.ended", push=push)["answer_ms"] += 3000


def reboots(run: Run, index: int, _: str) -> None:
    run.one("phones", "push.answered", push=start_of(run, index))["answer"] = "none"
    gets_no_audio(run, index)
    forget(run, index, "push.executed", "stream.listening")
    run.drop(lambda r: r["kind"] == "stream.stopped" and r["phone"] == name_of(index))
    ends(run, index, "indeterminate")


def still_asks_callmanager(run: Run, index: int, _: str) -> None:
    """Both of its questions went to the server of before, which knows the user."""
    name, address = name_of(index), address_of(index)
    for action in ("start", "stop"):
        push = str(run.one("gateway", "push.sent", phone=name, action=action)["push"])
        connection = run.one("phones", "authentication.asked", push=push)["connection"]
        run.drop(
            lambda r, ends=(push, connection): r["kind"].startswith("authentication.")
            and (r.get("push") in ends or r.get("connection") in ends)
        )
        port = int(str(connection).rpartition(":")[2])
        run.packets = [p for p in run.packets if (p.source, p.source_port) != (address, port)]
        received = run.one("phones", "push.received", push=push)
        run._question(received["t_ns"] + MS, name, address, port, push, "callmanager", 0)
        run.one("phones", "push.executed", push=push)["authorised_by"] = SERVERS["callmanager"]


def suffers(run: Run, index: int, _: str) -> None:
    heard = run.one("phones", "stream.heard", phone=name_of(index))
    heard.update(packets=run.frames - 2 + 1, lost=2, duplicates=1, reordered=3)
    same = {name: heard[name] for name in ("phone", "push", "source", "ssrc")}
    run.add(
        heard["t_ns"], "phones", "stream.impaired", **same, packets=run.frames, lost=2, duplicated=1, reordered=3
    )


SHOW: dict[str, Show] = {
    "port-blocked": port_is_blocked,
    "web-access-disabled": web_access_is_off,
    "hang": spoils("timed_out"),
    "slow-drip": spoils("timed_out"),
    "reset-before": spoils("indeterminate"),
    "reset-within": spoils("indeterminate"),
    "reset-after": spoils("indeterminate"),
    "garbage": spoils("garbled"),
    "truncated": spoils("indeterminate"),
    "giant-body": spoils("garbled"),
    "wrong-length": spoils("garbled"),
    "two-answers": answers_twice,
    "wrong-credentials-cached": refuses_from_memory,
    "not-reset": still_asks_callmanager,
    "without-asking": asks_nobody,
    "answers-first": answers_first,
    "asks-twice": asks_twice,
    "asks-late": asks_late,
    "reboots": reboots,
    "refuses": nothing_comes_through,
    "silent": nothing_comes_through,
    "impairment": suffers,
}


def faulty(kind: str) -> Run:
    """Phone 1 has the fault by the bed's word, and by its own where it makes it itself."""
    more = "\nloss = 0.1" if kind == "impairment" else ""
    run = Run(
        scenario=f'[[fault]]\nkind = "{kind}"\nphones = 0.3{more}', fleet=CHANGED if kind == "not-reset" else ""
    )
    at = run.one("harness", "lab.described")["t_ns"]
    stricken = name_of(STRICKEN)
    run.add(at, "harness", "fault.applied", fault=kind, phones=[stricken], detail="")
    run.add(at, "phones", "phone.misbehaves", phone=stricken, misbehaviour=kind)
    return run


def test_every_kind_that_strikes_phones_is_shown_here() -> None:
    assert set(SHOW) == {kind.name for kind in FAULTS.values() if kind.strikes_phones}


@pytest.mark.parametrize("kind", SHOW)
def test_a_fault_is_seen_at_its_phone_and_breaks_no_other_law(judged: Judged, kind: str) -> None:
    run = faulty(kind)
    SHOW[kind](run, STRICKEN, kind)
    judgement = judged(run)
    assert {c.name: c.why for c in judgement.checks if c.verdict > Verdict.PASS} == {}
    for check in judgement.checks:
        assert set(check.excused) <= {name_of(STRICKEN)}
        assert not check.excused or check.name in FAULTS[kind].breaks
    assert judgement.ledger[STRICKEN]["state"] in FAULTS[kind].states
    assert check_of(judgement, f"fault {kind} is applied").verdict is Verdict.PASS


@pytest.mark.parametrize("kind", SHOW)
def test_a_healthy_phone_that_does_the_same_fails(judged: Judged, kind: str) -> None:
    run = faulty(kind)
    for index in (STRICKEN, 0):
        SHOW[kind](run, index, kind)
    judgement = judged(run)
    seen = check_of(judgement, f"fault {kind} is seen")
    assert seen.verdict is Verdict.FAIL
    assert name_of(0) in seen.why
    assert name_of(STRICKEN) not in seen.why
    for name in FAULTS[kind].breaks:
        law = check_of(judgement, name)
        if law.excused:
            assert law.verdict is Verdict.FAIL
            assert name_of(0) in law.why


@pytest.mark.parametrize("kind", SHOW)
def test_a_fault_that_nobody_noticed_fails(judged: Judged, kind: str) -> None:
    judgement = judged(faulty(kind))
    seen = check_of(judgement, f"fault {kind} is seen")
    assert seen.verdict is Verdict.FAIL
    assert name_of(STRICKEN) in seen.why


def test_phones_that_do_not_say_that_they_have_it_are_inconclusive(judged: Judged) -> None:
    run = faulty("hang")
    SHOW["hang"](run, STRICKEN, "hang")
    run.drop(lambda r: r["kind"] == "phone.misbehaves")
    applied = check_of(judged(run), "fault hang is applied")
    assert applied.verdict is Verdict.INCONCLUSIVE
    assert name_of(STRICKEN) in applied.why


@pytest.mark.parametrize(
    ("field", "word"), [("duplicated", "duplicates"), ("reordered", "reordered"), ("lost", "lost")]
)
def test_counts_that_differ_from_what_was_injected_fail(judged: Judged, field: str, word: str) -> None:
    run = faulty("impairment")
    SHOW["impairment"](run, STRICKEN, "")
    run.one("phones", "stream.impaired")[field] -= 1
    judgement = judged(run)
    seen = check_of(judgement, "fault impairment is seen")
    assert seen.verdict is Verdict.FAIL
    assert word in seen.why
    # The wire knows how many there were: the sum must be right as well.
    assert (check_of(judgement, "wire-agrees-with-phones").verdict is Verdict.FAIL) == (field != "reordered")


def test_a_healthy_phone_gets_no_credit_for_what_its_door_claims(judged: Judged) -> None:
    run = faulty("impairment")
    for index in (STRICKEN, 0):
        SHOW["impairment"](run, index, "")
    law = check_of(judged(run), "wire-agrees-with-phones")
    assert law.verdict is Verdict.FAIL
    assert law.why.startswith(f"{name_of(0)}: counted {run.frames - 1} packets from {GATEWAY}")


def test_an_end_state_of_another_fault_is_no_sign_of_this_one(judged: Judged) -> None:
    run = faulty("garbage")
    run.scenario += '\n[[fault]]\nkind = "wrong-length"\nphones = 0.3'
    at = run.one("harness", "lab.described")["t_ns"]
    run.add(at, "harness", "fault.applied", fault="wrong-length", phones=[name_of(0)], detail="")
    run.add(at, "phones", "phone.misbehaves", phone=name_of(0), misbehaviour="wrong-length")
    SHOW["garbage"](run, STRICKEN, "garbage")
    SHOW["wrong-length"](run, 0, "wrong-length")
    judgement = judged(run)
    assert {c.name: c.why for c in judgement.checks if c.verdict > Verdict.PASS} == {}


@pytest.mark.parametrize(("kind", "verdict"), [("impairment", Verdict.INCONCLUSIVE), ("hang", Verdict.PASS)])
def test_a_pacer_that_fell_behind_decides_nothing_about_silence(judged: Judged, kind: str, verdict: Verdict) -> None:
    run = faulty(kind)
    SHOW[kind](run, STRICKEN, kind)
    run.one("gateway", "schedule.lateness")["skipped"] = 7
    assert check_of(judged(run), f"fault {kind} is seen").verdict is verdict


def test_a_phone_that_was_forgotten_without_anybody_saying_so_breaks_the_law(judged: Judged) -> None:
    run = Run(fleet=CHANGED)
    still_asks_callmanager(run, STRICKEN, "")
    law = check_of(judged(run), "authorised-by-the-right-server")
    assert law.verdict is Verdict.FAIL
    assert law.why.startswith(f"{name_of(STRICKEN)}: asked callmanager, expected gateway")
    assert law.observed == 2  # start and stop


def test_how_a_stale_phones_page_ended_is_another_matter(judged: Judged) -> None:
    run = faulty("not-reset")
    still_asks_callmanager(run, STRICKEN, "")
    port_is_blocked(run, STRICKEN, "")
    judgement = judged(run)
    assert judgement.ledger[STRICKEN]["state"] == "no_audio"
    assert check_of(judgement, "fault not-reset is seen").verdict is Verdict.PASS


def test_a_stale_phone_is_named_in_the_ledger(judged: Judged) -> None:
    run = faulty("not-reset")
    still_asks_callmanager(run, STRICKEN, "")
    row = judged(run).ledger[STRICKEN]
    assert (row["state"], row["authorised_by"], row["why"]) == ("delivered", "callmanager", "fault not-reset")


def test_a_port_used_again_for_the_stop_is_no_second_question(judged: Judged) -> None:
    run = faulty("asks-twice")
    SHOW["asks-twice"](run, STRICKEN, "asks-twice")
    start, stop = (run.one("gateway", "push.sent", phone=name_of(0), action=a)["push"] for a in ("start", "stop"))
    for record in run.records:
        if record.get("push") == stop:
            record["push"] = start
    assert check_of(judged(run), "fault asks-twice is seen").verdict is Verdict.PASS
