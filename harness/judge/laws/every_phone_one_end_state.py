"""Every phone ends in exactly one state of each page that it is to get, and none was forgotten."""

from collections import Counter

from harness.judge.end_states import EndState
from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """A phone without a row, with two, unknown to the roster, or never tried."""
    finding = Finding(looked_at=len(case.rows))
    counts = Counter((row.sending.name, row.phone.name) for row in case.rows)
    asked = [sending for sending in case.sendings if sending.asked]
    for sending in asked:
        for name in sending.phones:
            if counts[sending.name, name] != 1:
                finding.add(f"{counts[sending.name, name]} end states", name)
    for name in case.stories:
        if name not in case.evidence.roster:
            finding.add("records name it, the roster does not", name)
    deliveries = sum(sending.size for sending in asked)
    if sum(Counter(row.state for row in case.rows).values()) != deliveries:
        whom = "a fleet of" if len(case.sendings) == 1 else "pages and alerts to"
        finding.add(f"{len(case.rows)} end states for {whom} {deliveries}")
    known_away = {
        record.phone
        for record in case.evidence.of("gateway", "inventory.read")
        if record.text("outcome") in ("unreachable", "timed_out", "garbled")
    }
    for row in case.rows:
        tried = row.story.start_attempts or row.story.starts
        left_out = row.phone.name in known_away or row.sending.dropped is not None
        if row.told and not tried and row.state is EndState.UNREACHABLE and not left_out:
            which = f" for {row.sending.name}" if len(case.sendings) > 1 else ""
            finding.add(f"the gateway never tried to push to it{which}", row.phone.name)
    return finding


LAW = Law(
    name="every-phone-one-end-state",
    sentence="Every phone has exactly one end state of each page for it, and the gateway tried every one.",
    witnesses=("gateway", "phones"),
    essential=(),
    find=find,
)
