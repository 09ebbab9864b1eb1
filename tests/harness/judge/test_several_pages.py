"""Runs with several pages and alerts: whose a push is, what one page may do to another, and what only several show."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from judge_synthetic import AUDIO, GATEWAY, MS, SEND, Run, address_of, name_of

from harness.judge import Judgement, Verdict, ledger_csv

Judged = Callable[[Run], Judgement]
PAGE = '[[page]]\naudio = "{audio}"\n'
APART = PAGE + 'phones = 0.5\ngroup = "a"\n' + PAGE + 'phones = 0.5\ngroup = "b"\n'
TAKEN_NS = SEND + 595 * MS
HEARD = 20
"""Frames that went out until the emergency came."""


def apart(at_ms: int = 100) -> Run:
    """Two pages at once, each to two phones of its own."""
    run = Run(phones=4, pages=APART, to=(0, 1))
    run.also(2, (2, 3), at_ms)
    return run


def taken(rule: str = 'priority = "emergency"\n', of_the_first: str = "") -> Run:
    """A page to three phones, of which a second page takes one in the middle."""
    run = Run(phones=3, pages=PAGE + of_the_first + PAGE + "at_s = 0.585\nphones = 0.34\n" + rule)
    phone = name_of(1)
    own_stop = next(r["push"] for r in run.find("gateway", "push.sent", phone=phone, action="stop"))
    asked = {r["connection"] for r in run.records if r.get("push") == own_stop and "connection" in r}
    run.drop(lambda r: r.get("push") == own_stop or r.get("connection") in asked)
    run.packets = [
        p
        for p in run.packets
        if f"{p.source}:{p.source_port}" not in asked
        and not (p.destination == address_of(1) and p.t_ns > SEND + 588 * MS)
    ]
    run.one("phones", "stream.heard", phone=phone).update(
        t_ns=TAKEN_NS,
        packets=HEARD,
        last_t_ns=AUDIO + MS // 100 + (HEARD - 1) * 20 * MS,
        last_sequence=(65_501 + HEARD - 1) & 0xFFFF,
        crc32=f"{zlib.crc32(run.payload[: HEARD * 160]):08x}",
    )
    run.drop(lambda r: r["kind"] == "stream.stopped" and r.get("phone") == phone)
    run.add(SEND + 588 * MS, "gateway", "stream.stopped", phone=phone, page="1", packets=HEARD)
    run.also(2, (1,), 600)
    for kind in ("page.requested", "page.accepted", "page.started"):
        for record in run.records:
            if record["kind"] == kind and (record.get("item") == "page 2" or record.get("page") == "2"):
                record["t_ns"] = SEND + 585 * MS
    stop = run._push(1, SEND + 590 * MS, 2900, "stop")
    _renumber(run, stop, 1)
    run.add(TAKEN_NS, "phones", "stream.stopped", phone=phone, push=stop, reason="push")
    run.one("gateway", "page.ended", page="1")["outcomes"] = {"executed": 2, "preempted": 1}
    return run


def failing(judgement: Judgement) -> dict[str, str]:
    return {
        check.name: f"{check.verdict.text}: {check.why}"
        for check in judgement.checks
        if check.verdict not in (Verdict.PASS, Verdict.NONE)
    }


def states(judgement: Judgement) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in judgement.ledger:
        found.setdefault(str(row.get("page")), []).append(str(row["state"]))
    return found


def test_two_pages_at_once_are_two_rows_of_phones(judged: Judged) -> None:
    judgement = judged(apart())
    assert failing(judgement) == {}
    assert judgement.outcomes == {"delivered": 4}
    assert (judgement.phones, judgement.deliveries) == (4, 4)
    assert states(judgement) == {"page 1": ["delivered"] * 2, "page 2": ["delivered"] * 2}
    # Each page's times begin with its own Send.
    assert {row["page"]: row["listening_ms"] for row in judgement.ledger} == {"page 1": 10.1, "page 2": 10.3}
    assert ledger_csv(judgement.ledger).splitlines()[0].startswith("phone,page,directory_number,")


def test_a_phone_of_two_pages_one_after_the_other_has_two_rows(judged: Judged) -> None:
    run = Run(phones=3, pages=PAGE + PAGE + "at_s = 1.5\n")
    run.also(2, (0, 1, 2), 1500)
    judgement = judged(run)
    assert failing(judgement) == {}
    assert (judgement.phones, judgement.deliveries, judgement.outcomes) == (3, 6, {"delivered": 6})
    assert judgement.metrics["phones.delivered_fraction"] == 1
    assert judgement.metrics["page.activation_spread_ms"] == pytest.approx(0.2)
    assert judgement.metrics["rtp.packets_expected"] == 300


def test_a_run_of_one_page_has_the_ledger_it_always_had(judged: Judged) -> None:
    judgement = judged(Run())
    assert judgement.deliveries == judgement.phones == 3
    assert not any("page" in row for row in judgement.ledger)


def test_a_page_to_a_part_of_the_fleet_leaves_the_others_out(judged: Judged) -> None:
    judgement = judged(Run(phones=4, pages=PAGE + "phones = 0.5\n", to=(0, 1)))
    assert failing(judgement) == {}
    assert (judgement.phones, judgement.deliveries, judgement.outcomes) == (4, 2, {"delivered": 2})
    assert "page" not in judgement.ledger[0]


def test_a_gateway_without_page_numbers_is_told_apart_by_time(judged: Judged) -> None:
    """As a foreign gateway's records, or none, would have it: what phones saw, and when it was due."""
    run = Run(phones=3, pages=PAGE + PAGE + "at_s = 1.5\n")
    run.also(2, (0, 1, 2), 1500)
    run.drop(lambda r: r["witness"] == "gateway" and r["kind"] != "authentication.answered")
    run.drop(lambda r: r["kind"] in ("page.requested", "page.accepted"))
    judgement = judged(run)
    assert states(judgement) == {"page 1": ["delivered"] * 3, "page 2": ["delivered"] * 3}
    assert {row["gateway_says"] for row in judgement.ledger} == {"(no records)"}


