"""A run's result as one HTML file that needs nothing else: no network, no second file, no server.

Everything from outside (names, reasons, a foreign gateway's words) is escaped where it is put into markup. The ledger
travels as JSON in which `<`, `>` and `&` are written as escapes, so that no value can end the element it stands in; the
page's content security policy allows exactly the style sheet and the script of this package, by their digests.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, Final

from harness.report import figures
from harness.report.charts import charts_of, draw
from harness.report.result import Check, Result, read_result, read_settings
from harness.report.summary import key_figures
from harness.report.timeline import read_timeline
from harness.run_folder import EVIDENCE, JUNIT, LEDGER, REPORT, VERDICT
from harness.scenario.metrics import metric_of

SHOWN: Final = {
    "phone": "Phone",
    "directory_number": "DN",
    "model": "Model",
    "address": "Address",
    "state": "State",
    "authorised_by": "Authorised by",
    "listening_ms": "Listens (ms)",
    "packets_heard": "Heard",
    "packets_expected": "Expected",
    "why": "Why",
}
"""Columns of the ledger's table and their headings; the others are in a phone's details."""
_NUMBERS: Final = ("listening_ms", "packets_heard", "packets_expected")
_SCRIPT_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def write_html(folder: Path) -> None:
    """Write `report.html` of a judged run.

    Raises:
        ReportError: no result there that can be read.
    """
    (folder / REPORT).write_text(page_of(read_result(folder)), encoding="utf-8")


def page_of(result: Result) -> str:
    """The whole page."""
    style = resources.files("harness.report").joinpath("page.css").read_text(encoding="utf-8")
    script = resources.files("harness.report").joinpath("page.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(result.verdict)}: {escape(result.title)}</title><style>{style}</style></head><body><main>",
        *_first_screen(result),
        *_sentences("Not as the scenario expects", result.unexpected),
        *_open_checks(result),
        *_sentences("What was blind", result.blind),
        *_charts(result),
        "<section><h2>All checks</h2>",
        *_check_table(result.checks),
        "</section>",
        *_metrics(result.metrics),
        *_ledger(result),
        *_evidence(result),
        "</main>",
    ]
    if result.ledger:
        parts.append(f'<script type="application/json" id="ledger-data">{script_json(_ledger_data(result))}</script>')
        parts.append(f"<script>{script}</script>")
    parts.append("</body></html>\n")
    return "".join(parts)


def script_json(value: object) -> str:
    """Compact JSON that can stand inside a `<script>` element whatever it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_SCRIPT_ESCAPES)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _first_screen(result: Result) -> Iterable[str]:
    expectation = f" ({escape(result.expectation)})" if result.expectation else ""
    yield f'<header class="{result.verdict}"><h1>{_verdict(result.verdict)}{expectation} {escape(result.scenario)}</h1>'
    yield f'<p class="why">{escape(result.why)}</p>'
    yield (
        f'<p class="quiet">{figures.counted(result.phones, "phone")} · seed {result.seed} · ground '
        f"{escape(result.ground)} · {escape(result.outcome_text())}</p></header><dl class=figures>"
    )
    for figure in key_figures(result):
        yield f'<div><dt>{escape(figure.label)}</dt><dd class="value">{escape(figure.value)}</dd>'
        yield f'<dd class="note">{escape(figure.note)}</dd></div>' if figure.note else "</div>"
    yield "</dl>"


def _verdict(verdict: str) -> str:
    return f'<span class="verdict {verdict}">{verdict}</span>'


def _open_checks(result: Result) -> Iterable[str]:
    if not result.open_checks:
        return
    count = f"{len(result.open_checks):,} of {len(result.checks):,}"
    yield f"<section><h2>Checks that are not pass ({count})</h2>"
    yield from _check_table(result.open_checks)
    yield "</section>"


def _check_table(checks: Sequence[Check]) -> Iterable[str]:
    yield '<div class=wide><table class=checks><thead><tr><th scope="col">Verdict</th><th scope="col">Check</th>'
    yield '<th scope="col">Kind</th><th scope="col" class=number>Observed</th><th scope="col">Expected</th>'
    yield '<th scope="col">Witnesses</th><th scope="col">Why</th></tr></thead><tbody>'
    for check in checks:
        yield f'<tr><td>{_verdict(check.verdict)}</td><th scope="row" class=mono>{escape(check.name)}</th>'
        for heading, text, style in (
            ("kind", check.kind, ""),
            ("observed", check.observed, "number"),
            ("expected", check.expected, "once"),
            ("witnesses", ", ".join(check.witnesses), ""),
            ("why", check.why, "text"),
        ):
            yield f'<td data-label="{heading}" class="{style}">{escape(text)}</td>'
        yield "</tr>"
    yield "</tbody></table></div>"


