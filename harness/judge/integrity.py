"""Which witness is blind, and why.

A witness that was not there by the scenario's own word (`witnesses = [...]`) is *absent*: what it would have shown is
left to the others. A witness that should have seen and did not provably see is *blind*: whatever rests on it is
inconclusive. Blindness may have a scope: a tap that dropped authentication requests still saw all of the audio.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.capture.reader import UDP
from harness.judge.evidence import IN_FLIGHT_NS, RTP_PORT, Evidence, host
from harness.judge.verdict import Blindness, Check, Kind, Verdict
from harness.scenario.faults import FAULTS, Carrier
from harness.scenario.metrics import metric_of
from harness.scenario.thresholds import Threshold

CLAUSES: Final = ("rtp", "authentication-gateway", "authentication-callmanager")
"""Questions that the taps answer (docs/design/parts.md)."""
TIMES: Final = "times"
"""Scope: its durations and moments are not its own doing; what it counted stands."""
AUDIO: Final = "audio"
"""Scope: the audio was sent late or with holes by a machine that could not keep pace, whoever looks at it."""
OUTSIDE_NS: Final = 10_000_000_000
"""Parts start and end within the harness's own records, give or take seconds; another clock is years away."""
_TIMES: Final = ("started_t_ns", "ended_t_ns")
_ACCOUNTS: Final = ("received", "kept", "dropped", "left_out")
_RESTS_ON: Final = {
    "capture": ("wire", ""),
    "lateness.pacer_ms": ("gateway", AUDIO),
    "lateness.callmanager_model_fraction": ("callmanager", TIMES),
    "loop.lag_ms.gateway": ("gateway", TIMES),
    "loop.lag_ms.pacer": ("gateway", AUDIO),
    "loop.lag_ms.phones": ("phones", TIMES),
    "loop.lag_ms.callmanager": ("callmanager", TIMES),
    "loop.lag_ms.capture": ("wire", TIMES),
}
"""Of limits of `[integrity]`, by the metric's beginning: who is blind beyond it, and for what. The harness itself,
which sends open loads, is always there."""
_PART_OF: Final = {"gateway": "gateway", "phones": "phones", "callmanager": "callmanager", "wire": "capture"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What is known of the witnesses' sight."""

    blind: tuple[Blindness, ...]
    checks: tuple[Check, ...]
    present: frozenset[str]
    """Witnesses that the scenario has."""

    def why_blind(self, witnesses: Iterable[str], scopes: Iterable[str] = ()) -> str:
        """Why a check that needs these witnesses, for these scopes, cannot be decided; empty where it can.

        Args:
            witnesses: who has to have seen; absent ones are left out, but not all of them may be absent.
            scopes: clauses, `times` and `audio`, as far as the check rests on them.
        """
        needed = tuple(witnesses)
        there = [witness for witness in needed if witness in self.present]
        if needed and not there:
            return f"the scenario has no witness {' or '.join(needed)}"
        asked = set(scopes)
        matters = [
            b for b in self.blind if (b.witness in there or b.scope == AUDIO) and (not b.scope or b.scope in asked)
        ]
        # Of a witness that saw nothing at all, the rest follows from that.
        wholly = {b.witness for b in matters if not b.scope}
        return "; ".join(f"{b.witness} is blind: {b.why}" for b in matters if not b.scope or b.witness not in wholly)


def integrity(evidence: Evidence, metrics: Mapping[str, float | int]) -> Integrity:
    """Look at every witness."""
    present = frozenset({*evidence.scenario.witnesses, "harness"})
    blind: list[Blindness] = []
    checks: list[Check] = []
    blind += _records_whole(evidence)
    blind += _parts_ended(evidence)
    blind += _wire_whole(evidence)
    for found_blind, check in (
        *(_canary(evidence, clause) for clause in _clauses(evidence)),
        _control(evidence),
        _something_seen(evidence),
        *(_limit(limit, metrics, evidence) for limit in evidence.scenario.integrity),
        *(_fault(evidence, fault) for fault in sorted({f.kind for f in evidence.scenario.faults})),
    ):
        blind += found_blind
        if check is not None:
            checks.append(check)
    return Integrity(
        blind=(*_tell_nothing(evidence), *(b for b in dict.fromkeys(blind) if b.witness in present)),
        checks=tuple(checks),
        present=present,
    )


def _tell_nothing(evidence: Evidence) -> list[Blindness]:
    """Witnesses that are absent because their part is another's: nothing rests on them, and it is told all the same."""
    scenario = evidence.scenario
    others = {
        "gateway": (scenario.gateway.external, "the gateway is not the run's own and tells it nothing"),
        "phones": (scenario.fleet.real, "the phones are real and keep no diaries: whether they were heard is unknown"),
        "callmanager": (scenario.callmanager.external, "CallManager is not the run's own and tells it nothing"),
    }
    return [Blindness(witness=witness, why=why) for witness, (external, why) in others.items() if external]


def _clauses(evidence: Evidence) -> tuple[str, ...]:
    """The taps that must have seen; where packets do not pass this machine there is none, and the wire is blind."""
    return tuple(c for c in CLAUSES if c not in evidence.unseen) if "wire" in evidence.scenario.witnesses else ()


def _records_whole(evidence: Evidence) -> list[Blindness]:
    found = [
        Blindness(witness=problem.witness, why=f"a record that cannot be used: {problem.why}")
        for problem in evidence.records.problems
        if problem.witness in _PART_OF
    ]
    lost = [p.why for p in evidence.records.problems if p.witness not in _PART_OF]
    lost += [
        f"{record.text('file')}: {record.whole('lines')} damaged lines"
        for record in evidence.records.of("harness", "records.damaged")
    ]
    found += _clocks(evidence)
    if lost:
        # Whose record it was cannot be told: it may have been anybody's.
        found += [
            Blindness(witness=witness, why=f"records are missing: {lost[0]}")
            for witness in ("gateway", "phones", "callmanager")
        ]
    return found


def _clocks(evidence: Evidence) -> list[Blindness]:
    """A part whose times lie far outside of the run goes by another clock, such as the time of day."""
    own = [record.t_ns for record in evidence.records.all if record.witness == "harness"]
    if not own:
        return []
    low, high = min(own) - OUTSIDE_NS, max(own) + OUTSIDE_NS
    outside = Counter(r.witness for r in evidence.records.all if r.witness in _PART_OF and not low <= r.t_ns <= high)
    why = "{} records have times outside of the run: t_ns is CLOCK_MONOTONIC (events.md)"
    return [Blindness(witness=witness, why=why.format(count)) for witness, count in outside.items()]


def _parts_ended(evidence: Evidence) -> list[Blindness]:
    ended = {r.text("part"): r for r in evidence.records.all if r.kind == "part.ended"}
    found = []
    for witness, part in _PART_OF.items():
        if witness == "wire":
            continue
        if not evidence.records.count(witness):
            found.append(Blindness(witness=witness, why="it wrote no records"))
        elif part not in ended and not (witness == "gateway" and evidence.scenario.gateway.kind != "own"):
            found.append(Blindness(witness=witness, why="it ended without its last record"))
    dropped = ended["phones"].whole("dropped") if "phones" in ended else 0
    if dropped:
        found.append(
            Blindness(witness="phones", why=f"receive buffers overflowed, {dropped} packets lost", scope="rtp")
        )
    found += [
        Blindness(
            witness="gateway",
            why=f"its pacer was held up for {record.number('max') or 0:.0f} ms and left out {skipped} packets",
            scope=AUDIO,
        )
        for record in evidence.records.of("gateway", "schedule.lateness")
        if (skipped := record.whole("skipped"))
    ]
    return found


def _wire_whole(evidence: Evidence) -> list[Blindness]:
    wire = evidence.wire
    found = [Blindness(witness="wire", why=problem) for problem in wire.problems]
    if evidence.uncertainty_ns > IN_FLIGHT_NS:
        # A clock that was set while the tap ran: within what it was set by, everything would be let pass.
        why = f"its times may be off by {evidence.uncertainty_ns / 1e6:.0f} ms: a clock was set while it took packets"
        found.append(Blindness(witness="wire", why=why, scope="rtp"))
    problem = wire.facts.get("problem")
    if isinstance(problem, str) and problem:
        found.append(Blindness(witness="wire", why=problem))
    for name, clause in clauses(wire.facts).items():
        if unsaid := [word for word in _ACCOUNTS if not _is_count(clause.get(word))]:
            # Nothing said is not nothing dropped.
            why = f"the tap {name} does not say how many packets it {' and '.join(unsaid)}"
            found.append(Blindness(witness="wire", why=why, scope=name))
        dropped = _whole(clause, "dropped")
        left_out = _whole(clause, "left_out")
        if dropped:
            found.append(Blindness(witness="wire", why=f"the tap {name} dropped {dropped} packets", scope=name))
        if clause.get("accounted") is not True:
            found.append(Blindness(witness="wire", why=f"the tap {name} did not account for all packets", scope=name))
        if left_out:
            found.append(Blindness(witness="wire", why=f"the tap {name} left out {left_out} packets", scope=name))
    written = wire.facts.get("packets")
    if wire.packets is not None and not _is_count(written):
        found.append(Blindness(witness="wire", why="nobody says how many packets the capture was written with"))
    elif wire.packets is not None and written != len(wire.packets):
        why = f"the capture was written with {written} packets, {len(wire.packets)} are in it"
        found.append(Blindness(witness="wire", why=why))
    if wire.packets is not None and not all(_is_count(wire.facts.get(word)) for word in _TIMES):
        found.append(Blindness(witness="wire", why="nobody says from when to when the taps saw"))
    if wire.packets is not None:
        found += [
            Blindness(witness="wire", why=_no_tap(evidence, name), scope=name)
            for name in CLAUSES
            if name not in clauses(wire.facts)
        ]
    return found


def _no_tap(evidence: Evidence, name: str) -> str:
    return f"{name} does not pass this machine" if name in evidence.unseen else f"there was no tap {name}"


def clauses(facts: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The taps of capture.json by name."""
    given = facts.get("clauses")
    if isinstance(given, list):
        return {str(c.get("name")): c for c in given if isinstance(c, dict)}
    if isinstance(given, dict):
        return {str(name): c for name, c in given.items() if isinstance(c, dict)}
    return {}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _whole(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    return value if isinstance(value, int) else 0


def _canary(evidence: Evidence, clause: str) -> tuple[list[Blindness], Check]:
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


def _control(evidence: Evidence) -> tuple[list[Blindness], Check | None]:
    """The positive control: one push that CallManager must be asked about, seen exactly once by each witness."""
    place = evidence.server_places.get("callmanager", "")
    pushed = evidence.records.of("harness", "control.pushed")
    control = evidence.control
    scope = "authentication-callmanager"
    if control is None or not pushed:
        why = "there was no control phone" if control is None else "it was not pushed to"
        witnesses = ("callmanager", "phones", "wire")
        blind = [Blindness(witness=w, why=f"positive control: {why}", scope=scope) for w in witnesses]
        if evidence.scenario.fleet.real:
            return blind, _control_check(Verdict.NONE, "not asked: nobody pushes to a real phone beside the page", None)
        return blind, _control_check(Verdict.INCONCLUSIVE, why, None)
    seen = {
        "callmanager": sum(
            host(record.text("connection")) == control.address
            for record in evidence.records.of("callmanager", "authentication.answered")
        ),
        "phones": sum(
            record.phone == control.name and record.text("server") == place
            for record in evidence.records.of("phones", "authentication.asked")
        ),
        "wire": sum(host(connection) == control.address for connection in evidence.all_syns.get("callmanager", ())),
    }
    counted = {w: n for w, n in seen.items() if w in evidence.scenario.witnesses}
    wrong = {w: n for w, n in counted.items() if n != 1}
    blind = [
        Blindness(witness=witness, why=f"positive control: seen {count} times instead of once", scope=scope)
        for witness, count in wrong.items()
    ]
    why = ", ".join(f"{w} saw it {n} times" for w, n in wrong.items()) or "seen exactly once by each witness"
    return blind, _control_check(Verdict.INCONCLUSIVE if wrong else Verdict.PASS, why, min(counted.values(), default=0))


def _control_check(verdict: Verdict, why: str, observed: int | None) -> Check:
    return Check(
        name="positive-control",
        kind=Kind.CONTROL,
        verdict=verdict,
        observed=observed,
        witnesses=("callmanager", "phones", "wire"),
        why=why,
    )


def _something_seen(evidence: Evidence) -> tuple[list[Blindness], Check]:
    """No pushes, no questions or no packets where some were due: nobody watched, or nothing was done."""
    missing: list[tuple[str, str]] = []
    received = any(r.push not in evidence.foreign_pushes for r in evidence.of("phones", "push.received"))
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
    return blind, Check(
        name="events-seen",
        kind=Kind.CONTROL,
        verdict=Verdict.INCONCLUSIVE if missing else Verdict.PASS,
        observed=len(evidence.records.all),
        witnesses=("gateway", "phones", "wire"),
        why="; ".join(f"{witness}: {why}" for witness, why in missing) or "pushes, questions and packets were seen",
    )


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


def _limit(
    limit: Threshold, metrics: Mapping[str, float | int], evidence: Evidence
) -> tuple[list[Blindness], Check | None]:
    """One limit of `[integrity]`: beyond it a part did not keep its own schedule."""
    base = metric_of(limit.metric)
    rests_on = (found for prefix, found in _RESTS_ON.items() if limit.metric.startswith(prefix))
    witness, scope = next(rests_on, (base.witnesses[0], TIMES))
    if witness not in (*evidence.scenario.witnesses, "harness"):
        return [], None
    observed = metrics.get(limit.metric)
    if observed is None and metrics.get(f"{base.name}.count") == 0:
        return [], _limit_check(limit, Verdict.PASS, None, witness, "it had nothing to do")
    if observed is None:
        why = "not measured"
    elif limit.holds(observed):
        return [], _limit_check(limit, Verdict.PASS, observed, witness, "kept")
    else:
        why = f"it is {observed:.6g}"
    if limit.metric == "capture.dropped" and observed is not None:
        # Which tap dropped is known, and that tap alone is blind (`_wire_whole`).
        return [], _limit_check(limit, Verdict.INCONCLUSIVE, observed, witness, why)
    blind = [Blindness(witness=witness, why=f"{limit.name}: {why}", scope=scope)]
    return blind, _limit_check(limit, Verdict.INCONCLUSIVE, observed, witness, why)


def _limit_check(limit: Threshold, verdict: Verdict, observed: float | None, witness: str, why: str) -> Check:
    return Check(name=limit.name, kind=Kind.CONTROL, verdict=verdict, observed=observed, witnesses=(witness,), why=why)


def _fault(evidence: Evidence, kind: str) -> tuple[list[Blindness], Check]:
    """A fault that the scenario asks for must have been made."""
    applied = [r for r in evidence.records.of("harness", "fault.applied") if r.text("fault") == kind]
    why = "; ".join(dict.fromkeys(record.text("detail") for record in applied))
    missing = "" if applied else "it was not applied"
    if applied and FAULTS[kind].carrier is Carrier.PHONES:
        missing = _untold(evidence, kind)
    return [], Check(
        name=f"fault {kind} is applied",
        kind=Kind.CONTROL,
        verdict=Verdict.INCONCLUSIVE if missing else Verdict.PASS,
        observed=len(applied),
        witnesses=(),
        why=missing or why,
    )


def _untold(evidence: Evidence, kind: str) -> str:
    """What is wrong where the phones that have a fault by their own word are not those that were to have it."""
    told = {r.phone for r in evidence.of("phones", "phone.misbehaves") if r.text("misbehaviour") == kind}
    meant = {phone for phone, fault in evidence.excused.items() if fault == kind}
    wrong = sorted(told ^ meant)
    return f"{len(told)} phones say that they have it, {len(meant)} were to; {wrong[0]} differs" if wrong else ""
