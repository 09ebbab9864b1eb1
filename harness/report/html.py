"""A run's result as one HTML file that needs nothing else: no network, no second file, no server.

Everything from outside (names, reasons, a foreign gateway's words) is escaped where it is put into markup. The ledger
travels as JSON in which `<`, `>` and `&` are written as escapes, so that no value can end the element it stands in; the
page's content security policy allows exactly the style sheet and the script of this package, by their digests.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Final

from harness.report import figures
from harness.report.charts import Chart, charts_of, data_of, draw
from harness.report.circumstances import Circumstances, Fault, read_circumstances
from harness.report.html_document import html_document
from harness.report.ledger_html import ledger_data, ledger_section
from harness.report.places import places_section
from harness.report.result import Check, Result, read_settings
from harness.report.story import Story
from harness.report.summary import key_figures
from harness.report.timeline import read_timelines
from harness.run_folder import EVIDENCE, JUNIT, LEDGER, VERDICT
from harness.scenario.metrics import metric_of

_FAULTY_NAMED: Final = 10
"""Phones named with each fault; in the ledger's filter a fault's name finds all."""
_SCRIPT_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page_of(result: Result, stories: Mapping[str, Story]) -> str:
    """The whole page.

    Args:
        result: The run.
        stories: Of phones that missed it; each is told in the page.
    """
    script = resources.files("harness.report").joinpath("page.js").read_text(encoding="utf-8")
    around = read_circumstances(result.folder)
    charts = _charts_of(result)
    main = [
        *_first_screen(result, around),
        *_sentences("Not as the scenario expects", result.unexpected),
        *_open_checks(result),
        *_sentences("What was blind", result.blind),
        *_faults(around.faults),
        *places_section(result),
        *_charts(charts),
        *ledger_section(result, stories),
        *(("<section><h2>All checks</h2>", *_check_table(result.checks), "</section>") if result.checks else ()),
        *_metrics(result.metrics),
        *_evidence(result),
        *_circumstances(around),
    ]
    data = [
        f'<script type="application/json" id="{name}">{script_json(value)}</script>'
        for name, value in (
            ("ledger-data", ledger_data(result, stories) if result.ledger else None),
            ("chart-data", data_of(charts) or None),
        )
        if value is not None
    ]
    return html_document(
        f"{result.verdict}: {result.title}", main, script=script if result.ledger or charts else "", data=data
    )


def script_json(value: object) -> str:
    """Compact JSON that can stand inside a `<script>` element whatever it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_SCRIPT_ESCAPES)


def _first_screen(result: Result, around: Circumstances) -> Iterable[str]:
    expectation = f" ({escape(result.expectation)})" if result.expectation else ""
    yield f'<header class="{result.verdict}"><h1>{_verdict(result.verdict)}{expectation} {escape(result.scenario)}</h1>'
    yield f'<p class="why">{escape(result.why)}</p>'
    if around.purpose:
        yield f"<p>Asked: {escape(around.purpose)}</p>"
    if result.url:
        yield f'<p class="quiet">{escape(result.url)}</p>'
    else:
        yield (
            f'<p class="quiet">{escape(result.fleet)} · seed {result.seed} · ground '
            f"{escape(result.ground)} · {escape(result.outcome_text())}</p>"
        )
    if around.faults:
        told = ", ".join(
            f"{fault.kind} at {figures.counted(len(fault.phones), 'phone')}" if fault.phones else fault.kind
            for fault in around.faults
        )
        yield f"<p class=quiet>Faults in force: {escape(told)}</p>"
    yield "</header><dl class=figures>"
    for figure in key_figures(result):
        yield f'<div><dt>{escape(figure.label)}</dt><dd class="value">{escape(figure.value)}</dd>'
        yield f'<dd class="note">{escape(figure.note)}</dd></div>' if figure.note else "</div>"
    yield "</dl>"


def _verdict(verdict: str) -> str:
    return f'<span class="verdict {verdict}">{verdict}</span>'


def _open_checks(result: Result) -> Iterable[str]:
    if not result.open_checks:
        return
    count = f"{len(result.open_checks):,} of {len(result.asked):,}"
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
            ("expected", check.expected, "text" if check.sent else "once"),
            ("witnesses", ", ".join(check.witnesses), ""),
        ):
            yield f'<td data-label="{heading}" class="{style}">{escape(text)}</td>'
        sent = f"<div class=sent>Sent: {escape(check.sent)}</div>" if check.sent else ""
        yield f'<td data-label="why" class="text">{escape(check.why)}{sent}</td>'
        yield "</tr>"
    yield "</tbody></table></div>"


def _sentences(heading: str, sentences: Sequence[str]) -> Iterable[str]:
    if sentences:
        yield f"<section><h2>{heading}</h2><ul>"
        yield from (f"<li>{escape(sentence)}</li>" for sentence in sentences)
        yield "</ul></section>"


def _faults(faults: Sequence[Fault]) -> Iterable[str]:
    if not faults:
        return
    yield "<section><h2>Faults in force</h2><p class=quiet>Put upon phones by the scenario, on purpose.</p>"
    yield '<div class=wide><table class=checks><thead><tr><th scope="col">Fault</th>'
    yield '<th scope="col" class=number>Phones</th><th scope="col">What it does</th>'
    yield '<th scope="col">Who had it</th></tr></thead><tbody>'
    for fault in faults:
        named = ", ".join(fault.phones[:_FAULTY_NAMED])
        more = len(fault.phones) - _FAULTY_NAMED
        who = f"{named} and {more:,} more" if more > 0 else named
        count = f"{len(fault.phones):,}" if fault.phones else figures.ABSENT
        yield f'<tr><th scope="row" class=mono>{escape(fault.kind)}</th>'
        yield f'<td class=number data-label="phones">{count}</td><td class=text>{escape(fault.detail)}</td>'
        yield f'<td class=text data-label="who">{escape(who)}</td></tr>'
    yield "</tbody></table></div></section>"


def _charts_of(result: Result) -> Sequence[Chart]:
    timelines = read_timelines(result.folder)
    if not timelines:
        return ()
    callmanager = read_settings(result.folder).get("callmanager")
    workers = callmanager.get("workers") if isinstance(callmanager, Mapping) else None
    return charts_of(
        *timelines,
        workers=workers if isinstance(workers, int) else None,
        queue_max=result.metrics.get("callmanager.queue_max"),
    )


def _charts(charts: Sequence[Chart]) -> Iterable[str]:
    if charts:
        yield "<section><h2>What happened when</h2><div class=charts>"
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


def _evidence(result: Result) -> Iterable[str]:
    files = [name for name in (VERDICT, LEDGER, JUNIT, *EVIDENCE) if (result.folder / name).is_file()]
    links = " · ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in files)
    yield f"<section><h2>Repeat this run</h2><pre class=repeat><code>{escape(result.command)}</code></pre>"
    yield f"<p>Beside this file: {links}</p>"
    yield "<p class=quiet>Judge the same evidence again, nothing is run: <code>pushlab judge FOLDER</code></p>"
    yield "</section>"


def _circumstances(around: Circumstances) -> Iterable[str]:
    tables = (
        ("Versions", around.versions),
        ("Machine", around.machine),
        ("Assumed: no public source gives the figure", around.assumed),
    )
    if not any(values for _, values in tables):
        return
    yield "<section><h2>Under what circumstances</h2><div class=sides>"
    for heading, values in tables:
        if values:
            yield f"<table><caption>{heading}</caption><tbody>"
            for name, value in values.items():
                yield f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td>{escape(value)}</td></tr>'
            yield "</tbody></table>"
    yield "</div></section>"
