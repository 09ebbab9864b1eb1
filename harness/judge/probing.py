"""The probe's results of a run: each of its checks becomes one of the verdict's.

What is asked and what must come is docs/reference/probe.md; the probe itself was asked while the run went.
"""

from typing import Final

from harness.judge.evidence import Evidence
from harness.judge.verdict import Check, Kind, Verdict

WITNESS: Final = "probe"
COMPLETE: Final = "probe-complete"
_VERDICTS: Final = {verdict.text: verdict for verdict in Verdict}


def probed(evidence: Evidence) -> list[Check]:
    """The probe's checks; none where the scenario wants no probe."""
    if evidence.scenario.probe.when == "never":
        return []
    records = evidence.records.of("harness", "probe.checked")
    checks = []
    for record in records:
        observed = record.fields.get("observed")
        checks.append(
            Check(
                name=record.text("check"),
                kind=Kind.PROBE,
                verdict=_VERDICTS.get(record.text("verdict"), Verdict.ERROR),
                observed=observed if isinstance(observed, int | float | str) else None,
                witnesses=(WITNESS,),
                why=record.text("why"),
                sent=_optional(record.fields.get("sent")),
                expected=_optional(record.fields.get("expected")),
            )
        )
    names = {check.name for check in checks}
    if not evidence.records.of("harness", "probe.ended") or len(names) != len(checks) or not checks:
        why = f"the probe did not come to its end; {len(names)} of its checks were asked"
        checks.append(
            Check(name=COMPLETE, kind=Kind.PROBE, verdict=Verdict.INCONCLUSIVE, witnesses=(WITNESS,), why=why)
        )
    return checks


def _optional(value: object) -> str:
    return value if isinstance(value, str) else ""
