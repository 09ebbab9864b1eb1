"""What came of a preflight for programs: `preflight.csv`, a line a phone and check, and `preflight.json`. No I/O."""

import csv
import io
import re
from datetime import datetime
from typing import Any, Final

from harness.preflight.checks import BY_NAME, filled
from harness.preflight.finding import Result
from harness.preflight.outcome import Outcome, these

COLUMNS: Final = ("subject", "address", "check", "result", "cause", "observed", "wanted", "why", "what_to_do")
_NUMBER: Final = re.compile(r"\+?[0-9*#]+")
SCHEMA: Final = 1


def to_csv(outcome: Outcome) -> str:
    """One line for each result."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for result in outcome.results:
        row = (
            result.subject, result.address, result.check, result.word, result.cause, result.observed, result.wanted,
            result.why, what_to_do(result),
        )  # fmt: skip
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: str) -> str:
    """A value that no table calculator takes for a formula: phones choose what their pages say."""
    return f"'{value}" if value[:1] in tuple("=+-@\t") and not _NUMBER.fullmatch(value) else value


def what_to_do(result: Result) -> str:
    """The heading of its line of the list; empty where nothing is to be done."""
    if not result.cause:
        return ""
    values = dict(result.values) | {"these": these(1)}
    return filled(BY_NAME[result.check].cause(result.cause).do, values)


def to_json(outcome: Outcome, *, now: datetime, command: str) -> dict[str, Any]:
    """The document of `preflight.json` (docs/reference/preflight.md)."""
    return {
        "schema": SCHEMA,
        "decision": outcome.decision,
        "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "command": command,
        "phones": outcome.phones,
        "counts": outcome.counts,
        "to_do": [
            {
                "check": task.check,
                "cause": task.cause,
                "stops": task.stops,
                "do": task.do,
                "means": task.means,
                "fix": task.fix,
                "subjects": [result.subject for result in task.results],
            }
            for task in outcome.tasks
        ],
        "not_checked": [
            {
                "check": point.check,
                "why": point.why,
                "needed": point.needed,
                "subjects": [result.subject for result in point.results],
            }
            for point in outcome.open
        ],
        "results": [
            {
                "check": result.check,
                "subject": result.subject,
                "address": result.address,
                "result": result.word,
                "cause": result.cause,
                "observed": result.observed,
                "wanted": result.wanted,
                "why": result.why,
            }
            for result in outcome.results
        ],
    }
