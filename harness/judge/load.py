"""Whether a load was the one that the scenario asks for, and its figures."""

from collections.abc import Sequence

from harness.judge.evidence import Evidence
from harness.judge.sendings import Sending
from harness.judge.verdict import Check, Kind, Verdict


def load_figures(evidence: Evidence, items: Sequence[Sending]) -> dict[str, float | int]:
    """`load.*`; none of a run without a load."""
    load = evidence.scenario.load
    if not load.open:
        return {}
    pages = [item for item in items if item.page]
    late = [item for item in pages if (late_ms := _late_ms(item)) is not None and late_ms > load.late_ms]
    return {
        "load.pages_planned": len(pages),
        "load.pages_started": sum(item.requested is not None and item.dropped is None for item in pages),
        "load.pages_late": len(late),
        "load.pages_dropped": sum(item.dropped is not None for item in pages),
    }


def _late_ms(item: Sending) -> float | None:
    if item.requested is None:
        return None
    return (item.requested.t_ns - item.requested.whole("planned_t_ns", item.requested.t_ns)) / 1e6


def load_as_planned(evidence: Evidence, items: Sequence[Sending]) -> list[Check]:
    """A page that was left out is no page that went well: a load with holes is not the one that was asked for.

    Where the generator came too late, nothing is known. Where the phones of an earlier page were not free in time, or
    the gateway refused, it could not bear the load.
    """
    if not evidence.scenario.load.open:
        return []
    pages = [item for item in items if item.page]
    dropped = [(item.name, item.dropped) for item in pages if item.dropped is not None]
    never = [item.name for item in pages if item.dropped is None and item.requested is None]
    by = {record.text("by") for _, record in dropped}
    verdict = Verdict.PASS
    if by - {"generator"}:
        verdict = Verdict.FAIL
    elif dropped or never:
        verdict = Verdict.INCONCLUSIVE
    told = [f"{name}: {record.text('why')}" for name, record in dropped] + [f"{name}: never begun" for name in never]
    more = len(told) - 3
    why = "; ".join(told[:3]) + (f"; and {more} more" if more > 0 else "")
    return [
        Check(
            name="load-as-planned",
            kind=Kind.CONTROL,
            verdict=verdict,
            observed=len(pages) - len(told),
            witnesses=("harness",),
            why=why or f"all {len(pages)} pages began",
        )
    ]
