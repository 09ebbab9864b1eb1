"""A gateway tries a phone a few times, and never again what was executed."""

from collections.abc import Sequence
from typing import Final

from harness.judge.diaries import PushDiary
from harness.judge.laws.law import Case, Finding, Law

ATTEMPTS: Final = 3
"""Most pushes of one action to one phone (faults reference, M24)."""


def find(case: Case) -> Finding:
    """Too many pushes to a phone, or one more after it had executed."""
    finding = Finding()
    for row in case.rows:
        story = row.story
        for action, attempts, seen in (
            ("start", story.start_attempts, story.starts),
            ("stop", story.stop_attempts, story.stops),
        ):
            finding.looked_at += 1
            count = max(len(attempts), len(seen))
            if count > ATTEMPTS:
                finding.add(f"{count} {action} pushes, at most {ATTEMPTS} are allowed", row.phone.name)
            elif action == "start" and _again(seen):
                finding.add("was pushed to again after it had executed", row.phone.name)
    return finding


def _again(seen: Sequence[PushDiary]) -> bool:
    executed = [push.executed.t_ns for push in seen if push.executed is not None]
    return (
        bool(executed)
        and any(
            push.received is not None and push.received.t_ns > min(executed) and push.executed is None for push in seen
        )
    ) or len(executed) > 1


LAW = Law(
    name="attempts-bounded",
    sentence=f"No phone was pushed to more than {ATTEMPTS} times for one action, nor again after it executed.",
    witnesses=("gateway", "phones"),
    essential=("phones",),
    find=find,
)
