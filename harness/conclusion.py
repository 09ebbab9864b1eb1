"""From a folder of evidence to results: verdict.json, ledger.csv, junit.xml, report.html, and the summary on screen."""

import json
from pathlib import Path

from rich.console import Console

from harness.judge import judge, ledger_csv
from harness.report.compare import compare, print_comparison
from harness.report.html import write_html
from harness.report.junit import write_junit
from harness.report.terminal import print_result
from harness.run_folder import LEDGER, VERDICT, RunFolder


def conclude(folder: RunFolder) -> int:
    """Judge the evidence and write all results.

    Returns:
        The run's exit code (docs/reference/exit-codes.md).
    """
    verdict = judge(folder.path)
    folder.file(VERDICT).write_text(json.dumps(verdict.to_json(), indent=1) + "\n", encoding="utf-8")
    folder.file(LEDGER).write_text(ledger_csv(verdict.ledger), encoding="utf-8")
    write_reports(folder)
    return verdict.exit_code


def write_reports(folder: RunFolder) -> None:
    """Write report.html and junit.xml from the verdict and ledger there are."""
    write_html(folder.path)
    write_junit(folder.path)


def show(folder: RunFolder) -> None:
    """Print the summary of a judged run."""
    print_result(folder.path, Console())


def compare_runs(a: Path, b: Path, tolerance: float) -> int:
    """Print two runs side by side.

    Returns:
        1 where B is worse beyond the tolerance, else 0.
    """
    comparison = compare(a, b, tolerance)
    print_comparison(comparison, Console())
    return comparison.exit_code
