"""A session: the scenarios of one command, one after the other, on the ground they need, judged as they end."""

import time
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio

from harness.bed.choice import Choice
from harness.bed.directory.software import require
from harness.bed.errors import BedError, RosterError
from harness.bed.ground import LOOPBACK, NETNS, Addresses, Ground, stand
from harness.bed.lab_ground import stand_in_lab
from harness.bed.run import expected_packets, run
from harness.bed.setup import Setup
from harness.bed.site_fleet import netns_addresses, notices
from harness.conclusion import conclude, show, write_prometheus
from harness.event_stream import EventStream
from harness.interruption import interrupted_when_stdin_ends, terminated_as_interrupted
from harness.live import Live
from harness.run_folder import RunFolder, RunFolderError, check_room
from harness.scenario.model import Scenario
from harness.scenario.outside import LAB
from harness.screen import complain
from harness.suite import Played, append_summary, merged, show_suite, write_junit_at, write_suite

EXIT_OWN_DEFECT: Final = 70
EXIT_INTERRUPTED: Final = 130
_WORST: Final = (70, 130, 4, 5, 6, 1, 3, 0)
"""Exit codes, worst first: of several runs the worst one counts."""


def run_all(
    scenarios: Sequence[Scenario],
    choices: Sequence[Choice | BedError],
    *,
    out: Path,
    quiet: bool,
    command: tuple[str, ...] = (),
    summary: Path | None = None,
    junit: Path | None = None,
    prometheus: Path | None = None,
    stream: EventStream | None = None,
    lifeline: bool = False,
) -> int:
    """Run scenarios and judge them; of several, write and show what they come to together.

    A bed that cannot start, or a defect of ours, ends its own scenario and no other; an interruption ends all.

    Args:
        scenarios: what to run, in order.
        choices: the ground of each, or why it has none.
        out: where run folders go.
        quiet: print nothing but errors.
        command: for `pushlab exec`.
        summary: a file to append the results to, as Markdown.
        junit: a file to write all results to, for a build.
        prometheus: a file to put all runs' metrics into, in place of what it held.
        stream: tells other programs on standard output, which then has nothing else.
        lifeline: interrupt the runs when standard input ends.

    Returns:
        The worst run's exit code.
    """
    notices_of_grounds = (choice.notice for choice in choices if isinstance(choice, Choice))
    for notice in dict.fromkeys(filter(None, notices_of_grounds)):
        complain(notice)
    if lifeline:
        interrupted_when_stdin_ends()
    if stream is not None:
        stream.session_started([scenario.name for scenario in scenarios])
    started = datetime.now(UTC)
    played: list[Played] = []
    for scenario, choice in zip(scenarios, choices, strict=True):
        if isinstance(choice, BedError):
            complain(f"{scenario.name}: {choice}")
            came = Played(code=choice.exit_code, seconds=0.0, folder=None, why=str(choice))
        else:
            meant = _with_command(scenario, command) if command else scenario
            in_terminal = bool(command) and stream is None
            came = _one(meant, choice.ground, out=out, quiet=quiet, in_terminal=in_terminal, stream=stream)
        played.append(came)
        if stream is not None:
            stream.run_ended(scenario.name, came.code, came.folder, came.why)
        if came.code == EXIT_INTERRUPTED:
            break
    codes = [came.code for came in played]
    suite = merged(scenarios, played, started)
    folder: Path | None = None
    try:
        if len(scenarios) > 1:
            folder = write_suite(suite, out)
            if not quiet and stream is None:
                show_suite(suite, folder)
        if summary is not None:
            append_summary(suite, summary)
        if junit is not None:
            write_junit_at(suite, junit)
        if prometheus is not None:
            write_prometheus([scenario.name for scenario in scenarios], [came.folder for came in played], prometheus)
    except OSError as error:
        complain(f"the merged result cannot be written: {error}")
        codes.append(BedError.exit_code)
    worst = min(codes, key=_WORST.index)
    if stream is not None:
        stream.session_ended(worst, folder)
    return worst


