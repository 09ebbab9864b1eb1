"""Go or no go, and the list of what to do. No I/O."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from harness.preflight.checks import BY_NAME, filled
from harness.preflight.finding import Result

Decision = Literal["go", "no-go", "inconclusive"]
EXIT_CODES: Final[dict[Decision, int]] = {"go": 0, "no-go": 1, "inconclusive": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One line of the list: what is to be done, for whom."""

    check: str
    cause: str
    stops: bool
    do: str
    means: str
    fix: str
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What could not be checked, by check and reason."""

    check: str
    why: str
    needed: bool
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that came of a preflight."""

    decision: Decision
    phones: int
    results: tuple[Result, ...]
    tasks: tuple[Task, ...]
    """Faults before remarks; those about whole sites first, then by the number of phones."""
    open: tuple[Open, ...]
    """Needed ones first."""

    @property
    def exit_code(self) -> int:
        """0 go, 1 no go, 3 inconclusive."""
        return EXIT_CODES[self.decision]

    @property
    def counts(self) -> dict[str, int]:
        """Results by word."""
        found = Counter(result.word for result in self.results)
        return {word: found.get(word, 0) for word in ("ok", "fault", "remark", "not-checked")}


def conclude(results: Sequence[Result], phones: int) -> Outcome:
    """A fault is a no-go; without one, whatever had to be checked and was not makes it inconclusive."""
    open_points = _open(results)
    decision: Decision = "go"
    if any(result.word == "fault" for result in results):
        decision = "no-go"
    elif not phones or any(point.needed for point in open_points):
        decision = "inconclusive"
    return Outcome(
        decision=decision, phones=phones, results=tuple(results), tasks=_tasks(results), open=open_points
    )


def _tasks(results: Sequence[Result]) -> tuple[Task, ...]:
    groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Result]] = {}
    for result in results:
        if result.word in {"fault", "remark"}:
            groups.setdefault((result.check, result.cause, result.values), []).append(result)
    tasks = [_task(found) for found in groups.values()]
    order = {name: place for place, name in enumerate(BY_NAME)}
    return tuple(
        sorted(
            tasks,
            key=lambda task: (
                not task.stops,
                BY_NAME[task.check].about == "phone",
                -len(task.results),
                order[task.check],
            ),
        )
    )


def _task(results: Sequence[Result]) -> Task:
    first = results[0]
    check = BY_NAME[first.check]
    cause = check.cause(first.cause)
    values = dict(first.values) | {"these": these(len(results))}
    return Task(
        check=first.check,
        cause=first.cause,
        stops=cause.stops,
        do=filled(cause.do, values),
        means=filled(cause.means, values),
        fix=filled(cause.fix, values),
        results=tuple(results),
    )


def these(count: int) -> str:
    """`this phone`, or `these 12 phones`."""
    return "this phone" if count == 1 else f"these {count:,} phones"


def _open(results: Sequence[Result]) -> tuple[Open, ...]:
    groups: dict[tuple[str, str, bool], list[Result]] = {}
    for result in results:
        if result.word == "not-checked":
            groups.setdefault((result.check, result.why, result.needed), []).append(result)
    points = [
        Open(check=check, why=why, needed=needed, results=tuple(found))
        for (check, why, needed), found in groups.items()
    ]
    return tuple(sorted(points, key=lambda point: (not point.needed, -len(point.results))))
