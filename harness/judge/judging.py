"""From a run's folder to its verdict. Reads the folder and nothing else, writes nothing."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.capture.dissection import cross_check
from harness.judge import thresholds
from harness.judge.diaries import stories
from harness.judge.end_states import EndState
from harness.judge.evidence import Evidence, EvidenceError, read_evidence
from harness.judge.faults import faults_seen
from harness.judge.integrity import integrity
from harness.judge.laws import LAWS, Case, decide
from harness.judge.ledger import Row, cells, ledger
from harness.judge.load import load_as_planned
from harness.judge.metrics import metrics_of
from harness.judge.probing import probed
from harness.judge.sendings import Sending, deliveries, sendings
from harness.judge.verdict import Blindness, Check, Judgement, Kind, Verdict, merge
from harness.scenario import ScenarioError

_READERS: Final = "readers-agree"


def _nobody(_: str) -> None:
    """Nobody waits for it."""


def judge(folder: Path, tell: Callable[[str], None] = _nobody) -> Judgement:
    """Judge a run.

    Evidence that cannot be judged, and a judge that breaks, make the verdict `error`; nothing is raised for what a
    run did wrong.

    Args:
        folder: scenario.toml, roster.csv, events.jsonl.gz, capture.pcap.gz, capture.json and audio.wav of a run.
        tell: takes what it is at, a few words.
    """
    with _uncollected():
        return _judge(folder, tell)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: hundreds of thousands of records stay to the end, and none is in a cycle.

    It would walk all of them again and again, for a quarter of the time that 10,000 phones take.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _judge(folder: Path, tell: Callable[[str], None]) -> Judgement:
    tell("reading records and capture")
    try:
        evidence = read_evidence(folder)
    except (EvidenceError, ScenarioError) as error:
        return _nothing(folder, str(error).replace(f"{folder}/", ""))
    tell(f"following {len(evidence.roster):,} phones")
    told = stories(evidence)
    items = sendings(evidence)
    rows = ledger(evidence, deliveries(evidence, told, items))
    metrics = metrics_of(evidence, rows, items, told)
    sight = integrity(evidence, metrics)
    case = Case(evidence=evidence, rows=rows, sendings=items, stories=told, present=sight.present)
    scenario = evidence.scenario
    tell("holding the laws against it")
    checks = [decide(law, case, sight) for law in LAWS]
    checks += [thresholds.decide(t, metrics, sight, scenario) for t in scenario.thresholds]
    checks += sight.checks
    checks += load_as_planned(evidence, items)
    checks += faults_seen(evidence, rows, sight)
    checks += probed(evidence)
    tell("reading a sample of the capture a second time")
    checks += _readers(evidence)
    return _judgement(evidence, rows, items, metrics, tuple(checks), sight.blind)


def _judgement(
    evidence: Evidence,
    rows: tuple[Row, ...],
    items: tuple[Sending, ...],
    metrics: Mapping[str, float | int],
    checks: tuple[Check, ...],
    blind: tuple[Blindness, ...],
) -> Judgement:
    scenario = evidence.scenario
    counts = Counter(row.state for row in rows)
    verdict = merge(check.verdict for check in checks)
    if sum(counts.values()) != sum(item.size for item in items if item.asked):
        verdict = Verdict.ERROR
    expected = Verdict.of(scenario.expect.verdict)
    return Judgement(
        verdict=verdict,
        expected=expected,
        unexpected=_unexpected(checks, expected, scenario.expect.checks),
        scenario=scenario.name,
        seed=scenario.seed,
        phones=len(evidence.roster),
        deliveries=len(rows),
        ground=evidence.lab.text("ground") if evidence.lab else scenario.ground,
        outcomes={state.value: counts[state] for state in EndState if counts[state]},
        metrics=metrics,
        checks=checks,
        blind=blind,
        ledger=tuple(cells(evidence, row, several=len(items) > 1) for row in rows),
    )


def _unexpected(checks: tuple[Check, ...], expected: Verdict, named: tuple[str, ...]) -> tuple[str, ...]:
    """Where the checks differ from `[expect]`: exactly the named ones have the verdict, all others pass."""
    found = [f"{name}: there is no such check" for name in named if name not in {check.name for check in checks}]
    # What does not apply is no deviation, but a check that is to fail and was not asked has not failed.
    others = {Verdict.PASS, Verdict.NONE} if named else {Verdict.PASS, Verdict.NONE, expected}
    for check in checks:
        if check.verdict not in ({expected} if check.name in named else others):
            wanted = expected if check.name in named else Verdict.PASS
            found.append(f"{check.name}: {check.verdict.text}, expected {wanted.text}")
    return tuple(found)


def _readers(evidence: Evidence) -> list[Check]:
    """Both readers of the capture must see the same: else neither is believed."""
    packets = evidence.wire.packets
    if packets is None:
        return []
    try:
        result = cross_check(packets, evidence.audio_streams, seed=evidence.scenario.seed)
    except Exception as error:  # noqa: BLE001 - a reader that breaks is a disagreement
        return [_readers_check(Verdict.ERROR, None, f"a reader broke: {type(error).__name__}: {error}")]
    if result.disagreements:
        first = result.disagreements[0]
        why = f"packet {first.row}: {first.field} is {first.fast} to the fast reader, {first.scapy} to scapy"
        return [_readers_check(Verdict.ERROR, len(result.disagreements), why)]
    return [_readers_check(Verdict.PASS, 0, f"{result.checked} packets read twice alike")]


def _readers_check(verdict: Verdict, observed: int | None, why: str) -> Check:
    return Check(name=_READERS, kind=Kind.CONTROL, verdict=verdict, observed=observed, witnesses=("wire",), why=why)


def _nothing(folder: Path, why: str) -> Judgement:
    """A folder that cannot be judged."""
    check = Check(name="evidence-readable", kind=Kind.CONTROL, verdict=Verdict.ERROR, why=why)
    return Judgement(
        verdict=Verdict.ERROR,
        expected=Verdict.PASS,
        unexpected=(f"evidence-readable: error, expected pass: {why}",),
        scenario=folder.resolve().parent.name,
        seed=0,
        phones=0,
        deliveries=0,
        ground="",
        outcomes={},
        metrics={},
        checks=(check,),
        blind=(),
        ledger=(),
    )
