"""Blind witnesses, controls, and evidence that cannot be judged."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from judge_synthetic import AUDIO, CONTROL, CONTROL_ADDRESS, MS, TIMES, Run, name_of

from harness.capture.dissection import CrossCheck, Disagreement
from harness.judge import Judgement, Verdict, judge, judging
from harness.judge.laws import LAWS
from harness.judge.laws.law import Case, Finding, Law
from harness.judge.sight import Integrity
from harness.judge.verdict import Blindness

Judged = Callable[[Run], Judgement]
ZERO = '[thresholds]\n"callmanager.authentications" = "== 0"\n"rtp.foreign_packets" = "== 0"'


def verdicts(judgement: Judgement) -> dict[str, str]:
    return {check.name: check.verdict.text for check in judgement.checks}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("clause", ["rtp", "authentication-gateway", "authentication-callmanager"])
def test_a_canary_that_was_not_seen_blinds_its_clause(judged: Judged, clause: str, when: str) -> None:
    run = Run(scenario=ZERO)
    source = run.one("harness", "canary.sent", clause=clause, when=when)["source"]
    run.packets = [p for p in run.packets if f"{p.source}:{p.source_port}" != source]
    found = judged(run)
    assert verdicts(found)[f"canary {clause}"] == "inconclusive"
    assert found.verdict is Verdict.INCONCLUSIVE
    assert [blind.scope for blind in found.blind] == [clause]
    affected = {"rtp": "rtp.foreign_packets == 0", "authentication-callmanager": "callmanager.authentications == 0"}
    for scope, name in affected.items():
        assert verdicts(found)[name] == ("inconclusive" if scope == clause else "pass")


def test_a_canary_that_was_not_sent_blinds_too(judged: Judged) -> None:
    run = Run()
    run.drop(lambda r: r["kind"] == "canary.sent" and r["clause"] == "rtp" and r["when"] == "after")
    assert verdicts(judged(run))["canary rtp"] == "inconclusive"


def unseen_by_callmanager(run: Run) -> None:
    run.drop(lambda r: r["witness"] == "callmanager" and r.get("phone") == CONTROL)


def unseen_by_its_diary(run: Run) -> None:
    run.drop(lambda r: r["kind"] == "authentication.asked" and r.get("phone") == CONTROL)


def unseen_by_the_wire(run: Run) -> None:
    run.packets = [p for p in run.packets if p.source != CONTROL_ADDRESS]


def never_pushed(run: Run) -> None:
    run.drop(lambda r: r["kind"] == "control.pushed")


def seen_twice(run: Run) -> None:
    run.records.append(dict(run.one("callmanager", "authentication.answered", phone=CONTROL)))


@pytest.mark.parametrize(
    "breaks", [unseen_by_callmanager, unseen_by_its_diary, unseen_by_the_wire, never_pushed, seen_twice]
)
def test_without_the_positive_control_a_zero_is_nothing(judged: Judged, breaks: Callable[[Run], None]) -> None:
    run = Run(scenario=ZERO)
    breaks(run)
    found = judged(run)
    assert verdicts(found)["positive-control"] == "inconclusive"
    assert verdicts(found)["callmanager.authentications == 0"] == "inconclusive"
    assert verdicts(found)["rtp.foreign_packets == 0"] == "pass"
    assert found.verdict is Verdict.INCONCLUSIVE


def test_control_and_canaries_are_counted_nowhere(judged: Judged) -> None:
    found = judged(Run(scenario=ZERO))
    assert found.metrics["callmanager.authentications"] == 0
    assert found.metrics["callmanager.answer_ms.count"] == 0
    assert found.metrics["authentication.answer_ms.count"] == 6
    assert found.metrics["rtp.packets_on_wire"] == 150
    assert found.metrics["capture.received"] == 300 - 7
    assert CONTROL not in {row["phone"] for row in found.ledger}


def test_packets_lost_at_the_phones_door_leave_the_first_one_heard_undecided(judged: Judged) -> None:
    run = Run(scenario='[thresholds]\n"page.first_packet_ms.max" = "< 1"\n"page.listening_ms.max" = "< 1"')
    assert verdicts(judged(run))["page.first_packet_ms.max < 1"] == "fail"
    run.one("phones", "part.ended")["dropped"] = 3
    found = verdicts(judged(run))
    assert found["page.first_packet_ms.max < 1"] == "inconclusive"
    assert found["page.listening_ms.max < 1"] == "fail"


def test_nothing_seen_is_inconclusive(judged: Judged) -> None:
    run = Run()
    run.drop(lambda r: r["kind"] not in ("part.ended", "lab.described", "canary.sent", "control.pushed"))
    found = judged(run)
    assert verdicts(found)["events-seen"] == "inconclusive"
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.outcomes == {"unreachable": 3}


def _pushes_to_nobody(run: Run) -> None:
    run.drop(lambda r: r["witness"] == "gateway" and r["kind"] != "part.ended")
    run.drop(lambda r: r["witness"] == "phones" and r.get("phone", CONTROL) != CONTROL)
    run.packets = [p for p in run.packets if p.payload == b"canary" or p.source == CONTROL_ADDRESS]


def test_a_gateway_that_pushes_to_nobody_fails_where_phones_provably_watched(judged: Judged) -> None:
    run = Run()
    _pushes_to_nobody(run)
    run.add(run.audio_end, "harness", "command.ended", exit_status=127)
    found = judged(run)
    assert verdicts(found)["positive-control"] == "pass"
    (seen,) = (check for check in found.checks if check.name == "events-seen")
    assert (seen.verdict, found.verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert seen.why.endswith("exit status 127")
    assert found.outcomes == {"unreachable": 3}


def test_a_gateway_that_pushes_to_nobody_is_not_judged_where_they_may_not_have_watched(judged: Judged) -> None:
    run = Run()
    _pushes_to_nobody(run)
    run.drop(lambda r: r["witness"] == "phones" and r.get("phone") == CONTROL)
    assert verdicts(judged(run))["events-seen"] == "inconclusive"


def test_no_packet_on_the_wire_where_streams_were_started(judged: Judged) -> None:
    run = Run()
    run.packets = [p for p in run.packets if p.payload is None or p.payload == b"canary"]
    found = judged(run)
    assert verdicts(found)["events-seen"] == "inconclusive"
    assert verdicts(found)["wire-agrees-with-phones"] == "inconclusive"


def test_a_record_that_cannot_be_used_blinds_its_witness(judged: Judged) -> None:
    run = Run()
    del run.one("phones", "stream.heard")["packets"]
    found = judged(run)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.blind[0].witness == "phones"
    assert "expected packets as int" in found.blind[0].why


def test_damaged_lines_blind_whoever_may_have_written_them(judged: Judged) -> None:
    run = Run()
    run.add(1, "harness", "records.damaged", file="phones.jsonl", lines=3)
    assert {blind.witness for blind in judged(run).blind} == {"gateway", "phones", "callmanager"}


@pytest.mark.parametrize("cut", [10, 200, 3000])
def test_a_capture_that_ends_early_is_blind(tmp_path: Path, cut: int) -> None:
    folder = Run().write(tmp_path / "run")
    capture = folder / "capture.pcap.gz"
    capture.write_bytes(capture.read_bytes()[:-cut])
    found = judge(folder)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert any(blind.witness == "wire" for blind in found.blind)


def test_a_metric_that_nobody_measured_is_inconclusive(judged: Judged) -> None:
    run = Run(scenario='[thresholds]\n"loop.lag_ms.gateway.p99" = "< 5"')
    run.one("gateway", "part.ended", part="gateway")["loop_lag_ms"] = None
    check = next(check for check in judged(run).checks if check.name == "loop.lag_ms.gateway.p99 < 5")
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.why == "it was not measured"


def test_a_limit_of_integrity_that_was_not_measured_is_inconclusive(judged: Judged) -> None:
    run = Run()
    run.drop(lambda r: r["kind"] == "schedule.lateness")
    found = verdicts(judged(run))
    assert found["lateness.pacer_ms.p99 <= 10"] == "inconclusive"
    assert found["lateness.callmanager_model_fraction.p99 <= 0.1"] == "inconclusive"


def test_callmanagers_lateness_decides_nothing_where_phones_do_not_wait_for_it(judged: Judged) -> None:
    thresholds = '[thresholds]\n"page.listening_ms.p50" = "< 2000"'
    for url, expected in (("gateway", "pass"), ("callmanager", "inconclusive")):
        run = Run(url=url, scenario=thresholds)
        for answer in run.find("callmanager", "authentication.answered"):
            answer["late_fraction"] = 0.4
        found = verdicts(judged(run))
        assert found["page.listening_ms.p50 < 2000"] == expected
        # At the gateway's URL the control phone alone asked it, and that one counts nowhere.
        assert found["lateness.callmanager_model_fraction.p99 <= 0.1"] == expected


def test_of_a_witness_that_saw_nothing_only_that_is_told() -> None:
    blind = tuple(
        Blindness(witness="wire", why=why, scope=scope)
        for why, scope in (("nothing was captured", ""), ("canary rtp: missing", "rtp"))
    )
    found = Integrity(blind=blind, checks=(), present=frozenset({"wire"}))
    assert found.why_blind(["wire"], ["rtp"]) == "wire is blind: nothing was captured"
    assert Integrity(blind=blind[1:], checks=(), present=found.present).why_blind(["wire"], ["rtp"]) == (
        "wire is blind: canary rtp: missing"
    )


def test_a_pacer_that_left_packets_out_is_no_evidence_against_the_gateway(judged: Judged) -> None:
    run = Run()
    cut = run.audio(0)[20]
    run.packets.remove(cut)
    assert verdicts(judged(run))["audio-is-the-source"] == "fail"
    run.one("gateway", "schedule.lateness")["skipped"] = 1
    found = judged(run)
    assert verdicts(found)["audio-is-the-source"] == "inconclusive"
    assert verdicts(found)["stream-well-formed"] == "inconclusive"
    assert verdicts(found)["callmanager-count-agrees"] == "pass"
    assert any(blind.scope == "audio" and "left out 1 packets" in blind.why for blind in found.blind)


def test_a_disagreement_of_the_two_readers_is_an_error(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = CrossCheck(
        checked=1,
        sampled=1,
        suspicious=0,
        suspicious_left_out=0,
        streams_left_out=0,
        disagreements=[Disagreement(row=4, field="sequence", fast=7, scapy=8)],
    )
    monkeypatch.setattr(judging, "cross_check", lambda *_, **__: planted)
    found = judged(Run())
    assert verdicts(found)["readers-agree"] == "error"
    assert found.verdict is Verdict.ERROR
    assert found.exit_code == 6


def test_a_law_that_raises_is_an_error_and_never_a_pass(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_: Case) -> Finding:
        raise ZeroDivisionError("planted")

    broken = Law(name="broken", sentence="", witnesses=(), essential=(), find=find)
    monkeypatch.setattr(judging, "LAWS", (*LAWS, broken))
    found = judged(Run())
    assert found.verdict is Verdict.ERROR
    assert found.exit_code == 6
    assert next(c for c in found.checks if c.name == "broken").why == "the law broke: ZeroDivisionError: planted"


@pytest.mark.parametrize("missing", ["scenario.toml", "roster.csv", "events.jsonl.gz"])
def test_a_folder_that_cannot_be_judged_is_an_error(tmp_path: Path, missing: str) -> None:
    folder = Run().write(tmp_path / "run")
    (folder / missing).unlink()
    found = judge(folder)
    assert found.verdict is Verdict.ERROR
    assert found.exit_code == 6
    assert missing in found.checks[0].why
    assert str(tmp_path) not in found.checks[0].why


def test_a_fleet_of_another_size_is_an_error(tmp_path: Path) -> None:
    run = Run()
    run.roster.pop(0)
    found = judge(run.write(tmp_path / "run"))
    assert found.verdict is Verdict.ERROR
    assert verdicts(found)["every-phone-one-end-state"] == "fail"


def test_a_gateway_that_writes_no_records_is_blind_and_not_failed(judged: Judged) -> None:
    run = Run(url="callmanager", scenario='[gateway]\nkind = "command"\ncommand = ["/bin/true"]')
    run.drop(lambda r: r["witness"] == "gateway")
    found = judged(run)
    assert found.outcomes == {"delivered": 3}
    assert found.ledger[0]["gateway_says"] == "(no records)"
    assert found.verdict is Verdict.INCONCLUSIVE
    assert verdicts(found)["every-start-stopped"] == "pass"
    assert "fail" not in verdicts(found).values()
    assert {blind.witness for blind in found.blind} == {"gateway"}


def test_what_is_read_is_only_the_folder(tmp_path: Path) -> None:
    folder = Run().write(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    first, second = judge(folder), judge(folder)
    assert first.to_json() == second.to_json()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_phone_that_heard_less_is_partial(judged: Judged) -> None:
    run = Run(scenario='[thresholds]\n"rtp.lost_fraction" = "== 0"')
    heard = run.one("phones", "stream.heard", phone=name_of(0))
    heard.update(packets=45, lost=5, crc32="00000000")
    found = judged(run)
    assert found.outcomes == {"partial_audio": 1, "delivered": 2}
    assert verdicts(found)["rtp.lost_fraction == 0"] == "fail"
    assert found.metrics["rtp.lost_fraction"] == pytest.approx(5 / 150)
    assert found.ledger[0]["lost"] == 5


@pytest.mark.parametrize(("first", "last", "packets", "lost"), [(3, 0, 47, 3), (0, -4, 46, 4)])
def test_missing_ends_are_lost_too(judged: Judged, first: int, last: int, packets: int, lost: int) -> None:
    run = Run()
    heard = run.one("phones", "stream.heard", phone=name_of(0))
    heard.update(
        packets=packets,
        first_sequence=(heard["first_sequence"] + first) & 0xFFFF,
        last_sequence=(heard["last_sequence"] + last) & 0xFFFF,
    )
    assert judged(run).ledger[0]["lost"] == lost


def test_a_silence_is_partial_audio(judged: Judged) -> None:
    run = Run()
    run.one("phones", "stream.heard", phone=name_of(0))["gap_ms"] = 101.0
    assert judged(run).outcomes == {"partial_audio": 1, "delivered": 2}


def test_other_sound_than_the_wire_saw_is_wrong_audio(judged: Judged) -> None:
    run = Run()
    run.one("phones", "stream.heard", phone=name_of(0))["crc32"] = "deadbeef"
    found = judged(run)
    assert found.outcomes == {"wrong_audio": 1, "delivered": 2}
    assert verdicts(found)["audio-is-the-source"] == "fail"


def test_a_late_phone_is_delivered_late(judged: Judged) -> None:
    run = Run()
    run.scenario = ""
    run.one("harness", "page.requested")["t_ns"] -= 3_000_000_000
    found = judged(run)
    assert found.outcomes == {"delivered_late": 3}
    assert found.metrics["page.listening_ms.p50"] == pytest.approx(3010.1)


def test_with_a_foreign_gateway_send_is_when_its_page_started(judged: Judged) -> None:
    run = Run()
    run.records.remove(run.one("harness", "page.requested"))
    found = judged(run)
    assert found.outcomes == {"delivered": 3}
    assert found.metrics["page.listening_ms.p50"] == pytest.approx(9.1)


def test_records_may_be_unpacked(tmp_path: Path) -> None:
    folder = Run().write(tmp_path / "run")
    events = folder / "events.jsonl.gz"
    events.write_bytes(gzip.decompress(events.read_bytes()))
    assert judge(folder).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("metric", "judged_too"),
    [
        ("loop.lag_ms.phones.p99", {"page.listening_ms.p50 < 2000"}),
        ("loop.lag_ms.pacer.p99", {"audio-is-the-source", "stream-well-formed"}),
        ("lateness.load_ms.p99", set()),
    ],
)
def test_every_limit_of_integrity_is_a_check(judged: Judged, metric: str, judged_too: set[str]) -> None:
    """Also where its witness is the harness: no limit silently holds."""
    run = Run()
    run.add(AUDIO, "harness", "schedule.lateness", schedule="load", **TIMES)
    run.scenario = f"""
