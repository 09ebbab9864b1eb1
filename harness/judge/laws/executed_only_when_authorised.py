"""A phone executes a push only when a server authorised it, and that server says so too."""

from typing import Final

from harness.judge.diaries import PushDiary
from harness.judge.laws.law import Case, Finding, Law

_READ: Final = frozenset({"refused", "redirected", "garbled"})
"""Whole answers that are not the one that the server's log has."""


def find(case: Case) -> Finding:
    """A push executed without a question, against the answer, or on an answer that its server never gave."""
    finding = Finding()
    evidence = case.evidence
    authorised: dict[str, set[str]] = {
        witness: {
            r.text("connection")
            for r in evidence.records.of(witness, "authentication.answered")
            if r.text("answer") == "authorized"
        }
        for witness in ("gateway", "callmanager")
        if witness in case.present
    }
    for phone, story in case.fleet():
        for push in story.pushes.values():
            for answer in push.answered:
                server = evidence.servers.get(answer.text("server"), "")
                word = answer.text("answer")
                if word in _READ and answer.text("connection") in authorised.get(server, ()):
                    finding.add(f"was told {word} by {server}, whose log says authorized", phone.name)
            if push.answered_first:
                finding.add("answered a push before it was told whether it was genuine", phone.name)
            if push.executed is None:
                continue
            finding.looked_at += 1
            why = _wrong(push)
            if why:
                finding.add(why, phone.name)
                continue
            for answer in push.answered:
                server = evidence.servers.get(answer.text("server"), "")
                if answer.text("answer") != "authorized" or server not in authorised:
                    continue
                if answer.text("connection") not in authorised[server]:
                    finding.add(f"it was authorised by {server}, whose log has no such answer", phone.name)
    return finding


def _wrong(push: PushDiary) -> str:
    assert push.executed is not None
    if not push.answered:
        return "executed a push without asking" if not push.asked else "executed a push without an answer"
    granted = [a for a in push.answered if a.text("answer") == "authorized" and a.t_ns <= push.executed.t_ns]
    if not granted:
        return f"executed a push that was answered {push.answered[-1].text('answer')}"
    by = push.executed.text("authorised_by")
    if by not in {answer.text("server") for answer in granted}:
        return f"executed a push as authorised by {by or 'nobody'}, who did not say so"
    return ""


LAW = Law(
    name="executed-only-when-authorised",
    sentence="Every push that was executed had been authorised, by the phone's diary and the server's log.",
    witnesses=("phones", "gateway", "callmanager"),
    essential=("phones",),
    find=find,
)
