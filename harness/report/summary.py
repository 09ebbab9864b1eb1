"""The figures that a reader wants first, in one order for every report."""

from collections import Counter
from dataclasses import dataclass

from harness.report import figures
from harness.report.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One figure of a run's summary."""

    label: str
    value: str
    note: str
    """What belongs to the figure, in a line; may be empty"""


def _got_it(result: Result) -> KeyFigure:
    if result.unheard:
        executed = f"{result.show('push.executed')} of {result.phones:,}"
        return KeyFigure(label="Phones that executed the push", value=executed, note=result.outcome_text())
    worked = sum(count for state, count in result.outcomes.items() if state in figures.WORKED)
    return KeyFigure(
        label="Deliveries in time" if result.several else "Phones that got it in time",
        value=f"{worked:,} of {result.deliveries:,}",
        note=result.outcome_text() if worked != result.deliveries or len(result.outcomes) > 1 else "",
    )


def key_figures(result: Result) -> tuple[KeyFigure, ...]:
    """The summary of a run: phones, burst, answers, both authentication servers, CallManager's load, audio."""
    show, phones = result.show, result.deliveries
    if not phones and not result.metrics:
        return (_checks(result),)
    return (
        _got_it(result),
        KeyFigure(label="Pushes per second", value=show("push.per_s"), note="first sent to last answered"),
        KeyFigure(
            label=figures.label("push.answer_ms.p50"),
            value=show("push.answer_ms.p50"),
            note=_note(result, ("p99", "push.answer_ms.p99"), ("slowest", "push.answer_ms.max")),
        ),
        _reached(result),
        KeyFigure(
            label=figures.label("authentication.gateway"),
            value=show("authentication.gateway"),
            note=_note(result, ("redirected", "authentication.redirected"), ("refused", "authentication.refused")),
        ),
        KeyFigure(
            label=figures.label("callmanager.authentications"),
            value=show("callmanager.authentications"),
            note=_note(
                result,
                ("busiest second", "callmanager.authentications_peak_per_s"),
                ("turned away", "callmanager.rejected"),
            ),
        ),
        KeyFigure(
            label=figures.label("callmanager.concurrent_max"),
            value=show("callmanager.concurrent_max"),
            note=_note(result, ("queue", "callmanager.queue_max"), ("all workers busy", "callmanager.busy_s")),
        ),
        KeyFigure(
            label=figures.label("callmanager.answer_ms.p50"),
            value=show("callmanager.answer_ms.p50"),
            note=_note(result, ("p99", "callmanager.answer_ms.p99"), ("slowest", "callmanager.answer_ms.max")),
        ),
        KeyFigure(
            label=figures.label("rtp.lost_fraction"),
            value=show("rtp.lost_fraction"),
            note=_heard(result),
        ),
        _checks(result),
    )


def _checks(result: Result) -> KeyFigure:
    others = Counter(check.verdict for check in result.open_checks)
    if len(result.checks) > len(result.asked):
        others["not asked"] = len(result.checks) - len(result.asked)
    return KeyFigure(
        label="Checks that hold",
        value=f"{len(result.asked) - len(result.open_checks):,} of {len(result.asked):,}",
        note=" · ".join(f"{count:,} {verdict}" for verdict, count in others.items()),
    )


def _note(result: Result, *parts: tuple[str, str]) -> str:
    """`p99 120 ms · slowest 300 ms`, without what was not measured."""
    return " · ".join(f"{word} {result.show(metric)}" for word, metric in parts if metric in result.metrics)


def _heard(result: Result) -> str:
    if not {"rtp.packets_at_phones", "rtp.packets_expected"} <= result.metrics.keys():
        return ""
    return f"heard {result.show('rtp.packets_at_phones')} of {result.show('rtp.packets_expected')}"


def _reached(result: Result) -> KeyFigure:
    """When phones had it: the alert on the screen, else the page's audio."""
    if result.metrics.get("alert.displayed_ms.count"):
        return KeyFigure(
            label=figures.label("alert.displayed_ms.p50"),
            value=result.show("alert.displayed_ms.p50"),
            note=_note(result, ("p99", "alert.displayed_ms.p99"), ("slowest", "alert.displayed_ms.max")),
        )
    return KeyFigure(
        label=figures.label("page.listening_ms.p50"),
        value=result.show("page.listening_ms.p50"),
        note=_note(result, ("p99", "page.listening_ms.p99"), ("spread", "page.activation_spread_ms")),
    )
