"""CallManager's log, the phones' diaries and the wire name the same connections to CallManager."""

from harness.judge.laws.law import Case, Finding, Law

_ANSWERED = frozenset({"authorized", "refused", "redirected", "garbled"})
"""The phone got an answer, so the connection stood: both others must have it."""


def find(case: Case) -> Finding:
    """A connection that one of the three has and another has not.

    A phone that could not connect, or gave up waiting, may have been seen by the others or not: a SYN that met a full
    backlog reached the wire and not the log.
    """
    finding = Finding()
    evidence = case.evidence
    place = evidence.server_places.get("callmanager")
    if place is None:
        finding.undecided = "nobody described where CallManager is"
        return finding
    asked = {
        r.text("connection"): r.phone
        for r in evidence.of("phones", "authentication.asked")
        if r.text("server") == place
    }
    answered = {
        r.text("connection"): r.phone
        for r in evidence.of("phones", "authentication.answered")
        if r.text("server") == place and r.text("answer") in _ANSWERED
    }
    asked |= answered
    log = {r.text("connection") for r in evidence.of("callmanager", "authentication.answered")}
    others = {"CallManager's log": log} if "callmanager" in case.present else {}
    if "wire" in case.present and evidence.wire.packets is not None:
        others["the wire"] = set(evidence.syns.get("callmanager", ()))
    finding.looked_at = len(asked)
    if not others:
        finding.undecided = "neither CallManager nor the wire tells of a connection"
    for name, connections in others.items():
        for connection in sorted(set(answered) - connections):
            finding.add(f"asked CallManager by {connection}, {name} has no such connection", answered[connection])
        for connection in sorted(connections - set(asked)):
            finding.add(f"{name} has a connection from {connection} that no phone's diary has")
    if "the wire" in others:
        for connection in sorted(log - others["the wire"] - set(answered)):
            finding.add(f"CallManager's log has a connection from {connection} that the wire has not")
    return finding


LAW = Law(
    name="callmanager-count-agrees",
    sentence="CallManager's log, the phones' diaries and the wire agree on every connection.",
    witnesses=("callmanager", "phones", "wire"),
    essential=("phones",),
    either=("callmanager", "wire"),
    scopes=("authentication-callmanager",),
    find=find,
)
