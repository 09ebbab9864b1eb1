"""The sizing card as one HTML page that needs nothing else; light, dark and print."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from harness.capacity.card import Card, Finding, columns, row
from harness.capacity.search import Answer
from harness.capacity.trial import Trial
from harness.report import figures
from harness.report.charts import Chart, Series, draw
from harness.report.html_document import html_document
from harness.scenario.thresholds import Threshold

VERDICT_OF: Final = {Answer.HOLDS: "pass", Answer.BREAKS: "fail", Answer.UNKNOWN: "inconclusive"}
"""Whose colour an answer has."""


def page_of(card: Card, thresholds: Sequence[Threshold]) -> str:
    """The whole page.

    Args:
        card: what was found.
        thresholds: the scenario's: each is a chart, where the runs have its metric.
    """
    main = [*_first_screen(card)]
    for finding in card.findings:
        main += _axis(finding, thresholds)
    main += _circumstances(card)
    main.append("<section><h2>Repeat this search</h2>")
    main.append(f"<pre class=repeat><code>{escape(card.command)}</code></pre></section>")
    return html_document(f"Capacity: {card.scenario}", main)


def _first_screen(card: Card) -> Iterable[str]:
    tone = "pass" if card.is_found else "inconclusive"
    yield f'<header class="{tone}"><h1>Capacity of {escape(card.scenario)} on this machine</h1>'
    for finding in card.findings:
        yield f'<p class="why">{escape(finding.sentence)}.</p>'
        if finding.cut_short:
            yield f"<p>Not searched to the end: {escape(finding.cut_short)}.</p>"
    if card.purpose:
        yield f'<p class="quiet">Asked: {escape(card.purpose)}</p>'
    yield "</header><dl class=figures>"
    for finding in card.findings:
        search = finding.search
        value = figures.ABSENT if search.largest is None else finding.amount(search.largest)
        yield _figure(f"Largest {finding.axis.name} that held", value, _certainty(finding))
        beyond = search.breaks_at if search.unknown_from is None else search.unknown_from
        if beyond is not None:
            named = "Least that broke" if search.unknown_from is None else "Not told, on this machine"
            yield _figure(named, finding.amount(beyond), "")
    yield "</dl>"
    broken = [text for finding in card.findings for text in finding.gave_way]
    if broken:
        yield "<section><h2>What gives way first</h2><ul>"
        yield from (f"<li class=mono>{escape(text)}</li>" for text in broken)
        yield "</ul></section>"


def _certainty(finding: Finding) -> str:
    largest = finding.search.largest
    runs = 0 if largest is None else finding.search.held[largest]
    return f"{figures.counted(runs, 'run')} with other seeds" if runs > 1 else figures.counted(runs, "run")


def _figure(label: str, value: str, note: str) -> str:
    told = f'<dd class="note">{escape(note)}</dd>' if note else ""
    return f'<div><dt>{escape(label)}</dt><dd class="value">{escape(value)}</dd>{told}</div>'


def _axis(finding: Finding, thresholds: Sequence[Threshold]) -> Iterable[str]:
    charts = [chart for threshold in thresholds if (chart := _chart(finding, threshold)) is not None]
    if charts:
        yield f"<section><h2>By {escape(finding.axis.name)}</h2><div class=charts>"
        yield from (draw(chart) for chart in charts)
        yield "</div></section>"
    yield f"<section><h2>Runs: {escape(finding.axis.name)}</h2><div class=wide><table class=checks><thead><tr>"
    headings = [finding.axis.name, "", *(heading for _, heading in columns(finding.trials))]
    yield "".join(f'<th scope="col" class=number>{escape(text)}</th>' for text in headings)
    yield '<th scope="col">Why</th></tr></thead><tbody>'
    for trial in sorted(finding.trials, key=lambda one: (one.value, one.seed)):
        value, answer, *rest = row(finding, trial)
        yield f'<tr><th scope="row" class=number>{escape(value)}</th>'
        yield f'<td class=number><span class="verdict {VERDICT_OF[trial.answer]}">{escape(answer)}</span></td>'
        yield "".join(f"<td class=number>{escape(text)}</td>" for text in rest)
        yield f"<td class=text>{escape(trial.why)}</td></tr>"
    yield "</tbody></table></div></section>"


def _chart(finding: Finding, threshold: Threshold) -> Chart | None:
    """A threshold's metric against the value searched, its limit drawn across."""
    told = [trial for trial in finding.trials if trial.answer is not Answer.UNKNOWN]
    points = _points(finding, told, threshold.metric)
    if len(points) < 2 or all(value == threshold.bound for _, value in points):
        return None
    last = figures.show(threshold.metric, points[-1][1])
    name = figures.label(threshold.metric)
    return Chart(
        title=name,
        x_label=finding.axis.plural,
        series=(Series(name=name, colour="phones", points=points, note=f"{last} at the largest"),),
        steps=False,
        limit=(threshold.bound, "limit"),
    )


def _points(finding: Finding, trials: Sequence[Trial], metric: str) -> list[tuple[float, float]]:
    """The median of each value's runs, by value."""
    found: dict[float, list[float]] = {}
    for trial in trials:
        if metric in trial.metrics:
            found.setdefault(float(finding.axis.text(trial.value)), []).append(trial.metrics[metric])
    return [(value, sorted(told)[(len(told) - 1) // 2]) for value, told in sorted(found.items())]


def _circumstances(card: Card) -> Iterable[str]:
    yield "<section><h2>Under what circumstances</h2><div class=sides>"
    held = {str(number): text for number, text in enumerate([*card.thresholds, "every law"], 1)}
    for heading, values in (
        ("Held where", held),
        ("Machine", card.machine),
        ("Versions", card.versions),
        ("Assumed: no public source gives the figure", card.assumed),
    ):
        yield from _side(heading, values)
    yield "</div></section>"


def _side(heading: str, values: Mapping[str, str]) -> Iterable[str]:
    if not values:
        return
    yield f"<table><caption>{heading}</caption><tbody>"
    for name, value in values.items():
        yield f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td>{escape(value)}</td></tr>'
    yield "</tbody></table>"
