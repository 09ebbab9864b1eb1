"""Each page goes to its own phones, and takes one from another page only where it may."""

from harness.judge.end_states import Rival
from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """A page at a phone that it is not for, a page that nobody asked for, a phone taken against the rules."""
    finding = Finding()
    for row in case.rows:
        finding.looked_at += 1
        if row.rival is Rival.ROBBED:
            finding.add(
                f"{row.rival_name} took it from {row.sending.name}, which had not to give it up", row.phone.name
            )
    meant: dict[str, set[str]] = {name: set() for name in case.stories}
    for row in case.rows:
        meant[row.phone.name] |= {name for name in row.story.page_pushes if name in row.story.pushes}
    for phone, story in case.fleet():
        for push in story.starts:
            if push.name not in meant[phone.name] and push.received is not None:
                finding.add("was told to listen by a page that is not for it", phone.name)
    if len(case.sendings) > 1:
        _streams(case, finding)
        _unasked(case, finding)
    return finding


def _streams(case: Case, finding: Finding) -> None:
    """Audio of one page that its sender sent to a phone of another."""
    by_number = {sending.number: sending for sending in case.sendings if sending.page and sending.number}
    for record in case.evidence.of("gateway", "stream.started"):
        sending = by_number.get(record.text("page"))
        if sending is not None and record.phone and record.phone not in sending.addressed:
            finding.add(f"was sent the audio of {sending.name}, which is not for it", record.phone)


def _unasked(case: Case, finding: Finding) -> None:
    """A page that the gateway tells and nobody asked for."""
    numbers = {sending.number for sending in case.sendings if sending.page and sending.number}
    if not numbers:
        return
    for record in case.evidence.of("gateway", "page.started"):
        if record.text("page") not in numbers:
            finding.add(f"the gateway began page {record.text('page')}, which nobody asked for")


LAW = Law(
    name="pages-kept-apart",
    sentence="Every page went to its own phones alone, and took none from another page where it may not.",
    witnesses=("gateway", "phones"),
    essential=("phones",),
    find=find,
)
