"""Several scenarios as one page that links their reports; it needs no network, no script, no server."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from urllib.parse import quote

from harness.report import figures
from harness.report.html_document import html_document
from harness.report.suite import Entry, Suite, report_of, verdicts_told


def suite_page(suite: Suite, folder: Path) -> str:
    """The whole page.

    Args:
        suite: what was run.
        folder: where the page is to lie; links are relative to it.
    """
    return html_document(
        f"{suite.verdict}: {suite.title}",
        [
            *_first_screen(suite),
            *_unexpected(suite, folder),
            *_table(suite, folder),
            "<section><p>Beside this file: ",
            " · ".join(f'<a href="{name}">{name}</a>' for name in ("verdict.json", "junit.xml", "summary.md")),
            "</p></section>",
        ],
    )


def _first_screen(suite: Suite) -> Iterable[str]:
    yield f'<header class="{suite.verdict}"><h1><span class="verdict">{escape(suite.verdict)}</span> '
    yield f"{escape(suite.title)}</h1>"
    yield f'<p class="quiet">{suite.started:%Y-%m-%d %H:%M} UTC · {suite.seconds:,.0f} s · '
    yield f"{escape(verdicts_told(suite.entries))}</p>"
    yield '<p class="quiet">A control is to fail: it is as expected when it fails by the checks that it names.</p>'
    yield "</header>"


def _unexpected(suite: Suite, folder: Path) -> Iterable[str]:
    if not suite.unexpected:
        return
    yield f"<section><h2>Not as expected ({len(suite.unexpected):,})</h2><ul>"
    for entry in suite.unexpected:
        yield f"<li>{_name(entry, folder)}: {escape(entry.verdict)}, {escape(entry.told)}. {escape(entry.why)}</li>"
    yield "</ul></section>"


def _table(suite: Suite, folder: Path) -> Iterable[str]:
    yield '<section><h2>All scenarios</h2><div class=wide><table class=checks><thead><tr>'
    yield '<th scope="col">Scenario</th><th scope="col">Verdict</th><th scope="col">As expected</th>'
    yield '<th scope="col" class=number>Phones</th><th scope="col" class=number>Seconds</th>'
    yield '<th scope="col">What it asks, and what came out</th></tr></thead><tbody>'
    for entry in suite.entries:
        phones = figures.ABSENT if entry.phones is None else f"{entry.phones:,}"
        yield f'<tr><th scope="row" class=once>{_name(entry, folder)}</th>'
        yield f'<td class="{entry.verdict}"><span class="verdict">{escape(entry.verdict)}</span></td>'
        told = "yes" if entry.as_expected else f"no: {escape(entry.told)}"
        yield f'<td class=once data-label="as expected">{told}</td>'
        yield f'<td class=number data-label="phones">{phones}</td>'
        yield f'<td class=number data-label="seconds">{entry.seconds:.1f}</td>'
        yield f'<td class=text>{escape(entry.purpose)}<br><span class=quiet>{escape(entry.why)}</span></td></tr>'
    yield "</tbody></table></div></section>"


def _name(entry: Entry, folder: Path) -> str:
    link = report_of(entry, folder)
    name = escape(entry.scenario)
    return name if link is None else f'<a href="{escape(quote(link))}">{name}</a>'
