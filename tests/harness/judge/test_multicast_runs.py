"""A page by multicast: one stream that is every phone's who joined, and what turns its laws to fail."""

from collections.abc import Callable

import pytest
from judge_synthetic import AUDIO, GATEWAY, MS, Packet, Run, name_of

from harness.judge import Judgement, Verdict

GROUP = "239.20.1.1"
Judged = Callable[[Run], Judgement]
Break = Callable[[Run], None]


def multicast() -> Run:
    """The right run, with the first phone's stream to a group instead of all the others."""
    run = Run(scenario='delivery = "multicast"')
    first = {id(packet) for packet in run.audio(0)}
    run.packets = [p for p in run.packets if p.source != GATEWAY or p.payload is None or id(p) in first]
    for packet in run.packets:
        if id(packet) in first:
            packet.destination = GROUP
    started = run.one("gateway", "stream.started", phone=name_of(0))
    run.drop(lambda r: r["kind"] == "stream.started" and r["witness"] == "gateway" and r["phone"] != name_of(0))
    run.drop(lambda r: r["kind"] == "stream.stopped" and r["witness"] == "gateway" and r["phone"] != name_of(0))
    del started["phone"]
    started["destination"] = f"{GROUP}:32674"
    del run.one("gateway", "stream.stopped")["phone"]
    for record in run.find("phones", "stream.listening"):
        record["source"] = GROUP
    for record in run.find("phones", "push.received"):
        if record["items"] == [f"RTPRx:{GATEWAY}:32674"]:
            record["items"] = [f"RTPMRx:{GROUP}:32674"]
    for record in run.find("phones", "push.executed", action="RTPRx"):
        record["action"] = "RTPMRx"
    heard = run.one("phones", "stream.heard", phone=name_of(0))
    for record in run.find("phones", "stream.heard"):
        record.update(
            {key: heard[key] for key in ("ssrc", "first_sequence", "last_sequence", "first_t_ns", "last_t_ns")}
        )
    return run


def not_passing(judgement: Judgement) -> dict[str, str]:
    return {check.name: check.verdict.text for check in judgement.checks if check.verdict is not Verdict.PASS}


def test_a_right_page_by_multicast_passes_every_law(judged: Judged) -> None:
    judgement = judged(multicast())
    assert not_passing(judgement) == {}
    assert judgement.outcomes == {"delivered": 3}
    assert judgement.metrics["rtp.packets_on_wire"] == 50
    assert judgement.metrics["rtp.packets_at_phones"] == 150


def a_phone_that_joins_late(run: Run) -> None:
    """Ten packets later: it hears the rest."""
    listening = run.one("phones", "stream.listening", phone=name_of(1))
    listening["t_ns"] = AUDIO + 195 * MS
    heard = run.one("phones", "stream.heard", phone=name_of(1))
    heard["packets"] = 40
    heard["first_sequence"] = (heard["first_sequence"] + 10) & 0xFFFF
    heard["first_t_ns"] += 200 * MS
    heard["crc32"] = "00000000"
    heard["lost"] = 0


def test_a_phone_that_joins_late_is_clipped_and_its_sound_is_compared(judged: Judged) -> None:
    run = multicast()
    a_phone_that_joins_late(run)
    judgement = judged(run)
    assert judgement.metrics["rtp.clipped_ms.max"] == 200.0
    # Its checksum is not that of the packets from the eleventh on.
    assert not_passing(judgement)["audio-is-the-source"] == "fail"
    assert "wire-agrees-with-phones" not in not_passing(judgement)


def a_phone_counts_too_few(run: Run) -> None:
    heard = run.one("phones", "stream.heard", phone=name_of(1))
    heard["packets"] = 45


def a_group_nobody_listens_to(run: Run) -> None:
    for packet in list(run.packets):
        if packet.destination == GROUP:
            run.packets.append(Packet(packet.t_ns, GATEWAY, packet.source_port, "239.99.9.9", 32674, packet.payload))


def goes_on_after_all_have_stopped(run: Run) -> None:
    last = [packet for packet in run.packets if packet.destination == GROUP][-1]
    last.t_ns += 5000 * MS


def a_stranger_sends_to_the_group(run: Run) -> None:
    run.packets.append(Packet(AUDIO, "10.20.128.66", 9000, GROUP, 32674, b"\x80\0" + bytes(170)))


def other_sound(run: Run) -> None:
    for packet in run.packets:
        if packet.destination == GROUP:
            run.change(packet, 12, bytes(160))


@pytest.mark.parametrize(
    ("law", "breaks"),
    [
        ("wire-agrees-with-phones", a_phone_counts_too_few),
        ("audio-only-to-listeners", a_group_nobody_listens_to),
        ("nothing-leaves-the-lab", a_group_nobody_listens_to),
        ("audio-only-to-listeners", goes_on_after_all_have_stopped),
        ("no-foreign-audio", a_stranger_sends_to_the_group),
        ("audio-is-the-source", other_sound),
    ],
)
def test_a_broken_page_by_multicast_fails_the_law_by_name(judged: Judged, law: str, breaks: Break) -> None:
    run = multicast()
    breaks(run)
    assert not_passing(judged(run))[law] == "fail"
