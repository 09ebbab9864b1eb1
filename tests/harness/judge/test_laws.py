"""Each law: what turns it, by its own name, to fail, and what makes it blind."""

from collections.abc import Callable
from pathlib import Path

import pytest
from judge_synthetic import AUDIO, CONTROL, GATEWAY, MS, SERVERS, Packet, Run, address_of, name_of

from harness.judge import Judgement, Verdict, judge
from harness.judge.laws import LAWS
from harness.judge.verdict import Check

Judged = Callable[[Run], Judgement]
Break = Callable[[Run], None]


def check_of(judgement: Judgement, name: str) -> Check:
    return next(check for check in judgement.checks if check.name == name)


def not_passing(judgement: Judgement) -> dict[str, str]:
    return {check.name: check.verdict.text for check in judgement.checks if check.verdict is not Verdict.PASS}


@pytest.mark.parametrize("url", ["gateway", "callmanager"])
def test_a_right_run_passes_every_law(judged: Judged, url: str) -> None:
    judgement = judged(Run(url=url))
    assert not_passing(judgement) == {}
    assert judgement.verdict is Verdict.PASS
    assert judgement.outcomes == {"delivered": 3}
    assert judgement.blind == ()
    assert judgement.exit_code == 0


# --- what breaks each law


def skips_the_last_phone(run: Run) -> None:
    last = name_of(run.phones - 1)
    run.drop(lambda r: r.get("phone") == last)
    run.packets = [p for p in run.packets if address_of(run.phones - 1) not in (p.source, p.destination)]


def reports_success_for_a_refused_phone(run: Run) -> None:
    push = run.one("phones", "push.received", phone=name_of(0))["push"]
    run.drop(lambda r: r["kind"] in ("push.executed", "stream.listening") and r.get("push") == push)
    run.one("phones", "authentication.answered", push=push)["answer"] = "refused"
    run.one("phones", "push.answered", push=push)["answer"] = "unauthorized"


def executes_without_asking(run: Run) -> None:
    push = run.one("phones", "push.received", phone=name_of(0))["push"]
    run.drop(lambda r: r["kind"].startswith("authentication.") and r.get("push") == push)


def server_never_said_so(run: Run) -> None:
    run.one("gateway", "authentication.answered", phone=name_of(1))["answer"] = "refused"


