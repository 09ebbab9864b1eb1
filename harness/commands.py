"""The subcommands that run, judge and show: arguments in, exit codes out."""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Final

from harness.cli import own_version
from harness.event_stream import EventStream
from harness.report.figures import counted
from harness.run_folder import RunFolder, RunFolderError, verify_beside_results
from harness.scenario.file import GROUPS, bundled, files_of, load
from harness.scenario.model import Scenario, ScenarioError
from harness.scenario.overrides import pair
from harness.scenario.schedule import schedule
from harness.screen import complain, say

EXIT_INVALID: Final = 4
EXIT_BED: Final = 5
EXIT_NOTHING_JUDGED: Final = 6
GROUNDS: Final = ("auto", "netns", "loopback", "lab")
TOLERANCE: Final = 0.10
"""`compare`: worse by more than a tenth counts, because shared machines move by that much between two runs."""


def run(argv: Sequence[str]) -> int:
    """`pushlab run`: bring the parts up, page, judge; the worst run's exit code."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="pushlab run", description="Run scenarios and judge them."
    )
    parser.add_argument("scenario", nargs="+", help="a bundled name or group (ci/), a file, or a folder of files")
    _add_run_options(parser)
    arguments = parser.parse_args(argv)
    return _run_all(arguments, arguments.scenario, ["run", *argv])


def exec_(argv: Sequence[str]) -> int:
    """`pushlab exec`: the bed without a gateway of ours, a command in its place."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab exec",
        usage="pushlab exec SCENARIO [options] -- COMMAND [ARGUMENT ...]",
        description="Bring the bed up, run COMMAND where a gateway would stand, judge what it did. "
        "COMMAND finds all addresses in PUSHLAB_* variables (docs/reference/exec.md).",
    )
    parser.add_argument("scenario", help="a bundled name or a file")
    _add_run_options(parser)
    own, command = _split(argv)
    arguments = parser.parse_args(own)
    if not command:
        parser.error("no command: write it behind --, such as: pushlab exec burst-direct --phones 5 -- curl ...")
    return _run_all(arguments, [arguments.scenario], ["exec", *argv], command=tuple(command))


def _run_all(
    arguments: argparse.Namespace, names: Sequence[str], command_line: Sequence[str], command: tuple[str, ...] = ()
) -> int:
    stream = _stream(arguments)
    scenarios = _load_all(names, _overrides(arguments))
    if scenarios is None:
        if stream is not None:
            stream.session_ended(EXIT_INVALID)
        return EXIT_INVALID
    from harness.bed.choice import choices  # noqa: PLC0415 - listing scenarios needs no lab

    chosen = choices(scenarios, command_line)
    from harness.bed.session import run_all  # noqa: PLC0415 - half a second, which only the process in the lab spends

    return run_all(
        scenarios,
        chosen,
        out=arguments.out,
        quiet=arguments.quiet,
        summary=arguments.summary,
        junit=arguments.junit,
        prometheus=arguments.prometheus,
        stream=stream,
        lifeline=arguments.stop_with_stdin,
        command=command,
    )


def scenarios(argv: Sequence[str]) -> int:
    """`pushlab scenarios`: the bundled ones."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="pushlab scenarios", description="List the bundled scenarios."
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    found = bundled()
    if arguments.json:
        say(
            json.dumps(
                [
                    {"name": one.name, "group": one.group, "path": str(one.path), "purpose": one.purpose}
                    for one in found
                ],
                indent=1,
            )
        )
        return 0
    width = max(len(one.name) for one in found)
    for group, what in GROUPS.items():
        say(f"{group}/  {what}")
        for one in found:
            if one.group == group:
                say(f"  {one.name:<{width}}  {one.purpose}")
        say("")
    return 0


def check(argv: Sequence[str]) -> int:
    """`pushlab check`: validate, run nothing."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="pushlab check", description="Validate scenario files, run nothing."
    )
    parser.add_argument("scenario", nargs="+", help="a bundled name or group (ci/), a file, or a folder of files")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value")
    arguments = parser.parse_args(argv)
    scenarios = _load_all(arguments.scenario, [pair(text) for text in arguments.set])
    if scenarios is None:
        return EXIT_INVALID
    for scenario in scenarios:
        sent = len(schedule(scenario, [str(number) for number in range(scenario.fleet.phones)]))
        several = f"{sent} pages and alerts, " if sent > 1 else ""
        phones, thresholds = counted(scenario.fleet.phones, "phone"), counted(len(scenario.thresholds), "threshold")
        say(f"{scenario.name}: valid, {phones}, {several}{thresholds}")
    return 0


def _of_runs(command: Callable[[Sequence[str]], int]) -> Callable[[Sequence[str]], int]:
    """A command over runs' folders: one that may not be read or written is the caller's to mend, no defect of ours."""

    @wraps(command)
    def called(argv: Sequence[str]) -> int:
        try:
            return command(argv)
        except OSError as error:
            if error.filename is None:  # no file's fault: a reader who has gone, for one
                raise
            complain(f"{error.filename}: cannot be read or written: {error.strerror}")
            return EXIT_NOTHING_JUDGED

    return called


