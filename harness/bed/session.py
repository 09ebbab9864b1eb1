"""A session: the scenarios of one command, one after the other, on the ground they need, judged as they end."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio

from harness.bed.directory.software import require
from harness.bed.errors import BedError, RosterError
from harness.bed.ground import Ground, choose, stand
from harness.bed.run import expected_packets, run
from harness.bed.setup import Setup
from harness.conclusion import conclude, show, write_summary
from harness.interruption import terminated_as_interrupted
from harness.live import Live
from harness.net import namespace
from harness.run_folder import RunFolder, RunFolderError, check_room
from harness.scenario.model import Scenario
from harness.screen import complain

EXIT_INTERRUPTED: Final = 130
_WORST: Final = (70, 130, 4, 5, 6, 1, 3, 0)
"""Exit codes, worst first: of several runs the worst one counts."""


def run_all(
    scenarios: Sequence[Scenario],
    *,
    command_line: Sequence[str],
    out: Path,
    quiet: bool,
    command: tuple[str, ...] = (),
    summary: Path | None = None,
) -> int:
    """Run scenarios and judge them.

    Args:
        scenarios: what to run, in order.
        command_line: the arguments of `pushlab`, to run them again inside the lab's namespaces.
        out: where run folders go.
        quiet: print nothing but errors.
        command: for `pushlab exec`.
        summary: a file to append each run's result to, as Markdown.

    Returns:
        The worst run's exit code.
    """
    try:
        chosen = [choose(scenario.ground) for scenario in scenarios]  # type: ignore[arg-type] # checked by its key
    except BedError as error:
        complain(str(error))
        return error.exit_code
    if any(choice.ground == "netns" for choice in chosen) and not namespace.inside():
        namespace.enter_lab([sys.executable, "-m", "harness.cli", *command_line])
    for notice in dict.fromkeys(choice.notice for choice in chosen if choice.notice):
        complain(notice)
    codes = []
    for scenario, choice in zip(scenarios, chosen, strict=True):
        played = _with_command(scenario, command) if command else scenario
        code = _one(played, choice.ground, out=out, quiet=quiet, in_terminal=bool(command), summary=summary)
        codes.append(code)
        if code == EXIT_INTERRUPTED:
            break
    return min(codes, key=_WORST.index)


def _with_command(scenario: Scenario, command: tuple[str, ...]) -> Scenario:
    """The scenario with a foreign gateway, as if its file said so: a run folder then tells how to repeat the run."""
    gateway = replace(scenario.gateway, kind="command", command=command)
    origins = {**scenario.origins, "gateway.kind": "--set", "gateway.command": "--set"}
    return replace(scenario, gateway=gateway, origins=origins)


def _one(
    scenario: Scenario, ground_name: str, *, out: Path, quiet: bool, in_terminal: bool, summary: Path | None
) -> int:
    """Run one scenario on a ground of its own; its exit code."""
    try:
        audio_bytes = sum(recording.stat().st_size for recording in scenario.recordings)
        check_room(out, expected_packets(scenario), audio_bytes)
        directory = scenario.callmanager.directory
        require(directory.kind)
        with stand(ground_name, directory=directory.is_server) as ground:  # type: ignore[arg-type] # from choose
            folder = RunFolder.create(out, scenario.name, scenario.seed, datetime.now(UTC))
            code = _run_and_judge(scenario, ground, folder, quiet=quiet, in_terminal=in_terminal)
            if summary is not None:
                write_summary(folder, summary)
            return code
    except (BedError, RosterError) as error:
        complain(f"{scenario.name}: {error}")
        return error.exit_code
    except (RunFolderError, OSError) as error:
        complain(f"{scenario.name}: {error}")
        return BedError.exit_code
    except KeyboardInterrupt:
        complain(f"{scenario.name}: interrupted; the parts were stopped")
        return EXIT_INTERRUPTED


def _run_and_judge(scenario: Scenario, ground: Ground, folder: RunFolder, *, quiet: bool, in_terminal: bool) -> int:
    with terminated_as_interrupted(), Live(phones=scenario.fleet.phones, quiet=quiet) as display:
        display.stage(f"{scenario.name}: {scenario.fleet.phones:,} phones on ground {ground.name}")
        try:
            setup = Setup(scenario=scenario, ground=ground, folder=folder, display=display, in_terminal=in_terminal)
            for death in trio.run(run, setup):
                complain(f"{scenario.name}: {death}")
        except BaseExceptionGroup as group:
            raise _one_of(group) from group
        display.stage("judging")
        code = conclude(folder, display.stage)
        if scenario.capture.keep == "failing" and code == 0:
            folder.drop_capture()
    if not quiet:
        show(folder)
    return code


def _one_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What to tell of several errors: an interruption, else what is known to happen to beds, else a defect of ours."""
    for wanted in (KeyboardInterrupt, RosterError, BedError, BaseException):
        found, _ = group.split(wanted)
        if found is not None:
            leaf: BaseException = found
            while isinstance(leaf, BaseExceptionGroup):
                leaf = leaf.exceptions[0]
            return leaf
    return group
