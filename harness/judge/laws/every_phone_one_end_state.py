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
    # By the gateway's word alone nobody is away: a phone whose web server is on, and that has no fault, was there.
    known_away = {
        record.phone
        for record in case.evidence.of("gateway", "inventory.read")
        if record.text("outcome") in ("unreachable", "timed_out", "garbled")
    }
    for row in case.rows:
        if not row.told or row.story.start_attempts or row.story.starts or row.state is not EndState.UNREACHABLE:
            continue
        if row.sending.dropped is not None:
            continue  # the gateway said that it did not take the page
        which = f" for {row.sending.name}" if len(case.sendings) > 1 else ""
        if row.phone.name not in known_away:
            finding.add(f"the gateway never tried to push to it{which}", row.phone.name)
        elif row.phone.web_access and row.phone.name not in case.evidence.excused:
            why = f"the gateway never tried to push to it{which}: it held it for away, which it was not"
            finding.add(why, row.phone.name)
    return finding


LAW = Law(
    name="every-phone-one-end-state",
    sentence="Every phone has exactly one end state of each page for it, and the gateway tried every one.",
    witnesses=("gateway", "phones"),
    essential=(),
    find=find,
)
