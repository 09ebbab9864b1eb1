"""One run of the search: a scenario with one value changed, in a process of its own, and what it came to."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.capacity.search import Answer
from harness.run_folder import VERDICT

LIMIT_S: Final = 1800.0
"""A run that takes half an hour is no step of a search; each has shorter limits of its own."""
INVALID_CODE: Final = 4
"""Exit code of a scenario that contradicts itself: one that was valid before its value was changed cannot have that
value, such as a rate at which no group of phones is free again in time."""
BED_CODES: Final = frozenset({5, 6})
"""Exit codes of a bed that could not start or could not be judged (docs/reference/exit-codes.md)."""


class TrialError(Exception):
    """A run left no verdict. Not: one that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What is searched.

    Attributes:
        name: as people say it.
        unit: of one, for people: `phone`.
        key: the scenario's.
        step: a whole number of the search is this much of the key's value.
    """

    name: str
    unit: str
    key: str
    step: float = 1.0

    @property
    def plural(self) -> str:
        """The unit of several: `phones`, `pages a second`."""
        first, _, rest = self.unit.partition(" ")
        return f"{first}s {rest}".rstrip()

    def text(self, value: int) -> str:
        """The key's value."""
        return f"{value * self.step:.12g}"

    def settings(self, value: int) -> list[str]:
        """`KEY=VALUE` of what a run is given."""
        return [f"{self.key}={self.text(value)}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run.

    Attributes:
        value: a whole number of the search.
        why: the first check that did not pass, or what was blind; empty where all held.
        gave_way: names of the thresholds and laws that failed.
        folder: of the run; None where the bed could not start.
        outcomes: end state → phones.
    """

    value: int
    seed: int
    answer: Answer
    verdict: str
    why: str
    gave_way: tuple[str, ...]
    metrics: Mapping[str, float]
    outcomes: Mapping[str, int]
    folder: Path | None


def run_trial(scenario: str, axis: Axis, value: int, *, seed: int, out: Path, options: Sequence[str]) -> Trial:
    """Run the scenario once.

    Args:
        scenario: a name or a file.
        axis: what is changed.
        value: to what.
        seed: of this run.
        out: where its folder goes.
        options: further arguments of `pushlab run`.

    Raises:
        TrialError: the run ended without a verdict, for a reason that another value would not change.
    """
    settings = [word for setting in axis.settings(value) for word in ("--set", setting)]
    command = [sys.executable, "-P", "-m", "harness.cli", "run", scenario, "--quiet", "--seed", str(seed)]
    command += ["--out", str(out), *options, *settings]
    latest = out / "latest"
    latest.unlink(missing_ok=True)  # what an earlier run left is not this one's
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, check=False, env=os.environ, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise TrialError(f"a run did not end within {LIMIT_S:g} s and was stopped") from None
    said = ended.stderr.strip().splitlines()
    file = latest / VERDICT
    if not file.is_file():
        if ended.returncode == INVALID_CODE and said:
            return _trial(value, seed, Answer.BREAKS, "none", why=said[0])
        if ended.returncode in BED_CODES:
            why = f"the bed could not start: {said[0] if said else 'it did not say why'}"
            return _trial(value, seed, Answer.UNKNOWN, "error", why=why)
        raise TrialError("\n".join(said[-20:]) or f"a run ended with exit code {ended.returncode} and said nothing")
    return read_trial(value, seed, latest.resolve())


def read_trial(value: int, seed: int, folder: Path) -> Trial:
    """What a judged run came to. `fail` breaks, whatever its scenario expects; what is not pass or fail is unknown."""
    found = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    word = str(found["verdict"])
    answer = {"pass": Answer.HOLDS, "fail": Answer.BREAKS}.get(word, Answer.UNKNOWN)
    worse = [check for check in found["checks"] if check["verdict"] == word] if word != "pass" else []
    blind = [f"{one['witness']} is blind: {one['why']}" for one in found["blind"]] if word != "fail" else []
    named = [f"{check['name']}: {check['why']}" for check in worse]
    return _trial(
        value,
        seed,
        answer,
        word,
        why=next(iter([*blind, *named]), ""),
        gave_way=tuple(check["name"] for check in worse) if word == "fail" else (),
        metrics=found["metrics"],
        outcomes=found["outcomes"],
        folder=folder,
    )


def _trial(
    value: int,
    seed: int,
    answer: Answer,
    verdict: str,
    *,
    why: str,
    gave_way: tuple[str, ...] = (),
    metrics: Mapping[str, float] | None = None,
    outcomes: Mapping[str, int] | None = None,
    folder: Path | None = None,
) -> Trial:
    return Trial(
        value=value,
        seed=seed,
        answer=answer,
        verdict=verdict,
        why=why,
        gave_way=gave_way,
        metrics=metrics or {},
        outcomes=outcomes or {},
        folder=folder,
    )
