"""Several scenarios on the terminal and as Markdown: a line each, and what was not as expected."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from harness.report.markdown import cell
from harness.report.suite import Suite
from harness.report.terminal import verdict_text
from harness.run_folder import INDEX

WHY_WIDTH: Final = 80
"""Of a scenario's reason on the screen; index.html has all of it."""


def print_suite(suite: Suite, folder: Path, console: Console) -> None:
    """Print the table: scenario, verdict, expected, seconds, why.

    Args:
        suite: what was run.
        folder: where its files lie.
        console: where to; without a terminal the table is as wide as it has to be.
    """
    console.print()
    headline = verdict_text(suite.verdict)
    title = Text.assemble(Text(headline.plain.upper(), style=headline.style), f"  {suite.title}")
    console.print(title.append(f", {suite.seconds:,.0f} s"))
    console.print()
    for line in _table(suite):
        # A build's log has no width: there a line is as long as it is.
        if console.is_terminal:
            console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            console.print(line, soft_wrap=True)
    for entry in suite.unexpected:
        console.print()
        console.print(Text.assemble((entry.scenario, "bold"), f": {entry.verdict}, {entry.told}"))
        console.print(Padding(Text(entry.why), (0, 0, 0, 2)))
        if entry.result is not None:
            console.print(Text(f"  {entry.result.folder}", style="dim"), soft_wrap=True)
    console.print()
    console.print(Text.assemble(("All of them  ", "dim"), str(folder / INDEX)), soft_wrap=True)


def _table(suite: Suite) -> Iterable[Text]:
    """One line a scenario, its reason last: what the screen has no room for is in index.html."""
    rows = [("Scenario", "Verdict", "Expected", "Seconds", "Why")]
    rows += [
        (
            entry.scenario,
            entry.verdict,
            entry.expected if entry.as_expected else f"{entry.expected} (!)",
            f"{entry.seconds:.1f}" if entry.verdict != "none" else "",
            entry.why if len(entry.why) <= WHY_WIDTH else f"{entry.why[: WHY_WIDTH - 1]}…",
        )
        for entry in suite.entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for scenario, verdict, expected, seconds, why in rows:
        word = Text(verdict) if verdict == "Verdict" else verdict_text(verdict)
        word.pad_right(widths[1] - len(verdict))
        line = Text.assemble(
            f"{scenario:<{widths[0]}}  ", word, f"  {expected:<{widths[2]}}  {seconds:>{widths[3]}}  ", why
        )
        line.stylize("bold" if verdict == "Verdict" else "")
        yield line


def suite_markdown(suite: Suite) -> str:
    """The table, and what was not as expected, for a build's summary."""
    return "\n".join(_lines(suite)) + "\n"


def _lines(suite: Suite) -> Iterable[str]:
    yield f"### {suite.verdict.upper()}: {cell(suite.title)}"
    yield ""
    yield "| Scenario | Verdict | Expected | Seconds | Why |"
    yield "|---|---|---|---:|---|"
    for entry in suite.entries:
        expected = entry.expected if entry.as_expected else f"**{entry.expected}**"
        yield f"| {cell(entry.scenario)} | {entry.verdict} | {expected} | {entry.seconds:.1f} | {cell(entry.why)} |"
    for entry in suite.unexpected:
        if entry.result is not None:
            yield ""
            yield f"{cell(entry.scenario)}, again:"
            yield ""
            yield "```"
            yield entry.result.command
            yield "```"