def asks_callmanager_although_it_matches(run: Run) -> None:
    """Redirected though the credentials match: the phone asks CallManager, and is authorised there."""
    phone, address = name_of(0), address_of(0)
    push = run.one("phones", "push.received", phone=phone)["push"]
    run.one("phones", "push.executed", push=push)["authorised_by"] = SERVERS["callmanager"]
    answer = run.one("phones", "authentication.answered", push=push)
    answer["answer"] = "redirected"
    run.one("gateway", "authentication.answered", connection=answer["connection"])["answer"] = "redirected"
    run._question(answer["t_ns"] + MS // 10, phone, address, 33333, push, "callmanager", 1)


def gateway_itself_asks_callmanager(run: Run) -> None:
    run.add(
        AUDIO,
        "callmanager",
        "authentication.answered",
        phone=name_of(0),
        connection=f"{GATEWAY}:40404",
        answer="authorized",
    )
    run.packets.append(Packet(AUDIO, GATEWAY, 40404, "10.20.128.20", 80))


def diary_hides_a_question(run: Run) -> None:
    connection = run.one("callmanager", "authentication.answered", phone=name_of(0))["connection"]
    run.drop(lambda r: r["witness"] == "phones" and r.get("connection") == connection)


def sends_before_the_phone_listens(run: Run) -> None:
    packet = run.audio(0)[0]
    packet.t_ns = AUDIO - 195 * MS


def goes_on_after_the_stop(run: Run) -> None:
    last = run.audio(0)[-1]
    last.t_ns = run.audio_end + 500 * MS


def sends_no_stop(run: Run) -> None:
    stop = run.find("phones", "push.received", phone=name_of(0), items=["RTPRx:Stop"])[0]["push"]
    run.drop(lambda r: r.get("push") == stop and r["kind"] != "stream.stopped")
    run.one("phones", "stream.stopped", phone=name_of(0)).update(reason="end", push=None)


def wrong_payload_type(run: Run) -> None:
    run.change(run.audio(1)[3], 1, b"\x08")


def drifting_clock(run: Run) -> None:
    for place, packet in enumerate(run.audio(0)):
        packet.t_ns = AUDIO + int(place * 20.4 * MS)


def bursts_of_five(run: Run) -> None:
    for place, packet in enumerate(run.audio(0)):
        packet.t_ns = AUDIO + place // 5 * 100 * MS + place % 5 * MS // 10


def other_sound(run: Run) -> None:
    """Right fields, wrong sound: A-law bytes in packets that say mu-law."""
    for packet in run.audio(0):
        assert packet.payload is not None
        run.change(packet, 12, bytes(byte ^ 0x55 for byte in packet.payload[12:]))


def a_frame_short(run: Run) -> None:
    run.packets.remove(run.audio(0)[-1])


def everybody_agrees_on_other_sound(run: Run) -> None:
    """Gateway, wire and phones agree; only the source itself tells that the sound is another."""
    run.samples = -run.samples


def a_stranger_sends(run: Run) -> None:
    packet = run.audio(0)[0]
    run.packets.append(Packet(AUDIO + 7 * MS, "10.20.128.66", 4000, address_of(0), 32674, packet.payload))


def pushes_twice(run: Run) -> None:
    push = run._push(0, AUDIO + 100 * MS, 9000, "start")
    run.drop(lambda r: r.get("push") == push and r["kind"] == "push.executed")


def retries_without_limit(run: Run) -> None:
    for attempt in range(2, 6):
        run.add(
            AUDIO, "gateway", "push.ended", phone=name_of(0), action="start", attempt=attempt, outcome="unreachable"
        )


def phone_counts_other_than_the_wire(run: Run) -> None:
    run.one("phones", "stream.heard", phone=name_of(2))["packets"] -= 3


def sends_abroad(run: Run) -> None:
    run.one("gateway", "push.sent", phone=name_of(0))["address"] = "192.0.2.7"


def asks_for_an_odd_port_and_is_refused(run: Run) -> None:
    """The phone refuses it, and the gateway says so: nobody lies, the port is wrong."""
    start = run.one("phones", "push.received", phone=name_of(0))
    start["items"] = [f"RTPRx:{GATEWAY}:32675"]
    run.drop(lambda r: r["kind"] == "push.executed" and r.get("push") == start["push"])
    run.one("gateway", "push.ended", phone=name_of(0), push=start["push"])["outcome"] = "refused"


def has_a_phone_send_audio(run: Run) -> None:
    """Its microphone would be heard by whoever listens there."""
    run.one("phones", "push.received", phone=name_of(1))["items"].append("RTPTx:192.0.2.9:20480")


def names_another_source(run: Run) -> None:
    run.one("phones", "push.received", phone=name_of(1))["items"] = ["RTPRx:10.20.128.77:32674"]


def pushes_what_no_phone_can_read(run: Run) -> None:
    run.one("phones", "push.received", phone=name_of(0))["well_formed"] = False


def pushes_to_the_control_phone(run: Run) -> None:
    push = {"push": f"{GATEWAY}:60001", "items": ["RTPRx:Stop"], "well_formed": True}
    run.add(AUDIO, "phones", "push.received", phone=CONTROL, **push)


def ends_the_page_before_the_stops(run: Run) -> None:
    run.one("gateway", "page.ended")["t_ns"] = AUDIO


def sums_up_more_than_there_was(run: Run) -> None:
    push = run.one("phones", "push.received", phone=name_of(0))["push"]
    run.drop(lambda r: r["kind"] in ("push.executed", "stream.listening") and r.get("push") == push)
    run.one("phones", "authentication.answered", push=push)["answer"] = "refused"
    run.one("gateway", "authentication.answered", phone=name_of(0))["answer"] = "refused"
    run.one("phones", "push.answered", push=push)["answer"] = "unauthorized"
    run.one("gateway", "push.ended", phone=name_of(0), push=push)["outcome"] = "refused_authentication"
    run.one("gateway", "page.ended")["outcomes"] = {"executed": run.phones}


def leaves_a_phone_out_of_the_sum(run: Run) -> None:
    run.one("gateway", "page.started")["phones"] = run.phones + 1


def sends_a_phone_to_itself(run: Run) -> None:
    asked = run.one("phones", "authentication.asked", phone=name_of(0))
    again = {**asked, "t_ns": asked["t_ns"] + MS // 2, "hop": 1, "connection": f"{address_of(0)}:30999"}
    run.records.append(again)


def says_yes_and_is_heard_as_no(run: Run) -> None:
    push = run.one("phones", "push.received", phone=name_of(0))["push"]
    run.one("phones", "authentication.answered", push=push)["answer"] = "refused"
    run.drop(lambda r: r["kind"] in ("push.executed", "stream.listening") and r.get("push") == push)
    run.one("phones", "push.answered", push=push)["answer"] = "unauthorized"
    run.one("gateway", "push.ended", phone=name_of(0), push=push)["outcome"] = "refused_authentication"


def sends_one_phones_audio_to_another(run: Run) -> None:
    first, second = run.find("gateway", "stream.started")[:2]
    first["destination"], second["destination"] = second["destination"], first["destination"]


def writes_a_password_into_its_log(run: Run) -> None:
    run.one("harness", "secrets.searched")["found"] = ["gateway.log"]


def counts_a_question_twice(run: Run) -> None:
    run.records.append(dict(run.one("gateway", "authentication.answered", phone=name_of(0))))


BREAKS: list[tuple[str, Break]] = [
    ("gateway-count-agrees", counts_a_question_twice),
    ("every-phone-one-end-state", skips_the_last_phone),
    ("gateway-agrees-with-phones", reports_success_for_a_refused_phone),
    ("executed-only-when-authorised", executes_without_asking),
    ("executed-only-when-authorised", server_never_said_so),
    ("authorised-by-the-right-server", asks_callmanager_although_it_matches),
    ("callmanager-count-agrees", gateway_itself_asks_callmanager),
    ("audio-only-to-listeners", sends_before_the_phone_listens),
    ("audio-only-to-listeners", goes_on_after_the_stop),
    ("every-start-stopped", sends_no_stop),
    ("stream-well-formed", wrong_payload_type),
    ("stream-well-formed", drifting_clock),
    ("stream-well-formed", bursts_of_five),
    ("pushes-well-formed", asks_for_an_odd_port_and_is_refused),
    ("pushes-well-formed", has_a_phone_send_audio),
    ("pushes-well-formed", names_another_source),
    ("pushes-well-formed", pushes_what_no_phone_can_read),
    ("gateway-agrees-with-phones", pushes_to_the_control_phone),
    ("gateway-agrees-with-phones", ends_the_page_before_the_stops),
    ("gateway-agrees-with-phones", sums_up_more_than_there_was),
    ("gateway-agrees-with-phones", leaves_a_phone_out_of_the_sum),
    ("authorised-by-the-right-server", sends_a_phone_to_itself),
    ("executed-only-when-authorised", says_yes_and_is_heard_as_no),
    ("audio-only-to-listeners", sends_one_phones_audio_to_another),
    ("no-secret-told", writes_a_password_into_its_log),
    ("audio-is-the-source", other_sound),
    ("audio-is-the-source", a_frame_short),
    ("audio-is-the-source", everybody_agrees_on_other_sound),
    ("no-foreign-audio", a_stranger_sends),
    ("attempts-bounded", pushes_twice),
    ("attempts-bounded", retries_without_limit),
    ("wire-agrees-with-phones", phone_counts_other_than_the_wire),
    ("nothing-leaves-the-lab", sends_abroad),
]


@pytest.mark.parametrize(("law", "breaks"), BREAKS, ids=[f"{law}:{breaks.__name__}" for law, breaks in BREAKS])
def test_a_broken_run_fails_the_law_by_name(judged: Judged, law: str, breaks: Break) -> None:
    run = Run(phones=3)
    breaks(run)
    judgement = judged(run)
    check = check_of(judgement, law)
    assert check.verdict is Verdict.FAIL, not_passing(judgement)
    assert check.why
    assert check.observed
    assert judgement.verdict >= Verdict.FAIL
    assert judgement.exit_code == 1


def test_a_hidden_question_is_found_where_phones_ask_callmanager(judged: Judged) -> None:
    run = Run(url="callmanager")
    diary_hides_a_question(run)
    assert check_of(judged(run), "callmanager-count-agrees").verdict is Verdict.FAIL


def test_every_law_has_a_test_that_breaks_it() -> None:
    # Pages that are not kept apart need several: test_several_pages.py.
    assert {law for law, _ in BREAKS} | {"pages-kept-apart"} == {law.name for law in LAWS}


# --- who is blind


def phones_overflow(run: Run) -> None:
    run.one("phones", "part.ended")["dropped"] = 7


def silence(witness: str) -> Break:
    def breaks(run: Run) -> None:
        run.drop(lambda r: r["witness"] == witness)

    return breaks


def killed(part: str) -> Break:
    def breaks(run: Run) -> None:
        run.drop(lambda r: r["kind"] == "part.ended" and r["part"] == part)

    return breaks


def tap_drops(clause: str) -> Break:
    def breaks(run: Run) -> None:
        next(c for c in run.facts["clauses"] if c["name"] == clause)["dropped"] = 1

    return breaks


BLIND: dict[str, Break] = {
    "every-phone-one-end-state": killed("phones"),
    "pages-kept-apart": killed("phones"),
    "gateway-agrees-with-phones": silence("gateway"),
    "pushes-well-formed": killed("phones"),
    "executed-only-when-authorised": killed("gateway"),
    "authorised-by-the-right-server": killed("phones"),
    "gateway-count-agrees": killed("gateway"),
    "callmanager-count-agrees": tap_drops("authentication-callmanager"),
    "audio-only-to-listeners": tap_drops("rtp"),
    "every-start-stopped": killed("phones"),
    "stream-well-formed": tap_drops("rtp"),
    "audio-is-the-source": tap_drops("rtp"),
    "no-foreign-audio": phones_overflow,
    "attempts-bounded": killed("gateway"),
    "wire-agrees-with-phones": phones_overflow,
    "nothing-leaves-the-lab": silence("gateway"),
}


# What the harness itself looked for has a test of its own, below.
@pytest.mark.parametrize("law", [law.name for law in LAWS if law.witnesses != ("harness",)])
def test_a_blind_witness_makes_the_law_inconclusive(judged: Judged, law: str) -> None:
    run = Run()
    BLIND[law](run)
    judgement = judged(run)
    assert check_of(judgement, law).verdict is Verdict.INCONCLUSIVE
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.blind
    assert judgement.exit_code == 3


@pytest.mark.parametrize(("law", "breaks"), BREAKS[:3])
def test_a_blind_witness_decides_nothing_even_where_it_looks_bad(judged: Judged, law: str, breaks: Break) -> None:
    run = Run()
    breaks(run)
    killed("phones")(run)
    assert check_of(judged(run), law).verdict is Verdict.INCONCLUSIVE


def test_a_tap_for_questions_that_drops_does_not_blind_the_audio(judged: Judged) -> None:
    run = Run()
    tap_drops("authentication-callmanager")(run)
    judgement = judged(run)
    assert check_of(judgement, "wire-agrees-with-phones").verdict is Verdict.PASS
    assert check_of(judgement, "callmanager-count-agrees").verdict is Verdict.INCONCLUSIVE


def test_a_pacer_that_fell_behind_blinds_the_audio_and_not_the_questions(judged: Judged) -> None:
    run = Run(scenario='[thresholds]\n"push.answer_ms.p99" = "< 2000"\n"rtp.lost_fraction" = "== 0"')
    run.one("gateway", "schedule.lateness")["p99"] = 30.0
    judgement = judged(run)
    assert not_passing(judgement) == {
        "stream-well-formed": "inconclusive",
        "audio-is-the-source": "inconclusive",
        "rtp.lost_fraction == 0": "inconclusive",
        "lateness.pacer_ms.p99 <= 10": "inconclusive",
    }


def test_a_wire_that_was_due_and_is_missing_is_blind(judged: Judged) -> None:
    run = Run()
    run.facts = {}
    judgement = judged(run)
    assert check_of(judgement, "stream-well-formed").verdict is Verdict.INCONCLUSIVE


def test_a_scenario_that_declares_no_wire_is_judged_without(tmp_path: Path) -> None:
    run = Run()
    folder = run.write(tmp_path / "run")
    text = (folder / "scenario.toml").read_text()
    (folder / "scenario.toml").write_text(
        text.replace(
            'witnesses = ["gateway", "phones", "callmanager", "wire"]',
            'witnesses = ["gateway", "phones", "callmanager"]',
        )
    )
    (folder / "capture.json").unlink()
    (folder / "capture.pcap.gz").unlink()
    judgement = judge(folder)
    assert check_of(judgement, "stream-well-formed").verdict is Verdict.NONE
    assert judgement.verdict is Verdict.PASS
    assert judgement.as_expected


def test_the_ledger_says_why_callmanager_refused(judged: Judged) -> None:
    run = Run(url="callmanager")
    answered = run.find("callmanager", "authentication.answered", phone=name_of(1))
    for record in answered:
        record |= {"answer": "unauthorized", "reason": "association"}
    for record in run.find("phones", "authentication.answered", phone=name_of(1)):
        record["answer"] = "refused"
    run.drop(lambda r: r["kind"] in {"push.executed", "stream.heard", "stream.listening"} and r["phone"] == name_of(1))
    for kind in ("push.ended", "push.answered"):
        for record in [r for r in run.records if r["kind"] == kind and r["phone"] == name_of(1)]:
            record["outcome"] = "refused_authentication"
    run.packets = [p for p in run.packets if p.destination != address_of(1) or p.payload is None]
    row = judged(run).ledger[1]
    assert (row["state"], row["why"]) == ("refused_authentication", "callmanager answered refused: association")


# --- who is excused


def test_a_blocked_port_is_excused_by_name(judged: Judged) -> None:
    run = Run(scenario='[[fault]]\nkind = "port-blocked"\nphones = 0.3')
    blocked = name_of(1)
    run.add(AUDIO, "harness", "fault.applied", fault="port-blocked", phones=[blocked], detail="")
    run.packets = [p for p in run.packets if p.destination != address_of(1)]
    run.drop(lambda r: r["kind"] == "stream.heard" and r["phone"] == blocked)
    judgement = judged(run)
    assert not_passing(judgement) == {}
    assert judgement.outcomes == {"no_audio": 1, "delivered": 2}
    assert check_of(judgement, "audio-is-the-source").excused == (blocked,)
    assert check_of(judgement, "fault port-blocked is seen").verdict is Verdict.PASS
    assert judgement.ledger[1]["state"] == "no_audio"
    assert "fault port-blocked" in str(judgement.ledger[1]["why"])


def test_a_fault_excuses_nobody_else(judged: Judged) -> None:
    run = Run(scenario='[[fault]]\nkind = "port-blocked"\nphones = 0.3')
    run.add(AUDIO, "harness", "fault.applied", fault="port-blocked", phones=[name_of(1)], detail="")
    run.packets = [p for p in run.packets if p.destination != address_of(0)]
    run.drop(lambda r: r["kind"] == "stream.heard" and r["phone"] == name_of(0))
    judgement = judged(run)
    assert check_of(judgement, "audio-is-the-source").verdict is Verdict.FAIL
    assert check_of(judgement, "fault port-blocked is seen").verdict is Verdict.FAIL


# --- order within the clocks' uncertainty


def test_a_packet_within_the_clocks_uncertainty_is_let_pass(judged: Judged) -> None:
    run = Run()
    listening = run.one("phones", "stream.listening", phone=name_of(0))["t_ns"]
    run.audio(0)[0].t_ns = listening - MS
    run.facts["clock"][0]["uncertainty_ns"] = 2 * MS
    assert check_of(judged(run), "audio-only-to-listeners").verdict is Verdict.PASS


def test_a_packet_in_flight_at_the_stop_is_let_pass(judged: Judged) -> None:
    run = Run()
    stopped = run.one("phones", "stream.stopped", phone=name_of(0))["t_ns"]
    run.audio(0)[-1].t_ns = stopped + 40 * MS
    assert check_of(judged(run), "audio-only-to-listeners").verdict is Verdict.PASS


def test_a_refusal_of_what_was_asked_is_no_garbled_answer(judged: Judged) -> None:
    run = Run()
    asks_for_an_odd_port_and_is_refused(run)
    judgement = judged(run)
    assert check_of(judgement, "gateway-agrees-with-phones").verdict is Verdict.PASS
    assert judgement.ledger[0]["phone_truth"] == "malformed"


def test_a_start_and_a_stop_from_one_port_are_two_pushes(judged: Judged) -> None:
    run = Run()
    start, stop = f"{GATEWAY}:1000", f"{GATEWAY}:1001"
    for record in run.records:
        if record.get("push") == stop:
            record["push"] = start if record["witness"] == "gateway" else f"{start}#2"
    judgement = judged(run)
    assert not_passing(judgement) == {}
    assert judgement.outcomes == {"delivered": 3}


@pytest.mark.parametrize(("frames", "at_once", "found"), [(5, True, True), (5, False, False), (4, True, False)])
def test_a_tenth_of_a_second_in_one_burst(judged: Judged, *, frames: int, at_once: bool, found: bool) -> None:
    run = Run(frames=frames)
    for packet in run.audio(0) if at_once else ():
        packet.t_ns = AUDIO + MS
    verdict = check_of(judged(run), "stream-well-formed").verdict
    assert (verdict is Verdict.FAIL) is found


def test_nobody_having_looked_for_passwords_is_no_absence_of_them(judged: Judged) -> None:
    run = Run()
    run.drop(lambda r: r["kind"] == "secrets.searched")
    assert not_passing(judged(run)) == {"no-secret-told": "inconclusive"}


def test_a_gateway_that_sums_nothing_up_is_believed_by_its_pushes(judged: Judged) -> None:
    run = Run()
    run.one("gateway", "page.ended")["outcomes"] = None
    assert not_passing(judged(run)) == {}
