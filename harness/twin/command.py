"""`pushlab twin`: the scenario on the site's twin, then on a pilot group of its real phones, and one report of both.

Both are runs of their own, `pushlab run` in processes of their own: the twin in namespaces, the pilot in the site's
network. What the pilot ran is left beside them as a scenario that can be run again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from harness.report.result import ReportError, Result, read_result
from harness.run_folder import REPORT
from harness.scenario.audio import audio_path
from harness.scenario.file import load
from harness.scenario.model import Scenario, ScenarioError
from harness.scenario.overrides import overlay, pair
from harness.screen import complain, say
from harness.site import Phone, SiteError
from harness.site.models import of_name
from harness.site.phone_list import write_phone_list
from harness.twin.comparison import Comparison, compare
from harness.twin.page import markdown, page
from harness.twin.pilot import LIST, chosen, names_in, pilot_scenario
from harness.twin.toml_text import toml_text

EXIT_USAGE: Final = 2
EXIT_INVALID: Final = 4
EXIT_NOTHING_JUDGED: Final = 6
EXIT_STOPPED: Final = 130
JUDGED: Final = frozenset({0, 1, 3})
"""Exit codes of a run with a verdict that says something."""
_WORST: Final = (70, 130, 4, 5, 6, 1, 3, 0)
"""Exit codes, worst first."""
_FILE_BYTES_MAX: Final = 2**20
"""Of the file for the lab and of a list of names: pages of text."""


def main(argv: Sequence[str]) -> int:
    """Run both and compare.

    Returns:
        The worst of: the twin's exit code, the pilot's, 1 where a phone did not do as predicted, 3 where nothing can be
        said of one. 2 where nobody could be asked and `--yes` is missing, 130 where the answer was no.
    """
    arguments = _parser().parse_args(argv)
    try:
        scenario, pilot, made, notes = _prepared(arguments)
    except (ScenarioError, SiteError) as error:
        for line in error.errors:
            complain(line)
        return error.exit_code
    if not arguments.yes and not sys.stdin.isatty():
        complain("pushlab twin: real phones would ring, and nobody can be asked: add --yes where that is meant")
        return EXIT_USAGE
    folder = _folder(arguments.out)
    pilot_file = _write_pilot(folder, pilot, made)
    try:
        load(str(pilot_file))
    except ScenarioError as error:
        for line in error.errors:
            complain(f"pilot: {line}")
        return error.exit_code
    options = [word for text in arguments.set for word in ("--set", text)]
    twin_words = [arguments.scenario, "--csv", str(arguments.csv), *_seed(arguments), *options]
    twin_code = _run(folder / "twin", *twin_words, "--ground", "netns", quiet=arguments.quiet)
    if twin_code not in JUDGED:
        complain("pushlab twin: the twin's run came to no verdict; no real phone was paged")
        return twin_code
    twin = _result(folder / "twin")
    if twin is None:
        return EXIT_NOTHING_JUDGED
    _announce(twin, pilot, scenario)
    if not arguments.yes and not _agreed():
        complain("pushlab twin: no real phone was paged")
        return EXIT_STOPPED
    pilot_code = _run(folder / "pilot", str(pilot_file), *_seed(arguments), quiet=arguments.quiet)
    if pilot_code not in JUDGED:
        return min((twin_code, pilot_code), key=_WORST.index)
    seen = _result(folder / "pilot")
    if seen is None:
        return EXIT_NOTHING_JUDGED
    models = {phone.device_name: of_name(phone.model) for phone in pilot}
    comparison = compare(twin, seen, models=models, notes=notes)
    try:
        _write_report(folder, comparison, arguments.summary)
    except OSError as error:
        complain(f"pushlab twin: {error.filename}: cannot be written: {error.strerror}")
        return EXIT_NOTHING_JUDGED
    return min((twin_code, pilot_code, comparison.exit_code), key=_WORST.index)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab twin",
        description="Run a scenario on an emulated twin of a site, then on a pilot group of its real phones, and write "
        "one report with both (docs/how-to/make-a-twin-of-your-site.md). Asks before real phones ring.",
    )
    parser.add_argument("scenario", help="a bundled name or a file")
    parser.add_argument("--csv", type=Path, required=True, metavar="FILE", help="the site's phones (pushlab site)")
    parser.add_argument(
        "--pilot", required=True, metavar="SEP…,SEP…|FILE", help="device names of the pilot group, or a file with them"
    )
    parser.add_argument(
        "--lab", type=Path, required=True, metavar="FILE", help="TOML: [lab], and what else differs in your network"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before real phones ring")
    parser.add_argument("--seed", metavar="N", help="another seed")
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where the folder goes (default: runs)"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value, in both runs")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="append the report to FILE, as Markdown")
    parser.add_argument("--quiet", action="store_true", help="print nothing of the runs but errors")
    return parser


def _prepared(
    arguments: argparse.Namespace,
) -> tuple[Scenario, tuple[Phone, ...], dict[str, Any], list[str]]:
    """The twin's scenario, the pilot's phones, the pilot's scenario, and what is not asked of it."""
    overrides = [pair(text) for text in arguments.set]
    scenario = load(arguments.scenario, [*overrides, ("--csv", str(arguments.csv)), ("--ground", "netns")])
    pilot = chosen(_names(arguments.pilot), scenario.fleet.site)
    raw = tomllib.loads(scenario.source.read_text(encoding="utf-8"))
    raw.pop("resolved", None)
    overlay(raw, overrides)
    made, notes = pilot_scenario(raw, _lab(arguments.lab))
    for planned in made.get("page", []):
        # The pilot's scenario lies elsewhere than the one that names the recording.
        if "audio" in planned and ("/" in planned["audio"] or planned["audio"].lower().endswith(".wav")):
            planned["audio"] = str(audio_path(planned["audio"], scenario.source.parent).absolute())
    return scenario, pilot, made, notes


