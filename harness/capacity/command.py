"""`pushlab capacity`: how many phones, and how many pages a second, a scenario takes on this machine."""

import argparse
import json
import shlex
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.capacity.card import Card, Finding, circumstances, lines, row
from harness.capacity.page import page_of
from harness.capacity.search import Range, Search
from harness.capacity.trial import Axis, Trial, TrialError, run_trial
from harness.cli import own_version
from harness.interruption import terminated_as_interrupted
from harness.scenario.file import load
from harness.scenario.keys import MAX_PHONES
from harness.scenario.model import MAX_PAGES_PER_S, Scenario, ScenarioError
from harness.scenario.overrides import pair
from harness.screen import complain, say

EXIT_NONE_HELD: Final = 1
EXIT_UNSURE: Final = 3
EXIT_INVALID: Final = 4
EXIT_BED: Final = 5
EXIT_INTERRUPTED: Final = 130
RUNS_MAX: Final = 60
"""More runs than any search by tenths needs: 15 doublings, 4 halvings, confirmation, each asked twice."""
MINUTES: Final = 60.0
RESOLUTION: Final = 0.1
CONFIRM: Final = 3
START_PHONES: Final = 50

PHONES: Final = Axis(name="fleet", unit="phone", key="fleet.phones")
RATE: Final = Axis(name="rate", unit="page a second", key="load.pages_per_s", step=0.05)
AXES: Final = {"fleet": PHONES, "rate": RATE}


def main(argv: Sequence[str]) -> int:
    """Search, show the card, and write it beside the runs."""
    arguments = _parser().parse_args(argv)
    try:
        scenario = load(arguments.scenario, [pair(text) for text in arguments.set])
    except ScenarioError as error:
        for line in error.errors:
            complain(line)
        complain(f"pushlab {own_version()}: nothing was run")
        return EXIT_INVALID
    wrong = _wrong(arguments, scenario)
    if wrong:
        for line in wrong:
            complain(line)
        return EXIT_INVALID
    out: Path = arguments.out / scenario.name / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    out.mkdir(parents=True)
    findings: list[Finding] = []
    interrupted = False
    for name in _axes(arguments, scenario):
        finding, interrupted = _search(arguments, scenario, AXES[name], out)
        if finding is not None:
            findings.append(finding)
        if interrupted or finding is None:
            break
    if not findings:
        return EXIT_BED
    card = _card(scenario, findings, f"pushlab {shlex.join(['capacity', *argv])}")
    (out / "card.json").write_text(json.dumps(card.to_json(), indent=1) + "\n", encoding="utf-8")
    (out / "card.html").write_text(page_of(card, scenario.thresholds), encoding="utf-8")
    if arguments.json:
        say(json.dumps(card.to_json(), indent=1))
    elif not arguments.quiet:
        say("")
        for line in lines(card):
            say(line)
        say(f"\nCard  {out / 'card.html'}")
    if interrupted:
        return EXIT_INTERRUPTED
    if any(one.search.largest is None and one.search.breaks_at is not None and not one.cut_short for one in findings):
        return EXIT_NONE_HELD
    return 0 if card.is_found else EXIT_UNSURE


def _axes(arguments: argparse.Namespace, scenario: Scenario) -> Sequence[str]:
    """What is searched: as was asked, else the fleet, and the rate where the scenario has one."""
    if arguments.of != "both":
        return [arguments.of] if arguments.of else ["fleet", *(["rate"] if scenario.load.shape == "rate" else [])]
    return ["fleet", "rate"]


def _range(arguments: argparse.Namespace, scenario: Scenario, axis: Axis) -> Range:
    if axis is PHONES:
        low, start, high = 1, arguments.start, arguments.to
    else:
        low, high = 1, round(arguments.rate_to / axis.step)
        start = min(high, max(low, round(scenario.load.pages_per_s / axis.step)))
    return Range(low=low, high=high, start=start, resolution=arguments.resolution, confirm=arguments.confirm)


def _search(arguments: argparse.Namespace, scenario: Scenario, axis: Axis, out: Path) -> tuple[Finding | None, bool]:
    """What was found, None where the bed cannot run at all; and whether somebody interrupted it."""
    show: Callable[[str], None] = (lambda _: None) if arguments.quiet else complain
    search = Search(_range(arguments, scenario, axis))
    options = [word for text in arguments.set for word in ("--set", text)]
    if arguments.ground:
        options += ["--ground", arguments.ground]
    trials: list[Trial] = []
    began = time.monotonic()
    cut_short, interrupted = "", False
    first, last = axis.text(search.range.start), axis.text(search.range.high)
    show(f"{scenario.name}: searching the largest {axis.name}, {first} to {last} {axis.plural}")
    try:
        with terminated_as_interrupted():
            while (value := search.next()) is not None:
                if len(trials) >= arguments.runs_max:
                    cut_short = f"after {arguments.runs_max} runs (--runs-max)"
                    break
                if time.monotonic() - began > arguments.minutes * 60:
                    cut_short = f"after {arguments.minutes:g} minutes (--minutes)"
                    break
                seed = scenario.seed + sum(trial.value == value for trial in trials)
                run_began = time.monotonic()
                trial = run_trial(
                    str(scenario.source.absolute()), axis, value, seed=seed, out=out / "runs", options=options
                )
                trials.append(trial)
                search.tell(value, trial.answer)
                show(_progress(Finding(axis=axis, search=search, trials=trials), time.monotonic() - run_began))
    except TrialError as error:
        complain(str(error))
        if not trials:
            return None, False
        cut_short = "a run left no verdict"
    except KeyboardInterrupt:
        cut_short, interrupted = "it was interrupted", True
    return Finding(axis=axis, search=search, trials=trials, cut_short=cut_short), interrupted


