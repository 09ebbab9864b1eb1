"""A probe on the terminal: a line of progress while it goes, then one calm table."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from harness.judge.verdict import Judgement, Verdict
from harness.probe.finding import ProbeCheck
from harness.report.terminal import verdict_text
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
    """Print all checks, those that are not pass with their reason first to be seen."""
    console.print()
    console.print(Text.assemble((judged.verdict.text.upper(), verdict_text(judged.verdict.text).style), f"  {url}"))
    console.print()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in judged.checks:
        word = _WORDS.get(check.verdict)
        shown = Text(word, style="dim") if word else verdict_text(check.verdict.text)
        table.add_row(shown, Text(check.name), Text(check.why, style="dim" if check.verdict <= Verdict.PASS else ""))
    console.print(table)
    console.print()
    counts = {verdict: sum(check.verdict is verdict for check in judged.checks) for verdict in reversed(Verdict)}
    told = ", ".join(f"{count} {_WORDS.get(verdict, verdict.text)}" for verdict, count in counts.items() if count)
    console.print(Text(f"{len(judged.checks)} checks: {told}"))
    console.print(Text.assemble(("Report  ", "dim"), str(folder.file(REPORT))), soft_wrap=True)
