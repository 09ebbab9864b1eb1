"""Controls: what must have been seen for anybody to believe that something was not.

Canaries pass the taps before and after the page, one push of the harness's own must have been seen by everybody exactly
once, and a run in which nothing was seen shows nothing.
"""

from harness.capture.reader import UDP
from harness.judge.evidence import RTP_PORT, Evidence, Phone, host
from harness.judge.verdict import Blindness, Check, Kind, Verdict


def canary(evidence: Evidence, clause: str) -> tuple[list[Blindness], Check]:
    """A packet sent before and after must be in the capture: else nobody knows that the tap saw at all."""
    missing = []
    for when in ("before", "after"):
        sent = [
            record
            for record in evidence.records.of("harness", "canary.sent")
            if record.text("clause") == clause and record.text("when") == when
        ]
        if not sent:
            missing.append(f"none was sent {when}")
        elif not any(_on_wire(evidence, record.text("source"), record.text("destination")) for record in sent):
            missing.append(f"the one sent {when} was not seen")
    why = ", ".join(missing)
    blind = [Blindness(witness="wire", why=f"canary {clause}: {why}", scope=clause)] if why else []
    return blind, Check(
        name=f"canary {clause}",
        kind=Kind.CONTROL,
        verdict=Verdict.INCONCLUSIVE if why else Verdict.PASS,
        observed=2 - len(missing),
        witnesses=("wire",),
        why=why or "seen before and after the page",
    )


def _on_wire(evidence: Evidence, source: str, destination: str) -> bool:
    packets = evidence.wire.packets
    if packets is None:
        return False
    rows = packets.source == _number(host(source))
    rows &= packets.destination == _number(host(destination))
    for place, ports in ((source, packets.source_port), (destination, packets.destination_port)):
        port = place.rpartition(":")[2]
        if ":" in place and port.isdecimal():
            rows &= ports == int(port)
    return bool(rows.any())


def _number(dotted: str) -> int:
    parts = dotted.split(".")
    if len(parts) != 4 or not all(part.isdecimal() and int(part) < 256 for part in parts):
        return 0
    return int.from_bytes(bytes(int(part) for part in parts), "big")


def control(evidence: Evidence) -> tuple[list[Blindness], Check | None]:
    """The positive control: one push that CallManager must be asked about, seen exactly once by each witness."""
    pushed = evidence.records.of("harness", "control.pushed")
    phone = evidence.control
    scope = "authentication-callmanager"
    if phone is None or not pushed:
        why = "there was no control phone" if phone is None else "it was not pushed to"
        witnesses = ("callmanager", "phones", "wire")
        blind = [Blindness(witness=w, why=f"positive control: {why}", scope=scope) for w in witnesses]
        if evidence.scenario.fleet.real:
            return blind, _control_check(Verdict.NONE, "not asked: nobody pushes to a real phone beside the page", None)
        return blind, _control_check(Verdict.INCONCLUSIVE, why, None)
    seen = {
        "callmanager": sum(
            host(record.text("connection")) == phone.address
            for record in evidence.records.of("callmanager", "authentication.answered")
        ),
        "phones": _asked_for_the_control(evidence, phone),
        "wire": sum(host(connection) == phone.address for connection in evidence.all_syns.get("callmanager", ())),
    }
    counted = {w: n for w, n in seen.items() if w in evidence.scenario.witnesses}
    wrong = {w: n for w, n in counted.items() if n != 1}
    blind = [
        Blindness(witness=witness, why=f"positive control: seen {count} times instead of once", scope=scope)
        for witness, count in wrong.items()
    ]
    why = ", ".join(f"{w} saw it {n} times" for w, n in wrong.items()) or "seen exactly once by each witness"
    return blind, _control_check(Verdict.INCONCLUSIVE if wrong else Verdict.PASS, why, min(counted.values(), default=0))


def _asked_for_the_control(evidence: Evidence, phone: Phone) -> int:
    """How often the control phone asked CallManager, by its own diary."""
    place = evidence.server_places.get("callmanager", "")
    asked = evidence.records.of("phones", "authentication.asked")
    return sum(record.phone == phone.name and record.text("server") == place for record in asked)


def _control_check(verdict: Verdict, why: str, observed: int | None) -> Check:
    return Check(
        name="positive-control",
        kind=Kind.CONTROL,
        verdict=verdict,
        observed=observed,
        witnesses=("callmanager", "phones", "wire"),
        why=why,
    )


