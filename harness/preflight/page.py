"""A preflight as one HTML file that needs nothing else: go or no go and what to do first, then every phone.

Everything from outside (what phones say, names in lists) is escaped where it is put into markup; the content security
policy allows exactly the styles and the script of this package, by their digests. The styles are those of a run's
report.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from importlib import resources
from typing import Final

from harness.preflight.checks import BY_NAME, CHECKS
from harness.preflight.finding import Result
from harness.preflight.outcome import Open, Outcome, Task
from harness.preflight.words import left_out, phones_of, told_of, why
from harness.report.html_document import html_document

NAMED_PHONES: Final = 10
"""Phones shown of one line of the list, with what is to be said of each; the others are named below them."""
INDEXED_FROM: Final = 3
"""Lines of the list that a first screen holds in full."""
_WORST: Final = ("fault", "remark", "not-checked", "ok")
_SHOWN: Final = {"ok": "ok", "fault": "fault", "remark": "to look at", "not-checked": "not checked"}
_COLUMNS: Final = (
    ("Number", "directory-number"),
    ("Model", "model"),
    ("Firmware", "firmware"),
    ("Asks", "authentication-url"),
)


def page_of(outcome: Outcome, *, now: datetime, command: str) -> str:
    """The whole page."""
    here = resources.files("harness.preflight")
    stops = [task for task in outcome.tasks if task.stops]
    remarks = [task for task in outcome.tasks if not task.stops]
    main = [
        f'<header class="{outcome.decision}"><h1><span class="verdict {outcome.decision}">{outcome.decision}</span> ',
        f'{phones_of(outcome)}</h1><p class="why">{escape(_sentence(why(outcome)))}</p>',
        f'<p class="quiet">{now:%Y-%m-%d %H:%M} UTC</p>',
        *_index(stops),
        "</header>",
        *_tasks("What to do before the rollout", "fault", stops),
        *_tasks("What to look at", "remark", remarks),
        *_open("Not checked, and needed for a go", [point for point in outcome.open if point.needed]),
        *_places(outcome.results),
        *_phones(outcome.results),
        *_open("Not checked", left_out(outcome)),
        *_checks(outcome.results),
        f'<section><h2>Repeat</h2><p class="repeat mono">{escape(command)}</p></section>',
    ]
    return html_document(
        f"{outcome.decision}: preflight",
        main,
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        script=here.joinpath("page.js").read_text(encoding="utf-8"),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _index(tasks: Sequence[Task]) -> Iterable[str]:
    """All headings at once, where they would not fit into the first screen with what belongs to them."""
    if len(tasks) > INDEXED_FROM:
        yield '<ol class="index">'
        yield "".join(f'<li><a href="#do-{number}">{escape(task.do)}</a></li>' for number, task in enumerate(tasks, 1))
        yield "</ol>"


def _tasks(heading: str, tone: str, tasks: Sequence[Task]) -> Iterable[str]:
    if not tasks:
        return
    yield f'<section><h2>{heading}</h2><ol class="tasks">'
    for number, task in enumerate(tasks, 1):
        anchor = f' id="do-{number}"' if task.stops else ""
        yield f'<li class="{tone}"{anchor}><h3>{escape(task.do)}<span class="mono">{task.check}</span></h3>'
        yield f"<p>{escape(_sentence(task.means))}.</p>"
        yield f'<p class="fix quiet">{escape(task.fix)}</p><ul>'
        for result in task.results[:NAMED_PHONES]:
            yield f'<li><span class="mono">{escape(result.subject)} {escape(result.address)}</span>'
            yield f" {escape(told_of(result, task))}</li>"
        yield "</ul>"
        if len(task.results) > NAMED_PHONES:
            names = ", ".join(result.subject for result in task.results)
            yield f'<details><summary>All {len(task.results):,}</summary><p class="mono">{escape(names)}</p></details>'
        yield "</li>"
    yield "</ol></section>"


def _open(heading: str, points: Sequence[Open]) -> Iterable[str]:
    if not points:
        return
    yield f'<section><h2>{heading}</h2><div class="wide"><table class="checks"><thead><tr><th scope="col">Check</th>'
    yield '<th scope="col" class="number">Times</th><th scope="col">Why</th><th scope="col">For</th></tr></thead>'
    yield "<tbody>"
    for point in points:
        names = ", ".join(result.subject for result in point.results[:NAMED_PHONES])
        more = len(point.results) - NAMED_PHONES
        yield f'<tr><th scope="row" class="mono">{point.check}</th>'
        yield f'<td class="number" data-label="times">{len(point.results):,}</td>'
        yield f'<td class="text">{escape(point.why)}</td>'
        yield f'<td class="text">{escape(names)}{f" and {more:,} more" if more > 0 else ""}</td></tr>'
    yield "</tbody></table></div></section>"


def _places(results: Sequence[Result]) -> Iterable[str]:
    found = [result for result in results if BY_NAME[result.check].about != "phone" and result.subject[:1] != "("]
    if not found:
        return
    yield '<section><h2>Servers and subnets</h2><div class="wide"><table class="checks"><thead><tr>'
    yield '<th scope="col">Result</th><th scope="col">Check</th><th scope="col">Where</th><th scope="col">Seen</th>'
    yield "</tr></thead><tbody>"
    for result in found:
        seen = " · ".join(dict.fromkeys(text for text in (result.observed, result.why) if text))
        yield f"<tr><td>{_word(result.word)}</td>"
        yield f'<th scope="row" class="mono">{result.check}</th><td class="text mono">{escape(result.subject)}</td>'
        yield f'<td class="text">{escape(seen)}</td></tr>'
    yield "</tbody></table></div></section>"


def _word(word: str) -> str:
    return f'<span class="verdict {word}">{_SHOWN[word]}</span>'


def _phones(results: Sequence[Result]) -> Iterable[str]:
    by_phone: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if BY_NAME[result.check].about == "phone" and result.subject[:1] != "(":
            # Checks that ask no phone have no address; they belong to the phone of that name.
            by_phone.setdefault((result.subject, result.address), []).append(result)
    for (subject, address), found in list(by_phone.items()):
        if not address:
            home = next((key for key in by_phone if key[0] == subject and key[1]), None)
            if home is not None:
                by_phone[home] += found
                del by_phone[subject, address]
    if not by_phone:
        return
    yield '<section><h2>Phones</h2><p class="tools" hidden><input id="filter" type="search" '
    yield 'aria-label="Filter" placeholder="name, number, any word">'
    yield '<select id="result" aria-label="Result"><option value="">all results</option>'
    yield "".join(f'<option value="{word}">{_SHOWN[word]}</option>' for word in _WORST)
    yield '</select><span id="count" class="quiet" aria-live="polite"></span></p>'
    yield '<div class="wide"><table class="phones"><thead><tr><th scope="col">Result</th><th scope="col">Phone</th>'
    yield '<th scope="col">Address</th>'
    yield "".join(f'<th scope="col">{heading}</th>' for heading, _ in _COLUMNS)
    yield '<th scope="col">What was found</th></tr></thead><tbody>'
    rows = sorted(by_phone.items(), key=lambda item: _WORST.index(worst(item[1])))
    for (subject, address), found in rows:
        yield from _row(subject, address, found)
    yield "</tbody></table></div></section>"


def worst(results: Sequence[Result]) -> str:
    """The result of a phone: its worst one; what was not checked and is not needed does not count."""
    words = {result.word for result in results if result.word != "not-checked" or result.needed}
    return next((word for word in _WORST if word in words), "not-checked")


def _row(subject: str, address: str, results: Sequence[Result]) -> Iterable[str]:
    word = worst(results)
    values = {result.check: result.observed for result in results if result.observed}
    yield f'<tr data-result="{word}"><td>{_word(word)}</td><th scope="row" class="mono">{escape(subject)}</th>'
    yield f'<td class="mono once">{escape(address)}</td>'
    for _, check in _COLUMNS:
        style = "mono url" if check == "authentication-url" else "mono"
        yield f'<td class="{style}">{escape(values.get(check, ""))}</td>'
    told = [
        f"{result.check}: {result.why or result.observed}"
        for result in results
        if result.word in {"fault", "remark"} or (result.word == "not-checked" and result.needed)
    ]
    yield f'<td class="text">{"<br>".join(escape(one) for one in told)}</td></tr>'


def _checks(results: Sequence[Result]) -> Iterable[str]:
    yield '<section><h2>All checks</h2><div class="wide"><table class="checks"><thead><tr><th scope="col">Check</th>'
    yield '<th scope="col">What holds</th>'
    yield "".join(f'<th scope="col" class="number">{_SHOWN[word]}</th>' for word in ("ok", *_WORST[:3]))
    yield "</tr></thead><tbody>"
    for check in CHECKS:
        words = [result.word for result in results if result.check == check.name]
        yield f'<tr><th scope="row" class="mono">{check.name}</th><td class="text">{escape(check.holds)}</td>'
        for word in ("ok", *_WORST[:3]):
            yield f'<td class="number" data-label="{_SHOWN[word]}">{words.count(word) or ""}</td>'
        yield "</tr>"
    yield "</tbody></table></div></section>"
