"""The sizing card: what a search found, as data, as JSON and as lines for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.capacity.search import Answer, Search
from harness.capacity.trial import Axis, Trial
from harness.report import figures
from harness.report.circumstances import read_circumstances

SHOWN: Final = (
    ("phones.delivered_fraction", "delivered"),
    ("push.per_s", "pushes"),
    ("push.answer_ms.p99", "answered p99"),
    ("page.listening_ms.p99", "listening p99"),
    ("alert.displayed_ms.p99", "shown p99"),
    ("callmanager.authentications", "at CallManager"),
    ("callmanager.busy_s", "CallManager busy"),
)
"""Metrics of the table, where a run has them: what an engineer sizes by."""
SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One axis, searched.

    Attributes:
        trials: in the order in which they were run.
        cut_short: why the search did not come to its end; empty where it did.
    """

    axis: Axis
    search: Search
    trials: Sequence[Trial]
    cut_short: str = ""

    @property
    def sentence(self) -> str:
        """What was found, in a sentence."""
        search = self.search
        if search.largest is None:
            told = [f"not even {self.amount(self.least)} held" if self.trials else "nothing was run"]
        else:
            told = [f"{self.amount(search.largest)} held in {figures.counted(search.held[search.largest], 'run')}"]
        if search.unknown_from is not None:
            told.append(f"of {self.amount(search.unknown_from)} this machine could not tell")
        if search.breaks_at is not None and search.largest is not None:
            told.append(f"{self.amount(search.breaks_at)} did not")
        if len(told) == 1 and search.largest == search.range.high:
            told.append("the most that was to be tried")
        return f"Largest {self.axis.name}: {', '.join(told)}"

    @property
    def least(self) -> int:
        """The least value that was run."""
        return min(trial.value for trial in self.trials)

    @property
    def gave_way(self) -> Sequence[str]:
        """What broke at the least value that broke: name and reason of each check."""
        broken = [trial for trial in self.trials if trial.answer is Answer.BREAKS]
        if not broken:
            return ()
        least = min(broken, key=lambda trial: trial.value)
        return least.gave_way or (least.why,)

    def amount(self, value: int) -> str:
        """A value with its unit."""
        shown = figures.number(float(self.axis.text(value)), 2)
        return f"{shown} {self.axis.unit if shown == '1' else self.axis.plural}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The whole card.

    Attributes:
        command: what repeats the search.
        machine, versions: of the run folders.
        assumed: keys for which no public source gives the value in force.
    """

    scenario: str
    purpose: str
    findings: Sequence[Finding]
    thresholds: Sequence[str]
    command: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    assumed: Mapping[str, str]

    @property
    def is_found(self) -> bool:
        """Whether each axis has a value that held as often as was asked for, and nothing above it stayed untold."""
        return all(
            one.search.is_confirmed and one.search.unknown_from is None and not one.cut_short for one in self.findings
        )

    def to_json(self) -> dict[str, object]:
        """The card as `card.json` (docs/reference/capacity.md)."""
        return {
            "schema": SCHEMA,
            "scenario": self.scenario,
            "found": self.is_found,
            "axes": [_axis_json(one) for one in self.findings],
            "thresholds": list(self.thresholds),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "assumed": dict(self.assumed),
            "command": self.command,
        }


def circumstances(folders: Sequence[Path]) -> tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str], str]:
    """Machine, versions, assumed values and purpose, of the first run folder there is."""
    for folder in folders:
        around = read_circumstances(folder)
        return around.machine, around.versions, around.assumed, around.purpose
    return {}, {}, {}, ""


def columns(trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """Metric and heading of the columns that any of the trials has."""
    return [(metric, heading) for metric, heading in SHOWN if any(metric in trial.metrics for trial in trials)]


def row(finding: Finding, trial: Trial) -> list[str]:
    """A trial as texts: value, answer, and its columns."""
    told = [figures.show(metric, trial.metrics.get(metric)) for metric, _ in columns(finding.trials)]
    return [finding.amount(trial.value), trial.answer.value, *told]


def lines(card: Card) -> list[str]:
    """The card for the terminal."""
    found: list[str] = [f"{card.scenario}: what this machine takes", ""]
    for finding in card.findings:
        found += [finding.sentence]
        found += [f"  gave way: {text}" for text in finding.gave_way]
        if finding.cut_short:
            found.append(f"  not searched to the end: {finding.cut_short}")
        found.append("")
        found += _table(finding)
        found.append("")
    found.append("Held where " + ", ".join(card.thresholds) + ", and every law")
    found.append("Machine: " + ", ".join(f"{name} {value}" for name, value in card.machine.items()))
    return found


def _table(finding: Finding) -> list[str]:
    headings = [finding.axis.name, "", *(heading for _, heading in columns(finding.trials))]
    ordered = sorted(finding.trials, key=lambda trial: (trial.value, trial.seed))
    rows = [headings, *(row(finding, trial) for trial in ordered)]
    widths = [max(len(one[index]) for one in rows) for index in range(len(headings))]
    return ["  " + "  ".join(_cell(index, text, widths[index]) for index, text in enumerate(one)) for one in rows]


def _cell(index: int, text: str, width: int) -> str:
    return text.ljust(width) if index == 1 else text.rjust(width)


def _axis_json(finding: Finding) -> dict[str, object]:
    search, axis = finding.search, finding.axis

    def plain(value: int | None) -> float | None:
        return None if value is None else float(axis.text(value))

    return {
        "name": axis.name,
        "key": axis.key,
        "unit": axis.unit,
        "largest": plain(search.largest),
        "confirmed": search.is_confirmed,
        "breaks_at": plain(search.breaks_at),
        "unknown_from": plain(search.unknown_from),
        "gave_way": list(finding.gave_way),
        "cut_short": finding.cut_short,
        "trials": [
            {
                "value": plain(trial.value),
                "seed": trial.seed,
                "answer": trial.answer.value,
                "verdict": trial.verdict,
                "why": trial.why,
                "metrics": {metric: trial.metrics[metric] for metric, _ in SHOWN if metric in trial.metrics},
                "folder": None if trial.folder is None else str(trial.folder),
            }
            for trial in finding.trials
        ],
    }
