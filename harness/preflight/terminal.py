"""A preflight on the terminal: how far it is while it goes, then go or no go and what to do. 80 columns are enough."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from harness.preflight.checks import BY_NAME
from harness.preflight.outcome import Open, Outcome, Task
from harness.preflight.words import left_out, phones_of, told_of, why
from harness.screen import reader_may_leave

NAMED_PHONES: Final = 10
"""Phones named of one line of the list; the rest are in the files."""
_STYLES: Final = {"go": "bold green", "no-go": "bold red", "inconclusive": "bold yellow"}


class Display:
    """How far it is: a bar where somebody looks at the terminal, a line a stage elsewhere; a context manager."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._stage = ""
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if not quiet and console.is_terminal and not console.is_dumb_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
                refresh_per_second=8,
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            with reader_may_leave(sys.stderr):
                self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with reader_may_leave(sys.stderr):
                self._bar.stop()

    def __call__(self, stage: str, done: int, of: int) -> None:
        """As `harness.preflight.survey.Progress`."""
        begins, self._stage = stage != self._stage, stage
        if self._bar is not None:
            if begins and self._task is not None:
                self._bar.remove_task(self._task)
            if begins or self._task is None:
                self._task = self._bar.add_task(stage, total=of)
            self._bar.update(self._task, completed=done, total=of)
        elif begins and not self._quiet:
            count = f" ({of:,})" if of > 1 else ""
            with reader_may_leave(sys.stderr):
                self._console.print(Text(f"{stage}{count}"), soft_wrap=True, highlight=False)


def print_outcome(outcome: Outcome, files: Sequence[Path], console: Console) -> None:
    """Print the verdict, what to do, what is not known, and where the rest is.

    Args:
        outcome: what came of it.
        files: that were written.
        console: where to.
    """
    console.print()
    console.print(headline(outcome))
    console.print(Text(why(outcome)))
    for title, tasks in (
        ("What to do before the rollout", [task for task in outcome.tasks if task.stops]),
        ("What to look at", [task for task in outcome.tasks if not task.stops]),
    ):
        if tasks:
            _heading(console, title)
        for number, task in enumerate(tasks, 1):
            _print_task(console, number, task)
    needed = [point for point in outcome.open if point.needed]
    if needed:
        _heading(console, "Not checked, and needed for a go")
        _print_open(console, needed)
    others = left_out(outcome)
    if others:
        _heading(console, "Not checked")
        _print_open(console, others)
    console.print()
    for file in files:
        console.print(Text.assemble((f"{file.suffix[1:].upper():<6}", "dim"), str(file)), soft_wrap=True)


def headline(outcome: Outcome) -> Text:
    """`NO-GO  1,000 phones`."""
    return Text.assemble((outcome.decision.upper(), _STYLES[outcome.decision]), f"  {phones_of(outcome)}")


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _print_task(console: Console, number: int, task: Task) -> None:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(justify="right", width=3)
    table.add_column()
    body = Text.assemble((task.do, "bold"), (f"  {task.check}\n", "dim"), task.means, "\n")
    if BY_NAME[task.check].about == "phone":
        named = task.results[:NAMED_PHONES]
        said = {told_of(result, task) for result in task.results}
        once = f"{said.pop()}\n" if len(task.results) > 1 and len(said) == 1 and "" not in said else ""
        body.append(once)
        for result in named:
            body.append(f"{result.subject}  {result.address:<15}", style="cyan")
            body.append("\n" if once else f"  {told_of(result, task)}\n")
        if len(task.results) > len(named):
            body.append(f"and {len(task.results) - NAMED_PHONES:,} more, all in preflight.csv\n", style="dim")
    else:
        body.append("".join(f"{result.subject}: {told_of(result, task)}\n" for result in task.results))
    body.append(task.fix, style="dim")
    table.add_row(str(number), body)
    console.print(Padding(table, (0, 0, 1 if number else 0, 0)))


def _print_open(console: Console, points: Sequence[Open]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for point in points:
        subjects = [result.subject for result in point.results]
        named = ", ".join(subjects[:3]) + (f" and {len(subjects) - 3:,} more" if len(subjects) > 3 else "")
        table.add_row(Text(f"  {point.check}"), Text(point.why + (f": {named}" if point.needed else "")))
    console.print(table)
