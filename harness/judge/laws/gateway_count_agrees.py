"""The gateway's log and the phones' diaries name the same questions, answered in the same way."""

from collections import Counter
from typing import Final

from harness.judge.laws.law import Case, Finding, Law

_READ: Final = ("authorized", "redirected")
"""Answers that a phone cannot take for another: its log must have the very word."""


def find(case: Case) -> Finding:
    """A question that one of the two has and the other has not, or another answer than the phone got.

    A phone that gave up waiting may be in the log or not. What it was told otherwise than the log's `authorized` is
    the business of `executed-only-when-authorised`.
    """
    finding = Finding()
    evidence = case.evidence
    place = evidence.server_places.get("gateway")
    if place is None:
        finding.undecided = "nobody described where the gateway answers"
        return finding
    asked: Counter[str] = Counter()
    phone_of: dict[str, str] = {}
    for record in evidence.of("phones", "authentication.asked"):
        if record.text("server") == place:
            asked[record.text("connection")] += 1
            phone_of[record.text("connection")] = record.phone
    answers = {
        r.text("connection"): r for r in evidence.of("phones", "authentication.answered") if r.text("server") == place
    }
    log = evidence.of("gateway", "authentication.answered")
    told = Counter(record.text("connection") for record in log)
    finding.looked_at = len(asked)
    for connection, count in told.items():
        if count > asked[connection]:
            whose = phone_of.get(connection, "")
            finding.add(f"answered {connection} {count} times by its log, asked {asked[connection]} times", whose)
    for record in log:
        connection = record.text("connection")
        whose, word = phone_of.get(connection, ""), record.text("answer")
        if whose and record.phone and record.phone != whose:
            finding.add(f"asked by {connection}, the gateway's log says that {record.phone} did", whose)
        got = answers.get(connection)
        if got is not None and got.text("answer") in _READ and word != got.text("answer"):
            finding.add(f"was told {got.text('answer')} by {connection}, the gateway's log says {word}", whose)
    for connection, got in answers.items():
        if got.text("answer") in _READ and not told[connection]:
            why = f"was told {got.text('answer')} by {connection}, the gateway's log has no such question"
            finding.add(why, got.phone)
    return finding


LAW = Law(
    name="gateway-count-agrees",
    sentence="The gateway's log and the phones' diaries agree on every question that it answered.",
    witnesses=("gateway", "phones"),
    essential=("gateway", "phones"),
    find=find,
)
