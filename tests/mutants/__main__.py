"""`python -m tests.mutants`: the table of wrong gateways. Exit code 1 when one survives or a right one fails.

    python -m tests.mutants [NUMBER ...] [--clean N] [--work DIR]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.net.namespace import available
from tests.mutants.catalogue import MUTANTS, PAGE, Compared, InTests, Mutant, Probed
from tests.mutants.running import PROBE, Outcome, caught, compare_clean, play, play_clean

CLEAN_PHONES = 20
NOT_STARTED = 5
"""docs/reference/exit-codes.md."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="of the catalogue; all if none is named")
    parser.add_argument("--clean", type=int, default=20, metavar="N", help="runs of the right gateway (20)")
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
        table = Rows()
        _cleans(chosen, arguments.clean, work, table)
        for mutant in chosen:
            found = play(mutant, work)
            table.add(mutant.number, mutant.name, mutant.defect, _names(mutant), found, caught(mutant, found))
    table.print()
    return 1 if table.wrong else 0


def _names(mutant: Mutant | Probed | InTests | Compared) -> str:
    return mutant.caught_by if isinstance(mutant, InTests | Compared) else ", ".join(mutant.caught_by)


def _cleans(chosen: list[Mutant | Probed | InTests | Compared], count: int, work: Path, table: Rows) -> None:
    """The right gateway, and once at each setting that a wrong one is run at."""
    for number in range(1, count + 1):
        found = play_clean(work, scenario=PAGE, phones=CLEAN_PHONES)
        table.add_clean(f"C{number:02}", "clean", found)
    if not count:
        return
    seen = set()
    for mutant in chosen:
        if isinstance(mutant, Compared):
            found = compare_clean(mutant, work)
            table.add_clean(f"({mutant.number})", mutant.caught_by, found)
        elif isinstance(mutant, Mutant | Probed):
            at = PROBE if isinstance(mutant, Probed) else (mutant.scenario, mutant.phones, mutant.settings)
            twin = mutant.twin if isinstance(mutant, Mutant) else "clean"
            scenario, phones, settings = at
            key = (twin, scenario, settings)
            if key in seen or key == ("clean", PAGE, ()):
                continue
            seen.add(key)
            found = play_clean(work, scenario=scenario, phones=phones, settings=settings, variant=twin)
            table.add_clean(f"({mutant.number})", f"{twin}: {scenario} {' '.join(settings)}", found)


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
