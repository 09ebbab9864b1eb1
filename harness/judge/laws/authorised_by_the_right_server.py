"""The page's pushes are answered where the authentication URL points, other applications' by CallManager."""

from harness.judge.diaries import PushDiary
from harness.judge.evidence import Evidence, place_of
from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """A question that went to another server, or an authorisation that came from one."""
    finding = Finding()
    evidence = case.evidence
    if not evidence.servers:
        finding.undecided = "nobody described where the authentication servers are"
        return finding
    first = place_of(evidence, evidence.scenario.fleet.authentication_url)
    callmanager = evidence.server_places.get("callmanager", "")
    mismatch = evidence.scenario.gateway.push_password == "wrong"  # noqa: S105 - a setting's word, no password
    relays = (
        first == evidence.server_places.get("gateway") and evidence.scenario.gateway.own_user_mismatch == "redirect"
    )
    page = {first, callmanager} if mismatch and relays else {first}
    for phone, story in case.fleet():
        for name, push in story.pushes.items():
            own = name in story.page_pushes
            finding.looked_at += 1
            allowed = page if own else {first, callmanager}
            for why in _wrong(evidence, push, allowed, first, by=None if own else callmanager):
                finding.add(why, phone.name)
    return finding


def _wrong(evidence: Evidence, push: PushDiary, allowed: set[str], first: str, *, by: str | None) -> list[str]:
    def name(place: str) -> str:
        return evidence.servers.get(place, place or "nobody")

    found = []
    for asked in push.asked:
        server = asked.text("server")
        if server not in allowed:
            found.append(f"asked {name(server)}, expected {' or '.join(sorted(name(a) for a in allowed))}")
        elif asked.whole("hop") > 0 and by is None and allowed == {first}:
            found.append(f"was sent on to {name(server)}, which had been asked and had to decide")
        elif asked.whole("hop") == 0 and server != first:
            found.append(f"asked {name(server)} first, its authentication URL is on {name(first)}")
    if push.executed is not None:
        server = push.executed.text("authorised_by")
        if (by is not None and server != by) or server not in allowed:
            found.append(f"authorised by {name(server)}, expected {name(by or first)}")
    return found[:1]


LAW = Law(
    name="authorised-by-the-right-server",
    sentence="Each question went to the server of the authentication URL, and on from there only where it had to.",
    witnesses=("phones",),
    essential=("phones",),
    find=find,
)