@_of_runs
def judge(argv: Sequence[str]) -> int:
    """`pushlab judge`: the verdict again, from the evidence alone."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="pushlab judge", description="Judge a run again from its evidence; nothing is run."
    )
    parser.add_argument("run", type=Path, help="a run's folder, such as runs/latest")
    parser.add_argument("--json", action="store_true", help="print verdict.json instead of the summary")
    arguments = parser.parse_args(argv)
    from harness.conclusion import conclude, show  # noqa: PLC0415 - numpy and scapy are only loaded to judge

    folder = RunFolder(path=arguments.run)
    try:
        folder.verify()
    except RunFolderError as error:
        complain(str(error))
        return EXIT_NOTHING_JUDGED
    code = conclude(folder)
    if arguments.json:
        say(folder.file("verdict.json").read_text(encoding="utf-8").rstrip())
    else:
        show(folder)
    return code


@_of_runs
def report(argv: Sequence[str]) -> int:
    """`pushlab report`: report.html and junit.xml again, from the verdict there is."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="pushlab report", description="Write a run's report.html and junit.xml again."
    )
    parser.add_argument("run", type=Path, help="a run's folder, such as runs/latest")
    arguments = parser.parse_args(argv)
    from harness.conclusion import write_reports  # noqa: PLC0415 - as above
    from harness.report.result import ReportError  # noqa: PLC0415 - as above

    folder = RunFolder(path=arguments.run)
    if not folder.file("verdict.json").is_file():
        complain(f"{arguments.run}: no verdict.json; judge the run first: pushlab judge {arguments.run}")
        return EXIT_NOTHING_JUDGED
    try:
        folder.verify_beside_results()
        write_reports(folder)
    except (ReportError, RunFolderError) as error:
        complain(str(error))
        return EXIT_NOTHING_JUDGED
    say(str(folder.file("report.html")))
    return 0


@_of_runs
def compare(argv: Sequence[str]) -> int:
    """`pushlab compare`: two runs side by side; 1 where B is worse."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab compare",
        description="Two runs, or two folders of runs, side by side; exit 1 where B is worse.",
    )
    parser.add_argument("a", type=Path, help="the run to compare with")
    parser.add_argument("b", type=Path, help="the run in question")
    parser.add_argument(
        "--tolerance", type=float, metavar="F", help=f"share by which B may be worse (default {TOLERANCE:.2f})"
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="METRIC=F",
        help="another share for one metric, which is compared also where it is not by itself; inf: never worse",
    )
    parser.add_argument(
        "--limits", type=Path, metavar="FILE", help="TOML with the same: tolerance = F, and METRIC = F in [metrics]"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for a pull request")
    arguments = parser.parse_args(argv)
    from harness.report.tolerances import ToleranceError, read_tolerances  # noqa: PLC0415 - as below

    try:
        tolerances = read_tolerances(arguments.limits, arguments.fail_on, arguments.tolerance, TOLERANCE)
    except ToleranceError as error:
        parser.error(str(error))
    from harness.conclusion import compare_runs  # noqa: PLC0415 - rich is only loaded to print

    try:
        for folder in (arguments.a, arguments.b):
            verify_beside_results(folder)
    except RunFolderError as error:
        complain(str(error))
        return EXIT_NOTHING_JUDGED
    return compare_runs(arguments.a, arguments.b, tolerances, markdown=arguments.markdown)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--phones", metavar="N", help="this many phones instead of the scenario's")
    parser.add_argument("--csv", metavar="FILE", help="a site's phones instead (pushlab site writes the list)")
    parser.add_argument("--seed", metavar="N", help="another seed")
    parser.add_argument(
        "--ground",
        choices=GROUNDS,
        help="where to run: netns (default where it is possible), loopback, or lab: your own network",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where run folders go (default: runs)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value, e.g. gateway.concurrency=50"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE", help="append the results to FILE, as Markdown")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write all results to FILE, as JUnit for a build")
    parser.add_argument(
        "--prometheus", type=Path, metavar="FILE", help="put the metrics of all runs into FILE, for a collector"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--quiet", action="store_true", help="print nothing but errors")
    shown.add_argument(
        "--json", action="store_true", help="print JSON lines for programs (docs/reference/event-stream.md)"
    )
    parser.add_argument("--stop-with-stdin", action="store_true", help="end the run when standard input ends")


def _stream(arguments: argparse.Namespace) -> EventStream | None:
    return EventStream() if arguments.json else None


def _overrides(arguments: argparse.Namespace) -> list[tuple[str, str | None]]:
    named = [(f"--{name}", getattr(arguments, name)) for name in ("phones", "csv", "seed", "ground")]
    return [(name, text) for name, text in named if text is not None] + [pair(text) for text in arguments.set]


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(argv)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _twice(scenarios: Sequence[Scenario]) -> list[str]:
    """What is wrong where two scenarios of one command have one name: nobody could tell their results apart."""
    errors: list[str] = []
    first: dict[str, Path] = {}
    for scenario in scenarios:
        source = first.setdefault(scenario.name, scenario.source)
        if source == scenario.source and scenario is not next(s for s in scenarios if s.name == scenario.name):
            errors.append(f"{scenario.source}: it is named twice in one command; run it a second time by itself")
        elif source != scenario.source:
            errors.append(f"{scenario.source}: name {scenario.name!r} is that of {source} already; give it another")
    return errors


def _load_all(names: Sequence[str], overrides: Sequence[tuple[str, str | None]]) -> list[Scenario] | None:
    """Every scenario named; None, with all errors of all of them printed, where one is invalid."""
    found: list[Scenario] = []
    errors: list[str] = []
    for name in names:
        try:
            files = files_of(name)
        except ScenarioError as error:
            errors.extend(error.errors)
            continue
        for file in files:
            try:
                found.append(load(file, overrides))
            except ScenarioError as error:
                errors.extend(error.errors)
    # What is wrong on the command line is wrong for every file.
    errors = list(dict.fromkeys([*errors, *_twice(found)]))
    for line in errors:
        complain(line)
    if errors:
        complain(f"pushlab {own_version()}: nothing was run; {counted(len(errors), 'error')}")
        return None
    return found
