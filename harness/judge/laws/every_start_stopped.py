"""Every phone that was made to listen is made to stop."""

from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """A phone that executed the start and was still listening when the run ended."""
    finding = Finding()
    for row in case.rows:
        started = [push.executed.t_ns for push in row.story.starts if push.executed is not None]
        if not started:
            continue
        finding.looked_at += 1
        stops = [r.t_ns for r in row.story.stopped if r.text("reason") == "push"]
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