# --- one page takes phones from another


def test_an_emergency_takes_a_phone_and_nothing_is_wrong_with_that(judged: Judged) -> None:
    judgement = judged(taken())
    assert failing(judgement) == {}
    assert judgement.outcomes == {"preempted": 1, "delivered": 3}
    row = next(row for row in judgement.ledger if row["state"] == "preempted")
    assert (row["phone"], row["page"], row["why"]) == (name_of(1), "page 1", "page 2 took it")
    assert row["packets_heard"] == HEARD


@pytest.mark.parametrize(
    ("rule", "of_the_first", "may"),
    [
        ('busy = "now"\n', "", True),
        ('busy = "queue"\n', "", False),
        ("", "", False),
        ('priority = "emergency"\n', 'priority = "emergency"\n', True),
        ('priority = "emergency"\nbusy = "skip"\n', "", True),
        ('busy = "now"\n', 'priority = "emergency"\n', False),
    ],
)
def test_who_may_take_a_phone_from_whom(judged: Judged, rule: str, of_the_first: str, *, may: bool) -> None:
    judgement = judged(taken(rule, of_the_first))
    if may:
        assert failing(judgement) == {}
        return
    assert judgement.outcomes == {"partial_audio": 1, "delivered": 3}
    assert failing(judgement)["pages-kept-apart"] == (
        f"fail: {name_of(1)}: page 2 took it from page 1, which had not to give it up"
    )


def test_what_was_sent_before_it_was_taken_has_to_be_right(judged: Judged) -> None:
    run = taken()
    for packet in run.packets:
        if packet.destination == address_of(1) and packet.payload and packet.t_ns < TAKEN_NS:
            packet.payload = packet.payload[:12] + bytes(160)
    assert "audio-is-the-source" in failing(judged(run))


def left_alone(rule: str = "") -> Run:
    """A second page wants all three phones while the first one has them; it skips them."""
    run = Run(phones=3, pages=PAGE + PAGE + "at_s = 0.3\n" + rule)
    run.also(2, (0, 1, 2), 300)
    pushes = {r["push"] for r in run.find("gateway", "push.sent", page="2")}
    asked = {r["connection"] for r in run.records if r.get("push") in pushes and "connection" in r}
    run.drop(
        lambda r: r.get("push") in pushes
        or r.get("connection") in asked
        or (r["kind"].startswith("stream.") and r.get("page") == "2")
    )
    run.packets = [
        p
        for p in run.packets
        if f"{p.source}:{p.source_port}" not in asked and not (p.payload and p.payload[8:12] > b"\x00\xd0\x00\x00")
    ]
    run.one("gateway", "page.ended", page="2").update(outcomes={"skipped": 3}, t_ns=SEND + 400 * MS)
    return run


def test_a_phone_that_another_page_keeps_is_left_alone(judged: Judged) -> None:
    judgement = judged(left_alone())
    assert failing(judgement) == {}
    assert states(judgement) == {"page 1": ["delivered"] * 3, "page 2": ["refused_busy"] * 3}
    assert judgement.ledger[3]["why"] == "page 1 had it, and it was left alone"


@pytest.mark.parametrize("rule", ['busy = "now"\n', 'priority = "emergency"\n'])
def test_a_page_that_may_take_phones_and_does_not_has_forgotten_them(judged: Judged, rule: str) -> None:
    judgement = judged(left_alone(rule))
    assert states(judgement)["page 2"] == ["unreachable"] * 3
    assert set(failing(judgement)) == {"every-phone-one-end-state"}


