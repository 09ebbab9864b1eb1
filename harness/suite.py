"""What came of the scenarios of one command, merged and written: verdict.json, junit.xml, summary.md, index.html."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from json import dumps
from pathlib import Path

from rich.console import Console

from harness.report.markdown import summary_markdown
from harness.report.suite import Entry, Suite, entry_of, not_begun
from harness.report.suite_junit import write_suite_junit
from harness.report.suite_page import suite_page
from harness.report.suite_text import print_suite, suite_markdown
from harness.run_folder import INDEX, JUNIT, SUMMARY, VERDICT, create_suite_folder
from harness.scenario.model import Scenario
from harness.screen import reader_may_leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of one scenario that was begun."""

    code: int
    """Its exit code (docs/reference/exit-codes.md)."""
    seconds: float
    folder: Path | None
    """Its run folder; None where its bed did not get so far."""
    why: str
    """Why it came to no verdict; empty where it did."""


def merged(scenarios: Sequence[Scenario], played: Sequence[Played], started: datetime) -> Suite:
    """All scenarios of a command with what came of them; those behind the last one played were not begun."""
    entries = [_entry(scenario, came) for scenario, came in zip_longest(scenarios, played)]
    return Suite(entries=tuple(entries), started=started)


def _entry(scenario: Scenario, came: Played | None) -> Entry:
    if came is None:
        return not_begun(scenario.name, scenario.purpose, scenario.expect.verdict)
    return entry_of(
        scenario=scenario.name,
        purpose=scenario.purpose,
        expected=scenario.expect.verdict,
        seconds=came.seconds,
        folder=came.folder,
        why=came.why,
    )


def write_suite(suite: Suite, out: Path) -> Path:
    """Write the merged result of several scenarios.

    Args:
        suite: what came of them.
        out: where run folders go.

    Returns:
        The folder: `out/suite/<UTC time>`.
    """
    folder = create_suite_folder(out, suite.started)
    (folder / VERDICT).write_text(dumps(suite.to_json(folder), indent=1) + "\n", encoding="utf-8")
    (folder / SUMMARY).write_text(suite_markdown(suite), encoding="utf-8")
    (folder / INDEX).write_text(suite_page(suite, folder), encoding="utf-8")
    write_suite_junit(suite, folder / JUNIT)
    return folder


def append_summary(suite: Suite, file: Path) -> None:
    """Append what came of a command to a build's summary, as Markdown: of several scenarios the table, then each."""
    sections = [summary_markdown(entry.result) for entry in suite.entries if entry.result is not None]
    if len(suite.entries) > 1:
        sections.insert(0, suite_markdown(suite))
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(f"{section}\n" for section in sections)


def write_junit_at(suite: Suite, file: Path) -> None:
    """Write the JUnit of a command at a place of the reader's own; folders on the way are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_suite_junit(suite, file)


def show_suite(suite: Suite, folder: Path) -> None:
    """Print the table of a command's scenarios."""
    with reader_may_leave(sys.stdout):
        print_suite(suite, folder, Console())