def something_seen(evidence: Evidence) -> tuple[list[Blindness], Check]:
    """No pushes, no questions or no packets where some were due: nobody watched, or nothing was done.

    Where the phones provably watched, for the control's push is in their diaries, nothing was done: that is a failure.
    """
    if _pushed_to_nobody(evidence):
        why = "no phone was pushed to, and phones saw the control's push"
        ended = [record.whole("exit_status") for record in evidence.records.of("harness", "command.ended")]
        why += f"; the command ended with exit status {ended[-1]}" if ended else ""
        return [], _seen_check(evidence, Verdict.FAIL, why)
    missing: list[tuple[str, str]] = []
    received = _pushes_seen(evidence)
    told_executed = any(r.text("outcome") == "executed" for r in evidence.of("gateway", "push.ended"))
    if evidence.scenario.fleet.real:
        if not evidence.of("gateway", "push.ended"):
            missing.append(("gateway", "no push was sent"))
    elif not received and not told_executed:
        missing.append(("phones", _no_push(evidence)))
    elif not received:
        missing.append(("phones", "no push seen, though phones answered"))
    elif not evidence.of("phones", "authentication.asked"):
        missing.append(("phones", "no authentication request seen"))
    answered = evidence.of("gateway", "authentication.answered")
    at_gateway = any(
        evidence.servers.get(r.text("server")) == "gateway"
        and r.text("answer") in ("authorized", "refused", "redirected")
        for r in evidence.of("phones", "authentication.answered")
    )
    if at_gateway and not answered and evidence.records.count("gateway"):
        missing.append(("gateway", "no authentication request seen, though it answered some"))
    streams = evidence.of("gateway", "stream.started")
    if streams and "wire" in evidence.scenario.witnesses and not _rtp_seen(evidence):
        missing.append(("wire", "no audio packet seen, though streams were started"))
    blind = [Blindness(witness=witness, why=why, scope="rtp" if witness == "wire" else "") for witness, why in missing]
    why = "; ".join(f"{witness}: {why}" for witness, why in missing)
    verdict = Verdict.INCONCLUSIVE if missing else Verdict.PASS
    return blind, _seen_check(evidence, verdict, why or "pushes, questions and packets were seen")


def _seen_check(evidence: Evidence, verdict: Verdict, why: str) -> Check:
    return Check(
        name="events-seen",
        kind=Kind.CONTROL,
        verdict=verdict,
        observed=len(evidence.records.all),
        witnesses=("gateway", "phones", "wire"),
        why=why,
    )


def _pushed_to_nobody(evidence: Evidence) -> bool:
    """Whether the gateway of a run, which was to page, provably pushed to no phone, nor says that it tried.

    One that nobody of the run starts may not have been started: of it nothing is known.
    """
    scenario, phone = evidence.scenario, evidence.control
    if phone is None or scenario.gateway.external or scenario.fleet.real or "phones" not in scenario.witnesses:
        return False
    watched = _asked_for_the_control(evidence, phone) and evidence.of("phones", "part.ended")
    tried = evidence.of("gateway", "push.sent") or evidence.of("gateway", "push.ended")
    due = any(one.web_access and one.name not in evidence.excused for one in evidence.roster.values())
    return bool(watched) and due and not tried and not _pushes_seen(evidence)


def _pushes_seen(evidence: Evidence) -> bool:
    """Whether any phone of the fleet saw a push of the page's."""
    return any(record.push not in evidence.foreign_pushes for record in evidence.of("phones", "push.received"))


def _no_push(evidence: Evidence) -> str:
    for awaited in evidence.records.of("harness", "gateway.awaited"):
        why = "its page was not started, it pushes to other phones, or the network lets none through"
        return f"no push came from {evidence.gateway_address} within {awaited.number('wait_s') or 0:g} s: {why}"
    return "no phone saw a push"


def _rtp_seen(evidence: Evidence) -> bool:
    packets = evidence.wire.packets
    return packets is not None and bool(
        ((packets.protocol == UDP) & (packets.destination_port == RTP_PORT)).sum()
        > len([r for r in evidence.records.of("harness", "canary.sent") if r.text("clause") == "rtp"])
    )