def _names(text: str) -> list[str]:
    path = Path(text)
    if "," in text or not (path.suffix or path.exists()):
        return names_in(text)
    return names_in(_read(path, "--pilot"))


def _lab(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(_read(path, "--lab"))
    except tomllib.TOMLDecodeError as error:
        raise SiteError([f"--lab: {path}: not TOML: {error}"]) from None
    gateway = raw.get("gateway")
    if isinstance(gateway, dict) and isinstance(gateway.get("password_file"), str):
        gateway["password_file"] = str((path.parent / gateway["password_file"]).absolute())
    return raw


def _read(path: Path, option: str) -> str:
    try:
        with path.open("rb") as file:
            body = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SiteError([f"{option}: {path}: cannot be read: {error.strerror}"]) from None
    if len(body) > _FILE_BYTES_MAX:
        raise SiteError([f"{option}: {path}: larger than {_FILE_BYTES_MAX // 2**20} MiB"])
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SiteError([f"{option}: {path}: not UTF-8 at byte {error.start}"]) from None


def _folder(out: Path) -> Path:
    base = out / "twin" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    path, ordinal = base, 1
    while path.exists():
        ordinal += 1
        path = base.with_name(f"{base.name}.{ordinal}")
    path.mkdir(parents=True)
    return path


def _write_pilot(folder: Path, pilot: Sequence[Phone], made: dict[str, Any]) -> Path:
    (folder / LIST).write_text(write_phone_list(pilot), encoding="utf-8")
    file = folder / "pilot.toml"
    head = "# The scenario as it is run on the pilot group: without what only emulated phones have or tell.\n"
    file.write_text(head + toml_text(made), encoding="utf-8")
    return file


def _seed(arguments: argparse.Namespace) -> list[str]:
    return ["--seed", arguments.seed] if arguments.seed is not None else []


def _run(out: Path, *words: str, quiet: bool) -> int:
    """`pushlab run` in a process of its own; its exit code."""
    command = [sys.executable, "-m", "harness.cli", "run", *words, "--out", str(out), *(["--quiet"] if quiet else [])]
    done = subprocess.run(command, check=False)
    return done.returncode if done.returncode in _WORST else EXIT_STOPPED


def _result(out: Path) -> Result | None:
    try:
        return read_result((out / "latest").resolve())
    except ReportError as error:
        complain(str(error))
        return None


def _announce(twin: Result, pilot: Sequence[Phone], scenario: Scenario) -> None:
    predicted = {row["phone"]: row.get("state", "") for row in twin.ledger}
    count = "1 real phone rings" if len(pilot) == 1 else f"{len(pilot)} real phones ring"
    what = f"the recording {scenario.pages[0].audio}" if scenario.pages else f"the text {scenario.alerts[0].text!r}"
    say(f"Now {count}, with {what}:")
    for phone in pilot:
        where = f" in {phone.zone}" if phone.zone else ""
        state = predicted.get(phone.device_name, "nothing")
        place = f"{phone.device_name}  {phone.directory_number:<6}  {phone.address:<15}"
        say(f"  {place}  {phone.model}{where}; the twin: {state}")


def _agreed() -> bool:
    sys.stdout.write('Type "yes" to go on: ')
    sys.stdout.flush()
    return sys.stdin.readline().strip().casefold() == "yes"


def _write_report(folder: Path, comparison: Comparison, summary: Path | None) -> None:
    links = {
        f"{name}_link": str((result.folder / REPORT).relative_to(folder.resolve()))
        for name, result in (("twin", comparison.twin), ("pilot", comparison.pilot))
    }
    (folder / "twin.html").write_text(page(comparison, **links), encoding="utf-8")
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            # From where the command was given, as other paths in such files.
            named = {name: str(folder / link) for name, link in links.items()}
            file.write(markdown(comparison, **named) + "\n")
    say("")
    say(f"{comparison.reading}.")
    for row in comparison.rows:
        if row.agreement != "agrees":
            say(f"  {row.phone}  {row.agreement}: {row.because}")
    say(f"Report  {folder / 'twin.html'}")
    say(f"Pilot   {folder / 'pilot.toml'}")
