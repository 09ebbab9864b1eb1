"""Alerts: sent, followed, withdrawn, expired, kept.

Theory of operation: everything that phones and people ask about is in memory (`Desk`, and the alerts that are not over
or were a moment ago); what changes is marked and written behind by one task, several changes in one transaction. An
alert is on disk before its first push unless the disk takes longer than `KEEP_S`: then it goes out all the same, and
the alarm `alerts-not-kept` says so. After a restart the phones that have no outcome on disk are pushed to, unless the
alert has expired; one that was pushed to a moment before the end may be shown the same alert twice, never another one.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from gateway.alarms import Alarms
from gateway.alerts import archive
from gateway.alerts.alert import Alert, Ending, Recipient
from gateway.alerts.archive import Change
from gateway.alerts.desk import KEPT_S, TOKEN_BYTES, Answer, Desk
from gateway.alerts.interface import AlertView
from gateway.alerts.pushing import Action
from gateway.alerts.request import MAX_IDEMPOTENCY_KEY, AlertError, AlertRequest, Priority
from gateway.authentication import Request
from gateway.cisco import Outcome, PushAnswer
from gateway.inventory import Entry, Selection, SelectionError
from gateway.push import Slots, Weight
from gateway.records import Records
from gateway.store import Database, StoreError

MAX_ACTIVE: Final = 50
"""Alerts that are not over; a screen shows one."""
MAX_RECIPIENTS: Final = 400_000
"""Phones of all alerts in memory, about 400 bytes each."""
KEEP_S: Final = 1.0
"""How long a disk may hold up an alert."""
FLUSH_S: Final = 0.2
"""Changes are written together; what a phone did in the last of it is lost by a `kill -9`."""
RETRY_S: Final = 5.0
"""Before a store that failed is tried again."""
WATCH_S: Final = 1.0
"""How often expiry is looked at; phones are told by the clock, not by this."""
PRUNE_S: Final = 3600.0
END_S: Final = 2.0
"""How long the last changes may take to reach the disk when the gateway ends."""
REPEATED_S: Final = 86_400.0
"""How long an idempotency key is known after a restart."""
MAX_KEYS: Final = 10_000
"""Idempotency keys known at most."""
MAX_DIGITS: Final = 15
_log = logging.getLogger("gateway.alerts")


class Book(Protocol):
    """What is needed of the inventory (`gateway.inventory.Phonebook`)."""

    @property
    def entries(self) -> dict[str, Entry]:
        """By device name."""

    def select(
        self, *, phones: Sequence[str] | None = None, zones: Sequence[str] = (), lists: Sequence[str] = ()
    ) -> Selection:
        """Choose phones. Raises SelectionError."""


class Pushing(Protocol):
    """What is needed of `gateway.alerts.pushing.AlertPusher`."""

    async def push(
        self, recipient: Recipient, *, alert: int, url: str, priority: int, action: Action
    ) -> PushAnswer:
        """Have a phone fetch a URL."""


@dataclass(frozen=True, slots=True)
class _Known:
    number: int
    request: AlertRequest


class Alerts:
    """All alerts of one gateway. `run` it; then `send`."""

    def __init__(
        self,
        database: Database,
        *,
        book: Book,
        pusher: Pushing,
        slots: Slots,
        base: Callable[[str], str],
        records: Records,
        alarms: Alarms,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Read the store.

        Args:
            database: where alerts are kept.
            book: the inventory.
            pusher: pushes.
            slots: limits how many at once; shared with pages.
            base: from a phone's address to this gateway's URL for it.
            records: event records.
            alarms: for a store that cannot be written.
            clock: seconds since 1970; a `steady_clock` if None.
        """
        self._database = database
        self._book = book
        self._pusher = pusher
        self._slots = slots
        self._records = records
        self._alarms = alarms
        self._clock = clock = clock or steady_clock()
        self._desk = Desk(base)
        self._alerts: dict[int, Alert] = {}
        self._sending: dict[int, trio.CancelScope] = {}
        self._dirty: dict[int, set[str]] = {}
        self._unkept: set[int] = set()
        """Alerts of which the beginning or the end is not on disk yet."""
        self._marked = trio.Event()
        self._kept = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._closing = False
        self._ended = trio.CancelScope()
        now_s = clock()
        alerts, self._last = database.read_now(archive.load_recent(now_s - KEPT_S))
        self._keys = {
            key: _Known(number, request)
            for key, number, request in database.read_now(archive.load_keys(now_s - REPEATED_S))
        }
        for alert in alerts:
            self._alerts[alert.number] = alert
            self._desk.take(alert)

    # what the Administration Tool asks for

    async def send(self, request: AlertRequest, *, key: str | None = None) -> str:
        """Check everything, then begin an alert; its number.

        Args:
            request: the alert.
            key: who repeats one gets the number of the first again, also after a restart.

        Raises:
            AlertError: with everything that is wrong; then nothing is sent.
        """
        number, alert = self._begin(request, key)
        if alert is not None and self._nursery is not None:
            self._nursery.start_soon(self._deliver, alert, name=f"alert {number}")
            await self._wait_kept(alert.number)
        return str(number)

    async def get(self, number: str) -> AlertView | None:
        """One alert with all its phones.

        Raises:
            StoreError: it is an older one, and the store cannot be read.
        """
        wanted = _read_number(number)
        if wanted is None:
            return None
        alert = self._alerts.get(wanted)
        if alert is None:
            alert = await self._database.read(archive.load(wanted))
        if alert is None:
            return None
        return AlertView.of(alert, self._clock(), sending=alert.number in self._sending)

    async def history(self, *, before: str | None = None, limit: int = archive.HISTORY) -> Sequence[AlertView]:
        """Alerts without their phones, the newest first.

        Args:
            before: only those with a smaller number.
            limit: so many at most, up to 100.

        Raises:
            StoreError: the store cannot be read.
        """
        first = _read_number(before) if before is not None else None
        kept = await self._database.read(archive.load_history(first, limit))
        now_s = self._clock()
        views = {
            alert.number: AlertView.of(alert, now_s, counts=counts)
            for alert, counts in kept
            if alert.number not in self._alerts
        }
        for alert in self._alerts.values():
            if first is None or alert.number < first:
                views[alert.number] = AlertView.of(alert, now_s, sending=alert.number in self._sending)
        return [views[number] for number in sorted(views, reverse=True)[:limit]]

    async def withdraw(self, number: str) -> AlertView:
        """End an alert now: nothing more is pushed, and screens that still show it are given a text that says so.

        Raises:
            AlertError: there is none, or it is over.
        """
        alert = self._alerts.get(_read_number(number) or 0)
        if alert is None:
            raise AlertError(["there is no such alert, or it is over for long"], status=404)
        if not alert.is_active(self._clock()):
            raise AlertError(["this alert is over"], status=409)
        self._end(alert, "withdrawn")
        if self._nursery is not None:
            self._nursery.start_soon(self._replace, alert, name=f"alert {number} withdrawn")
        await self._wait_kept(alert.number)
        return AlertView.of(alert, self._clock())

    # what phones ask for

    def answer(self, request: Request, source: str) -> Answer | None:
        """Answer a request of the phone at address ``source``; None: it is not about alerts."""
        answer = self._desk.answer(request, source, self._clock())
        if answer is None:
            return None
        for fact in answer.facts:
            alert, recipient = fact.alert, fact.recipient
            self._mark(alert, recipient.device_name)
            if fact.kind == "displayed":
                self._records.write("alert.displayed", alert=str(alert.number), phone=recipient.device_name)
            else:
                self._records.write(
                    "alert.acknowledged",
                    alert=str(alert.number),
                    phone=recipient.device_name,
                    directory_number=recipient.directory_number or None,
                    response=recipient.response,
                )
        return answer

    # life

    async def run(self) -> None:
        """Send, watch and keep until `close` or a cancellation; alerts from before a restart go on."""
        try:
            with self._ended:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._keep_regularly)
                    nursery.start_soon(self._watch)
                    for alert in list(self._alerts.values()):
                        if alert.is_active(self._clock()) and alert.due():
                            _log.info("alert %d goes on: %d phones left", alert.number, len(alert.due()))
                            nursery.start_soon(self._deliver, alert, name=f"alert {alert.number}")
        finally:
            self._nursery = None
            with trio.move_on_after(END_S, shield=True):
                await self._flush()

    def close(self) -> None:
        """Take and send nothing more. What was not pushed yet is, after the next start."""
        self._closing = True
        self._ended.cancel()

    async def _watch(self) -> None:
        while True:
            now_s = self._clock()
            for alert in list(self._alerts.values()):
                if alert.ended_s is None and not alert.is_active(now_s):
                    self._end(alert, "expired")
                elif alert.ended_s is not None and now_s - alert.ended_s > KEPT_S and alert.number not in self._dirty:
                    self._desk.forget(alert)
                    del self._alerts[alert.number]
            while len(self._keys) > MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            await trio.sleep(WATCH_S)

    def _begin(self, request: AlertRequest, key: str | None) -> tuple[int, Alert | None]:
        """Everything of `send` that must not be interrupted."""
        errors = request.check()
        if key is not None and not (0 < len(key) <= MAX_IDEMPOTENCY_KEY and key.isascii() and key.isprintable()):
            errors.append(f"the idempotency key must be 1 to {MAX_IDEMPOTENCY_KEY} printable characters")
        elif key is not None and (known := self._keys.get(key)) is not None:
            if known.request != request:
                raise AlertError(["this idempotency key was used for another alert: use a new one"], status=409)
            return known.number, None
        selection: Selection | None = None
        try:
            selection = self._book.select(phones=request.phones, zones=request.zones, lists=request.lists)
        except SelectionError as error:
            errors += error.errors
        if errors or selection is None:
            raise AlertError(errors)
        if self._closing or self._nursery is None:
            raise AlertError(["the gateway is ending"], status=503)
        now_s = self._clock()
        if sum(alert.is_active(now_s) for alert in self._alerts.values()) >= MAX_ACTIVE:
            raise AlertError([f"{MAX_ACTIVE} alerts are active already: withdraw some"], status=429)
        size = len(selection.phones) + len(selection.left_out)
        if sum(len(alert.recipients) for alert in self._alerts.values()) + size > MAX_RECIPIENTS:
            raise AlertError([f"more than {MAX_RECIPIENTS} phones in alerts of the last hour"], status=429)
        self._last += 1
        recipients = self._recipients(selection)
        alert = Alert(number=self._last, request=request, created_s=now_s, recipients=recipients, key=key)
        self._alerts[alert.number] = alert
        if key is not None:
            self._keys[key] = _Known(alert.number, request)
        self._desk.take(alert)
        self._unkept.add(alert.number)
        self._mark(alert, *recipients)
        self._records.write(
            "alert.sent",
            alert=str(alert.number),
            phones=len(selection.phones),
            left_out=len(selection.left_out),
            priority=str(request.priority),
        )
        return alert.number, alert

    def _recipients(self, selection: Selection) -> dict[str, Recipient]:
        entries = self._book.entries
        chosen = {
            phone.device_name: Recipient(
                device_name=phone.device_name,
                address=phone.address,
                token=secrets.token_urlsafe(TOKEN_BYTES),
                directory_number=_number(entries, phone.device_name),
            )
            for phone in selection.phones
        }
        others = {
            name: Recipient(
                device_name=name, address="", left_out=reason, directory_number=_number(entries, name)
            )
            for name, reason in selection.left_out.items()
        }
        return {**chosen, **others}

    def _end(self, alert: Alert, ending: Ending) -> None:
        if not alert.end(ending, self._clock()):
            return
        scope = self._sending.get(alert.number)
        if scope is not None:
            scope.cancel()
        self._unkept.add(alert.number)
        self._mark(alert)
        self._records.write(
            "alert.ended", alert=str(alert.number), reason=ending, outcomes=alert.counts(self._clock())
        )

    # pushing

    async def _deliver(self, alert: Alert) -> None:
        scope = self._sending[alert.number] = trio.CancelScope()
        try:
            with scope:
                await self._wait_kept(alert.number)
                names = [recipient.device_name for recipient in alert.due()]
                await self._slots.run(names, lambda name: self._show(alert, name), weight=_weight(alert))
        except* Exception as group:  # noqa: BLE001  one alert's trouble is not the others'
            _log.error("alert %d: %s", alert.number, ", ".join({type(e).__name__ for e in group.exceptions}))
        finally:
            del self._sending[alert.number]

    async def _show(self, alert: Alert, name: str) -> None:
        recipient = alert.recipients[name]
        if not alert.is_active(self._clock()):
            return
        answer = PushAnswer(outcome=Outcome.INDETERMINATE, detail="interrupted")
        try:
            answer = await self._pusher.push(
                recipient,
                alert=alert.number,
                url=self._desk.url(recipient),
                priority=0 if alert.priority is Priority.EMERGENCY else 1,
                action="show",
            )
        finally:
            # An end of the gateway leaves it without an outcome: it is pushed after the next start.
            if not self._closing or answer.detail != "interrupted":
                recipient.pushed(answer.outcome, answer.detail, self._clock())
                self._mark(alert, name)

    async def _replace(self, alert: Alert) -> None:
        """Give screens that may still show it another text: the same URL says now that it is over."""
        names = [
            each.device_name
            for each in alert.recipients.values()
            if each.displayed_s is not None and each.acknowledged_s is None and each.outcome is not None
        ]

        async def replace(name: str) -> None:
            recipient = alert.recipients[name]
            await self._pusher.push(
                recipient, alert=alert.number, url=self._desk.url(recipient), priority=0, action="withdraw"
            )

        await self._slots.run(names, replace, weight=_weight(alert))

    # keeping

    def _mark(self, alert: Alert, *names: str) -> None:
        """These phones of an alert, or it alone, have changed."""
        self._dirty.setdefault(alert.number, set()).update(names)
        self._marked.set()

    async def _keep_regularly(self) -> None:
        prune_at = trio.current_time()
        while True:
            await self._marked.wait()
            self._marked = trio.Event()
            if not await self._flush():
                await trio.sleep(RETRY_S)
                self._marked.set()
            elif trio.current_time() >= prune_at:
                prune_at = trio.current_time() + PRUNE_S
                await self._write(archive.prune(self._clock()))
            await trio.sleep(FLUSH_S)

    async def _flush(self) -> bool:
        """Write what has changed; whether that is on disk now."""
        dirty, self._dirty = self._dirty, {}
        now_s = self._clock()
        changes = [
            Change.of(self._alerts[number], sorted(names), now_s)
            for number, names in dirty.items()
            if number in self._alerts
        ]
        if changes and not await self._write(archive.keep(changes)):
            for number, names in dirty.items():
                self._dirty.setdefault(number, set()).update(names)
            return False
        self._unkept.difference_update(dirty)
        self._kept.set()
        self._kept = trio.Event()
        return True

    async def _write(self, work: Callable[[sqlite3.Connection], None]) -> bool:
        try:
            await self._database.write(work)
        except StoreError as error:
            self._alarms.sound("alerts-not-kept", f"alerts go out and are lost at the next restart: {error}")
            return False
        self._alarms.clear("alerts-not-kept")
        return True

    async def _wait_kept(self, number: int) -> None:
        """Wait until an alert is on disk, but not for a disk that hangs."""
        with trio.move_on_after(KEEP_S) as limit:
            while number in self._unkept:
                await self._kept.wait()
        if limit.cancelled_caught and number in self._unkept:
            self._alarms.sound("alerts-not-kept", "alerts go out before they are on disk: the disk does not keep up")


def steady_clock() -> Callable[[], float]:
    """Seconds since 1970 that a step of the system's clock does not move: right when made, steady from then on."""
    began_s = time.time() - time.monotonic()
    return lambda: began_s + time.monotonic()


def _weight(alert: Alert) -> Weight:
    return Weight.EMERGENCY_ALERT if alert.priority is Priority.EMERGENCY else Weight.ALERT


def _read_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def _number(entries: dict[str, Entry], name: str) -> str:
    entry = entries.get(name)
    return "" if entry is None else entry.directory_number
