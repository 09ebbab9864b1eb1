"""A run's result on the terminal: 80 columns are enough, and nothing is said by colour alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report import figures
from harness.report.result import PAGE, Check, Result, read_result
from harness.report.summary import key_figures
from harness.run_folder import EXCERPTS, LEDGER, REPORT

NAMED_PHONES: Final = 10
"""Phones named on the screen; the rest are in the ledger."""
_STYLES: Final = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow", "error": "bold magenta"}


def print_result(folder: Path, console: Console) -> None:
    """Print the summary of a judged run.

    Args:
        folder: The run's folder, with `verdict.json` and `ledger.csv`.
        console: Where to; its width and colours are kept to.

    Raises:
        ReportError: no result there that can be read.
    """
    result = read_result(folder)
    console.print()
    console.print(_headline(result))
    console.print(Text(result.why))
    console.print()
    console.print(_figures(result))
    if result.unexpected:
        _heading(console, "Not as the scenario expects")
        for sentence in result.unexpected:
            console.print(Padding(Text(sentence), (0, 0, 0, 2)))
    if result.open_checks:
        _heading(console, f"Checks that are not pass ({len(result.open_checks):,} of {len(result.asked):,})")
        for check in result.open_checks:
            console.print(check_block(check))
    if result.missed:
        _heading(console, result.missed_title)
        for line in _missed(result):
            console.print(Text(f"  {line}"), no_wrap=True, overflow="ellipsis")
    if result.blind:
        _heading(console, "What was blind")
        for sentence in result.blind:
            console.print(Padding(Text(sentence), (0, 0, 0, 2)))
    console.print()
    excerpts = folder / EXCERPTS
    for name, text in (
        ("Report", str(folder / REPORT)),
        *((("Phones", str(excerpts)),) if excerpts.is_dir() else ()),
        ("Folder", str(folder)),
        ("Repeat", result.command),
    ):
        # Soft wrap: a path or command that is longer than the line can still be copied whole.
        console.print(Text.assemble((f"{name}  ", "dim"), text), soft_wrap=True)


def verdict_text(verdict: str) -> Text:
    """A verdict as a word, coloured where the console can."""
    return Text(verdict, style=_STYLES.get(verdict, "bold"))


def _headline(result: Result) -> Text:
    line = verdict_text(result.verdict)
    line = Text.assemble(Text(line.plain.upper(), style=line.style))
    if result.expectation:
        line.append(f" ({result.expectation})")
    return line.append(f"  {result.title}")


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _figures(result: Result) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="bold")
    table.add_column(style="dim")
    for figure in key_figures(result):
        table.add_row(Text(figure.label), Text(figure.value), Text(figure.note))
    return table


def check_block(check: Check) -> Padding:
    """A check and its reason, some lines; of a check of the probe what was sent, expected and came."""
    block = Table.grid(padding=(0, 2, 0, 0))
    block.add_column(no_wrap=True)
    block.add_column()
    block.add_row(verdict_text(check.verdict), Text(f"{check.name} ({check.kind})"))
    if check.sent:
        told = Table.grid(padding=(0, 2, 0, 0))
        told.add_column(no_wrap=True, style="dim")
        told.add_column()
        for heading, text in (("sent", check.sent), ("expected", check.expected), ("came", check.why)):
            told.add_row(heading, Text(text))
        block.add_row("", told)
        return Padding(block, (0, 0, 0, 2))
    facts = f"observed {check.observed}"
    if check.expected:
        facts += f", expected {check.expected}"
    if check.witnesses:
        facts += f"; seen by {', '.join(check.witnesses)}"
    if check.observed != figures.ABSENT or check.expected or check.witnesses:
        block.add_row("", Text(facts))
    if check.why:
        block.add_row("", Text(check.why))
    return Padding(block, (0, 0, 0, 2))


def _missed(result: Result) -> Iterable[str]:
    """One line a phone: the whole reason is in the ledger."""
    shown = result.missed[:NAMED_PHONES]
    columns = ("phone", *((PAGE,) if result.several else ()), "address", "state", "why")
    widths = [max(len(row.get(column, "")) for row in shown) for column in columns]
    for row in shown:
        yield "  ".join(
            row.get(column, "").ljust(width) for column, width in zip(columns, widths, strict=True)
        ).rstrip()
    if len(result.missed) > NAMED_PHONES:
        yield f"and {len(result.missed) - NAMED_PHONES:,} more in {LEDGER}"
