"""Every phone of the fleet ends in exactly one state, and none was forgotten."""

from collections import Counter

from harness.judge.end_states import EndState
from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """A phone without a row, with two, unknown to the roster, or never tried."""
    finding = Finding(looked_at=len(case.rows))
    counts = Counter(row.phone.name for row in case.rows)
    for name in case.evidence.roster:
        if counts[name] != 1:
            finding.add(f"{counts[name]} end states", name)
    for name in case.stories:
        if name not in case.evidence.roster:
            finding.add("records name it, the roster does not", name)
    if sum(Counter(row.state for row in case.rows).values()) != case.evidence.scenario.fleet.phones:
        finding.add(f"{len(case.rows)} end states for a fleet of {case.evidence.scenario.fleet.phones}")
    known_away = {
        record.phone
        for record in case.evidence.of("gateway", "inventory.read")
        if record.text("outcome") in ("unreachable", "timed_out", "garbled")
    }
    for row in case.rows:
        tried = row.story.start_attempts or row.story.starts
        if row.told and not tried and row.state is EndState.UNREACHABLE and row.phone.name not in known_away:
            finding.add("the gateway never tried to push to it", row.phone.name)
    return finding


LAW = Law(
    name="every-phone-one-end-state",
    sentence="Every phone of the fleet has exactly one end state, and the gateway tried every one.",
    witnesses=("gateway", "phones"),
    essential=(),
    find=find,
)