# --- wrong gateways that only several pages show


def second_pages_audio_goes_to_the_firsts_phones(run: Run) -> None:
    """It starts the right phones and sends the audio by the wrong list."""
    for record in run.find("gateway", "stream.started", page="2"):
        index = 2 if record["phone"] == name_of(2) else 3
        record |= {"phone": name_of(index - 2), "destination": f"{address_of(index - 2)}:32674"}
    for packet in run.packets:
        if packet.destination in (address_of(2), address_of(3)) and packet.destination_port == 32674:
            packet.destination = address_of(0 if packet.destination == address_of(2) else 1)
    run.drop(lambda r: r["kind"] == "stream.heard" and r["phone"] in (name_of(2), name_of(3)))


def second_page_is_dropped_silently(run: Run) -> None:
    """It says yes to the second page, and nothing happens."""
    phones = {name_of(2), name_of(3)}
    asked = {r["connection"] for r in run.records if r.get("phone") in phones and "connection" in r}
    run.drop(lambda r: r.get("phone") in phones and r["kind"] != "inventory.read")
    run.drop(lambda r: r["witness"] == "gateway" and r.get("page") == "2")
    run.packets = [
        p
        for p in run.packets
        if p.destination not in (address_of(2), address_of(3)) and f"{p.source}:{p.source_port}" not in asked
    ]


def second_page_goes_to_everybody(run: Run) -> None:
    """Phones of the first page are told to listen to the second one as well."""
    run._push(0, SEND + 50 * MS, 4000, "start")
    _renumber(run, f"{GATEWAY}:4000", 0)


def begins_a_page_that_nobody_asked_for(run: Run) -> None:
    run.add(SEND, "gateway", "page.started", page="7", phones=1)


def _renumber(run: Run, push: str, index: int) -> None:
    """A third question of a phone for one page comes from a port of its own."""
    asked = run.one("phones", "authentication.asked", push=push)
    old, new, moment = asked["connection"], f"{address_of(index)}:39000", asked["t_ns"]
    for record in run.records:
        if record.get("connection") == old and moment <= record["t_ns"] <= moment + 5 * MS:
            record["connection"] = new
    for packet in run.packets:
        if packet.source == address_of(index) and packet.payload is None and moment <= packet.t_ns <= moment + MS:
            packet.source_port = 39000


