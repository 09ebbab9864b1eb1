"""What happened when: a run's records as series over time, for the charts.

Times are seconds since Send. The positive control phone is left out, as in every metric.
"""

import gzip
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.report.send import SENDS, send_ns
from harness.run_folder import EVENTS

Point = tuple[float, float]
"""Seconds since Send and a value there."""

_USED: Final = frozenset(
    {
        "lab.described",
        "push.ended",
        "authentication.answered",
        "stream.listening",
        "stream.stopped",
        "screen.shown",
        *SENDS,
    }
)
_BIN_WIDTHS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0)
_BINS: Final = 120
"""About as many as a chart has room for; the narrowest width that needs no more is taken."""
_SAMPLES: Final = 240
"""Points of a level's line: a step for each two of the chart's units."""
_BURSTS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Lengths of a chart of the burst alone: round, so that runs can be laid side by side."""
_BURST_ROOM: Final = 1.05
_BURST_SHARE: Final = 0.5
"""A burst longer than this share of the run is seen well enough in the charts of the whole."""
_ROUNDING_S: Final = 1e-5
"""Records hold milliseconds to at least the microsecond; sums of three of them are off by less than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Series of a run. Every list of points is in order of time."""

    span_s: float
    """from Send to the last thing that happened"""
    bin_s: float
    burst_s: float
    """to the last answer of a start push: what the first seconds are about"""
    pushes_per_s: Sequence[Point]
    gateway_per_s: Sequence[Point]
    callmanager_per_s: Sequence[Point]
    listening: Sequence[Point]
    shown: Sequence[Point]
    """phones that have shown a text"""
    busy: Sequence[Point]
    queue: Sequence[Point]
    push_answers_ms: Sequence[float]
    """sorted, as the two below"""
    gateway_answers_ms: Sequence[float]
    """at the phones: question to the gateway's answer"""
    callmanager_answers_ms: Sequence[float]
    """by its own log, as the metric of that name"""


def read_timelines(folder: Path) -> tuple[Timeline, ...]:
    """The series of a run's records, and where that is much shorter those of its burst alone.

    Empty where the folder has no records that can be read.
    """
    try:
        with gzip.open(folder / EVENTS, "rt", encoding="utf-8", errors="replace") as lines:
            records = list(_relevant(lines))
    except (OSError, EOFError, zlib.error):
        return ()
    if not records:
        return ()
    whole = build_timeline(records)
    burst_s = next((each for each in _BURSTS_S if each >= whole.burst_s * _BURST_ROOM), math.inf)
    if not whole.burst_s > 0 or burst_s > whole.span_s * _BURST_SHARE:
        return (whole,)
    return whole, build_timeline(records, until_s=burst_s)


