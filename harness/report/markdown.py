"""A run's result as Markdown, for a pull request or a build's summary."""

import re
from collections.abc import Iterable
from typing import Final

from harness.report import figures
from harness.report.places import KINDS, places
from harness.report.result import PAGE, Result
from harness.report.summary import key_figures

PHONES_NAMED: Final = 10
PLACES_NAMED: Final = 20
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@])")


def cell(text: str) -> str:
    """Text from outside as Markdown that shows it as it is, also within a table; nobody is mentioned by it."""
    return _MARKUP.sub(r"\\\1", figures.clean(text)).replace("\\@", "@\N{ZERO WIDTH NON-JOINER}")


def summary_markdown(result: Result) -> str:
    """Verdict, why, key figures, checks that are not pass, some of the phones that missed it, what was blind."""
    return "\n".join(_summary(result)) + "\n"


def _summary(result: Result) -> Iterable[str]:
    expectation = f" ({cell(result.expectation)})" if result.expectation else ""
    yield f"### {result.verdict.upper()}{expectation}: {cell(result.title)}"
    yield ""
    yield cell(result.why)
    yield ""
    yield "| | | |"
    yield "|---|---:|---|"
    for figure in key_figures(result):
        yield f"| {cell(figure.label)} | **{cell(figure.value)}** | {cell(figure.note)} |"
    if result.open_checks:
        yield ""
        yield "| Verdict | Check | Observed | Why |"
        yield "|---|---|---:|---|"
        for check in result.open_checks:
            yield f"| {check.verdict} | {cell(check.name)} | {cell(check.observed)} | {cell(check.why)} |"
    yield from _places(result)
    yield from _list("Not as the scenario expects", result.unexpected)
    yield from _list("What was blind", result.blind)
    if result.missed:
        named = [
            " ".join(filter(None, (row.get(name) for name in ("phone", PAGE, "address", "state", "why"))))
            for row in result.missed[:PHONES_NAMED]
        ]
        more = len(result.missed) - PHONES_NAMED
        yield from _list(
            result.missed_title,
            [*named, *([f"and {more:,} more"] if more > 0 else [])],
        )
    yield ""
    yield "```"
    yield result.command
    yield "```"


def _places(result: Result) -> Iterable[str]:
    for kind, heading in KINDS.items():
        found = places(result, kind)
        if found:
            yield ""
            yield f"| {heading} | Phones | Got it | Missed it |"
            yield "|---|---:|---:|---|"
            for place in found[:PLACES_NAMED]:
                yield f"| {cell(place.name)} | {place.phones:,} | {place.worked:,} | {cell(place.missed_text)} |"
            if len(found) > PLACES_NAMED:
                yield f"| and {len(found) - PLACES_NAMED:,} more | | | |"


def _list(heading: str, sentences: Iterable[str]) -> Iterable[str]:
    found = list(sentences)
    if found:
        yield ""
        yield f"{cell(heading)}:"
        yield ""
        yield from (f"- {cell(sentence)}" for sentence in found)