def _with_command(scenario: Scenario, command: tuple[str, ...]) -> Scenario:
    """The scenario with a foreign gateway, as if its file said so: a run folder then tells how to repeat the run."""
    gateway = replace(scenario.gateway, kind="command", command=command)
    origins = {**scenario.origins, "gateway.kind": "--set", "gateway.command": "--set"}
    return replace(scenario, gateway=gateway, origins=origins)


def _one(
    scenario: Scenario,
    ground_name: str,
    *,
    out: Path,
    quiet: bool,
    in_terminal: bool,
    stream: EventStream | None,
) -> Played:
    """Run one scenario on a ground of its own."""
    begun_s = time.monotonic()
    folder: RunFolder | None = None

    def came(code: int, why: str = "") -> Played:
        where = None if folder is None else folder.path
        return Played(code=code, seconds=time.monotonic() - begun_s, folder=where, why=why)

    try:
        audio_bytes = sum(recording.stat().st_size for recording in scenario.recordings)
        check_room(out, expected_packets(scenario), audio_bytes)
        require(scenario.callmanager.directory.kind)
        with _standing(scenario, ground_name) as ground:
            folder = RunFolder.create(out, scenario.name, scenario.seed, datetime.now(UTC))
            if stream is not None:
                stream.run_started(
                    scenario=scenario.name,
                    seed=scenario.seed,
                    phones=scenario.fleet.phones,
                    ground=ground.name,
                    folder=folder.path,
                )
            code = _run_and_judge(scenario, ground, folder, quiet=quiet, in_terminal=in_terminal, stream=stream)
            return came(code)
    except (BedError, RosterError) as error:
        complain(f"{scenario.name}: {error}")
        return came(error.exit_code, str(error))
    except (RunFolderError, OSError) as error:
        complain(f"{scenario.name}: {error}")
        return came(BedError.exit_code, str(error))
    except KeyboardInterrupt:
        complain(f"{scenario.name}: interrupted; the parts were stopped")
        return came(EXIT_INTERRUPTED, "interrupted; the parts were stopped")
    except Exception as error:  # noqa: BLE001 - a defect of ours in one scenario is no reason to leave out the others
        traceback.print_exc()
        complain(f"{scenario.name}: this is a defect of pushlab itself, not of what was tested")
        return came(EXIT_OWN_DEFECT, f"a defect of pushlab itself: {type(error).__name__}: {error}")


def _standing(scenario: Scenario, name: str) -> AbstractContextManager[Ground]:
    if name == LAB:
        return stand_in_lab(scenario)
    directory = scenario.callmanager.directory.is_server
    return stand(name, directory=directory, addresses=_addresses(scenario, name))  # type: ignore[arg-type] # from choose


def _addresses(scenario: Scenario, ground_name: str) -> Addresses:
    """The lab's addresses; of a site's twin those beside the site's own, with a word on what is not as it is there."""
    site = scenario.fleet.site
    if not site:
        return NETNS
    mapped = ground_name == "loopback"
    addresses = LOOPBACK if mapped else netns_addresses(site)
    for notice in notices(site, addresses, mapped=mapped):
        complain(notice)
    return addresses


def _run_and_judge(
    scenario: Scenario,
    ground: Ground,
    folder: RunFolder,
    *,
    quiet: bool,
    in_terminal: bool,
    stream: EventStream | None,
) -> int:
    shown = Live(phones=scenario.fleet.phones, quiet=quiet) if stream is None else nullcontext(stream)
    with terminated_as_interrupted(), shown as display:
        display.stage(f"{scenario.name}: {scenario.fleet.phones:,} phones on ground {ground.name}")
        try:
            setup = Setup(scenario=scenario, ground=ground, folder=folder, display=display, in_terminal=in_terminal)
            for death in trio.run(run, setup):
                complain(f"{scenario.name}: {death}")
                if stream is not None:
                    stream.notice(death)
        except BaseExceptionGroup as group:
            raise _one_of(group) from group
        display.stage("judging")
        since_s = time.monotonic()
        code = conclude(folder, lambda text: display.stage(text, later_s=time.monotonic() - since_s))
        if scenario.capture.keep == "failing" and code == 0:
            folder.drop_capture()
    if not quiet and stream is None:
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
