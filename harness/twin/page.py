"""The one report of both runs: as Markdown, and as a page of one file without script."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from harness.report import figures
from harness.report.html_document import html_document
from harness.report.markdown import cell
from harness.report.result import Result
from harness.twin.comparison import METRICS, NO_RECORDS, Comparison, Row, Side

_TONE: Final = {"agrees": "pass", "differs": "fail", "unknown": "inconclusive"}


def markdown(comparison: Comparison, *, twin_link: str, pilot_link: str) -> str:
    """The report for a change or a ticket."""
    return "\n".join(_markdown(comparison, twin_link, pilot_link)) + "\n"


def page(comparison: Comparison, *, twin_link: str, pilot_link: str) -> str:
    """The report for people.

    Args:
        comparison: both runs.
        twin_link: the twin's own report, from where the page lies.
        pilot_link: the pilot's.
    """
    tone = {0: "pass", 1: "fail", 3: "inconclusive"}[comparison.exit_code]
    title = f"Twin and pilot: {comparison.twin.scenario}"
    return html_document(
        title,
        [
            f'<header class="{tone}"><h1>{escape(title)}</h1>',
            f'<p class="why">{escape(comparison.reading)}.</p></header>',
            *_runs(comparison, twin_link, pilot_link),
            *_phones(comparison),
            *_figures(comparison),
            *_notes(comparison),
        ],
    )


def _sides(comparison: Comparison) -> Iterable[tuple[str, Result]]:
    return ("Twin", comparison.twin), ("Pilot", comparison.pilot)


def _runs(comparison: Comparison, twin_link: str, pilot_link: str) -> Iterable[str]:
    yield "<section><h2>The two runs</h2><div class=wide><table><thead><tr>"
    for heading in ("Run", "Verdict", "Phones", "Ground", "Outcomes", "Report"):
        yield f'<th scope="col"{" class=number" if heading == "Phones" else ""}>{heading}</th>'
    yield "</tr></thead><tbody>"
    for (name, result), link in zip(_sides(comparison), (twin_link, pilot_link), strict=True):
        what = "emulated, the whole site" if name == "Twin" else "the real phones"
        yield f'<tr><th scope="row">{name}: {what}</th>'
        yield f'<td><span class="verdict {result.verdict}">{result.verdict}</span></td>'
        yield f"<td class=number>{result.phones:,}</td><td>{escape(result.ground)}</td>"
        yield f"<td class=text>{escape(result.outcome_text())}</td>"
        yield f'<td><a href="{escape(link)}">report</a></td></tr>'
    yield "</tbody></table></div></section>"


def _phones(comparison: Comparison) -> Iterable[str]:
    yield "<section><h2>Each pilot phone beside its twin</h2><div class=wide><table><thead><tr>"
    for heading in ("Phone", "DN", "Zone", "Model", "Twin predicted", "Phone did", "", "Why"):
        yield f'<th scope="col">{heading}</th>'
    yield "</tr></thead><tbody>"
    for row in comparison.rows:
        yield f'<tr><th scope="row" class="once mono">{escape(row.phone)}</th>'
        yield f"<td class=once>{escape(row.directory_number)}</td><td>{escape(row.zone)}</td>"
        yield f"<td>{escape(_model(row))}</td><td>{escape(_did(row.twin))}</td><td>{escape(_did(row.pilot))}</td>"
        yield f'<td><span class="verdict {_TONE[row.agreement]}">{row.agreement}</span></td>'
        yield f"<td class=text>{escape(row.because)}</td></tr>"
    yield "</tbody></table></div><p class=quiet>Real phones keep no diaries: whether one was heard is not known. Both "
    yield "sides know what the gateway was told; times are from a push sent to its whole answer.</p></section>"


def _figures(comparison: Comparison) -> Iterable[str]:
    names = _shown(comparison)
    if not names:
        return
    yield '<section><h2>Figures</h2><div class=wide><table><thead><tr><th scope="col"></th>'
    for name, result in _sides(comparison):
        yield f'<th scope="col" class=number>{name}, {figures.counted(result.phones, "phone")}</th>'
    yield "</tr></thead><tbody>"
    for metric in names:
        yield f'<tr><th scope="row">{escape(figures.label(metric))}</th>'
        for _, result in _sides(comparison):
            yield f"<td class=number>{escape(result.show(metric))}</td>"
        yield "</tr>"
    yield "</tbody></table></div><p class=quiet>One is of a whole site, the other of a few phones: rates and counts "
    yield "are not to be the same.</p></section>"


def _notes(comparison: Comparison) -> Iterable[str]:
    if comparison.notes:
        yield "<section><h2>Not asked of the pilot</h2><ul>"
        yield from (f"<li>{escape(note)}</li>" for note in comparison.notes)
        yield "</ul></section>"


def _shown(comparison: Comparison) -> list[str]:
    return [name for name in METRICS if name in comparison.twin.metrics or name in comparison.pilot.metrics]


def _model(row: Row) -> str:
    return row.model if row.emulated_as in ("", row.model) else f"{row.model} (twin: {row.emulated_as})"


def _did(side: Side) -> str:
    """`delivered: executed in 34 ms`: the end state, what the gateway was told, and how soon."""
    if not side.state:
        return figures.ABSENT
    soon = "" if side.answer_ms is None else f" in {side.answer_ms:,.0f}\N{NO-BREAK SPACE}ms"
    if side.says in {"", NO_RECORDS}:
        return side.state
    return f"{side.state}{soon}" if side.says == side.state else f"{side.state}: {side.says}{soon}"


def _markdown(comparison: Comparison, twin_link: str, pilot_link: str) -> Iterable[str]:
    yield f"### Twin and pilot: {cell(comparison.twin.scenario)}"
    yield ""
    yield f"{cell(comparison.reading)}."
    yield ""
    yield "| Run | Verdict | Phones | Ground | Outcomes |"
    yield "|---|---|---:|---|---|"
    for (name, result), link in zip(_sides(comparison), (twin_link, pilot_link), strict=True):
        outcomes = cell(result.outcome_text())
        yield f"| [{name}]({link}) | {result.verdict} | {result.phones:,} | {cell(result.ground)} | {outcomes} |"
    yield ""
    yield "| Phone | DN | Zone | Model | Twin predicted | Phone did | | Why |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in comparison.rows:
        texts = (row.phone, row.directory_number, row.zone, _model(row), _did(row.twin), _did(row.pilot))
        yield f"| {' | '.join(map(cell, texts))} | {row.agreement} | {cell(row.because)} |"
    names = _shown(comparison)
    if names:
        yield ""
        yield "| | Twin | Pilot |"
        yield "|---|---:|---:|"
        for metric in names:
            shown = (result.show(metric) for _, result in _sides(comparison))
            yield f"| {cell(figures.label(metric))} | {' | '.join(map(cell, shown))} |"
    if comparison.notes:
        yield ""
        yield "Not asked of the pilot:"
        yield ""
        yield from (f"- {cell(note)}" for note in comparison.notes)
