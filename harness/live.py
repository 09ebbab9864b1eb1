"""What a run shows while it goes: a panel on a terminal, plain lines elsewhere, nothing when asked to be quiet.

Time is passed in, so that what is shown depends on nothing but what was fed. The counters are those of the parts'
status lines (docs/design/parts.md): cumulative, except the ones that say "now".
"""

import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.screen import reader_may_leave

REDRAW_S: Final = 0.125
"""At most 8 times a second: more is not seen, and drawing costs about 3 ms of a core that the run needs."""
LINE_S: Final = 2.0
"""Between two plain lines: a build log of a minute has 30 of them."""
RATE_S: Final = 0.25
"""Shortest time that a rate is taken over: status lines that come together would make it leap."""
_HISTORY: Final = 20
"""Rates kept for the sparkline: one for each of its characters. With the total behind it, it fits into 80 columns."""
_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(slots=True)
class _Rate:
    """How fast a cumulative counter grows."""

    per_s: float = 0.0
    peak_per_s: float = 0.0
    """highest rate since somebody asked"""
    total: float = 0.0
    history: deque[float] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    _count: float | None = None
    _since: float = 0.0

    def feed(self, count: float, now: float) -> None:
        self.total = count
        if self._count is None:
            self._count, self._since = count, now
            return
        passed = now - self._since
        if passed < RATE_S:
            return
        # A counter that fell belongs to a part that was started again.
        self.per_s = max(0.0, count - self._count) / passed
        self.peak_per_s = max(self.peak_per_s, self.per_s)
        self.history.append(self.per_s)
        self._count, self._since = count, now

    def take_peak(self) -> float:
        """The highest rate since the last call: a burst of half a second must not fall between two lines."""
        peak, self.peak_per_s = self.peak_per_s, 0.0
        return peak


