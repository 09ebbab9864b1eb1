"""Every phone that was made to listen is made to stop."""

from harness.judge.end_states import Rival
from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """A phone that executed the start and was still listening when the run ended."""
    finding = Finding()
    for row in case.rows:
        if row.sending.page is None:
            continue
        started = [push.executed.t_ns for push in row.story.starts if push.executed is not None]
        if not started:
            continue
        finding.looked_at += 1
        # What another page's push ended is this one's end only where that page took the phone from it.
        own = row.story.page_pushes if len(case.sendings) > 1 and row.rival is Rival.NONE else None
        stops = [r.t_ns for r in row.story.stopped if r.text("reason") == "push" and (own is None or r.push in own)]
        stops += [push.executed.t_ns for push in row.story.stops if push.executed is not None]
        if not any(stop >= max(started) for stop in stops):
            finding.add("was left listening", row.phone.name)
    return finding


LAW = Law(
    name="every-start-stopped",
    sentence="Every phone that began to listen was stopped by a push.",
    witnesses=("phones",),
    essential=("phones",),
    audio=True,
    find=find,
)
