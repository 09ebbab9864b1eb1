"""The pages service: a request is checked, written down, run in its turn, and remembered.

How a page runs is `gateway.push.Page`; what is here is who runs when. Up to `MAX_ACTIVE` pages run at once, others wait
for their turn, emergencies first; emergencies also have places of their own, so that no number of normal pages keeps
one waiting. Beyond `MAX_WAITING` a request is refused with the reason: whoever asks then should know that nobody hears
it soon.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, Protocol

import trio

from gateway.administration.page_request import PageRequest, RequestError
from gateway.alarms import Alarms
from gateway.inventory import Phone
from gateway.media import (
    TONES,
    Audio,
    AudioError,
    MulticastPool,
    RangeError,
    assemble,
    bundled_tone,
    load_audio,
    read_range,
)
from gateway.paging.journal import Journal, PageRecord
from gateway.paging.recordings import RecordingError, Recordings
from gateway.paging.recovery import Recovery
from gateway.push import (
    Claims,
    Delivery,
    Group,
    Page,
    PagePacer,
    PagePlan,
    PagePusher,
    PhoneResult,
    Priority,
    Slots,
    Unheard,
)
from gateway.records import Records
from gateway.settings import Settings

MAX_ACTIVE: Final = 8
"""Normal pages at once. A phone plays one stream at a time; more pages only wait for each other's slots."""
MAX_EMERGENCIES: Final = 8
"""Emergency pages at once, beside the normal ones."""
MAX_WAITING: Final = 32
"""Pages that wait for their turn: with their audio in memory, at most 5 MB each."""
KEPT_RESULTS: Final = 8
"""Ended pages whose phones' results stay in memory, also while the journal cannot be written."""
KEPT_PAGES: Final = 1000
"""Ended pages whose counts can be asked for without the disk."""
KEY_S: Final = 86_400.0
"""How long an idempotency key means the page that it was first sent with."""
MAX_KEYS: Final = 100_000
POOL_ALARM: Final = "multicast-pool-empty"
FAILED_ALARM: Final = "page-failed"
"""The last page that was not interrupted reached nobody."""

_log = logging.getLogger("gateway.paging")


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedPage:
    """A page of the journal."""

    number: str
    size: int
    reason: str | None
    outcomes: dict[str, int]
    priority: str
    delivery: str
    note: str | None
    state: str = "ended"

    def interrupt(self) -> None:
        """It is over."""


AnyPage = Page | EndedPage