class Live:
    """The display of one run; a context manager, so that the terminal is whole again after any end.

    Feed it with `stage` and `update`; it never reads a clock.
    """

    def __init__(self, console: Console | None = None, *, phones: int, quiet: bool = False) -> None:
        """Prepare the display.

        Args:
            console: Where to; by default standard error, so that standard output stays the command's result.
            phones: Size of the fleet, the whole of the bar.
            quiet: Show nothing at all.
        """
        self._console = console or Console(file=sys.stderr)
        self._stream: TextIO = sys.stderr if console is None else console.file  # type: ignore[assignment] # rich's IO[str]
        self._phones = phones
        self._quiet = quiet
        self._panel: RichLive | None = None
        self._stage = ""
        self._now: float | None = None
        self._began: float | None = None
        self._ends_at: float | None = None
        self._shown_at: float | None = None
        self._counters: dict[str, dict[str, float]] = {}
        self._gateway = _Rate()
        self._callmanager = _Rate()
        self._packets = _Rate()

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            panel = RichLive(console=self._console, auto_refresh=False, transient=True)
            with reader_may_leave(self._stream):
                panel.start()
                self._panel = panel
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._panel is not None:
            with reader_may_leave(self._stream):
                self._panel.stop()
            self._panel = None

    def stage(self, text: str, *, ends_at: float | None = None, later_s: float = 0.0) -> None:
        """Say what the run does now.

        Args:
            text: The stage, a few words.
            ends_at: When the whole run will be over, by the clock of `update`, as far as known; shown as time left.
            later_s: Seconds since the last counters, where no part runs any more that would send some.
        """
        self._stage = text
        if ends_at is not None:
            self._ends_at = ends_at
        if self._quiet:
            return
        if self._panel is not None:
            self._draw()
        else:
            self._print(f"{self._clock(later_s)}{text}")

    def update(self, part: str, counters: Mapping[str, float], now: float) -> None:
        """Take a part's counters.

        Args:
            part: `phones`, `callmanager`, `gateway` or `capture`.
            counters: As in its status line; names that are not known are ignored.
            now: Seconds of any clock that only goes forward, the same for all calls.
        """
        self._now = now
        if self._began is None:
            self._began = now
        self._counters[part] = dict(counters)
        for name, counter, rate in (
            ("gateway", "authentications", self._gateway),
            ("callmanager", "authentications", self._callmanager),
            ("phones", "packets", self._packets),
        ):
            if name == part and counter in counters:
                rate.feed(counters[counter], now)
        if self._quiet:
            return
        pause = LINE_S if self._panel is None else REDRAW_S
        if self._shown_at is None:
            # The first plain line comes after a pause: all it could say at once is zero.
            self._shown_at = now if self._panel is None else now - pause
        if now - self._shown_at < pause:
            return
        self._shown_at = now
        if self._panel is None:
            self._print(self._line())
        else:
            self._draw()

    def _print(self, line: str) -> None:
        with reader_may_leave(self._stream):
            self._console.print(Text(line), soft_wrap=True, highlight=False)

    def _draw(self) -> None:
        assert self._panel is not None
        with reader_may_leave(self._stream):
            self._panel.update(self.panel(), refresh=True)

    def panel(self) -> Panel:
        """The panel as it is now."""
        listening = self._counter("phones", "listening")
        rows = Table.grid(padding=(0, 2, 0, 0), expand=True)
        rows.add_column(no_wrap=True, style="dim")
        rows.add_column(justify="right", no_wrap=True, min_width=13)
        rows.add_column(no_wrap=True, ratio=1)
        bar = ProgressBar(total=max(1, self._phones), completed=min(listening, self._phones))
        rows.add_row("Phones listening", f"{listening:,.0f}/{self._phones:,}", bar)
        for name, rate, style in (
            ("Authentications, gateway", self._gateway, "blue"),
            ("Authentications, CallManager", self._callmanager, "dark_orange"),
        ):
            row = Text(sparkline(rate.history), style=style).append(f"  {rate.total:,.0f}", style="default")
            rows.add_row(name, f"{rate.per_s:,.0f}/s", row)
        busy, queue = self._counter("callmanager", "busy"), self._counter("callmanager", "queue")
        rows.add_row("CallManager busy / queue", f"{busy:,.0f} / {queue:,.0f}", self._warnings())
        rows.add_row("RTP packets heard", f"{self._packets.per_s:,.0f}/s", Text(sparkline(self._packets.history)))
        left = self._left()
        stage = Text.assemble((self._stage, "bold"), Text(f"   {left}" if left else "", style="dim"))
        return Panel(Group(stage, rows), title="pushlab", title_align="left", border_style="dim")

    def _line(self) -> str:
        busy, queue = self._counter("callmanager", "busy"), self._counter("callmanager", "queue")
        parts = [
            f"listening {self._counter('phones', 'listening'):,.0f}/{self._phones:,}",
            f"authentications gateway {_told(self._gateway)}, CallManager {_told(self._callmanager)}",
            f"CallManager busy {busy:,.0f}, queue {queue:,.0f}",
            f"RTP {self._packets.per_s:,.0f}/s",
            self._warnings(),
            self._left(),
        ]
        return self._clock() + " · ".join(part for part in parts if part)

    def _clock(self, later_s: float = 0.0) -> str:
        """Seconds since the first counters; as wide as it stays for a quarter of an hour."""
        passed = 0.0 if self._now is None or self._began is None else self._now - self._began
        return f"{passed + later_s:6.1f} s  "

    def _left(self) -> str:
        if self._ends_at is None or self._now is None:
            return ""
        return f"{max(0.0, self._ends_at - self._now):,.0f} s left"

    def _warnings(self) -> str:
        """What should be zero, said only where it is not."""
        found = []
        if rejected := self._counter("callmanager", "rejected"):
            found.append(f"{rejected:,.0f} turned away")
        if dropped := self._counter("capture", "dropped"):
            found.append(f"capture dropped {dropped:,.0f}")
        return ", ".join(found)

    def _counter(self, part: str, name: str) -> float:
        return self._counters.get(part, {}).get(name, 0.0)


def _told(rate: _Rate) -> str:
    """`2,000 (up to 1,204/s)`: how many in all, and the highest rate since the last line."""
    peak = rate.take_peak()
    return f"{rate.total:,.0f} (up to {peak:,.0f}/s)" if peak else f"{rate.total:,.0f}"


def sparkline(rates: "deque[float] | list[float]") -> str:
    """Rates as a row of bars, the highest of them as the tallest; all zero is a flat line."""
    highest = max(rates, default=0.0)
    if highest <= 0:
        return _BARS[0] * len(rates)
    return "".join(_BARS[min(len(_BARS) - 1, int(rate / highest * len(_BARS)))] for rate in rates)