def _sentences(heading: str, sentences: Sequence[str]) -> Iterable[str]:
    if sentences:
        yield f"<section><h2>{heading}</h2><ul>"
        yield from (f"<li>{escape(sentence)}</li>" for sentence in sentences)
        yield "</ul></section>"


def _charts(result: Result) -> Iterable[str]:
    timeline = read_timeline(result.folder)
    if timeline is None:
        return
    callmanager = read_settings(result.folder).get("callmanager")
    workers = callmanager.get("workers") if isinstance(callmanager, Mapping) else None
    yield "<section><h2>What happened when</h2><div class=charts>"
    charts = charts_of(
        timeline,
        workers=workers if isinstance(workers, int) else None,
        queue_max=result.metrics.get("callmanager.queue_max"),
    )
    yield from (draw(chart) for chart in charts)
    yield "</div></section>"


def _metrics(metrics: Mapping[str, float]) -> Iterable[str]:
    if not metrics:
        return
    yield f"<section><h2>Metrics</h2><details><summary>All {len(metrics):,} that were measured</summary>"
    yield '<div class=wide><table><thead><tr><th scope="col">Metric</th><th scope="col" class=number>Value</th>'
    yield '<th scope="col">Meaning</th></tr></thead><tbody>'
    for name in sorted(metrics):
        yield f'<tr><th scope="row" class=mono>{escape(name)}</th>'
        yield f"<td class=number>{escape(figures.show(name, metrics[name]))}</td>"
        yield f"<td class=text>{escape(_meaning(name))}</td></tr>"
    yield "</tbody></table></div></details></section>"


def _meaning(name: str) -> str:
    """The catalogue's words; none for a metric of another version."""
    try:
        return metric_of(name).meaning
    except KeyError:
        return ""


def _ledger(result: Result) -> Iterable[str]:
    if not result.ledger:
        return
    states = "".join(
        f'<option value="{escape(state)}">{escape(state)} ({count:,})</option>'
        for state, count in result.outcomes.items()
        if count
    )
    columns = [name for name in SHOWN if name in result.ledger[0]]
    heads = "".join(
        f'<th scope="col"{" class=number" if name in _NUMBERS else ""}>{escape(SHOWN[name])}</th>' for name in columns
    )
    yield (
        "<section><h2>Ledger</h2>"
        "<noscript><p>The table below needs the page's script; the same rows are in "
        f'<a href="{LEDGER}">{LEDGER}</a>.</p></noscript>'
        "<div class=tools id=tools hidden><label>Filter <input id=filter type=search "
        'placeholder="name, number, address, state …" autocomplete=off></label>'
        f'<label>State <select id=state><option value="">all</option>{states}</select></label>'
        "<span id=count class=quiet role=status></span></div>"
        f"<div class=wide><table id=ledger><thead><tr>{heads}</tr></thead><tbody></tbody></table></div>"
        "<p><button type=button id=more hidden>Show more</button></p>"
        "<p class=quiet>Choose a phone's name for its timeline and all its figures. Times are milliseconds after "
        "Send.</p></section>"
    )


def _ledger_data(result: Result) -> dict[str, Any]:
    """Rows as lists, the phones that missed it first: they are what the table is opened for."""
    columns = list(result.ledger[0])
    missed = result.missed
    worked = [row for row in result.ledger if row.get("state") in figures.WORKED]
    return {
        "columns": columns,
        "shown": list(SHOWN),
        "numbers": list(_NUMBERS),
        "worked": sorted(figures.WORKED),
        "rows": [[row.get(name, "") for name in columns] for row in (*missed, *worked)],
    }


def _evidence(result: Result) -> Iterable[str]:
    files = [name for name in (VERDICT, LEDGER, JUNIT, *EVIDENCE) if (result.folder / name).is_file()]
    links = " · ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in files)
    yield f"<section><h2>Repeat this run</h2><pre class=repeat><code>{escape(result.command)}</code></pre>"
    yield f"<p>Beside this file: {links}</p>"
    yield "<p class=quiet>Judge the same evidence again, nothing is run: <code>pushlab judge FOLDER</code></p>"
    yield "</section>"
