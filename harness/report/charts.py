"""Charts as inline SVG: lines and steps on two axes, nothing else.

Colours come from the page's style sheet by class, so that light, dark and print need no second drawing. Coordinates are
in units of a box 440 wide and 220 high, which the page scales.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final

from harness.report import figures
from harness.report.timeline import Point, Timeline

_WIDTH: Final = 440
_HEIGHT: Final = 220
_LEFT: Final = 46
_RIGHT: Final = 22
_TOP: Final = 12
_BOTTOM: Final = 34
_NOTHING: Final = 1e-9
"""Highest point of a chart that shows nothing: no figure here is so small, and logarithms end before zero does."""
_CURVE_POINTS: Final = 200
"""Points of a distribution's curve: more would not be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a chart."""

    name: str
    colour: str
    """class of the style sheet: gateway, callmanager or phones"""
    points: Sequence[Point]
    note: str
    """what the line says, in words: it stands in the legend and is what a screen reader reads"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart before it is drawn."""

    title: str
    x_label: str
    series: Sequence[Series]
    steps: bool = True
    """a value holds until the next point, instead of a straight line to it"""
    logarithmic: bool = False
    """x axis by powers of ten"""
    top: float | None = None
    """upper end of the y axis; default: above the highest point"""
    limit: tuple[float, str] | None = None
    """a level to draw across, and what it is"""
    nothing: str = ""
    """said instead of a picture where no line ever leaves zero; empty: zero is the picture"""

    @property
    def is_empty(self) -> bool:
        """Whether a sentence says it better."""
        return bool(self.nothing) and not any(value for series in self.series for _, value in series.points)


def charts_of(
    timeline: Timeline, burst: Timeline | None = None, *, workers: int | None, queue_max: float | None
) -> tuple[Chart, ...]:
    """The charts of a run's report.

    Args:
        timeline: What happened when.
        burst: The same, up to the burst's end, where it is much shorter than the run.
        workers: CallManager's, drawn as a line where they are known.
        queue_max: The run's metric of that name. It counts who stood before a request that arrived, so the line, which
            counts all who wait, can be one higher: the legend says what the other reports say.
    """
    queue = _level("waiting", "callmanager", timeline.queue)
    if queue_max:
        queue = replace(queue, note=f"a request met at most {figures.show('callmanager.queue_max', queue_max)}")
    seconds = "seconds after Send"
    return (
        *_course(timeline, ""),
        *(_course(burst, f": first {figures.number(burst.span_s)} s") if burst else ()),
        Chart(
            title="Answer times: share answered within",
            x_label="milliseconds (powers of ten)",
            series=(
                _distribution("pushes", "phones", timeline.push_answers_ms),
                _distribution("gateway", "gateway", timeline.gateway_answers_ms),
                _distribution("CallManager", "callmanager", timeline.callmanager_answers_ms),
            ),
            steps=False,
            logarithmic=True,
            top=100,
            nothing="No answer was recorded.",
        ),
        Chart(
            title="CallManager: busy workers",
            x_label=seconds,
            series=(_level("busy", "callmanager", timeline.busy),),
            limit=(workers, "all workers") if workers else None,
            nothing="CallManager recorded no work.",
        ),
        Chart(
            title="CallManager: queue",
            x_label=seconds,
            series=(queue,),
            nothing="CallManager recorded no request that waited.",
        ),
    )


def draw(chart: Chart) -> str:
    """A chart as a `<figure>` with its legend."""
    caption = f"<figcaption>{escape(chart.title)}</figcaption>"
    if chart.is_empty:
        return f'<figure class="empty">{caption}<p class="quiet">{escape(chart.nothing)}</p></figure>'
    words = "; ".join(f"{series.name}: {series.note}" for series in chart.series)
    # A piece of its own line stands before each name: colours alone tell nothing on a grey printer.
    legend = "".join(
        f'<li class="{series.colour}"><svg class="sample" viewBox="0 0 28 6" aria-hidden="true">'
        f'<path class="line {series.colour}" d="M0 3H28"/></svg><span>{escape(series.name)}</span> '
        f"{escape(series.note)}</li>"
        for series in chart.series
    )
    several = ' class="several"' if len(chart.series) > 1 else ""
    return (
        f'<figure{several}>{caption}<ul class="legend">{legend}</ul>'
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}. {escape(words)}">{"".join(_body(chart))}</svg></figure>'
    )


