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
    # By the gateway's word alone nobody is away: a phone whose web server is on, and that has no fault, was there.
    known_away = {
        record.phone
        for record in case.evidence.of("gateway", "inventory.read")
        if record.text("outcome") in ("unreachable", "timed_out", "garbled")
    }
    for row in case.rows:
        if not row.told or row.story.start_attempts or row.story.starts or row.state is not EndState.UNREACHABLE:
            continue
        if row.phone.name not in known_away:
            finding.add("the gateway never tried to push to it", row.phone.name)
        elif row.phone.web_access and row.phone.name not in case.evidence.excused:
            finding.add("the gateway never tried to push to it: it held it for away, which it was not", row.phone.name)
    return finding


LAW = Law(
    name="every-phone-one-end-state",
    sentence="Every phone of the fleet has exactly one end state, and the gateway tried every one.",
    witnesses=("gateway", "phones"),
    essential=(),
    find=find,
)