[integrity]
"{metric}" = "<= 0.1"
[thresholds]
"page.listening_ms.p50" = "< 2000"
"""
    found = judged(run)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert judged_too | {f"{metric} <= 0.1"} == {
        check.name for check in found.checks if check.verdict is Verdict.INCONCLUSIVE
    }


@pytest.mark.parametrize(
    ("limit", "late_ms", "verdict"),
    [
        ("<= 10", 5, Verdict.FAIL),
        ("<= 10", 150, Verdict.INCONCLUSIVE),
        ("<= 200", 5, Verdict.FAIL),
        ("<= 200", 150, Verdict.PASS),
    ],
)
def test_a_machine_that_held_the_pacer_up_makes_no_gateway_fail(
    judged: Judged, limit: str, late_ms: float, verdict: Verdict
) -> None:
    run = Run()
    run.scenario += f'\n[integrity]\n"lateness.pacer_ms.p99" = "{limit}"\n'
    run.one("gateway", "schedule.lateness")["p99"] = late_ms
    for place, packet in enumerate(run.audio(0)):
        packet.t_ns += place // 5 * 100 * MS - place * 20 * MS
    (check,) = (one for one in judged(run).checks if one.name == "stream-well-formed")
    assert check.verdict is verdict


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_a_figure_that_is_no_number_is_not_measured(judged: Judged, value: float) -> None:
    run = Run()
    run.one("gateway", "schedule.lateness")["p99"] = value
    for record in run.find("gateway", "push.ended"):
        record["answer_ms"] = value
    found = judged(run)
    assert found.verdict is Verdict.INCONCLUSIVE
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("witness", "kind", "field"),
    [
        ("phones", "stream.heard", "duplicates"),
        ("phones", "stream.heard", "first_t_ns"),
        ("phones", "push.executed", "t_ns"),
        ("gateway", "stream.stopped", "packets"),
        ("gateway", "page.started", "audio_frames"),
        ("callmanager", "authentication.answered", "arrived_ns"),
    ],
)
def test_numbers_of_no_size_do_not_break_the_judge(judged: Judged, witness: str, kind: str, field: str) -> None:
    for number in (2**63, -(2**70), 10**30):
        run = Run(url="callmanager")
        run.one(witness, kind)[field] = number
        judged(run).to_json()
