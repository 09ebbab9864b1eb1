import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.charts import Chart, Series, charts_of, draw, nice_ticks
from harness.report.timeline import build_timeline

points = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e6)), max_size=30).map(sorted)


def figure(chart: Chart) -> ET.Element:
    return ET.fromstring(draw(chart))  # noqa: S314 - our own output


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_ticks_reach_beyond_and_are_few(highest: float) -> None:
    ticks = nice_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest * 0.999999
    assert 2 <= len(ticks) <= 6


def test_ticks_of_whole_things_are_whole() -> None:
    assert nice_ticks(8) == [0, 2, 4, 6, 8]
    assert nice_ticks(1000) == [0, 250, 500, 750, 1000]
    assert nice_ticks(9) == [0, 5, 10]
    assert nice_ticks(0) == [0, 1]


@given(points=points, steps=st.booleans())
def test_lines_stay_inside_the_box(points: list[tuple[float, float]], *, steps: bool) -> None:
    series = Series(name="x", colour="phones", points=points, note="")
    svg = figure(Chart(title="t", x_label="s", series=(series,), steps=steps)).find("svg")
    assert svg is not None
    for path in svg.iter("path"):
        numbers = path.attrib["d"].replace("M", " ").replace("H", " ").replace("V", " ").replace("L", " ")
        for number in numbers.replace("v4", "").split():
            assert -0.1 <= float(number) <= 440.1


def test_a_charts_words_are_its_alternative_text() -> None:
    series = Series(name="gateway", colour="gateway", points=[(0, 1), (1, 2)], note="peak 2/s")
    drawn = figure(Chart(title="Authentications", x_label="s", series=(series,)))
    assert drawn.find("svg").attrib["aria-label"] == "Authentications. gateway: peak 2/s"  # type: ignore[union-attr]
    assert drawn.findtext("figcaption") == "Authentications"


def test_names_are_escaped() -> None:
    series = Series(name='<b>"', colour="gateway", points=[(0, 1)], note="<i>")
    assert "<b>" not in draw(Chart(title="<script>", x_label="&", series=(series,)))
    assert "<script>" not in draw(Chart(title="<script>", x_label="&", series=(series,)))


def test_limit_is_drawn_below_the_top() -> None:
    series = Series(name="busy", colour="callmanager", points=[(0, 8)], note="")
    drawn = figure(Chart(title="t", x_label="s", series=(series,), limit=(8, "all workers")))
    texts = [text.text for text in drawn.iter("text")]
    assert "all workers: 8" in texts
    assert "10" in texts


@pytest.mark.parametrize("workers", [None, 8])
def test_an_empty_run_has_all_charts(workers: int | None) -> None:
    timeline = build_timeline([{"t_ns": 1, "witness": "harness", "kind": "page.requested"}])
    charts = charts_of(timeline, workers=workers, queue_max=None)
    assert [chart.title for chart in charts] == [
        "Authentications per second",
        "Phones listening",
        "Pushes answered per second",
        "Answer times: share answered within",
        "CallManager: busy workers",
        "CallManager: queue",
    ]
    for chart in charts:
        assert "nan" not in draw(chart)
