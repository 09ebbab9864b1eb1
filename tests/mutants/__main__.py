"""`python -m tests.mutants`: the table of wrong gateways. Exit code 1 when one survives or a right one fails.

    python -m tests.mutants [NUMBER ...] [--clean N] [--at-once N] [--work DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.net.namespace import available
from tests.mutants.catalogue import MUTANTS, PAGE, Compared, InTests, Mutant, Probed
from tests.mutants.running import PROBE, Outcome, audio, caught, compare_clean, play, play_clean

CLEAN_PHONES = 20
NOT_STARTED = 5
"""docs/reference/exit-codes.md."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="of the catalogue; all if none is named")
    parser.add_argument("--clean", type=int, default=20, metavar="N", help="runs of the right gateway (20)")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="runs beside each other (1)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where run folders go and stay")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.numbers) - {mutant.number for mutant in MUTANTS}
    if unknown:
        parser.error(f"no mutant {', '.join(sorted(unknown))}")
    lab = available()
    if not lab.possible:
        print(f"wrong gateways need namespaces: {lab.why}; to allow them: {lab.remedy}", file=sys.stderr)  # noqa: T201
        return NOT_STARTED
    chosen = [mutant for mutant in MUTANTS if not arguments.numbers or mutant.number in arguments.numbers]
    with tempfile.TemporaryDirectory(prefix="pushlab-mutants-") as scratch:
        work = (arguments.work or Path(scratch)).absolute()
        audio(work)
        crew = ThreadPoolExecutor(max(arguments.at_once, 1))
        cleans = _cleans(chosen, arguments.clean)
        rights = crew.map(lambda clean: clean.play(work), cleans)
        wrongs = crew.map(lambda mutant: play(mutant, work), chosen)
        table = Rows()
        for clean, found in zip(cleans, rights, strict=True):
            table.add_clean(clean.number, clean.what, found)
        for mutant, found in zip(chosen, wrongs, strict=True):
            table.add(mutant.number, mutant.name, mutant.defect, _names(mutant), found, caught(mutant, found))
    table.print()
    return 1 if table.wrong else 0


def _names(mutant: Mutant | Probed | InTests | Compared) -> str:
    return mutant.caught_by if isinstance(mutant, InTests | Compared) else ", ".join(mutant.caught_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """One run of a right gateway."""

    number: str
    what: str
    play: Callable[[Path], Outcome]


def _cleans(chosen: Sequence[Mutant | Probed | InTests | Compared], count: int) -> list[Clean]:
    """The right gateway, and once at each setting that a wrong one is run at."""
    page = partial(play_clean, scenario=PAGE, phones=CLEAN_PHONES)
    found = [Clean(number=f"C{number:02}", what="clean", play=page) for number in range(1, count + 1)]
    if not count:
        return found
    seen = {("clean", PAGE, ())}
    for mutant in chosen:
        number = f"({mutant.number})"
        if isinstance(mutant, Compared):
            found.append(Clean(number=number, what=mutant.caught_by, play=partial(compare_clean, mutant)))
        elif isinstance(mutant, Mutant | Probed):
            at = PROBE if isinstance(mutant, Probed) else (mutant.scenario, mutant.phones, mutant.settings)
            twin = mutant.twin if isinstance(mutant, Mutant) else "clean"
            scenario, phones, settings = at
            if (twin, scenario, settings) in seen:
                continue
            seen.add((twin, scenario, settings))
            play_twin = partial(play_clean, scenario=scenario, phones=phones, settings=settings, variant=twin)
            found.append(Clean(number=number, what=f"{twin}: {scenario} {' '.join(settings)}", play=play_twin))
    return found


class Rows:
    """The table, told line by line while it grows, and printed whole at the end."""

    def __init__(self) -> None:
        self.wrong = 0
        self._passed = self._cleans = 0
        self._table = Table("", "mutant", "defect", "caught by", "verdict", "s", "", title="Wrong gateways")

    def add(self, number: str, name: str, defect: str, by: str, found: Outcome, wrong: str) -> None:
        self.wrong += bool(wrong)
        verdict = found.verdict if found.runs == 1 else f"{found.verdict} (run {found.runs})"
        self._tell(number, name, defect, by, verdict, found, wrong or "caught")

    def add_clean(self, number: str, what: str, found: Outcome) -> None:
        """A right gateway may not fail; where it was not seen well enough, that is told."""
        wrong = found.verdict not in ("pass", "inconclusive")
        self.wrong += wrong
        self._cleans += 1
        self._passed += found.verdict == "pass"
        told = "" if found.verdict == "pass" else found.why
        if wrong:
            told = f"WRONG: {', '.join(found.failed)}: {told}"
        self._tell(number, "none", what, "", found.verdict, found, told)

    def print(self) -> None:
        if self._cleans and self._passed * 2 < self._cleans:
            self.wrong += 1
        Console(width=170).print(self._table)
        Console().print(f"{self._passed} of {self._cleans} right gateways passed; {self.wrong} rows are wrong")

    def _tell(self, number: str, name: str, defect: str, by: str, verdict: str, found: Outcome, told: str) -> None:
        row = (number, name, defect, by, verdict, f"{found.seconds:.0f}", told)
        self._table.add_row(*row)
        print(" | ".join(row), flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    sys.exit(main())
