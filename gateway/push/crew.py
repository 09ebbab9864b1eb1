"""How many pushes go out at once: shared fairly between pages and alerts, and a phone that hangs holds up nobody.

Every push takes a slot of its page's share, or its alert's. With one the share is all of ``concurrency``; with more it
is divided by weight, so that a second page begins at once whatever the first one's phones do. (Slots that are held when
a page joins are not taken away: for the length of a deadline there may be up to 1 + 1/2 + 1/3 + ... times as many.)

A push gives its slot back when it is answered, or when it hangs. It hangs when

* it is older than `PATIENCE_S`, and so many pushes that went out after it are answered already (half of the share)
  that no queue explains it: a server that is slow for all, such as a CallManager at its limit, answers in about the
  order of asking, and is not asked more at once because of it;
* or nothing at all has been answered for `STALL_S`.

It is then *aside*: its deadline goes on and its answer is taken as any other, but another phone has its slot. How many
are aside is limited by descriptors alone.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import trio

PATIENCE_S = 0.25
"""The slowest phones that are healthy answer within about that (7960, push and question; assumed)."""
STALL_S = 1.0
"""Without any answer for so long, the phones asked hang."""
MAX_ASIDE = 4_000
"""Connections that wait without a slot: descriptors, about 4 kB each."""

Action = Callable[[str], Awaitable[None]]


class Weight(enum.IntEnum):
    """Shares beside each other: fifty alerts at once, the most there are, leave a page a quarter of the slots."""

    ALERT = 1
    EMERGENCY_ALERT = 4
    PAGE = 16
    EMERGENCY_PAGE = 64


class Slots:
    """What all pages and alerts share."""

    def __init__(self, concurrency: int, *, max_aside: int = MAX_ASIDE) -> None:
        self.concurrency = concurrency
        """Pushes in flight over all, those aside not counted."""
        self.open = 0
        """Pushes in flight now, those aside counted."""
        self.max_open = concurrency + max_aside
        self._crews: dict[Crew, int] = {}

    async def run(self, names: Iterable[str], action: Action, *, weight: int = Weight.PAGE) -> None:
        """Do ``action`` for each name, as many at once as this caller's share allows; return when all are done."""
        left = deque(names)
        if left:
            await Crew(self, left, action).run(weight)

    def share(self, crew: Crew) -> int:
        """Slots that a crew may hold now."""
        return max(1, self.concurrency * self._crews[crew] // sum(self._crews.values()))

    def enter(self, crew: Crew, weight: int) -> None:
        """A crew takes part from now on."""
        self._crews[crew] = weight

    def leave(self, crew: Crew) -> None:
        """A crew is done: the others may use what it had."""
        del self._crews[crew]
        self.refill()

    def refill(self) -> None:
        """Let every crew use what is free."""
        for crew in self._crews:
            crew.fill()


@dataclass(slots=True, eq=False)
class _Job:
    began: float
    enough: int
    """So many answers in all mean that this push was overtaken by too many."""


class Crew:
    """One caller's workers."""

    def __init__(self, slots: Slots, names: deque[str], action: Action) -> None:
        self._slots = slots
        self._names = names
        self._action = action
        self._nursery: trio.Nursery | None = None
        self._starting = 0
        self._jobs: dict[_Job, None] = {}  # with a slot, the oldest first
        self._aside = 0
        self._answers = 0
        self._answered_at = 0.0

    async def run(self, weight: int) -> None:
        """Work until every name is done."""
        self._answered_at = trio.current_time()
        self._slots.enter(self, weight)
        try:
            async with trio.open_nursery() as watched:
                watched.start_soon(self._watch)
                async with trio.open_nursery() as self._nursery:
                    self.fill()
                watched.cancel_scope.cancel()
        finally:
            self._slots.leave(self)

    def fill(self) -> None:
        """Start workers for the slots that are free."""
        if self._nursery is None or not self._names:
            return
        share = self._slots.share(self)
        for _ in range(min(len(self._names), share - len(self._jobs)) - self._starting):
            self._starting += 1
            self._nursery.start_soon(self._work)

    async def _work(self) -> None:
        self._starting -= 1
        try:
            await trio.lowlevel.checkpoint_if_cancelled()  # else a worker made in the end would begin one more push
            while self._names and self._may_begin():
                name = self._names.popleft()
                job = self._begin()
                try:
                    await self._action(name)
                finally:
                    self._end(job)
        except BaseException:
            self._names.clear()  # nothing is begun any more, also not by a crew that leaves and would fill this one
            raise

    def _may_begin(self) -> bool:
        held = len(self._jobs)
        if held + self._aside == 0:
            return True  # whatever the others do: somebody has to go on
        return held < self._slots.share(self) and self._slots.open < self._slots.max_open

    def _begin(self) -> _Job:
        share = self._slots.share(self)
        job = _Job(trio.current_time(), self._answers + share + max(1, share // 2))
        self._jobs[job] = None
        self._slots.open += 1
        return job

    def _end(self, job: _Job) -> None:
        crowded = self._slots.open >= self._slots.max_open
        self._slots.open -= 1
        if self._jobs.pop(job, self) is self:
            self._aside -= 1
        self._answers += 1
        self._answered_at = now = trio.current_time()
        while self._jobs:
            oldest = next(iter(self._jobs))
            if oldest.enough > self._answers or now - oldest.began < PATIENCE_S:
                break
            self._put_aside(oldest)
        if crowded:
            self._slots.refill()

    def _put_aside(self, job: _Job) -> None:
        del self._jobs[job]
        self._aside += 1
        self.fill()

    async def _watch(self) -> None:
        while True:
            await trio.sleep(STALL_S / 4)
            now = trio.current_time()
            if now - self._answered_at >= STALL_S:
                for job in [each for each in self._jobs if now - each.began >= STALL_S]:
                    self._put_aside(job)
