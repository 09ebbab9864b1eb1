"""Which witness is blind, and why.

A witness that was not there by the scenario's own word (`witnesses = [...]`) is *absent*: what it would have shown is
left to the others. A witness that should have seen and did not provably see is *blind*: whatever rests on it is
inconclusive. Blindness may have a scope: a tap that dropped authentication requests still saw all of the audio.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from harness.judge.controls import canary, control, something_seen
from harness.judge.evidence import Evidence
from harness.judge.sight import AUDIO, TIMES, Integrity
from harness.judge.taps import CLAUSES, capture_whole
from harness.judge.thresholds import told
from harness.judge.verdict import Blindness, Check, Kind, Verdict
from harness.scenario.faults import FAULTS, Carrier
from harness.scenario.metrics import metric_of
from harness.scenario.thresholds import Threshold

OUTSIDE_NS: Final = 10_000_000_000
"""Parts start and end within the harness's own records, give or take seconds; another clock is years away."""
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


def integrity(evidence: Evidence, metrics: Mapping[str, float | int]) -> Integrity:
    """Look at every witness."""
    present = frozenset({*evidence.scenario.witnesses, "harness"})
    blind: list[Blindness] = []
    checks: list[Check] = []
    blind += _records_whole(evidence)
    blind += _parts_ended(evidence)
    blind += capture_whole(evidence)
    for found_blind, check in (
        *(canary(evidence, clause) for clause in _clauses(evidence)),
        control(evidence),
        something_seen(evidence),
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
        why = f"it is {told(observed, limit.bound)}"
    if limit.metric == "capture.dropped" and observed is not None:
        # Which tap dropped is known, and that tap alone is blind (`capture_whole`).
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
