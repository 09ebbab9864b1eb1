"""Lets pages begin by their schedule, whatever became of those before, and tells how far it kept to it."""

import time
from collections import Counter
from typing import Final

import numpy as np
import trio

from harness.observe import EventWriter
from harness.scenario.model import Load
from harness.scenario.schedule import Planned

BEHIND: Final = 1.0
"""Of the interval between two pages: one that would begin later than this is not sent. The next one is due by then, and
both together would be another load than the one asked for."""


class Generator:
    """The clock of a run's pages."""

    def __init__(self, load: Load, writer: EventWriter) -> None:
        """Begin now: that is the run's zero."""
        self._load = load
        self._writer = writer
        self._zero_s = trio.current_time()
        self._zero_ns = time.monotonic_ns()
        self._late_ms: list[float] = []
        self._having: Counter[str] = Counter()

    async def due(self, planned: Planned) -> bool:
        """Wait until it is due; whether it is to be sent. What is not is recorded as dropped.

        A page that is to be sent has its phones until `over`.
        """
        await trio.sleep_until(self._zero_s + planned.at_s)
        if self._load.open and planned.page:
            late_ms = (time.monotonic_ns() - self.planned_ns(planned)) / 1e6
            self._late_ms.append(max(0.0, late_ms))
            if late_ms > BEHIND * self._load.interval_s * 1000:
                self.dropped(planned, "generator", f"it would have begun {late_ms:.0f} ms late")
                return False
            taken = [name for name in planned.phones if self._having[name]]
            if taken and self._load.shape != "overlap" and not self._load.overlapping:
                why = f"{len(taken)} of its phones still had another page, {taken[0]} among them"
                self.dropped(planned, "phones", why)
                return False
        self._having.update(planned.phones)
        return True

    def over(self, planned: Planned) -> None:
        """Its phones are free."""
        self._having.subtract(planned.phones)

    def planned_ns(self, planned: Planned) -> int:
        """When it was due, CLOCK_MONOTONIC."""
        return self._zero_ns + round(planned.at_s * 1e9)

    def dropped(self, planned: Planned, by: str, why: str) -> None:
        """Record that a page was not sent.

        Args:
            planned: which.
            by: who decided so: the `generator` that came too late, `phones` that were not free, or the `gateway`.
            why: in words.
        """
        planned_t_ns = self.planned_ns(planned)
        self._writer.write("page.dropped", item=planned.name, planned_t_ns=planned_t_ns, by=by, why=why)

    def tell(self) -> None:
        """Record how late pages began, of an open load."""
        if not self._late_ms:
            return
        late = np.sort(np.array(self._late_ms))

        def at_most(percent: int) -> float:
            return round(float(late[-(-percent * len(late) // 100) - 1]), 3)

        self._writer.write(
            "schedule.lateness",
            schedule="load",
            count=len(late),
            p50=at_most(50),
            p90=at_most(90),
            p95=at_most(95),
            p99=at_most(99),
            max=at_most(100),
        )
