"""The ledger in the page: a table whose first rows are there without script, all rows as data, and stories.

The data are columns, not rows: a column with few different values holds each once and numbers, so that 10,000 phones
stay a page that a browser opens.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from harness.report import figures
from harness.report.excerpts import files_of
from harness.report.result import PAGE, Result, first_of_each
from harness.report.story import Story
from harness.run_folder import EXCERPTS, LEDGER

SHOWN: Final = {
    "phone": "Phone",
    PAGE: "Page",
    "directory_number": "DN",
    "model": "Model",
    "address": "Address",
    "zone": "Zone",
    "subnet": "Subnet",
    "state": "State",
    "authorised_by": "Authorised by",
    "listening_ms": "Listens (ms)",
    "displayed_ms": "Shows it (ms)",
    "packets_heard": "Heard",
    "packets_expected": "Expected",
    "why": "Why",
}
"""Columns of the ledger's table and their headings; the others are in a phone's details."""
NUMBERS: Final = ("listening_ms", "displayed_ms", "packets_heard", "packets_expected")
FIRST_ROWS: Final = 50
"""Rows that the page is written with: those that missed it come first, on paper and without script too."""


def ledger_section(result: Result, stories: Mapping[str, Story]) -> Iterable[str]:
    """The section of the page."""
    if not result.ledger:
        return
    states = "".join(
        f'<option value="{escape(state)}">{escape(state)} ({count:,})</option>'
        for state, count in result.outcomes.items()
        if count
    )
    columns = _shown(result)
    heads = "".join(
        f'<th scope="col" data-column="{name}"{" class=number" if name in NUMBERS else ""}>{escape(SHOWN[name])}</th>'
        for name in columns
    )
    first = _ordered(result)[:FIRST_ROWS]
    rest = len(result.ledger) - len(first)
    more = f"; {rest:,} more in <a href={LEDGER}>{LEDGER}</a>" if rest else ""
    yield (
        "<section class=ledger><h2>Ledger</h2><div class=tools id=tools hidden>"
        '<label>Filter <input id=filter type=search autocomplete=off placeholder="name, number, address …"></label>'
        f'<label>State <select id=state><option value="">all</option>{states}</select></label></div>'
        f"<p id=count class=quiet role=status>{len(first):,} of {result.counted(len(result.ledger))}, those "
        f"that missed it first{more}</p>"
        f"<div class=wide><table id=ledger><thead><tr>{heads}</tr></thead><tbody>"
    )
    for row in first:
        yield from _row(row, columns)
    yield (
        "</tbody></table></div><p><button type=button id=more hidden>Show more</button></p>"
        f"<p class=quiet>Times are milliseconds after Send{' of the page' if result.several else ''}. "
        "<span id=hint hidden>Choose a phone's name for its timeline "
        "and all its figures, a column's heading to sort.</span></p></section>"
    )
    yield from _stories(result, stories)


def ledger_data(result: Result, stories: Mapping[str, Story]) -> dict[str, Any]:
    """Every row of ledger.csv for the page's script, column by column, the phones that missed it first."""
    rows = _ordered(result)
    columns = list(result.ledger[0])
    return {
        "columns": columns,
        "shown": list(SHOWN),
        "numbers": list(NUMBERS),
        "worked": sorted(figures.WORKED),
        "first": FIRST_ROWS,
        "stories": sorted(stories),
        "rows": "deliveries" if result.several else "phones",
        "cells": [_column([row.get(name, "") for row in rows]) for name in columns],
    }


def _column(values: Sequence[str]) -> dict[str, Any]:
    """A column as it is or, where that is shorter, its different values and a number for each row."""
    known = list(dict.fromkeys(values))
    if len(known) * 4 > len(values):
        return {"values": list(values)}
    place = {value: number for number, value in enumerate(known)}
    return {"known": known, "rows": [place[value] for value in values]}


def _ordered(result: Result) -> Sequence[Mapping[str, str]]:
    """What the table is opened for comes first."""
    return (*result.missed, *(row for row in result.ledger if row.get("state") in figures.WORKED))


def _shown(result: Result) -> Sequence[str]:
    """Columns to show: those of audio need no room where nobody listened, nor those of alerts where nobody saw one."""
    known = [name for name in SHOWN if name in result.ledger[0]]
    optional = {"zone", "subnet"}
    idle = {
        name
        for name in known
        if (name.endswith("_ms") or name in optional) and not any(row.get(name) for row in result.ledger)
    }
    if "listening_ms" in idle:
        idle |= {"packets_heard", "packets_expected"}
    return [name for name in known if name not in idle]


def _row(row: Mapping[str, str], columns: Sequence[str]) -> Iterable[str]:
    yield "<tr>"
    for name in columns:
        value = escape(_told(name, row.get(name, "")))
        if name == "phone":
            yield f'<th scope="row" class="once mono">{value}</th>'
        elif name == "state":
            tone = "pass" if row.get(name) in figures.WORKED else "fail"
            yield f'<td class=once><span class="verdict {tone}">{value}</span></td>'
        else:
            yield f"<td class={'number' if name in NUMBERS else 'text' if name == 'why' else 'once'}>{value}</td>"
    yield "</tr>"


def _told(name: str, value: str) -> str:
    """A cell as the table shows it: times to a tenth of a millisecond, so that they stand below each other."""
    if not name.endswith("_ms") or not value:
        return value
    try:
        return f"{float(value):.1f}"
    except ValueError:
        return value


def _which(row: Mapping[str, str]) -> str:
    """The page or alert that a row is about, where there are several."""
    return f"<span class=quiet>{escape(row[PAGE])}</span> " if row.get(PAGE) else ""


def _stories(result: Result, stories: Mapping[str, Story]) -> Iterable[str]:
    if not stories:
        return
    told = [row for row in first_of_each(result.missed) if row.get("phone") in stories]
    count = figures.counted(len(told), "phone")
    yield f"<section><h2>What happened at {count} that missed it</h2>"
    if len(result.missed) > len(told):
        yield f"<p class=quiet>Of {len(result.missed):,}, some of each end state; all are in the ledger.</p>"
    for row in told:
        story = stories[row["phone"]]
        links = " · ".join(f'<a href="{file}">{file}</a>' for file in files_of(result.folder, story.phone))
        lines = escape("\n".join(story.lines))
        name = escape(story.phone)
        yield (
            f'<details class=story id="story-{name}"><summary><span class=mono>{name}</span> '
            f'{_which(row)}<span class="verdict fail">{escape(row.get("state", ""))}</span> '
            f"<span class=quiet>{escape(row.get('why', ''))}</span></summary>"
            f"<pre tabindex=0>{lines}</pre>{f'<p>{links}</p>' if links else ''}</details>"
        )
    yield (
        f"<p class=quiet>Milliseconds after {result.send}, who recorded it, what it says. "
        f"The folder {EXCERPTS}/ has the same as text, and each phone's packets.</p></section>"
    )
