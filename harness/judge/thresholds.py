"""Holds a scenario's thresholds against the figures."""

from collections.abc import Mapping
from typing import Final

from harness.judge.sight import AUDIO, TIMES, Integrity
from harness.judge.verdict import Check, Kind, Verdict
from harness.scenario.metrics import metric_of
from harness.scenario.model import Scenario
from harness.scenario.thresholds import Threshold

_TIMED: Final = (
    "push.answer_ms",
    "push.per_s",
    "page.",
    "authentication.answer_ms",
    "callmanager.answer_ms",
    "callmanager.busy_s",
    "callmanager.concurrent_max",
    "callmanager.queue_max",
    "callmanager.rejected",
    "callmanager.authentications_peak_per_s",
    "rtp.jitter_ms",
    "rtp.gap_ms",
    "rtp.clipped_ms",
    "phones.delivered_late",
    "phones.displayed_late",
    "alert.",
)
"""Metrics that a part's lateness changes."""


_ASKED_BETWEEN: Final = ("push.", "page.", "alert.", "authent")
"""Metrics with a phone's question inside their times."""


def decide(
    threshold: Threshold, metrics: Mapping[str, float | int], integrity: Integrity, scenario: Scenario
) -> Check:
    """One threshold. A figure that was not measured, or whose witness is blind, decides nothing.

    Args:
        threshold: what must hold.
        metrics: the run's figures.
        integrity: who was blind.
        scenario: where phones ask CallManager, its lateness is in their times; under a load, the generator's is.
    """
    metric = metric_of(threshold.metric)
    observed = metrics.get(threshold.metric)
    witnesses = metric.witnesses
    timed = threshold.metric.startswith(_TIMED)
    judged_by = witnesses
    if timed and scenario.fleet.authentication_url == "callmanager" and threshold.metric.startswith(_ASKED_BETWEEN):
        judged_by = (*witnesses, "callmanager")
    if timed and scenario.load.open:
        judged_by = (*judged_by, "harness")
    why = integrity.why_blind(judged_by, scopes_of(threshold.metric))
    if observed is None and not why:
        why = "it was not measured"
    if why:
        verdict = Verdict.INCONCLUSIVE
    elif observed is not None and threshold.holds(observed):
        verdict, why = Verdict.PASS, "holds"
    else:
        verdict, why = Verdict.FAIL, f"it is {told(observed, threshold.bound)}"
    return Check(
        name=threshold.name, kind=Kind.THRESHOLD, verdict=verdict, observed=observed, witnesses=witnesses, why=why
    )


def scopes_of(metric: str) -> tuple[str, ...]:
    """Scopes of blindness that a metric rests on."""
    scopes: tuple[str, ...] = (TIMES,) if metric.startswith(_TIMED) else ()
    if metric.startswith("callmanager."):
        scopes += ("authentication-callmanager",)
    elif metric.startswith(("rtp.", "phones.", "page.first_packet_ms")):
        # The first packet *heard*: one that was lost at the door, or sent late, moves it.
        scopes += ("rtp", AUDIO)
    return scopes


def told(value: float | None, bound: float) -> str:
    """A figure, rounded, but never to a bound that it is not equal to."""
    if value is None:
        return "unknown"
    texts = (f"{value:.{digits}g}" for digits in (6, 9, 12, 17))  # 17 tell every number from every other
    return next(text for text in texts if value == bound or float(text) != bound)
