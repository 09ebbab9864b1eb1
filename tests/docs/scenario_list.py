"""The list of bundled scenarios in docs/reference/scenarios.md.

    python -m tests.docs.scenario_list runs/suite/latest/verdict.json ...

writes it anew, with the seconds of the fastest of these suites; scenarios that are in none of them keep theirs.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.scenario.file import GROUPS, Bundled, bundled, load

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "scenarios.md"
BEGIN, END = "<!-- the list: python -m tests.docs.scenario_list -->", "<!-- the list ends -->"
LAB: Final = "\N{EN DASH}"
"""Of scenarios for a network of the reader's own: nobody can say how long they take there."""
_ROW: Final = re.compile(r"^\| `(?P<name>[a-z0-9-]+)` \|.*\| (?P<seconds>\d+) \|$", re.MULTILINE)


def written() -> str:
    """The list as the page has it."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def seconds_of(text: str) -> dict[str, int]:
    """Scenario → seconds, as a list tells them."""
    return {row["name"]: int(row["seconds"]) for row in _ROW.finditer(text)}


def list_of(seconds: Mapping[str, int]) -> str:
    """The list: a table for each group."""
    known = bundled()
    lines = []
    for group, what in GROUPS.items():
        lines += ["", f"### {group}/: {what}", ""]
        lines += ["| scenario | what it shows | phones | expected | seconds |", "|---|---|---:|---|---:|"]
        lines += [_row(one, seconds) for one in known if one.group == group]
    return "\n".join([*lines, "", ""])


def _row(one: Bundled, seconds: Mapping[str, int]) -> str:
    scenario = load(str(one.path))
    took = LAB if scenario.ground == "lab" else seconds.get(one.name, "?")
    return f"| `{one.name}` | {one.purpose} | {scenario.fleet.phones:,} | {scenario.expect.verdict} | {took} |"


def main(files: list[str]) -> None:
    """Write the list into the page."""
    took: dict[str, int] = {}
    for file in files:
        for each in json.loads(Path(file).read_text(encoding="utf-8"))["scenarios"]:
            if each["folder"] is not None:
                name = each["scenario"]
                took[name] = min(round(each["seconds"]), took.get(name, sys.maxsize))
    seconds = seconds_of(written()) | took
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{list_of(seconds)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
