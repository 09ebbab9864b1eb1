import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.live import Live, sparkline


def plain() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=80), out


def feed(live: Live, now: float, *, gateway: float = 0, callmanager: float = 0, listening: float = 0) -> None:
    live.update("gateway", {"authentications": gateway, "pushes_answered": gateway}, now)
    live.update("callmanager", {"authentications": callmanager, "busy": 8, "queue": 120, "rejected": 0}, now)
    live.update("phones", {"listening": listening, "packets": now * 50_000}, now)


def test_plain_lines_each_two_seconds_with_the_numbers() -> None:
    console, out = plain()
    with Live(console, phones=1000) as live:
        live.stage("starting the parts")
        for step in range(17):  # 4 s, four times a second
            feed(live, 100 + step / 4, gateway=step * 300, callmanager=step * 2, listening=step * 60)
        live.stage("playing", ends_at=112.4)
        live.update("phones", {"listening": 1000, "packets": 6.2e6}, 106.5)
    load = "CallManager busy 8, queue 120"
    first = "authentications gateway 2,400 (up to 1,200/s), CallManager 14 (up to 8/s)"
    second = "authentications gateway 4,800 (up to 1,200/s), CallManager 30 (up to 8/s)"
    third = "authentications gateway 4,800, CallManager 32 (up to 8/s)"
    assert out.getvalue().splitlines() == [
        "   0.0 s  starting the parts",
        f"   2.0 s  listening 420/1,000 · {first} · {load} · RTP 50,000/s",
        f"   4.0 s  listening 900/1,000 · {second} · {load} · RTP 50,000/s",
        "   4.0 s  playing",
        f"   6.5 s  listening 1,000/1,000 · {third} · {load} · RTP 400,000/s · 6 s left",
    ]


def test_burst_between_two_lines_is_told() -> None:
    console, out = plain()
    with Live(console, phones=10) as live:
        for now, count in ((0, 0), (0.25, 500), (0.5, 500), (2.0, 500)):
            live.update("gateway", {"authentications": count}, now)
    assert "gateway 500 (up to 2,000/s)" in out.getvalue()


def test_quiet_says_nothing() -> None:
    console, out = plain()
    with Live(console, phones=10, quiet=True) as live:
        live.stage("starting")
        feed(live, 1)
        feed(live, 100)
    assert out.getvalue() == ""


def test_quiet_on_a_terminal_says_nothing() -> None:
    out = io.StringIO()
    with Live(Console(file=out, force_terminal=True, width=80), phones=10, quiet=True) as live:
        live.stage("starting")
        feed(live, 1)
    assert out.getvalue() == ""


def shown(live: Live) -> str:
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(live.panel())
    return console.export_text()


def test_panel_has_all_numbers_in_80_columns() -> None:
    console, _ = plain()
    live = Live(console, phones=1000)
    live.stage("pushing", ends_at=120.0)
    feed(live, 100, gateway=0)
    feed(live, 101, gateway=1834, callmanager=105, listening=812)
    live.update("capture", {"received": 10, "dropped": 3}, 101)
    text = shown(live)
    for expected in (
        "pushing",
        "19 s left",
        "812/1,000",
        "1,834/s",
        "105/s",
        "8 / 120",
        "50,000/s",
        "capture dropped 3",
    ):
        assert expected in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_panel_of_a_long_run_is_cut_nowhere_in_80_columns() -> None:
    console, _ = plain()
    live = Live(console, phones=10_000)
    live.stage("playing the announcement", ends_at=300.0)
    for second in range(100):
        feed(live, second, gateway=200 * second, callmanager=200 * second, listening=9999)
    text = shown(live)
    assert "…" not in text
    assert text.count("  19,800") == 2


def test_panel_before_anything_is_known() -> None:
    console, _ = plain()
    text = shown(Live(console, phones=10_000))
    assert "0/10,000" in text
    assert "left" not in text


def test_terminal_is_drawn_at_most_eight_times_a_second() -> None:
    class Counting(io.StringIO):
        panels = 0

        def write(self, text: str) -> int:
            Counting.panels += text.count("Phones listening")
            return super().write(text)

    console = Console(file=Counting(), force_terminal=True, width=80, height=30, _environ={})
    with Live(console, phones=10) as live:
        before = Counting.panels
        for step in range(101):  # a second of updates, a hundred a second
            live.update("phones", {"listening": step, "packets": step}, step / 100)
        drawn = Counting.panels - before
    assert 6 <= drawn <= 9


def test_terminal_is_whole_again_after_an_error() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, _environ={})

    def run() -> None:
        with Live(console, phones=10) as live:
            live.stage("starting")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run()
    hidden, shown_again = "\x1b[?25l", "\x1b[?25h"
    assert out.getvalue().rindex(shown_again) > out.getvalue().rindex(hidden)


def test_dumb_terminal_gets_lines() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, _environ={"TERM": "dumb"})
    with Live(console, phones=10) as live:
        live.stage("starting")
    assert "starting" in out.getvalue()
    assert "\x1b[?25l" not in out.getvalue()


def test_counter_of_a_restarted_part_is_no_negative_rate() -> None:
    console, out = plain()
    with Live(console, phones=10) as live:
        feed(live, 0, gateway=5000)
        feed(live, 2, gateway=10)
    assert "gateway 10, CallManager 0 ·" in out.getvalue()


def test_words_of_a_stage_are_no_markup() -> None:
    console, out = plain()
    with Live(console, phones=10) as live:
        live.stage("judging [bold]x[/bold]")
    assert out.getvalue() == "   0.0 s  judging [bold]x[/bold]\n"


def test_unknown_parts_and_counters_are_ignored() -> None:
    console, out = plain()
    with Live(console, phones=10) as live:
        live.update("pacer", {"speed": 1.0}, 0)
        live.update("pacer", {}, 3)
    assert "listening 0/10" in out.getvalue()


@given(st.lists(st.floats(0, 1e6), max_size=40))
def test_sparkline_is_as_long_as_its_rates(rates: list[float]) -> None:
    bars = sparkline(rates)
    assert len(bars) == len(rates)
    if rates and max(rates) > 0:
        assert bars[rates.index(max(rates))] == "█"


def test_the_clock_of_plain_lines_goes_on_when_the_parts_have_ended() -> None:
    console, out = plain()
    with Live(console, phones=10) as live:
        feed(live, 100)
        feed(live, 101)
        live.stage("judging")
        live.stage("judging: writing the results", later_s=19.5)
    assert out.getvalue().splitlines()[-2:] == ["   1.0 s  judging", "  20.5 s  judging: writing the results"]
