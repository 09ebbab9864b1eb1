"""A probe on the terminal: a line of progress while it goes, then the result."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from harness.judge.verdict import Judgement, Verdict
from harness.probe.finding import ProbeCheck
from harness.report.result import read_result
from harness.report.terminal import check_block, verdict_text
from harness.run_folder import REPORT, RunFolder

_WORDS: Final = {Verdict.NONE: "not applicable"}


class Progress:
    """Which check is being asked, where somebody looks at the terminal; a context manager."""

    def __init__(self, console: Console) -> None:
        self._status = Status("probing", console=console) if console.is_terminal else None

    def __call__(self, check: ProbeCheck, done: int, of: int) -> None:
        """As `harness.probe.running.Progress`."""
        if self._status is not None:
            self._status.update(f"{done + 1} of {of}: {check.name}")

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()


def print_verdict(judged: Judgement, url: str, folder: RunFolder, console: Console) -> None:
    """Print what fails with what was sent, expected and came; then what could not be told, by reason; then the rest."""
    console.print()
    console.print(Text.assemble((judged.verdict.text.upper(), verdict_text(judged.verdict.text).style), f"  {url}"))
    open_checks = [check for check in read_result(folder.path).checks if check.verdict in {"fail", "error"}]
    for check in open_checks:
        console.print()
        console.print(check_block(check))
    reasons: dict[str, list[str]] = {}
    for each in judged.checks:
        if each.verdict is Verdict.INCONCLUSIVE:
            reasons.setdefault(each.why, []).append(each.name)
    for why, names in reasons.items():
        console.print()
        block = Table.grid(padding=(0, 2, 0, 0))
        block.add_column(no_wrap=True)
        block.add_column()
        block.add_row(verdict_text(Verdict.INCONCLUSIVE.text), Text(why))
        block.add_row("", Text(", ".join(names), style="dim"))
        console.print(Padding(block, (0, 0, 0, 2)))
    console.print()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for each in judged.checks:
        if each.verdict <= Verdict.PASS:
            word = _WORDS.get(each.verdict)
            shown = Text(word, style="dim") if word else verdict_text(each.verdict.text)
            table.add_row(shown, Text(each.name), Text(each.why, style="dim"))
    if table.row_count:
        console.print(Padding(table, (0, 0, 0, 2)))
        console.print()
    counts = {verdict: sum(check.verdict is verdict for check in judged.checks) for verdict in reversed(Verdict)}
    told = ", ".join(f"{count} {_WORDS.get(verdict, verdict.text)}" for verdict, count in counts.items() if count)
    console.print(Text(f"{len(judged.checks)} checks: {told}"))
    if open_checks:
        console.print(Text("What each check finds, and where that is from: docs/reference/probe.md", style="dim"))
    console.print(Text.assemble(("Report  ", "dim"), str(folder.file(REPORT))), soft_wrap=True)
