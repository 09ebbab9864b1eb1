"""Two runs side by side: what the demonstration ends with, and what a build asks before it accepts a change."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import figures
from harness.report.result import ReportError, Result, read_result
from harness.run_folder import VERDICT

COMPARED: Final[dict[str, int]] = {
    "phones.delivered": +1,
    "phones.delivered_fraction": +1,
    "callmanager.authentications": -1,
    "callmanager.authentications_peak_per_s": -1,
    "callmanager.concurrent_max": -1,
    "callmanager.queue_max": -1,
    "callmanager.rejected": -1,
    "callmanager.busy_s": -1,
    "callmanager.answer_ms.p50": -1,
    "callmanager.answer_ms.p99": -1,
    "authentication.gateway": 0,
    "page.listening_ms.p50": -1,
    "page.listening_ms.p99": -1,
    "push.answer_ms.p99": -1,
    "push.per_s": +1,
    "rtp.lost_fraction": -1,
}
"""Metrics that are set side by side, in this order, and which way is better: up, down, or 0 where neither is."""

TIME_GRAIN_MS: Final = 1.0
"""Times closer than this are the same: waiting on a shared machine is about a millisecond late even when idle
(docs/design/performance.md)."""

_SEARCH_DEPTH: Final = 3
"""`runs/<scenario>/<run>` below the folder given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: a run, or the medians of several of one scenario."""

    name: str
    scenario: str
    phones: int
    runs: int
    verdict: str
    """of one run; of several the worst"""
    as_expected: bool
    """of several: all of them"""
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric on both sides."""

    metric: str
    a: float | None
    b: float | None
    change: str
    """B against A, for people; empty where one side has no figure"""
    judgement: str
    """of B: better, worse, same (within the tolerance), or empty where no direction is better"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side."""

    a: Side
    b: Side
    tolerance: float
    rows: tuple[Row, ...]
    reading: str
    """the table in words, computed from its numbers"""
    worse: tuple[str, ...]
    """what is worse in B beyond the tolerance: metrics, or ``"verdict"``"""

    @property
    def exit_code(self) -> int:
        """1 where B is worse beyond the tolerance, else 0."""
        return 1 if self.worse else 0


def compare(a: Path, b: Path, tolerance: float) -> Comparison:
    """Set two runs, or two folders of runs (their medians), side by side.

    Args:
        a: The run to compare with.
        b: The run in question.
        tolerance: Share of A's figure by which B may be worse and still count as the same, such as 0.1.

    Raises:
        ReportError: a folder without a judged run, or with runs of several scenarios.
        ValueError: a negative tolerance.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance is a share of 0 or more, got {tolerance}")
    left, right = _side(a), _side(b)
    rows = tuple(_row(metric, left, right, tolerance) for metric in _present(left, right))
    worse = tuple(row.metric for row in rows if row.judgement == "worse")
    if left.as_expected and not right.as_expected:
        worse = ("verdict", *worse)
    return Comparison(
        a=left, b=right, tolerance=tolerance, rows=rows, reading=_reading(left, right, tolerance), worse=worse
    )


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the table and its reading; fits 80 columns, and says in words what it says in colour."""
    a, b = comparison.a, comparison.b
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column(Text(f"A\n{a.name}"), justify="right")
    table.add_column(Text(f"B\n{b.name}"), justify="right")
    table.add_column(Text("\nB against A"), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    verdict_is = "worse" if "verdict" in comparison.worse else ""
    table.add_row("Verdict", Text(_verdict(a)), Text(_verdict(b)), "", _judgement(verdict_is))
    for row in comparison.rows:
        table.add_row(
            Text(figures.label(row.metric)),
            Text(figures.show(row.metric, row.a)),
            Text(figures.show(row.metric, row.b), style="bold"),
            Text(row.change, style="dim" if row.change == "same" else ""),
            _judgement(row.judgement),
        )
    console.print()
    console.print(table)
    console.print()
    console.print(Text(comparison.reading, style="bold"))
    if comparison.worse:
        names = ", ".join(figures.label(metric) for metric in comparison.worse)
        console.print(Text(f"B is worse by more than {figures.share(comparison.tolerance)}: {names}", style="red"))


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
    return Side(
        name=first.scenario if count == 1 else f"{first.scenario}, median of {count}",
        scenario=first.scenario,
        phones=first.phones,
        runs=count,
        verdict=max((result.verdict for result in results), key=_severity),
        as_expected=all(result.as_expected for result in results),
        metrics=_medians(results),
    )


def _severity(verdict: str) -> int:
    return ("none", "pass", "inconclusive", "fail", "error").index(verdict)


def _runs(folder: Path) -> Sequence[Path]:
    """The folder itself where it is a run; else the judged runs below it, links such as `latest` left out."""
    if (folder / VERDICT).is_file():
        return [folder]
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
        found += [each for each in below if (each / VERDICT).is_file()]
        level = [each for each in below if not (each / VERDICT).is_file()]
    if not found:
        raise ReportError(f"{folder}: no judged run here or below; give a run's folder such as runs/latest")
    return found


def _medians(results: Sequence[Result]) -> Mapping[str, float]:
    """Medians of what every run measured: a figure that only some have would be a median of something else."""
    shared = set.intersection(*(set(result.metrics) for result in results))
    return {metric: statistics.median(result.metrics[metric] for result in results) for metric in shared}


def _present(a: Side, b: Side) -> Sequence[str]:
    """Metrics that at least one side has; the share of phones instead of their number where the fleets differ."""
    skipped = "phones.delivered_fraction" if a.phones == b.phones else "phones.delivered"
    return [name for name in COMPARED if (name in a.metrics or name in b.metrics) and name != skipped]


def _row(metric: str, a: Side, b: Side, tolerance: float) -> Row:
    left, right = a.metrics.get(metric), b.metrics.get(metric)
    if left is None or right is None:
        return Row(metric=metric, a=left, b=right, change="", judgement="")
    direction = COMPARED[metric]
    if a.phones != b.phones and figures.unit(metric) == "":
        direction = 0  # counts of fleets of different size say nothing about better or worse
    if direction == 0:
        judgement = ""
    elif _same(metric, left, right, tolerance):
        judgement = "same"
    else:
        judgement = "better" if (right - left) * direction > 0 else "worse"
    return Row(metric=metric, a=left, b=right, change=_change_text(metric, left, right), judgement=judgement)


def _same(metric: str, a: float, b: float, tolerance: float) -> bool:
    # A share is near 0 or 1 by nature: there the tolerance would be of something tiny or hide a lost phone.
    if figures.unit(metric) == "%":
        return a == b
    grain = TIME_GRAIN_MS if figures.unit(metric) == "ms" else 0.0
    return abs(b - a) <= max(tolerance * abs(a), grain)


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


def _reading(a: Side, b: Side, tolerance: float) -> str:
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
        if _same(listening, sooner, later, tolerance) or min(sooner, later) <= 0:
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


def _verdict(side: Side) -> str:
    return side.verdict if side.verdict == "pass" or not side.as_expected else f"{side.verdict}\nas expected"


def _judgement(word: str) -> Text:
    """Better and worse as words; what is the same within the tolerance needs none."""
    return Text("" if word == "same" else word, style="green" if word == "better" else "bold red")
