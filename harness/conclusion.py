"""From a folder of evidence to results: verdict.json, ledger.csv, junit.xml, report.html, and the summary on screen."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from harness.judge import judge, ledger_csv
from harness.report.compare import compare
from harness.report.compare_text import comparison_markdown, print_comparison
from harness.report.excerpts import stories_of, write_excerpts
from harness.report.html import page_of
from harness.report.junit import write_junit
from harness.report.prometheus import exposition, write_atomically
from harness.report.result import ReportError, Result, read_result
from harness.report.terminal import print_result
from harness.report.tolerances import Tolerances
from harness.run_folder import LEDGER, METRICS, REPORT, VERDICT, RunFolder
from harness.screen import complain, reader_may_leave, told_when_slow

EXIT_NOTHING_JUDGED: Final = 6


def conclude(folder: RunFolder, show_stage: Callable[[str], None] = complain) -> int:
    """Judge the evidence and write all results.

    Args:
        folder: of the run.
        show_stage: shows what is done where it takes longer than a moment.

    Returns:
        The run's exit code (docs/reference/exit-codes.md).
    """
    with told_when_slow(lambda stage: show_stage(f"judging: {stage}")) as tell:
        verdict = judge(folder.path, tell)
        tell("writing the results")
        folder.file(VERDICT).write_text(json.dumps(verdict.to_json(), indent=1) + "\n", encoding="utf-8")
        folder.file(LEDGER).write_text(ledger_csv(verdict.ledger), encoding="utf-8")
        folder.seal_results()
        write_reports(folder)
        write_prometheus([verdict.scenario], [folder.path], folder.file(METRICS))
    return verdict.exit_code


def write_reports(folder: RunFolder) -> None:
    """Write report.html, junit.xml and the failing phones' excerpts from the verdict, ledger and evidence there are."""
    result = read_result(folder.path)
    stories = stories_of(result)
    write_excerpts(result, stories)
    folder.file(REPORT).write_text(page_of(result, stories), encoding="utf-8")
    write_junit(result, stories)


def show(folder: RunFolder) -> None:
    """Print the summary of a judged run."""
    with reader_may_leave(sys.stdout):
        print_result(folder.path, Console())


def write_prometheus(scenarios: Sequence[str], folders: Sequence[Path | None], file: Path) -> None:
    """Write the metrics of a session's runs into one file, in place of what it held.

    Args:
        scenarios: the names of all scenarios.
        folders: of the runs of as many of them as were begun; what has no verdict there counts as not judged.
        file: where to.

    Raises:
        OSError: it cannot be written.
    """
    judged: dict[str, Result | None] = dict.fromkeys(scenarios)
    for name, folder in zip(scenarios, folders, strict=False):
        if folder is not None and (folder / VERDICT).is_file():
            judged[name] = read_result(folder)
    write_atomically(file, exposition(judged))


def compare_runs(a: Path, b: Path, tolerances: Tolerances, *, markdown: bool) -> int:
    """Print two runs side by side, as a table for the terminal or as Markdown.

    Returns:
        1 where B is worse beyond the tolerance, else 0; 6 where there is no result to compare.
    """
    try:
        comparison = compare(a, b, tolerances)
    except ReportError as error:
        complain(str(error))
        return EXIT_NOTHING_JUDGED
    with reader_may_leave(sys.stdout) as stream:
        if markdown:
            stream.write(comparison_markdown(comparison))
        else:
            print_comparison(comparison, Console())
    return comparison.exit_code
