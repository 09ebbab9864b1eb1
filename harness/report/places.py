"""Outcomes by place: how many phones of each zone and each subnet got what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from harness.report import figures
from harness.report.result import Result

KINDS: Final = {"zone": "Zone", "subnet": "Subnet"}
"""Columns of the ledger that are places, and their headings."""
SHOWN_MAX: Final = 60
"""Rows of one table; ledger.csv has all."""
UNKNOWN: Final = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One zone or subnet."""

    name: str
    phones: int
    worked: int
    missed: Mapping[str, int]
    """End state → phones, of those that did not get it in time."""

    @property
    def missed_text(self) -> str:
        """`2 unreachable · 1 no_audio`; empty where all got it."""
        return " · ".join(f"{count:,} {state}" for state, count in self.missed.items())


def places(result: Result, kind: str) -> Sequence[Place]:
    """The zones or subnets of a run, those with most phones that missed it first; none where no phone has one."""
    states: dict[str, Counter[str]] = {}
    for row in result.ledger:
        states.setdefault(row.get(kind, ""), Counter())[row.get("state", "")] += 1
    if not any(states):
        return ()
    found = [
        Place(
            name=name or UNKNOWN,
            phones=counts.total(),
            worked=sum(count for state, count in counts.items() if state in figures.WORKED),
            missed={state: count for state, count in counts.most_common() if state not in figures.WORKED},
        )
        for name, counts in states.items()
    ]
    return sorted(found, key=lambda place: (place.worked - place.phones, place.name))


def places_section(result: Result) -> Iterable[str]:
    """The section of the page; nothing where phones have no places."""
    tables = {heading: places(result, kind) for kind, heading in KINDS.items()}
    if not any(tables.values()):
        return
    yield "<section><h2>Where</h2><div class=sides>"
    for heading, found in tables.items():
        if not found:
            continue
        yield f'<div class=wide><table><thead><tr><th scope="col">{heading}</th>'
        yield '<th scope="col" class=number>Phones</th><th scope="col" class=number>Got it</th>'
        yield '<th scope="col">Missed it</th></tr></thead><tbody>'
        for place in found[:SHOWN_MAX]:
            tone = "fail" if place.missed else "pass"
            yield f'<tr><th scope="row">{escape(place.name)}</th><td class=number>{place.phones:,}</td>'
            yield f'<td class=number><span class="verdict {tone}">{place.worked:,}</span></td>'
            yield f"<td class=text>{escape(place.missed_text)}</td></tr>"
        yield "</tbody></table>"
        if len(found) > SHOWN_MAX:
            yield f"<p class=quiet>And {len(found) - SHOWN_MAX:,} more, none of them worse; ledger.csv has all.</p>"
        yield "</div>"
    yield "</div></section>"
