"""The result of several scenarios of one command: each with whether it ended as it says, and all of them merged.

A scenario that ended as expected counts as `pass`, whatever its verdict: a control that is to fail does its duty by
failing. One that did not counts as its verdict, and as `fail` where it passed although it was to fail. What never came
to a verdict (a bed that could not start, an interruption) counts as `error`, what was not begun any more as `none`. The
merged verdict is the worst of these, by the order of every verdict: `none < pass < inconclusive < fail < error`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os.path import relpath
from pathlib import Path
from typing import Final

from harness.report import figures
from harness.report.result import VERDICTS, ReportError, Result, read_result
from harness.run_folder import REPORT

SCHEMA: Final = 1
NOT_BEGUN: Final = "the command was interrupted before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One scenario of the suite."""

    scenario: str
    purpose: str
    expected: str
    """verdict that its file expects"""
    verdict: str
    """`none` where it was not begun, `error` where it came to none"""
    as_expected: bool
    seconds: float
    """wall clock, from the start of its bed to its results"""
    why: str
    result: Result | None
    """None where nothing was judged"""

    @property
    def counts_as(self) -> str:
        """What it brings into the merged verdict."""
        if self.as_expected:
            return "pass"
        return "fail" if self.verdict == "pass" else self.verdict

    @property
    def phones(self) -> int | None:
        """Size of its fleet; None where nothing was judged."""
        return None if self.result is None else self.result.phones

    @property
    def told(self) -> str:
        """Whether it ended as it says, in a word or two."""
        if self.as_expected:
            return "as expected"
        if self.verdict == "none":
            return "not begun"
        return "not only by the checks that it names" if self.verdict == self.expected else f"expected {self.expected}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All scenarios of one command."""

    entries: tuple[Entry, ...]
    started: datetime
    """UTC"""

    @property
    def verdict(self) -> str:
        """The merged verdict; `none` of nothing."""
        return max((entry.counts_as for entry in self.entries), key=VERDICTS.index, default="none")

    @property
    def as_expected(self) -> bool:
        """Whether every scenario ended as it says; not where none was run."""
        return bool(self.entries) and all(entry.as_expected for entry in self.entries)

    @property
    def seconds(self) -> float:
        """Of all scenarios together."""
        return sum(entry.seconds for entry in self.entries)

    @property
    def unexpected(self) -> tuple[Entry, ...]:
        """Scenarios that did not end as they say, worst first."""
        found = [entry for entry in self.entries if not entry.as_expected]
        return tuple(sorted(found, key=lambda entry: -VERDICTS.index(entry.counts_as)))

    @property
    def title(self) -> str:
        """The merged verdict in a line."""
        count = figures.counted(len(self.entries), "scenario")
        if self.as_expected:
            return f"{count}, all as expected"
        return f"{count}, {len(self.unexpected):,} not as expected"

    def to_json(self, folder: Path) -> dict[str, object]:
        """The content of the suite's verdict.json, schema 1 (docs/reference/run-folder.md).

        Args:
            folder: where it is written; runs are named relative to it.
        """
        counts = Counter(entry.counts_as for entry in self.entries if not entry.as_expected)
        return {
            "schema": SCHEMA,
            "kind": "suite",
            "verdict": self.verdict,
            "as_expected": self.as_expected,
            "started": f"{self.started:%Y-%m-%dT%H:%M:%SZ}",
            "seconds": round(self.seconds, 1),
            "counts": {
                "scenarios": len(self.entries),
                "as_expected": sum(entry.as_expected for entry in self.entries),
                **{verdict: counts[verdict] for verdict in ("none", "inconclusive", "fail", "error")},
            },
            "scenarios": [
                {
                    "scenario": entry.scenario,
                    "verdict": entry.verdict,
                    "expected": entry.expected,
                    "as_expected": entry.as_expected,
                    "seconds": round(entry.seconds, 1),
                    "why": entry.why,
                    "folder": None if entry.result is None else relpath(entry.result.folder, folder),
                }
                for entry in self.entries
            ],
        }


def entry_of(
    *, scenario: str, purpose: str, expected: str, seconds: float, folder: Path | None, why: str = ""
) -> Entry:
    """A scenario's entry, with its result where it came to one.

    Args:
        scenario: its name.
        purpose: its purpose.
        expected: the verdict that it expects.
        seconds: how long it took.
        folder: its run folder; None, or one without a result: it came to no verdict.
        why: why it came to none.
    """
    result = None
    if folder is not None:
        try:
            result = read_result(folder)
        except ReportError as error:
            why = why or str(error)
    verdict, as_expected, told = "error", False, figures.clean(why) or "nothing was judged"
    # An interruption after the verdict was written is one all the same: `why` is given then.
    if result is not None and not why:
        verdict, as_expected = result.verdict, result.as_expected
        told = result.why if as_expected else _why_not(result)
    return Entry(
        scenario=scenario,
        purpose=purpose,
        expected=expected,
        verdict=verdict,
        as_expected=as_expected,
        seconds=seconds,
        why=told,
        result=result,
    )


def _why_not(result: Result) -> str:
    """Why it did not end as expected: what was blind says more than everything that could not be decided then."""
    undecided = all(": inconclusive, expected " in each for each in result.unexpected)
    if result.blind and undecided:
        return f"blind: {'; '.join(result.blind)}"
    return "; ".join(result.unexpected) or result.why


def not_begun(scenario: str, purpose: str, expected: str) -> Entry:
    """The entry of a scenario that was not begun any more."""
    return Entry(
        scenario=scenario,
        purpose=purpose,
        expected=expected,
        verdict="none",
        as_expected=False,
        seconds=0.0,
        why=NOT_BEGUN,
        result=None,
    )


def report_of(entry: Entry, folder: Path) -> str | None:
    """Where its report lies, relative to a folder; None where there is none."""
    if entry.result is None or not (entry.result.folder / REPORT).is_file():
        return None
    return relpath(entry.result.folder / REPORT, folder)


def verdicts_told(entries: Sequence[Entry]) -> str:
    """`20 pass · 6 fail`: the verdicts as they are, for people."""
    counts = Counter(entry.verdict for entry in entries)
    return " · ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict])