def data_of(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    """The drawn charts' figures, for the page's script to read out where a pointer stands; in the order drawn."""
    found = []
    for chart in charts:
        if chart.is_empty:
            continue
        points = [point for series in chart.series for point in series.points]
        low, high = _x_span(chart, points)
        found.append(
            {
                "box": [_LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM],
                "low": low,
                "high": high,
                "log": chart.logarithmic,
                "steps": chart.steps,
                "x": "ms" if chart.logarithmic else "s",
                "y": " %" if chart.top == 100 else "",
                "series": [
                    {
                        "name": series.name,
                        "x": [float(f"{x:.5g}") for x, _ in series.points],
                        "y": [float(f"{y:.5g}") for _, y in series.points],
                    }
                    for series in chart.series
                ],
            }
        )
    return found


def nice_ticks(highest: float, count: int = 4) -> list[float]:
    """Round numbers from 0 to at least `highest`, about `count` of them above 0."""
    if highest < _NOTHING:
        return [0.0, 1.0]
    rough = highest / count
    power = 10 ** math.floor(math.log10(rough))
    # A step of 2.5 would put fractions on an axis of whole things.
    factors = (1, 2, 2.5, 5, 10) if power >= 10 else (1, 2, 5, 10)
    step = next(factor * power for factor in factors if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def _course(timeline: Timeline, which: str) -> tuple[Chart, ...]:
    """How the page went, on one axis of time."""
    seconds = "seconds after Send"
    each = f"counted each {figures.number(timeline.bin_s, 2)} s"
    shown: tuple[Chart, ...] = ()
    if any(value for _, value in timeline.shown):
        series = _level("phones", "phones", timeline.shown)
        shown = (Chart(title=f"Phones that have shown a text{which}", x_label=seconds, series=(series,)),)
    return (
        Chart(
            title=f"Authentications per second{which}",
            x_label=f"{seconds}, {each}",
            series=(
                _rate("gateway", "gateway", timeline.gateway_per_s, timeline.bin_s),
                _rate("CallManager", "callmanager", timeline.callmanager_per_s, timeline.bin_s),
            ),
        ),
        Chart(
            title=f"Phones listening{which}",
            x_label=seconds,
            series=(_level("phones", "phones", timeline.listening),),
            nothing="No phone recorded that it listened.",
        ),
        *shown,
        Chart(
            title=f"Pushes answered per second{which}",
            x_label=f"{seconds}, {each}",
            series=(_rate("pushes", "phones", timeline.pushes_per_s, timeline.bin_s),),
            nothing="No answered push was recorded.",
        ),
    )


def _rate(name: str, colour: str, points: Sequence[Point], width: float) -> Series:
    peak = max((value for _, value in points), default=0)
    note = f"peak {figures.number(peak, 0)}/s in {figures.number(width, 2)} s" if peak else "none"
    return Series(name=name, colour=colour, points=points, note=note)


def _level(name: str, colour: str, points: Sequence[Point]) -> Series:
    peak = max((value for _, value in points), default=0)
    return Series(name=name, colour=colour, points=points, note=f"at most {figures.number(peak)}" if peak else "none")


def _distribution(name: str, colour: str, ordered: Sequence[float]) -> Series:
    """The share of answers (percent) within each time; `ordered` is sorted, in milliseconds."""
    total = len(ordered)
    if not total:
        return Series(name=name, colour=colour, points=(), note="none")
    ranks = sorted({0, total - 1, *(round(n * (total - 1) / _CURVE_POINTS) for n in range(_CURVE_POINTS))})
    points = [(max(ordered[rank], 0.01), (rank + 1) / total * 100) for rank in ranks]
    median = ordered[math.ceil(total * 0.5) - 1]
    tail = ordered[math.ceil(total * 0.99) - 1]
    note = f"median {figures.show('x_ms', median)}, p99 {figures.show('x_ms', tail)}"
    return Series(name=name, colour=colour, points=points, note=note)


def _body(chart: Chart) -> list[str]:
    points = [point for series in chart.series for point in series.points]
    level = chart.limit[0] if chart.limit else 0.0
    # Room above the limit for its name.
    y_ticks = nice_ticks(max([chart.top or 0.0, level * 1.1, *(y for _, y in points)]))
    x_ticks, place_x = _x_axis(chart, points)
    inner = _HEIGHT - _TOP - _BOTTOM

    def place_y(value: float) -> float:
        return _TOP + inner * (1 - value / y_ticks[-1])

    parts = []
    for tick in y_ticks:
        y = place_y(tick)
        text = figures.number(tick, 1) + (" %" if chart.top == 100 else "")
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>')
    for tick in x_ticks:
        x = place_x(tick)
        parts.append(f'<path class="tick" d="M{x:.1f} {_TOP + inner}v4"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP + inner + 15}" text-anchor="middle">{figures.number(tick, 2)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(chart.x_label)}</text>')
    if chart.limit:
        y = place_y(level)
        parts.append(f'<path class="limit" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{y - 4:.1f}" text-anchor="end">'
            f"{escape(chart.limit[1])}: {figures.number(level)}</text>"
        )
    parts += [
        f'<path class="line {series.colour}" d="{_path(series.points, place_x, place_y, steps=chart.steps)}"/>'
        for series in chart.series
        if series.points
    ]
    return parts


def _x_axis(chart: Chart, points: Sequence[Point]) -> tuple[list[float], Callable[[float], float]]:
    """Ticks of the x axis, and where a value stands on it."""
    inner = _WIDTH - _LEFT - _RIGHT
    begin, end = _x_span(chart, points)
    if chart.logarithmic:
        low, high = round(math.log10(begin)), round(math.log10(end))
        return (
            [10.0**power for power in range(low, high + 1)],
            lambda x: _LEFT + inner * (math.log10(x) - low) / (high - low),
        )
    return (
        [tick for tick in nice_ticks(end, 6) if tick <= end * 1.0001],
        lambda x: _LEFT + inner * min(1.0, max(0.0, x / end)),
    )


def _x_span(chart: Chart, points: Sequence[Point]) -> tuple[float, float]:
    """Both ends of the x axis; whole powers of ten on a logarithmic one."""
    if chart.logarithmic:
        low = math.floor(math.log10(min((x for x, _ in points), default=1)))
        high = max(low + 1, math.ceil(math.log10(max((x for x, _ in points), default=10))))
        return 10.0**low, 10.0**high
    end = max((x for x, _ in points), default=0.0)
    return 0.0, end if end > _NOTHING else 1.0


def _path(
    points: Sequence[Point], place_x: Callable[[float], float], place_y: Callable[[float], float], *, steps: bool
) -> str:
    first_x, first_y = points[0]
    parts = [f"M{place_x(first_x):.1f} {place_y(first_y):.1f}"]
    last = place_y(first_y)
    for x, y in points[1:]:
        at, level = place_x(x), place_y(y)
        if steps:
            parts.append(f"H{at:.1f}")
            if level != last:
                parts.append(f"V{level:.1f}")
        else:
            parts.append(f"L{at:.1f} {level:.1f}")
        last = level
    return "".join(parts)