class PlanMaker(Protocol):
    """`Gateway.make_plan`."""

    def __call__(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        """What a page is to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What pages are run with."""

    pusher: PagePusher
    slots: Slots
    records: Records
    journal: Journal
    alarms: Alarms
    recordings: Recordings
    select: Callable[[PageRequest], Sequence[Phone]]
    """Who is meant; raises RequestError."""
    make_plan: PlanMaker
    settings: Callable[[], Settings]


@dataclass(slots=True, eq=False)
class _Turn:
    page: Page
    granted: trio.Event = field(default_factory=trio.Event)
    kept: trio.Event = field(default_factory=trio.Event)
    """On disk, or the disk takes too long."""


@dataclass(slots=True)
class _Key:
    digest: str
    used_s: float
    page: str | None = None
    known: trio.Event = field(default_factory=trio.Event)


class Pages:
    """All pages of a gateway."""

    def __init__(self, parts: Parts, *, clock: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._clock = clock
        self._pool = MulticastPool()
        self._pages: dict[str, AnyPage] = {}
        self._active: set[Page] = set()
        self._waiting: list[_Turn] = []
        self._keys: dict[str, _Key] = {}
        self._pacer: PagePacer | None = None
        self._nursery: trio.Nursery | None = None
        self._closing = False
        self.claims = Claims()
        """Which page has which phone."""
        kept, self._unfinished = parts.journal.recover()
        self._last = max((record.number for record in kept), default=0)
        for record in kept[-KEPT_PAGES:]:
            self._pages[str(record.number)] = _ended(record)
        for record in kept:
            self._remember_key(record)
        self.settings_changed()

    # life

    async def run(self, pacer: PagePacer, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run pages until cancelled; those that run then are interrupted and their phones stopped."""
        self._pacer = pacer
        async with trio.open_nursery() as writing:
            await writing.start(self._parts.journal.run)
            try:
                async with trio.open_nursery() as self._nursery:
                    self._recover(self._nursery)
                    task_status.started()
                    try:
                        await trio.sleep_forever()
                    finally:
                        self.begin_finish()
            finally:
                self._nursery = None
                with trio.CancelScope(shield=True):
                    await self._parts.journal.close()

    def begin_finish(self) -> None:
        """Take no more pages, interrupt those that run or wait."""
        self._closing = True
        for page in self._pages.values():
            page.interrupt()
        for turn in self._waiting:
            turn.granted.set()

    async def finish(self) -> None:
        """As `begin_finish`, and wait until their phones are stopped."""
        self.begin_finish()
        for page in [*self._active, *(turn.page for turn in self._waiting)]:
            await page.wait_ended()

    def settings_changed(self) -> None:
        """Multicast may have another range."""
        settings = self._parts.settings()
        addresses: tuple[IPv4Address, ...] = ()
        if settings.multicast:
            try:
                addresses = read_range(settings.multicast_first, settings.multicast_last)
            except RangeError as error:
                # Refused where it is entered; a store from elsewhere may hold it all the same.
                self._parts.alarms.sound("multicast-range", f"multicast is off: {error}")
            else:
                self._parts.alarms.clear("multicast-range")
        self._pool.replace(addresses)

    # what is asked

    async def request(self, wish: PageRequest, *, requested_by: str | None = None) -> str:
        """Check everything, then begin a page and return its number; nothing is sent before all of it is right.

        Who has the number finds the page again after a crash: it is on disk, or the disk is why an alarm sounds. A key
        that was used within a day returns the page that it was used for, also while that one is being checked.

        Raises:
            RequestError: Unknown phones, no phones, unusable audio, a key used for another page (409), too many pages
                (429), or the gateway is ending (503).
        """
        if wish.idempotency_key is None:
            turn = await self._begin(wish, requested_by)
            await turn.kept.wait()
            return turn.page.number
        key = self._keys.get(wish.idempotency_key)
        if key is not None and self._clock() - key.used_s < KEY_S:
            if key.digest != wish.digest():
                raise RequestError(["this idempotency key was used for another page: use a new one"], status=409)
            await key.known.wait()
            if key.page is not None:
                return key.page
            return await self.request(wish, requested_by=requested_by)  # the first one was refused
        key = self._keys[wish.idempotency_key] = _Key(digest=wish.digest(), used_s=self._clock())
        try:
            turn = await self._begin(wish, requested_by)
            key.page = turn.page.number
        except BaseException:
            del self._keys[wish.idempotency_key]
            raise
        finally:
            key.known.set()
        if len(self._keys) > MAX_KEYS:
            del self._keys[next(iter(self._keys))]
        await turn.kept.wait()
        return turn.page.number

    def page(self, number: str) -> AnyPage | None:
        """A page by number; the oldest are in `history` only."""
        return self._pages.get(number)

    def stop(self, number: str) -> bool:
        """End a page now; False where there is none of that number."""
        page = self._pages.get(number)
        if page is None:
            return False
        page.interrupt()
        for turn in self._waiting:
            if turn.page is page:
                turn.granted.set()
        return True

    def running(self) -> list[Page]:
        """Pages that run or wait, the oldest first."""
        pages = [page for page in self._pages.values() if not isinstance(page, EndedPage) and page.state != "ended"]
        return sorted(pages, key=lambda page: int(page.number))

    async def history(self, *, before: int | None = None, limit: int = 50) -> list[PageRecord]:
        """Pages of the journal, the newest first, running ones included.

        Raises:
            StoreError: The store cannot be read.
        """
        return await self._parts.journal.pages(before=before, limit=limit)

    async def results(self, number: str) -> list[PhoneResult]:
        """How a page stands or ended at each phone.

        Raises:
            StoreError: The store cannot be read.
        """
        page = self._pages.get(number)
        if isinstance(page, Page) and page.results:
            return list(page.results)
        return await self._parts.journal.results(int(number)) if number.isdecimal() and len(number) < 16 else []

    # begin

    async def _begin(self, wish: PageRequest, requested_by: str | None) -> _Turn:
        phones = self._parts.select(wish)
        try:
            # A file on a server that went away is waited for in vain; ending does not wait with it.
            audio = await trio.to_thread.run_sync(self._announcement, wish, abandon_on_cancel=True)
        except (AudioError, RecordingError) as error:
            raise RequestError([str(error)]) from None
        # From here on without a checkpoint: what is checked stays true.
        if self._closing or self._nursery is None or self._pacer is None:
            raise RequestError(["the gateway is ending"], status=503)
        if len(self._waiting) >= MAX_WAITING and not self._has_place(wish.priority):
            raise RequestError(
                [f"{len(self._active)} pages are running and {len(self._waiting)} wait already: stop one, or wait"],
                status=429,
            )
        self._last += 1
        number = str(self._last)
        page = Page(
            number=number,
            plan=self._parts.make_plan(wish, phones, audio),
            phones=phones,
            audio=audio,
            pusher=self._parts.pusher,
            pacer=self._pacer,
            records=self._parts.records,
            slots=self._parts.slots,
            claims=self.claims,
            journal=self._parts.journal,
        )
        self._keep(number, page)
        turn = _Turn(page)
        self._waiting.append(turn)
        self._grant_turns()
        record = PageRecord(
            number=self._last,
            requested_s=self._clock(),
            requested_by=requested_by,
            audio=audio.name,
            phones=page.size,
            priority=page.priority,
            delivery=page.delivery,
            wish={**wish.document(), "digest": wish.digest()},
            idempotency_key=wish.idempotency_key,
            state="running" if turn.granted.is_set() else "waiting",
        )
        self._nursery.start_soon(self._run, turn, record, phones, name=f"page {number}")
        return turn

    def _announcement(self, wish: PageRequest) -> Audio:
        if wish.recording is not None:
            audio = self._parts.recordings.load(wish.recording)
        else:
            assert wish.audio is not None
            audio = load_audio(wish.audio)
        tone = None
        if wish.tone is not None:
            tone = bundled_tone(wish.tone) if wish.tone in TONES else load_audio(Path(wish.tone))
        return assemble(audio, tone=tone, repeat=wish.repeat)

    async def _run(self, turn: _Turn, record: PageRecord, phones: Sequence[Phone]) -> None:
        page = turn.page
        try:
            await self._parts.journal.begin(record, phones)
            turn.kept.set()
            await turn.granted.wait()
            if record.state == "waiting" and turn not in self._waiting:
                await self._parts.journal.started(page.number)
        except trio.Cancelled:
            page.interrupt()  # `run` below ends it in good order
        finally:
            turn.kept.set()
        if turn in self._waiting:
            self._waiting.remove(turn)
            self._active.add(page)
        group = self._group(page)
        try:
            await page.run()
        finally:
            self._parts.journal.end(
                page.number,
                reason=page.reason or "failed",
                note=page.note,
                delivery=page.delivery,
                outcomes=page.outcomes,
            )
            if group is not None:
                self._pool.check_in(IPv4Address(group.address))
            self._note_failure(page)
            self._active.discard(page)
            self._forget_results()
            self._grant_turns()

    def _group(self, page: Page) -> Group | None:
        """A group for a page that wants one; where there is none it goes out by unicast and says so."""
        if page.delivery is not Delivery.MULTICAST:
            return None
        settings = self._parts.settings()
        if not settings.multicast or not self._pool.size:
            page.fall_back("sent by unicast: multicast is not set up")
            return None
        address = self._pool.check_out()
        if address is None:
            why = f"sent by unicast: all {self._pool.size} multicast addresses are in use"
            page.fall_back(why)
            text = f"page {page.number} was {why}. A larger range allows more at once"
            self._parts.alarms.sound(POOL_ALARM, text, stays=True)
            return None
        self._parts.alarms.clear(POOL_ALARM)
        group = Group(address=str(address), port=settings.multicast_port)
        page.use_group(group)
        return group

    def _note_failure(self, page: Page) -> None:
        if page.reason == "failed" and page.outcomes.keys() != {Unheard.PREEMPTED}:
            self._parts.alarms.sound(
                FAILED_ALARM,
                f"page {page.number} was heard by none of its {page.size} phones: see its result",
                stays=True,
            )
        elif page.reason == "completed":
            self._parts.alarms.clear(FAILED_ALARM)

    # turns

    def _has_place(self, priority: Priority) -> bool:
        if any(turn.page.priority is priority for turn in self._waiting):
            return False
        running = sum(page.priority is priority for page in self._active)
        return running < (MAX_EMERGENCIES if priority is Priority.EMERGENCY else MAX_ACTIVE)

    def _grant_turns(self) -> None:
        for priority, places in ((Priority.EMERGENCY, MAX_EMERGENCIES), (Priority.NORMAL, MAX_ACTIVE)):
            free = places - sum(page.priority is priority for page in self._active)
            due = [turn for turn in self._waiting if turn.page.priority is priority and not turn.granted.is_set()]
            for turn in due[: max(free, 0)]:
                self._waiting.remove(turn)
                self._active.add(turn.page)
                turn.granted.set()

    # memory

    def _keep(self, number: str, page: Page) -> None:
        self._pages[number] = page
        if len(self._pages) > KEPT_PAGES:
            del self._pages[next(name for name, kept in self._pages.items() if kept.state == "ended")]

    def _forget_results(self) -> None:
        ended = [page for page in self._pages.values() if isinstance(page, Page) and page.state == "ended"]
        for page in ended[:-KEPT_RESULTS]:
            page.forget_results()

    def _remember_key(self, record: PageRecord) -> None:
        if record.idempotency_key is None or self._clock() - record.requested_s >= KEY_S:
            return
        key = _Key(digest=str(record.wish.get("digest", "")), used_s=record.requested_s, page=str(record.number))
        key.known.set()
        self._keys[record.idempotency_key] = key

    def _recover(self, nursery: trio.Nursery) -> None:
        for unfinished in self._unfinished:
            recovery = Recovery(
                unfinished,
                pusher=self._parts.pusher,
                slots=self._parts.slots,
                claims=self.claims,
                journal=self._parts.journal,
            )
            recovery.claim()
            nursery.start_soon(recovery.run, self._parts.alarms, name=f"recovery of page {unfinished.number}")
        self._unfinished = []


def _ended(record: PageRecord) -> EndedPage:
    return EndedPage(
        number=str(record.number),
        size=record.phones,
        reason=record.reason or "interrupted",
        outcomes=dict(record.outcomes),
        priority=record.priority,
        delivery=record.delivery,
        note=record.note,
    )