def build_timeline(records: Sequence[Mapping[str, Any]], until_s: float = math.inf) -> Timeline:
    """Series out of records (docs/reference/events.md), up to a time; needs at least one record."""
    described = next((record for record in records if record["kind"] == "lab.described"), {})
    control = described.get("control_phone")
    servers = described.get("authentication_servers") or {}
    zero = send_ns(records)
    pushes: list[float] = []
    at_gateway: list[float] = []
    at_callmanager: list[float] = []
    answers: dict[str, list[float]] = {"push": [], "gateway": [], "callmanager": []}
    listening: list[Point] = []
    shown: dict[object, Point] = {}
    busy: list[Point] = []
    queue: list[Point] = []
    burst = 0.0

    for record in records:
        if record.get("phone") == control and control is not None:
            continue
        at = (record["t_ns"] - zero) / 1e9
        source = (record.get("witness"), record["kind"])
        if source == ("gateway", "push.ended") and record.get("answer_ms") is not None:
            pushes.append(at)
            if record.get("action") != "stop":
                burst = max(burst, at)
            answers["push"].append(float(record["answer_ms"]))
        elif source == ("gateway", "authentication.answered"):
            at_gateway.append(at)
        elif source == ("callmanager", "authentication.answered"):
            arrived = (record.get("arrived_ns", record["t_ns"]) - zero) / 1e9
            at_callmanager.append(arrived)
            _occupy(record, arrived, busy, queue)
            if record.get("answer_ms") is not None:
                answers["callmanager"].append(float(record["answer_ms"]))
        elif source == ("phones", "authentication.answered") and record.get("answer_ms") is not None:
            if record.get("server") == servers.get("gateway"):
                answers["gateway"].append(float(record["answer_ms"]))
        elif source == ("phones", "stream.listening"):
            listening.append((at, 1))
        elif source == ("phones", "stream.stopped"):
            listening.append((at, -1))
        elif source == ("phones", "screen.shown"):
            shown.setdefault(record.get("phone"), (at, 1))

    changes = (*listening, *shown.values(), *busy, *queue)
    times = [*pushes, *at_gateway, *at_callmanager, *(at for at, _ in changes)]
    span = min(until_s, max([0.0, *times]))
    width = next((each for each in _BIN_WIDTHS if span / each <= _BINS), _BIN_WIDTHS[-1])
    return Timeline(
        span_s=span,
        bin_s=width,
        burst_s=burst,
        pushes_per_s=_rates(pushes, span, width),
        gateway_per_s=_rates(at_gateway, span, width),
        callmanager_per_s=_rates(at_callmanager, span, width),
        listening=_levels(listening, span),
        shown=_levels(list(shown.values()), span),
        busy=_levels(busy, span),
        queue=_levels(queue, span),
        push_answers_ms=sorted(answers["push"]),
        gateway_answers_ms=sorted(answers["gateway"]),
        callmanager_answers_ms=sorted(answers["callmanager"]),
    )


def _relevant(lines: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    """Records of the kinds used here; a line that is none is the judge's business, not the chart's."""
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict) or not isinstance(record.get("t_ns"), int):
            continue
        if record.get("kind") in _USED:
            yield record


def _occupy(record: Mapping[str, Any], arrived: float, busy: list[Point], queue: list[Point]) -> None:
    """Note when a request waited in CallManager's queue and when it held a worker."""
    if record.get("answer") == "rejected" or record.get("wait_ms") is None or record.get("answer_ms") is None:
        return
    begun = arrived + record["wait_ms"] / 1e3
    # By the model's own schedule, a hair shorter: the next request begins at this very moment, and rounding must not
    # show more workers than there are.
    worked = record.get("service_ms", record["answer_ms"] - record["wait_ms"]) / 1e3
    ended = max(begun, begun + worked - _ROUNDING_S)
    if begun > arrived:
        queue += [(arrived, 1), (begun, -1)]
    busy += [(begun, 1), (ended, -1)]


def _rates(times: Sequence[float], span: float, width: float) -> Sequence[Point]:
    """Events a second in bins of `width` seconds; a point stands at its bin's beginning. The first takes all before."""
    counts = Counter(max(0, int(at / width)) for at in times if at <= span)
    bins = int(span / width) + 1
    return [(number * width, counts[number] / width) for number in range(bins)]


def _levels(changes: list[Point], span: float) -> Sequence[Point]:
    """The running sum of changes, its highest value kept in each sample: a peak of a millisecond stays visible."""
    changes = sorted((change for change in changes if change[0] <= span), key=lambda change: (change[0], change[1]))
    step = span / _SAMPLES or 1.0
    points: list[Point] = [(0.0, 0.0)]
    level = 0.0
    position = 0
    for sample in range(_SAMPLES + 1):
        end = span if sample == _SAMPLES else (sample + 1) * step
        highest = level
        while position < len(changes) and (changes[position][0] < end or sample == _SAMPLES):
            level += changes[position][1]
            highest = max(highest, level)
            position += 1
        shown = level if sample == _SAMPLES else highest
        if points[-1][1] != shown:
            points.append((min(span, sample * step), shown))
    points.append((span, points[-1][1]))
    return points
