"""What the gateway reports of a push is what the phone did with it."""

from collections import Counter
from typing import Final

from harness.judge.diaries import Attempt, PhoneStory, PushDiary
from harness.judge.end_states import AGREES, GatewaySays, PhoneTruth
from harness.judge.evidence import host
from harness.judge.laws.law import Case, Finding, Law

UNTIMELY_MS: Final = 250.0
"""A process may be held up between doing a thing and noting the time: 150 ms measured (bench/machine_stalls.py)."""
_TOLD_BY_PHONES: Final = frozenset({"executed", "refused_authentication", "refused_busy", "refused"})
"""Outcomes that only a whole answer of the phone tells."""
_SCREENS: Final = ("displayed", "acknowledged")
_EXECUTED_ALL_THE_SAME: Final = ("too_late", "preempted")
"""Results of phones that executed the start and did not hear the page, which no push's answer tells."""


def find(case: Case) -> Finding:
    """A push that the gateway tells otherwise than the phone's diary, before it can know, or does not tell at all."""
    finding = Finding()
    told = bool(case.evidence.of("gateway", "push.sent") or case.evidence.of("gateway", "push.ended"))
    if not told:
        finding.undecided = "the gateway wrote no record of a push"
        return finding
    if case.evidence.scenario.alerts:
        _screens(case, finding)
    _pages(case, finding)
    _control(case, finding)
    for phone, story in case.fleet():
        for attempt in (*story.start_attempts, *story.stop_attempts):
            finding.looked_at += 1
            disagreement = _disagreement(attempt, story, web_access=phone.web_access)
            if disagreement:
                finding.add(disagreement, phone.name)
        for name, push in story.pushes.items():
            if push.received is not None and name not in story.page_pushes and name not in case.evidence.foreign_pushes:
                finding.add(f"it was pushed to by {name}, and nobody says so", phone.name)
    return finding


def _pages(case: Case, finding: Finding) -> None:
    """What the gateway told of each page when it was over: after everything else, and as each push had ended."""
    executed: Counter[str] = Counter()
    last_push: dict[str, int] = {}
    for _, story in case.fleet():
        pages = set()
        for attempt in (*story.start_attempts, *story.stop_attempts):
            for record in (attempt.sent, attempt.ended):
                if record is not None:
                    page = record.text("page")
                    last_push[page] = max(last_push.get(page, 0), record.t_ns)
        for attempt in story.start_attempts:
            if attempt.ended is not None and attempt.ended.text("outcome") == GatewaySays.EXECUTED:
                pages.add(attempt.ended.text("page"))
        executed.update(pages)
    phones = {record.text("page"): record.whole("phones") for record in case.evidence.of("gateway", "page.started")}
    for record in case.evidence.of("gateway", "page.ended"):
        finding.looked_at += 1
        page = record.text("page")
        if last_push.get(page, 0) > record.t_ns:
            finding.add(f"page {page} was told to have ended, and pushes followed")
        given = record.fields.get("outcomes")
        if not isinstance(given, dict):
            continue  # a gateway that sums nothing up
        outcomes = {str(word): count for word, count in given.items() if isinstance(count, int)}
        told = outcomes.get(GatewaySays.EXECUTED.value, 0)
        elsewhere = sum(outcomes.get(word, 0) for word in _EXECUTED_ALL_THE_SAME)
        if not executed[page] - elsewhere <= told <= executed[page]:
            finding.add(f"page {page} ended with {told} phones that executed, of their pushes {executed[page]} did")
        if page in phones and sum(outcomes.values()) != phones[page]:
            finding.add(f"page {page} to {phones[page]} phones ended with {sum(outcomes.values())} outcomes")


def _control(case: Case, finding: Finding) -> None:
    """The control phone is nobody's but the harness's."""
    control = case.evidence.control
    if control is None:
        return
    for record in case.evidence.records.of("phones", "push.received"):
        own = host(record.push) == case.evidence.gateway_address
        if record.phone == control.name and own and record.push not in case.evidence.foreign_pushes:
            finding.add(f"the control phone was pushed to by {record.push}, and it is in no page")


def _screens(case: Case, finding: Finding) -> None:
    """Who fetched the alert and who answered, by the gateway's word and by the phones' diaries.

    A phone that fetched and shows something else, or an error, had no alert whatever the gateway gave it.
    """
    told = {
        kind: {(r.text("alert"), r.phone) for r in case.evidence.of("gateway", f"alert.{kind}")} for kind in _SCREENS
    }
    by_number = len([sending for sending in case.sendings if sending.alert]) > 1
    for row in case.rows:
        if row.sending.alert is None:
            continue
        seen = {"displayed": row.displayed_ms is not None, "acknowledged": row.acknowledged_ms is not None}
        for kind in _SCREENS:
            finding.looked_at += 1
            says = any(
                phone == row.phone.name and (not by_number or number == row.sending.number)
                for number, phone in told[kind]
            )
            if says != seen[kind]:
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
        return "" if push is None else _untimely(attempt, push)
    return f"the gateway says {says.value}, the phone's diary {truth.value.replace('_', ' ')}"


def _untimely(attempt: Attempt, push: PushDiary) -> str:
    """What was told before it could be known, or as quicker than it was. Both note CLOCK_MONOTONIC.

    A phone answers a push when it has been told whether that is genuine, so nobody knows its answer before.
    """
    if attempt.sent is not None and push.received is not None:
        late_ms = (attempt.sent.t_ns - push.received.t_ns) / 1e6
        if late_ms > UNTIMELY_MS:
            return f"the gateway says that it sent push {attempt.push} {late_ms:.0f} ms after the phone had it"
    ended = attempt.ended
    if ended is None or ended.text("outcome") not in _TOLD_BY_PHONES or not push.answered or push.answered_first:
        return ""
    known_ns = push.answered[-1].t_ns
    if ended.t_ns < known_ns:
        early_ms = (known_ns - ended.t_ns) / 1e6
        return f"the gateway told the end of push {attempt.push} {early_ms:.1f} ms before its phone could answer"
    answer_ms = ended.number("answer_ms")
    if answer_ms is not None and push.received is not None:
        least_ms = (known_ns - push.received.t_ns) / 1e6
        if answer_ms + UNTIMELY_MS < least_ms:
            return f"the gateway says {answer_ms:.0f} ms for an answer that its phone took {least_ms:.0f} ms for"
    return ""


LAW = Law(
    name="gateway-agrees-with-phones",
    sentence="Each push ended as the gateway says, by the phone's own diary.",
    witnesses=("gateway", "phones"),
    essential=("gateway", "phones"),
    find=find,
)
