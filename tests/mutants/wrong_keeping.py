"""Gateways that keep time, journal, or their Administration Tool's door wrongly."""

from __future__ import annotations

import time
from collections.abc import Sequence

import trio

from gateway.cisco import PushAnswer
from gateway.paging import Journal
from gateway.paging.journal import PageRecord
from gateway.product import Gateway
from gateway.push import Pusher, PushTarget
from gateway.push.client import Action
from gateway.push.plan import Group

STEP_S = 3600.0
STEP_AT = 5
"""The wall clock is set when so many pushes are on their way."""


class ClockIsSet(Gateway):
    """P10, no defect: the wall clock jumps by an hour while phones are pushed to, and nothing comes of it."""

    def make_pusher(self) -> Pusher:
        made = super().make_pusher()
        made.__class__ = _SetsTheClock
        return made


class _SetsTheClock(Pusher):
    pushes = 0

    async def push(
        self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
    ) -> PushAnswer:
        self.pushes += 1
        if self.pushes == STEP_AT:
            trio.lowlevel.spawn_system_task(_set_clock)
        return await super().push(phone, page=page, action=action, attempt=attempt, group=group)


async def _set_clock() -> None:
    genuine = time.time
    time.time = lambda: genuine() + STEP_S


class WallClockDeadlines(ClockIsSet):
    """M36: the same, and its deadlines go by that clock."""


class WallClock(trio.abc.Clock):
    """trio's clock, on CLOCK_REALTIME."""

    def start_clock(self) -> None:
        """Nothing to start."""

    def current_time(self) -> float:
        return time.time()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - time.time()


class JournalAfterwards(Journal):
    """M35: a page's phones are written when there is time for it."""

    async def begin(self, record: PageRecord, phones: Sequence[PushTarget]) -> None:
        async def later() -> None:
            await trio.sleep(0.5)
            self._pending.begun.append((record, phones))
            self._kick.set()

        trio.lowlevel.spawn_system_task(later)

    async def _write(self) -> None:
        while self._pending.outcomes and not self._pending.begun:  # outcomes of a page that is not there yet
            await trio.sleep(0.05)
        await super()._write()


class ForgetsTheJournal(Gateway):
    """M35, as a gateway."""

    def make_journal(self) -> Journal:
        return JournalAfterwards(self.database, self.alarms)


class TakesForeignForms(Gateway):
    """M39: neither looks where a form comes from nor whose it is."""

    def __init__(self, *arguments: object) -> None:
        from gateway.accounts import Principal
        from gateway.administration import application

        application._check_origin = lambda: None
        Principal.owns = lambda _self, _token: True  # type: ignore[method-assign]
        super().__init__(*arguments)  # type: ignore[arg-type]