@pytest.mark.parametrize(
    ("defect", "laws"),
    [
        (
            second_pages_audio_goes_to_the_firsts_phones,
            {"pages-kept-apart", "audio-is-the-source", "wire-agrees-with-phones"},
        ),
        (second_page_is_dropped_silently, {"every-phone-one-end-state"}),
        (second_page_goes_to_everybody, {"pages-kept-apart"}),
        (begins_a_page_that_nobody_asked_for, {"pages-kept-apart"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_gateways_that_only_several_pages_show(
    judged: Judged, defect: Callable[[Run], None], laws: set[str]
) -> None:
    run = apart()
    defect(run)
    assert set(failing(judged(run))) == laws


def test_a_dropped_page_is_unreachable_at_its_own_phones_alone(judged: Judged) -> None:
    run = apart()
    second_page_is_dropped_silently(run)
    judgement = judged(run)
    assert states(judgement) == {"page 1": ["delivered"] * 2, "page 2": ["unreachable"] * 2}
    assert "for page 2" in failing(judgement)["every-phone-one-end-state"]


def test_other_sound_on_the_second_page_is_the_second_pages_fault(judged: Judged) -> None:
    run = apart()
    for packet in run.audio(2):
        assert packet.payload is not None
        packet.payload = packet.payload[:12] + bytes(160)
    run.one("phones", "stream.heard", phone=name_of(2))["crc32"] = f"{zlib.crc32(bytes(len(run.payload))):08x}"
    judgement = judged(run)
    assert set(failing(judgement)) == {"audio-is-the-source"}
    assert name_of(2) in failing(judgement)["audio-is-the-source"]


# --- alerts beside pages


def beside_an_alert() -> Run:
    """A page to all and an alert to two phones at the same time."""
    alert = '[[alert]]\ntitle = "Code blue"\ntext = "Ward 3"\nphones = 0.5\n'
    run = Run(phones=4, pages=PAGE + alert)
    names = [name_of(0), name_of(1)]
    run.add(SEND - 490 * MS, "harness", "alert.planned", item="alert 1", phones=names)
    run.add(SEND + 300 * MS, "harness", "alert.requested", item="alert 1", at_s=0.3)
    run.add(SEND + 300 * MS, "harness", "alert.accepted", item="alert 1", alert="1")
    run.page = 5
    for index in (0, 1):
        push = run._push(index, SEND + 310 * MS, 5000 + 2 * index, "start")
        phone = {"phone": name_of(index)}
        for record in run.records:
            if record.get("push") == push:
                if "page" in record:
                    del record["page"]
                    record |= {"alert": "1", "action": "show"}
                if record["kind"] == "push.received":
                    record["items"] = [f"http://{GATEWAY}/alerts/x"]
                if record["kind"] == "push.executed":
                    record["action"] = "Fetch"
        run.add(SEND + 330 * MS, "gateway", "alert.displayed", alert="1", **phone)
        shown = {"object": "CiscoIPPhoneText", "title": "Code blue", "text": "Ward 3", "push": push}
        run.add(SEND + 331 * MS, "phones", "screen.shown", **phone, **shown)
    return run


def test_an_alert_beside_a_page(judged: Judged) -> None:
    judgement = judged(beside_an_alert())
    assert failing(judgement) == {}
    assert judgement.outcomes == {"delivered": 4, "displayed": 2}
    assert states(judgement) == {"page 1": ["delivered"] * 4, "alert 1": ["displayed"] * 2}
    assert judgement.metrics["alert.displayed_ms.max"] == 31


def test_an_alert_that_is_not_shown_fails_beside_a_page_that_is_heard(judged: Judged) -> None:
    run = beside_an_alert()
    run.records.remove(run.one("phones", "screen.shown", phone=name_of(1)))
    judgement = judged(run)
    assert states(judgement)["alert 1"] == ["displayed", "not_displayed"]
    assert set(failing(judgement)) == {"gateway-agrees-with-phones"}


# --- loads

LOAD = PAGE + 'phones = 0.5\n[load]\nshape = "overlap"\npages = 2\nevery_s = 0.1\n'


def loaded(late_ms: float = 1.0) -> Run:
    """Two pages that a load begins, each so many milliseconds after its time."""
    run = apart()
    run.pages = LOAD
    for item, planned in (("page 1", SEND), ("page 2", SEND + 100 * MS)):
        record = run.one("harness", "page.requested", item=item)
        record |= {"planned_t_ns": planned - int(late_ms * MS)}
    figures = dict.fromkeys(("p50", "p90", "p95", "p99", "max"), late_ms)
    run.add(run.audio_end + 1500 * MS, "harness", "schedule.lateness", schedule="load", count=2, **figures)
    return run


def test_a_load_counts_its_pages_and_times_them_from_their_plan(judged: Judged) -> None:
    judgement = judged(loaded())
    assert failing(judgement) == {}
    counts = {name: value for name, value in judgement.metrics.items() if name.startswith("load.")}
    assert counts == {
        "load.pages_planned": 2,
        "load.pages_started": 2,
        "load.pages_late": 0,
        "load.pages_dropped": 0,
    }
    # 1 ms late, 5 ms to the request, 7 ms to the answer; starts alone.
    assert judgement.metrics["push.answer_ms.count"] == 4
    assert judgement.metrics["push.answer_ms.p50"] == pytest.approx(13.1)
    assert judgement.metrics["lateness.load_ms.p99"] == 1.0


def test_a_load_that_begins_late_is_inconclusive(judged: Judged) -> None:
    run = loaded(late_ms=6.0)  # 5 % of 100 ms are 5
    run.scenario = '[thresholds]\n"push.answer_ms.p99" = "< 2000"\n"phones.delivered" = "== 4"\n'
    judgement = judged(run)
    assert judgement.metrics["load.pages_late"] == 2
    assert set(failing(judgement)) == {"lateness.load_ms.p99 <= 5", "push.answer_ms.p99 < 2000"}
    assert judgement.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("by", "verdict", "deliveries"), [("generator", "inconclusive", 2), ("phones", "fail", 2), ("gateway", "fail", 4)]
)
def test_a_page_that_was_left_out_is_told(judged: Judged, by: str, verdict: str, deliveries: int) -> None:
    run = loaded()
    second_page_is_dropped_silently(run)
    run.drop(lambda r: r["kind"] == "page.accepted" and r["item"] == "page 2")
    if by != "gateway":
        run.drop(lambda r: r["kind"] == "page.requested" and r["item"] == "page 2")
    run.add(SEND + 100 * MS, "harness", "page.dropped", item="page 2", by=by, why="for a reason")
    judgement = judged(run)
    assert failing(judgement) == {"load-as-planned": f"{verdict}: page 2: for a reason"}
    assert judgement.deliveries == deliveries
    assert judgement.metrics["load.pages_dropped"] == 1
    assert judgement.metrics["load.pages_started"] == 1
    if by == "gateway":
        assert judgement.ledger[2]["why"] == "the gateway did not take the page: for a reason"


def test_two_pages_at_the_very_same_time(judged: Judged) -> None:
    assert failing(judged(apart(at_ms=0))) == {}
