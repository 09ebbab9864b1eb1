"""`pushlab run --json`: what a run does as JSON lines on standard output, for other programs.

The lines are described in docs/reference/event-stream.md. Each is written and flushed by itself; a reader that goes
away changes nothing about the run.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.run_folder import REPORT, VERDICT
from harness.screen import say

SCHEMA: Final = 1
COUNTERS_S: Final = 1.0
"""Between two lines of counters: parts tell theirs four times a second, and nobody stores that much."""
MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "session.started": ("schema", "scenarios"),
    "run.started": ("scenario", "seed", "phones", "ground", "folder"),
    "run.stage": ("scenario", "stage"),
    "run.counters": ("scenario", "counters"),
    "run.notice": ("scenario", "text"),
    "run.ended": (
        "scenario",
        "exit_code",
        "verdict",
        "as_expected",
        "unexpected",
        "outcomes",
        "blind",
        "folder",
        "report",
        "error",
    ),
    "session.ended": ("exit_code", "suite"),
}
"""Members of each event beside `event` and `t_s`."""


class EventStream:
    """The stream of one session; it is the display of its runs, too (`harness.bed.setup.Display`)."""

    def __init__(self, write: Callable[[str], None] = say, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin a stream; its `t_s` counts from here.

        Args:
            write: takes a line without its end.
            clock: seconds that only go forward.
        """
        self._write = write
        self._clock = clock
        self._zero = clock()
        self._scenario = ""
        self._counters: dict[str, dict[str, float]] = {}
        self._counted_at: float | None = None

    def session_started(self, scenarios: Sequence[str]) -> None:
        """Say what is going to be run."""
        self._tell("session.started", schema=SCHEMA, scenarios=list(scenarios))

    def session_ended(self, exit_code: int, suite: Path | None = None) -> None:
        """Say the last line: the command's exit code, and the folder of the merged result of several scenarios."""
        self._tell("session.ended", exit_code=exit_code, suite=None if suite is None else str(suite.absolute()))

    def run_started(self, *, scenario: str, seed: int, phones: int, ground: str, folder: Path) -> None:
        """Say that a run begins."""
        self._scenario = scenario
        self._counters, self._counted_at = {}, None
        self._tell(
            "run.started", scenario=scenario, seed=seed, phones=phones, ground=ground, folder=str(folder.absolute())
        )

    def run_ended(self, scenario: str, exit_code: int, folder: Path | None, why: str) -> None:
        """Say how a run ended, with its verdict where it was judged; also of one that could not begin."""
        verdict = _verdict(folder)
        self._tell(
            "run.ended",
            scenario=scenario,
            exit_code=exit_code,
            **{name: verdict.get(name) for name in ("verdict", "as_expected", "unexpected", "outcomes", "blind")},
            folder=None if folder is None else str(folder.absolute()),
            report=str((folder / REPORT).absolute()) if folder is not None and verdict else None,
            error=why or None,
        )

    def stage(self, text: str, *, ends_at: float | None = None, later_s: float = 0.0) -> None:
        """Say what the run does now, in words for people."""
        del ends_at, later_s  # a promise to people; programs have their own deadlines and clocks
        self._tell("run.stage", scenario=self._scenario, stage=text)

    def update(self, part: str, counters: Mapping[str, float], now: float) -> None:
        """Take a part's counters; those of all parts are told once a second of `now`."""
        self._counters[part] = dict(counters)
        if self._counted_at is None:
            self._counted_at = now
        if now - self._counted_at >= COUNTERS_S:
            self._counted_at = now
            self._tell("run.counters", scenario=self._scenario, counters=self._counters)

    def notice(self, text: str) -> None:
        """Say what happened beside the stages: a part that ended by itself."""
        self._tell("run.notice", scenario=self._scenario, text=text)

    def _tell(self, event: str, **members: object) -> None:
        assert tuple(members) == MEMBERS[event], f"{event} has other members than documented"
        self._write(json.dumps({"event": event, "t_s": round(self._clock() - self._zero, 3), **members}))


def _verdict(folder: Path | None) -> Mapping[str, object]:
    """The content of verdict.json; empty where the run was not judged."""
    if folder is None or not (folder / VERDICT).is_file():
        return {}
    found: Mapping[str, object] = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    return found
