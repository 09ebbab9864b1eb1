"""Two runs side by side: what the demonstration ends with, and what a build asks before it accepts a change."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.report import figures
from harness.report.bootstrap import CONFIDENCE, RUNS_MIN, interval
from harness.report.circumstances import read_circumstances
from harness.report.directions import direction
from harness.report.result import VERDICTS, ReportError, Result, read_result
from harness.report.tolerances import Tolerances
from harness.run_folder import VERDICT, is_suite

COMPARED: Final = (
    "phones.delivered",
    "phones.delivered_fraction",
    "phones.displayed",
    "phones.acknowledged",
    "callmanager.authentications",
    "callmanager.authentications_peak_per_s",
    "callmanager.concurrent_max",
    "callmanager.queue_max",
    "callmanager.rejected",
    "callmanager.busy_s",
    "callmanager.answer_ms.p50",
    "callmanager.answer_ms.p99",
    "authentication.gateway",
    "page.listening_ms.p50",
    "page.listening_ms.p99",
    "alert.displayed_ms.p50",
    "alert.displayed_ms.p99",
    "push.answer_ms.p99",
    "push.per_s",
    "rtp.lost_fraction",
)
"""Metrics that are set side by side, in this order; metrics that have a tolerance of their own come behind them."""

_GOOD: Final = frozenset(f"phones.{state}{suffix}" for state in figures.WORKED for suffix in ("", "_fraction"))

TIME_GRAIN_MS: Final = 1.0
"""Times closer than this are the same: waiting on a shared machine is about a millisecond late even when idle
(docs/design/performance.md)."""

_SEARCH_DEPTH: Final = 3
"""`runs/<scenario>/<run>` below the folder given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: a run, or several of one scenario."""

    name: str
    scenario: str
    phones: int
    runs: int
    verdict: str
    """of one run; of several the worst"""
    as_expected: bool
    """of several: all of them"""
    values: Mapping[str, Sequence[float]]
    """a figure a run, of metrics that every run measured: else they would be of something else"""
    facts: Mapping[str, str]
    """what should be the same on both sides: scenario, phones, ground, machine, versions"""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Medians."""
        return {metric: statistics.median(values) for metric, values in self.values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric on both sides."""

    metric: str
    a: float | None
    b: float | None
    change: str
    """B against A, for people; empty where one side has no figure"""
    interval: tuple[float, float] | None
    """95 % of the difference of the medians, B - A; None with too few runs"""
    judgement: str
    """of B: better, worse, same (within the tolerance), unclear (beyond it, but so is the runs' own scatter), not
    measured (asked for, and B has no figure), or empty where no direction is better"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides, A the one to compare with, B the one in question."""

    a: Side
    b: Side
    tolerances: Tolerances
    differences: tuple[str, ...]
    """what is not the same on both sides beside the figures, a sentence each: it is told first"""
    rows: tuple[Row, ...]
    reading: str
    """the table in words, computed from its numbers"""
    worse: tuple[str, ...]
    """what is worse in B beyond the tolerance: metrics, or ``"verdict"``"""

    @property
    def exit_code(self) -> int:
        """1 where B is worse beyond the tolerance, else 0."""
        return 1 if self.worse else 0

    @property
    def surety(self) -> str:
        """How sure the differences are, in a sentence."""
        runs = f"{figures.counted(self.a.runs, 'run')} of A, {self.b.runs:,} of B"
        if min(self.a.runs, self.b.runs) < RUNS_MIN:
            return (
                f"{runs}: no interval, a difference may be noise. From {RUNS_MIN} runs a side on, B is worse only "
                "where the runs' scatter leaves no doubt."
            )
        return (
            f"{runs}: an interval holds {CONFIDENCE * 100:.0f} % of the difference of the medians, B - A (bootstrap)."
        )


def compare(a: Path, b: Path, tolerances: Tolerances) -> Comparison:
    """Set two runs, or two folders of runs, side by side.

    Raises:
        ReportError: a folder without a judged run, or with runs of several scenarios.
    """
    left, right = _side(a), _side(b)
    rows = tuple(_row(metric, left, right, tolerances) for metric in _present(left, right, tolerances))
    worse = tuple(row.metric for row in rows if row.judgement in {"worse", "not measured"})
    if not right.as_expected and (left.as_expected or VERDICTS.index(right.verdict) > VERDICTS.index(left.verdict)):
        worse = ("verdict", *worse)
    return Comparison(
        a=left,
        b=right,
        tolerances=tolerances,
        differences=tuple(_differences(left, right)),
        rows=rows,
        reading=_reading(left, right, tolerances),
        worse=worse,
    )


def _side(folder: Path) -> Side:
    results = [read_result(run) for run in _runs(folder)]
    scenarios = sorted({result.scenario for result in results})
    fleets = sorted({result.phones for result in results})
    if len(scenarios) > 1 or len(fleets) > 1:
        raise ReportError(
            f"{folder}: medians need runs of one scenario and fleet, here are {', '.join(scenarios)} with "
            f"{', '.join(f'{fleet:,}' for fleet in fleets)} phones; give a folder such as runs/{scenarios[0]}"
        )
    first = results[0]
    count = len(results)
    shared = set.intersection(*(set(result.metrics) for result in results))
    return Side(
        name=first.scenario if count == 1 else f"{first.scenario}, median of {count}",
        scenario=first.scenario,
        phones=first.deliveries,
        runs=count,
        verdict=max((result.verdict for result in results), key=VERDICTS.index),
        as_expected=all(result.as_expected for result in results),
        values={metric: [result.metrics[metric] for result in results] for metric in sorted(shared)},
        facts=_facts(results),
    )


def _facts(results: Sequence[Result]) -> Mapping[str, str]:
    """What should be the same everywhere; where a side's own runs differ, all that they say."""
    found: dict[str, set[str]] = {}
    for result in results:
        around = read_circumstances(result.folder)
        told = {
            "scenario": result.scenario,
            "phones": f"{result.phones:,}",
            "ground": result.ground,
            **{f"machine, {name}": value for name, value in around.machine.items()},
            **{f"version of {name}": value for name, value in around.versions.items()},
        }
        for name, value in told.items():
            found.setdefault(name, set()).add(value)
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def _differences(a: Side, b: Side) -> Iterable[str]:
    for name in dict.fromkeys((*a.facts, *b.facts)):
        left, right = a.facts.get(name, "not told"), b.facts.get(name, "not told")
        if left != right:
            yield f"{name}: {left} in A, {right} in B"


def _runs(folder: Path) -> Sequence[Path]:
    """The folder itself where it is a run; else the judged runs below it, links such as `latest` left out."""
    if (folder / VERDICT).is_file():
        return [folder]
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder; give a run's folder such as runs/latest")
    found: list[Path] = []
    level = [folder]
    for _ in range(_SEARCH_DEPTH):
        below = [
            each
            for parent in level
            if parent.is_dir()
            for each in sorted(parent.iterdir())
            if each.is_dir() and not each.is_symlink()
        ]
        found += [each for each in below if (each / VERDICT).is_file() and not is_suite(each)]
        level = [each for each in below if not (each / VERDICT).is_file()]
    if not found:
        raise ReportError(f"{folder}: no judged run here or below; give a run's folder such as runs/latest")
    return found


def _present(a: Side, b: Side, tolerances: Tolerances) -> Sequence[str]:
    """Metrics that at least one side has; the share of phones instead of their number where the fleets differ."""
    skipped = "phones.delivered_fraction" if a.phones == b.phones else "phones.delivered"
    wanted = [name for name in COMPARED if name != skipped or name in tolerances.metrics]
    wanted += [name for name in tolerances.metrics if name not in wanted]
    found = [name for name in wanted if name in a.values or name in b.values or name in tolerances.metrics]
    # Pages end in one good state, alerts in others: those that no phone of either side could come to are no news.
    good = {name for name in found if name in _GOOD}
    idle = {name for name in good if not a.metrics.get(name) and not b.metrics.get(name)} - set(tolerances.metrics)
    return [name for name in found if name not in idle or idle == good]


def _row(metric: str, a: Side, b: Side, tolerances: Tolerances) -> Row:
    left, right = a.metrics.get(metric), b.metrics.get(metric)
    if left is None or right is None:
        # A file of limits is for many scenarios: what neither side could measure is shown, and is no one's fault.
        gated = metric in tolerances.metrics and not math.isinf(tolerances.metrics[metric])
        missing = "not measured" if right is None and left is not None and gated else ""
        return Row(metric=metric, a=left, b=right, change="", interval=None, judgement=missing)
    sure = interval(a.values[metric], b.values[metric], seed=metric)
    way = direction(metric)
    if a.phones != b.phones and figures.unit(metric) == "":
        way = 0  # counts of fleets of different size say nothing about better or worse
    if way == 0:
        judgement = ""
    elif _same(metric, left, right, tolerances):
        judgement = "same"
    elif sure is not None and sure[0] <= 0 <= sure[1]:
        judgement = "unclear"
    else:
        judgement = "better" if (right - left) * way > 0 else "worse"
    change = _change_text(metric, left, right)
    return Row(metric=metric, a=left, b=right, change=change, interval=sure, judgement=judgement)


def _same(metric: str, a: float, b: float, tolerances: Tolerances) -> bool:
    own = tolerances.metrics.get(metric)
    if own is not None and math.isinf(own):
        return True
    # A share is near 0 or 1 by nature: there the tolerance would be of something tiny or hide a lost phone.
    if figures.unit(metric) == "%":
        return abs(b - a) <= (own or 0.0)
    grain = TIME_GRAIN_MS if figures.unit(metric) == "ms" else 0.0
    return abs(b - a) <= max((tolerances.overall if own is None else own) * abs(a), grain)


def _change_text(metric: str, a: float, b: float) -> str:
    """B against A: `11x less`, `12 % more`, `2,000 less` where one of them is zero."""
    if figures.show(metric, a) == figures.show(metric, b):
        return "same"
    word = "more" if b > a else "less"
    if a == 0 or b == 0 or figures.unit(metric) == "%":
        return f"{figures.show(metric, abs(b - a))} {word}"
    ratio = max(a, b) / min(a, b)
    if ratio >= 1.5:
        return f"{times(ratio)}x {word}"
    return f"{figures.number(round(abs(b / a - 1) * 100, 1))} % {word}"


def times(ratio: float) -> str:
    """A ratio for people: `1.8`, `11`, `1,200`."""
    return figures.number(round(ratio, 1) if ratio < 9.95 else float(round(ratio)))


def _reading(a: Side, b: Side, tolerances: Tolerances) -> str:
    sentences = []
    seen = "callmanager.authentications"
    if seen in a.metrics and seen in b.metrics:
        by_gateway = b.metrics.get("authentication.gateway")
        told = f"CallManager saw {figures.show(seen, b.metrics[seen])}"
        told += (
            f" instead of {figures.show(seen, a.metrics[seen])}" if a.metrics[seen] != b.metrics[seen] else " in both"
        )
        if by_gateway is not None:
            word = "authentication" if by_gateway == 1 else "authentications"
            told = f"The gateway answered {figures.number(by_gateway)} {word}; {told}"
        sentences.append(told + ".")
    listening = "page.listening_ms.p50"
    sooner, later = a.metrics.get(listening), b.metrics.get(listening)
    if sooner is not None and later is not None:
        if _same(listening, sooner, later, tolerances) or min(sooner, later) <= 0:
            sentences.append("Phones listened as soon as before, at the median.")
        else:
            word = "sooner" if later < sooner else "later"
            ratio = max(sooner, later) / min(sooner, later)
            sentences.append(f"Phones listened {times(ratio)} times {word} at the median.")
    delivered = "phones.delivered"
    if delivered in a.metrics and delivered in b.metrics and a.metrics[delivered] != b.metrics[delivered]:
        sentences.append(
            f"{figures.show(delivered, b.metrics[delivered])} of {b.phones:,} phones got the page in time, "
            f"instead of {figures.show(delivered, a.metrics[delivered])} of {a.phones:,}."
        )
    return " ".join(sentences) or "Nothing that both runs measured tells them apart."
