"""From results to a verdict, and to the run folder that reports read."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from harness.conclusion import write_reports
from harness.judge.verdict import Check, Judgement, Kind, Verdict, merge
from harness.probe.finding import Result, plain
from harness.probe.secrecy import masked
from harness.run_folder import VERDICT, RunFolder

NAME: Final = "probe"
GROUND: Final = "external"
WITNESS: Final = "probe"
"""Who saw: the client itself."""


def judgement(results: Sequence[Result], password: str) -> Judgement:
    """The verdict of a probe of its own: no phones, no metrics, one check for each result."""
    checks = tuple(
        Check(
            name=result.check.name,
            kind=Kind.PROBE,
            verdict=Verdict.of(result.finding.verdict),
            observed=result.finding.observed,
            witnesses=(WITNESS,),
            why=masked(result.finding.why, password),
            sent=plain(result.check.sends),
            expected=plain(result.check.must),
        )
        for result in results
    )
    return Judgement(
        verdict=merge(check.verdict for check in checks),
        expected=Verdict.PASS,
        unexpected=(),
        scenario=NAME,
        seed=0,
        phones=0,
        deliveries=0,
        ground=GROUND,
        outcomes={},
        metrics={},
        checks=checks,
        blind=(),
        ledger=(),
    )


def write_folder(judged: Judgement, root: Path, now: datetime, *, url: str, command: str) -> RunFolder:
    """Write the results like any other run's. There is no evidence beside them, so none can be judged again.

    Args:
        judged: the verdict.
        root: where run folders go.
        now: UTC.
        url: what was probed.
        command: repeats it.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = RunFolder.create(root, NAME, judged.seed, now)
    document = judged.to_json() | {"url": url, "command": command}
    folder.file(VERDICT).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    write_reports(folder)
    return folder