def _progress(finding: Finding, seconds: float) -> str:
    trial = finding.trials[-1]
    value, answer, *_ = row(finding, trial)
    why = f"  {trial.why}" if trial.why else ""
    return f"  {value:>14}  {answer:<7}  {seconds:5.1f} s{why}"


def _card(scenario: Scenario, findings: Sequence[Finding], command: str) -> Card:
    folders = [trial.folder for one in findings for trial in one.trials if trial.folder is not None]
    machine, versions, assumed, purpose = circumstances(folders)
    return Card(
        scenario=scenario.name,
        purpose=purpose or scenario.purpose,
        findings=findings,
        thresholds=[threshold.name for threshold in scenario.thresholds],
        command=command,
        machine=machine,
        versions=versions,
        assumed=assumed,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab capacity",
        description="Search the largest fleet, and the highest rate of pages, with which a scenario passes on this "
        "machine, and write a sizing card.",
    )
    parser.add_argument("scenario", help="a bundled name or a file")
    parser.add_argument(
        "--of",
        choices=("fleet", "rate", "both"),
        help="what is searched (default: the fleet, and the rate of a scenario with [load] shape = rate)",
    )
    parser.add_argument(
        "--rate-to",
        type=float,
        default=MAX_PAGES_PER_S,
        metavar="N",
        help=f"highest rate to try, pages a second (default {MAX_PAGES_PER_S:g})",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=int,
        default=START_PHONES,
        metavar="N",
        help=f"first fleet (default {START_PHONES})",
    )
    parser.add_argument(
        "--to", type=int, default=MAX_PHONES, metavar="N", help=f"largest fleet to try (default {MAX_PHONES})"
    )
    parser.add_argument(
        "--resolution", type=float, default=RESOLUTION, metavar="F", help=f"share to find it to (default {RESOLUTION})"
    )
    parser.add_argument(
        "--confirm", type=int, default=CONFIRM, metavar="N", help=f"runs that must hold (default {CONFIRM})"
    )
    parser.add_argument("--runs-max", type=int, default=RUNS_MAX, metavar="N", help=f"at most (default {RUNS_MAX})")
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help=f"at most (default {MINUTES:g})")
    parser.add_argument("--ground", choices=("auto", "netns", "loopback"), help="where to run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value")
    parser.add_argument("--out", type=Path, default=Path("runs/capacity"), metavar="DIR", help="default: runs/capacity")
    parser.add_argument("--json", action="store_true", help="print the card as JSON")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def _wrong(arguments: argparse.Namespace, scenario: Scenario) -> list[str]:
    """Everything that is wrong with the options together."""
    found = []
    asked = _axes(arguments, scenario)
    if "rate" in asked and scenario.load.shape != "rate":
        found.append(f'--of {arguments.of}: {scenario.name} has no rate: expected [load] shape = "rate" in it')
    if not RATE.step <= arguments.rate_to <= MAX_PAGES_PER_S:
        found.append(f"--rate-to {arguments.rate_to:g}: expected {RATE.step:g} to {MAX_PAGES_PER_S:g}")
    if "fleet" in asked and scenario.fleet.csv is not None:
        found.append(f"{scenario.name} takes its fleet from a list, whose size cannot be searched: --of rate")
    if not 1 <= arguments.start <= arguments.to <= MAX_PHONES:
        found.append(f"--from {arguments.start} --to {arguments.to}: expected 1 <= from <= to <= {MAX_PHONES:,}")
    if not 0 < arguments.resolution <= 1:
        found.append(f"--resolution {arguments.resolution:g}: expected a share above 0 up to 1")
    found += [
        f"--{name.replace('_', '-')} {getattr(arguments, name):g}: expected more than 0"
        for name in ("confirm", "runs_max", "minutes")
        if getattr(arguments, name) <= 0
    ]
    searched = {AXES[name].key for name in asked}
    changed = [text for text in arguments.set if pair(text)[0] in searched]
    if changed:
        found.append(f"--set {changed[0]}: this is what is searched; bound it by --from, --to and --rate-to")
    return found
