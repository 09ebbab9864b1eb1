"""What the gateway reports of a push is what the phone did with it."""

from typing import Final

from harness.judge.diaries import Attempt, PhoneStory
from harness.judge.end_states import AGREES, GatewaySays, PhoneTruth
from harness.judge.laws.law import Case, Finding, Law

_SCREENS: Final = ("displayed", "acknowledged")


def find(case: Case) -> Finding:
    """A push that the gateway tells otherwise than the phone's diary, or does not tell at all."""
    finding = Finding()
    told = bool(case.evidence.of("gateway", "push.sent") or case.evidence.of("gateway", "push.ended"))
    if not told:
        finding.undecided = "the gateway wrote no record of a push"
        return finding
    if case.evidence.scenario.alerts:
        _screens(case, finding)
    for row in case.rows:
        for attempt in (*row.story.start_attempts, *row.story.stop_attempts):
            finding.looked_at += 1
            disagreement = _disagreement(attempt, row.story, web_access=row.phone.web_access)
            if disagreement:
                finding.add(disagreement, row.phone.name)
        for name, push in row.story.pushes.items():
            if (
                push.received is not None
                and name not in row.story.page_pushes
                and name not in case.evidence.foreign_pushes
            ):
                finding.add(f"it was pushed to by {name}, and nobody says so", row.phone.name)
    return finding


def _screens(case: Case, finding: Finding) -> None:
    """Who fetched the alert and who answered, by the gateway's word and by the phones' diaries.

    A phone that fetched and shows something else, or an error, had no alert whatever the gateway gave it.
    """
    told = {kind: {r.phone for r in case.evidence.of("gateway", f"alert.{kind}")} for kind in _SCREENS}
    for row in case.rows:
        seen = {"displayed": row.displayed_ms is not None, "acknowledged": row.acknowledged_ms is not None}
        for kind in _SCREENS:
            finding.looked_at += 1
            if (row.phone.name in told[kind]) != seen[kind]:
                who, other = ("its diary", "the gateway") if seen[kind] else ("the gateway", "its diary")
                finding.add(f"{who} says {kind}, {other} does not", row.phone.name)


def _disagreement(attempt: Attempt, story: PhoneStory, *, web_access: bool) -> str:
    if attempt.ended is None:
        return f"the gateway sent push {attempt.push} and never told its end"
    word = attempt.ended.text("outcome")
    try:
        says = GatewaySays(word)
    except ValueError:
        return f"the gateway tells an outcome that is none: {word}"
    push = story.pushes.get(attempt.push) if attempt.push else None
    truth = push.truth if push is not None else PhoneTruth.NOT_SEEN
    if truth is PhoneTruth.NOT_SEEN and not web_access:
        truth = PhoneTruth.WEB_ACCESS_OFF
    if truth in AGREES[says]:
        return ""
    return f"the gateway says {says.value}, the phone's diary {truth.value.replace('_', ' ')}"


LAW = Law(
    name="gateway-agrees-with-phones",
    sentence="Each push ended as the gateway says, by the phone's own diary.",
    witnesses=("gateway", "phones"),
    essential=("gateway", "phones"),
    find=find,
)
