"""Runs with an alert: end states, the law about screens, what is not asked."""

from collections.abc import Callable

import pytest
from judge_synthetic import MS, SEND, Record, Run, name_of

from harness.judge import Judgement, Verdict

Judged = Callable[[Run], Judgement]
TITLE, TEXT = "Code blue", "Ward 3 & room 12"
SCENARIO = f'[[alert]]\ntitle = "{TITLE}"\ntext = "{TEXT}"\n'
AUDIO_LAWS = {"every-start-stopped", "audio-is-the-source"}


def alerted() -> Run:
    """The right page made into a right alert: what is said of audio and of stops is taken out."""
    run = Run(alert=SCENARIO)
    stops = {r["push"] for r in run.find("gateway", "push.sent", action="stop")}
    asked = {r["connection"] for r in run.records if r.get("push") in stops and "connection" in r}
    run.drop(lambda r: r["kind"].startswith(("stream.", "page.")) or r.get("push") in stops)
    # The second question of a phone came from the next port of the same name.
    run.drop(lambda r: r["witness"] == "gateway" and r.get("connection") in asked)
    run.packets = [p for p in run.packets if p.payload is None or p.payload == b"canary"]
    run.add(SEND, "harness", "alert.requested", at_s=0.0)
    for record in run.records:
        if record["kind"] in ("push.sent", "push.ended"):
            del record["page"]
            record |= {"alert": "1", "action": "show"}
        elif record["kind"] == "push.received" and record["items"][0].startswith("RTPRx"):
            record["items"] = ["http://10.20.128.10/alerts/x"]
        elif record["kind"] == "push.executed":
            record["action"] = "Fetch"
    for index in range(run.phones):
        phone, at = name_of(index), SEND + 20 * MS
        run.add(at, "gateway", "alert.displayed", alert="1", phone=phone)
        run.add(at + MS, "phones", "screen.shown", phone=phone, object="CiscoIPPhoneText", title=TITLE, text=TEXT)
    return run


def failing(judgement: Judgement) -> set[str]:
    return {check.name for check in judgement.checks if check.verdict not in (Verdict.PASS, Verdict.NONE)}


def shown(run: Run, index: int) -> Record:
    return run.one("phones", "screen.shown", phone=name_of(index))


def test_a_right_alert_passes_and_laws_of_audio_are_not_asked(judged: Judged) -> None:
    judgement = judged(alerted())
    assert failing(judgement) == set()
    assert judgement.outcomes == {"displayed": 3}
    assert {check.name for check in judgement.checks if check.verdict is Verdict.NONE} == AUDIO_LAWS
    assert judgement.metrics["alert.displayed_ms.max"] == 21
    assert {row["displayed_ms"] for row in judgement.ledger} == {21}


def test_a_key_makes_it_acknowledged_and_exit_does_not(judged: Judged) -> None:
    run = alerted()
    run.add(SEND + 50 * MS, "phones", "softkey.pressed", phone=name_of(0), name="Acknowledge")
    run.add(SEND + 51 * MS, "gateway", "alert.acknowledged", alert="1", phone=name_of(0), response="Acknowledge")
    run.add(SEND + 50 * MS, "phones", "softkey.pressed", phone=name_of(1), name="Exit")
    judgement = judged(run)
    assert failing(judgement) == set()
    assert judgement.outcomes == {"displayed": 2, "acknowledged": 1}


def test_late_is_told(judged: Judged) -> None:
    run = alerted()
    shown(run, 2)["t_ns"] = SEND + 2001 * MS
    judgement = judged(run)
    assert judgement.outcomes == {"displayed": 2, "displayed_late": 1}
    assert judgement.ledger[2]["why"] == "showed it 2001 ms after Send"


def shows_nothing(run: Run) -> None:
    run.records.remove(shown(run, 1))


def shows_an_error(run: Run) -> None:
    record = shown(run, 1)
    record["object"], record["text"] = "XML Error", "XML Error[4]"
    del record["title"]


def shows_another_text(run: Run) -> None:
    shown(run, 1)["text"] = "Ward 3 &amp; room 12"


def gateway_did_not_hear(run: Run) -> None:
    run.records.remove(run.one("gateway", "alert.displayed", phone=name_of(1)))


def answer_that_nobody_gave(run: Run) -> None:
    run.add(SEND + 51 * MS, "gateway", "alert.acknowledged", alert="1", phone=name_of(1), response="Acknowledge")


@pytest.mark.parametrize(
    ("defect", "outcomes"),
    [
        (shows_nothing, {"displayed": 2, "not_displayed": 1}),
        (shows_an_error, {"displayed": 2, "not_displayed": 1}),
        (shows_another_text, {"displayed": 2, "not_displayed": 1}),
        (gateway_did_not_hear, {"displayed": 3}),
        (answer_that_nobody_gave, {"displayed": 3}),
    ],
)
def test_a_screen_that_the_gateway_tells_otherwise_breaks_the_law(
    judged: Judged, defect: Callable[[Run], None], outcomes: dict[str, int]
) -> None:
    run = alerted()
    defect(run)
    judgement = judged(run)
    assert failing(judgement) == {"gateway-agrees-with-phones"}
    assert judgement.outcomes == outcomes
