"""What a test that did not pass shows of a run: the ledger's rows that are wrong, then checks, then where to look."""

from collections.abc import Iterable, Mapping
from typing import Final

from harness.report import figures
from harness.report.result import Check, Result
from harness.run_folder import LEDGER, REPORT, SCENARIO

ROWS: Final = 10
"""Phones named; the rest are counted, and named in the ledger."""
CHECKS_NAMED: Final = 5
"""Checks named of those that share a reason."""
LOG_LINES: Final = 15
_COLUMNS: Final = ("phone", "address", "state", "why")


def describe(result: Result, command_status: int | None, printed: str) -> str:
    """A run in words.

    Args:
        result: of the run.
        command_status: of the command in the gateway's place; None where there was none.
        printed: what it printed.
    """
    lines = [f"{result.verdict.upper()}  {result.title}", f"ledger: {result.outcome_text()}"]
    lines += [f"  {row}" for row in _rows(result)]
    if result.open_checks:
        lines.append(f"checks that are not pass: {len(result.open_checks)} of {len(result.asked)}")
        lines += [f"  {line}" for line in _checks(result.open_checks)]
    if result.unexpected and not result.open_checks:
        lines += ["not as the scenario expects:", *(f"  {sentence}" for sentence in result.unexpected)]
    lines += [f"blind: {sentence}" for sentence in result.blind]
    if command_status:
        lines.append(f"the command ended with {command_status}; its last lines:")
        lines += [f"  {line}" for line in printed.rstrip().splitlines()[-LOG_LINES:] or ["(it printed nothing)"]]
    lines += [f"report: {result.folder / REPORT}", f"again:  pushlab run {result.folder / SCENARIO}"]
    return "\n".join(lines)


def _rows(result: Result) -> Iterable[str]:
    shown = result.missed[:ROWS]
    widths = {column: max((len(row.get(column, "")) for row in shown), default=0) for column in _COLUMNS}
    for row in shown:
        yield "  ".join(row.get(column, "").ljust(width) for column, width in widths.items()).rstrip()
    if len(result.missed) > ROWS:
        yield f"and {len(result.missed) - ROWS:,} more in {LEDGER}"


def _checks(checks: Iterable[Check]) -> Iterable[str]:
    """One line a check; those that share verdict and reason, as of a blind witness, share a line."""
    reasons: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        reasons.setdefault((check.verdict, check.why), []).append(check)
    for (verdict, why), alike in reasons.items():
        if len(alike) == 1:
            yield f"{verdict}  {alike[0].name}: {_reason(alike[0])}"
            continue
        named = ", ".join(check.name for check in alike[:CHECKS_NAMED])
        more = f" and {len(alike) - CHECKS_NAMED} more" if len(alike) > CHECKS_NAMED else ""
        yield f"{verdict}  {why or 'no reason given'}: {named}{more}"


def _reason(check: Check) -> str:
    facts: Mapping[str, str] = {"observed": check.observed, "expected": check.expected}
    told = ", ".join(f"{name} {fact}" for name, fact in facts.items() if fact not in {"", figures.ABSENT})
    return "; ".join(filter(None, (check.why, told))) or "no reason given"
