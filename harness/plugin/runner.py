"""Runs of the bed as tests call them: `pushlab_run`, `pushlab_lab`, and what a test said of them."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from harness.net import namespace
from harness.plugin import wishes
from harness.plugin.keeping import PROPERTY, RUNS
from harness.plugin.result import RunResult
from harness.plugin.running import LIMIT_S, Wish, alone_on_loopback, run
from harness.scenario.file import load
from harness.scenario.model import ScenarioError

LAB_SCENARIO: Final[Mapping[str, Any]] = {
    "schema": 1,
    "name": "lab",
    "purpose": "A gateway under test pages all phones, which ask CallManager.",
    # What only a gateway of ours could tell is left to those who saw: a foreign one writes no records.
    "witnesses": ["phones", "callmanager", "wire"],
    "fleet": {"phones": wishes.PHONES, "authentication_url": "callmanager"},
    "callmanager": {"user": [{"name": "agpush"}]},
    "gateway": {"user": "agpush"},
    "page": [{"audio": "announcement"}],
    # Not CallManager's speed is in question here: on a busy build machine it may answer later than its model says.
    "integrity": {"lateness.callmanager_model_fraction.p99": "<= 100"},
    "thresholds": {"phones.delivered_fraction": "== 1"},
}
"""What a lab is where the test names no scenario."""
_CALL: Final = ("scenario", "phones", "seed", "ground", "limit_s", "environment", "directory")

Scenario = str | Path | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Runner:
    """Runs scenarios; call it.

    Attributes:
        config: of pytest.
        out: where run folders go.
        item: the test that runs; None for runs that several tests share.
        results: where each result is put, too.
    """

    config: pytest.Config
    out: Path
    item: pytest.Item | None
    results: Callable[[RunResult], None]

    def __repr__(self) -> str:
        return f"<runs scenarios into {self.out}>"

    def __call__(
        self,
        scenario: Scenario | None = None,
        *,
        phones: int | None = None,
        seed: int | None = None,
        ground: str | None = None,
        limit_s: float = LIMIT_S,
        **settings: object,
    ) -> RunResult:
        """Run a scenario to its verdict.

        Args:
            scenario: a bundled name, a scenario file (also beside the test), or a whole scenario as nested mappings;
                default: the marker's.
            phones: how many; default: the marker's, else the scenario's.
            seed: likewise.
            ground: likewise: `auto`, `netns`, `loopback`.
            limit_s: the run is stopped when it takes longer.
            settings: keys of the scenario, `**{"gateway.concurrency": 50}`.

        Raises:
            RunError: no verdict could be reached; with what `pushlab run` says.
            pytest.UsageError: no scenario, or arguments that do not exist.
        """
        __tracebackhide__ = True
        return self.play(
            scenario, phones=phones, seed=seed, ground=ground, settings=settings, command=(), limit_s=limit_s
        )

    def play(
        self,
        scenario: Scenario | None,
        *,
        phones: int | None,
        seed: int | None,
        ground: str | None,
        settings: Mapping[str, object],
        command: Sequence[str],
        limit_s: float,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        otherwise: Scenario | None = None,
    ) -> RunResult:
        """Run with all that call, markers, options and ini file say; `otherwise` where none has a scenario."""
        __tracebackhide__ = True
        _check(settings)
        marked = {} if self.item is None else wishes.marked(self.item)
        chosen = next((each for each in (scenario, marked.get("scenario"), otherwise) if each is not None), None)
        if chosen is None:
            raise pytest.UsageError(
                'pushlab_run: no scenario; name one, pushlab_run("burst-offload"), or mark the test: '
                '@pytest.mark.pushlab(scenario="burst-offload")'
            )
        if self.item is not None:
            chosen = wishes.beside(self.item, chosen)
        wish = Wish(
            scenario=chosen,
            out=self.out,
            phones=wishes.resolve(self.config, "phones", phones, marked.get("phones")),
            seed=wishes.resolve(self.config, "seed", seed, marked.get("seed")),
            ground=wishes.resolve(self.config, "ground", ground, marked.get("ground")),
            settings={**wishes.settings_of(marked), **settings},
            command=command,
            environment=environment,
            directory=directory,
            limit_s=limit_s,
        )
        with alone_on_loopback() if _on_loopback(wish) else nullcontext():
            ended = run(wish)
        result = RunResult(ended, inconclusive(self.config))
        self.results(result)
        return result


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Lab:
    """Phones, CallManager and a network of their own, in which a gateway under test is run."""

    runner: Runner

    def __repr__(self) -> str:
        return f"<lab; {self.runner!r}>"

    def run(
        self,
        command: Sequence[str | Path],
        scenario: Scenario | None = None,
        *,
        phones: int | None = None,
        seed: int | None = None,
        ground: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        limit_s: float = LIMIT_S,
        **settings: object,
    ) -> RunResult:
        """Run a command where a gateway would stand, to its end, and judge what it did.

        Args:
            command: program and arguments; it finds all addresses in `PUSHLAB_*` variables (docs/reference/exec.md).
            scenario: as in `pushlab_run`; default: the marker's, else ten phones that ask CallManager and one page,
                which all of them must get.
            phones: as in `pushlab_run`.
            seed: likewise.
            ground: likewise.
            env: further variables of the command.
            cwd: where it is started; default: here.
            limit_s: the run is stopped when it takes longer.
            settings: as in `pushlab_run`.

        Raises:
            RunError: no verdict could be reached, as where there is no such command.
        """
        __tracebackhide__ = True
        words = [str(word) for word in command]
        if not words or isinstance(command, str):
            raise pytest.UsageError(f'pushlab_lab.run: expected a list such as ["my-pager", "--once"], got {command!r}')
        return self.runner.play(
            scenario,
            phones=phones,
            seed=seed,
            ground=ground,
            settings=settings,
            command=words,
            limit_s=limit_s,
            environment=None if env is None else os.environ | env,
            directory=None if cwd is None else Path(cwd),
            otherwise=LAB_SCENARIO,
        )


def runner_of(item: pytest.Item, out: Path) -> Runner:
    """What a test runs with; the results are shown when it does not pass."""

    def keep(result: RunResult) -> None:
        item.stash.setdefault(RUNS, []).append(result)
        item.user_properties.append((PROPERTY, f"{result.verdict:<12}  {result.scenario}  {result.report}"))

    return Runner(config=item.config, out=out, item=item, results=keep)


def inconclusive(config: pytest.Config) -> Callable[[str], NoReturn]:
    """What becomes of a test that rests on an inconclusive run."""
    becomes = wishes.option(config, "inconclusive")

    def decide(reason: str) -> NoReturn:
        __tracebackhide__ = True
        if becomes == "skip":
            pytest.skip(reason)
        if becomes == "xfail":
            pytest.xfail(reason)
        pytest.fail(reason)

    return decide


def _check(settings: Mapping[str, object]) -> None:
    wrong = [name for name in settings if "." not in name]
    if wrong:
        lines = []
        for name in wrong:
            near = get_close_matches(name, _CALL, n=1)
            lines.append(f"no argument {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        raise pytest.UsageError(
            f"pushlab: {'; '.join(lines)} Keys of a scenario are written with their table: "
            '**{"gateway.concurrency": 50}'
        )


def _on_loopback(wish: Wish) -> bool:
    """Whether the run will have addresses that a second run has, too."""
    ground = wish.ground
    if ground is None and isinstance(wish.scenario, Mapping):
        ground = wish.scenario.get("ground")
    elif ground is None:
        try:
            ground = load(str(wish.scenario)).ground
        except ScenarioError:
            return False  # the run will say what is wrong with it
    if ground == "netns" or namespace.inside():
        return False
    return ground == "loopback" or not namespace.available().possible
