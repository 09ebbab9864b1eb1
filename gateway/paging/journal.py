"""What becomes of each page and phone, on disk soon enough to be believed after a crash, and never in the way.

A page and its phones are written before its first push. Outcomes and stops follow in batches, one transaction each, at
most about `COMMIT_S` late: nothing that pushes waits for them. A disk that takes nothing costs an alarm,
`journal-lost`, and the page goes out; what was to be written is kept and written when the disk works again.

After a crash a phone without an outcome may have been pushed to in the moments before, so it is stopped as well. No
page is ever resumed: an announcement that comes minutes late, or twice, does harm. So nothing is started twice, and a
stop that was recorded as executed is not sent again. Pages that wait for their turn are written as well: after a crash
they are in the history as interrupted, and nobody has to be stopped.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from gateway.alarms import Alarms
from gateway.cisco import Outcome
from gateway.push import PhoneResult, PushTarget
from gateway.push.progress import may_listen
from gateway.push.result import PhoneOutcome, Unheard
from gateway.store import Database, StoreError

COMMIT_S: Final = 0.1
"""Between two transactions: what a crash can lose."""
INTENT_S: Final = 1.0
"""How long a page waits for its own record: 10,000 phones are written in a tenth of that."""
RETRY_S: Final = 1.0
"""Between two tries on a disk that takes nothing."""
CLOSE_S: Final = 2.0
"""For the last batch at the end."""
MAX_PENDING: Final = 500_000
"""Phones' ends kept in memory while nothing can be written (about 150 MB); beyond it the newest are lost."""
KEPT_PAGES: Final = 5_000
KEPT_DAYS: Final = 400
KEPT_PHONES: Final = 1_000_000
"""Rows of phones in all, the newest pages' (about 100 MB)."""
ALARM: Final = "journal-lost"

_OPEN: Final = "SELECT number, state FROM page WHERE state <> 'ended' ORDER BY number"
_CUT_OFF: Final = (Outcome.INDETERMINATE, "the gateway ended before its answer was recorded")
_WAITED: Final = (Unheard.NOT_SENT, "the gateway ended before the page had its turn")
_NOT_STOPPED: Final = (None, Outcome.UNREACHABLE, Outcome.INDETERMINATE)
"""Stops that were lost on the way are sent once more, as in a page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRecord:
    """A page, as it is kept."""

    number: int
    requested_s: float
    """Seconds since 1970."""
    requested_by: str | None = None
    audio: str
    phones: int
    priority: str
    delivery: str
    wish: Mapping[str, object]
    idempotency_key: str | None = None
    state: str = "running"
    reason: str | None = None
    note: str | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict)
    ended_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfinished:
    """A page that a crash has interrupted, and its phones that may listen."""

    number: str
    phones: int
    to_stop: tuple[PhoneResult, ...]


@dataclass(slots=True)
class _Batch:
    begun: list[tuple[PageRecord, Sequence[PushTarget]]] = field(default_factory=list)
    started: list[tuple[int]] = field(default_factory=list)
    outcomes: list[tuple[str, str | None, int, str]] = field(default_factory=list)
    stops: list[tuple[str, int, str]] = field(default_factory=list)
    ended: list[tuple[str, str | None, str, str, float, int]] = field(default_factory=list)
    recovered: list[tuple[int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.begun or self.started or self.outcomes or self.stops or self.ended or self.recovered)

    def before(self, later: _Batch) -> _Batch:
        """This one, which could not be written, and what has come since."""
        return _Batch(
            self.begun + later.begun,
            self.started + later.started,
            self.outcomes + later.outcomes,
            self.stops + later.stops,
            self.ended + later.ended,
            self.recovered + later.recovered,
        )


class Journal:
    """The journal and the history of pages."""

    def __init__(self, database: Database, alarms: Alarms, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._alarms = alarms
        self._clock = clock
        self._pending = _Batch()
        self._kick = trio.Event()
        self._written = trio.Event()
        self._batch: _Batch | None = None  # on its way to the disk
        self._closed = trio.Event()
        self._scope = trio.CancelScope(shield=True)
        self._failing = False
        self.lost = 0
        """Ends of phones that could not be kept."""

    # before the event loop runs

    def recover(self) -> tuple[list[PageRecord], list[Unfinished]]:
        """Close what a crash left open: every phone gets one outcome; return the pages kept and those to be stopped.

        Where the database cannot be written that is an alarm, and they are stopped all the same.
        """
        try:
            return self._database.write_now(lambda connection: _recover(connection, self._clock()))
        except StoreError as error:
            self._sound(error)
        try:
            return self._database.read_now(_left_open)
        except StoreError:
            return [], []

    # while pages run

    async def begin(self, record: PageRecord, phones: Sequence[PushTarget]) -> None:
        """Write a page and its phones. Returns when they are on disk, the disk takes nothing, or after `INTENT_S`."""
        self._pending.begun.append((record, phones))
        await self._wait_written(
            record.number, lambda batch: any(each is record for each, _ in batch.begun) if batch else False
        )

    async def started(self, page: str) -> None:
        """A page that waited has its turn: from now on its phones may listen. Returns as `begin` does."""
        row = (int(page),)
        self._pending.started.append(row)
        await self._wait_written(row[0], lambda batch: row in batch.started if batch else False)

    def note_outcome(self, page: str, phone: str, outcome: PhoneOutcome, detail: str | None) -> None:
        """Of one phone."""
        if self._has_room():
            self._pending.outcomes.append((str(outcome), detail, int(page), phone))
            self._kick.set()

    def note_stop(self, page: str, phone: str, outcome: Outcome) -> None:
        """Of one stop push."""
        if self._has_room():
            self._pending.stops.append((str(outcome), int(page), phone))
            self._kick.set()

    def end(self, page: str, *, reason: str, note: str | None, delivery: str, outcomes: Mapping[str, int]) -> None:
        """A page is over."""
        row = (reason, note, delivery, json.dumps(dict(outcomes)), self._clock(), int(page))
        self._pending.ended.append(row)
        self._kick.set()

    def recovered(self, page: str) -> None:
        """The phones of an interrupted page have been told to stop."""
        self._pending.recovered.append((int(page),))
        self._kick.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write batches until `close`, which has to be called: cancelling does not end this."""
        task_status.started()
        with self._scope:
            while self._pending or not self._closed.is_set():
                await self._kick.wait()
                if not (self._pending.begun or self._pending.started) and not self._closed.is_set():
                    await trio.sleep(COMMIT_S)
                self._kick = trio.Event()
                if self._pending:
                    await self._write()

    async def close(self) -> None:
        """Write what is pending, within `CLOSE_S`; `run` returns."""
        self._closed.set()
        self._kick.set()
        with trio.move_on_after(CLOSE_S):
            while self._pending or self._batch:
                await self._written.wait()
        self._scope.cancel()

    # the history

    async def pages(self, *, before: int | None = None, limit: int = 50) -> list[PageRecord]:
        """Pages, the newest first.

        Raises:
            StoreError: The database cannot be read.
        """
        return await self._database.read(
            lambda connection: _pages(
                connection, "WHERE ? IS NULL OR number < ? ORDER BY number DESC LIMIT ?", (before, before, limit)
            )
        )

    async def results(self, page: int) -> list[PhoneResult]:
        """Of each phone of a page, as far as they are kept.

        Raises:
            StoreError: The database cannot be read.
        """
        return await self._database.read(lambda connection: _results(connection, page))

    # writing

    async def _wait_written(self, page: int, is_in: Callable[[_Batch | None], bool]) -> None:
        self._kick.set()
        with trio.move_on_after(INTENT_S) as patience:
            while not self._failing and (is_in(self._pending) or is_in(self._batch)):
                await self._written.wait()
        if patience.cancelled_caught:
            self._alarms.sound(ALARM, f"page {page} went out without its journal: the disk takes too long")

    def _has_room(self) -> bool:
        if len(self._pending.outcomes) + len(self._pending.stops) < MAX_PENDING:
            return True
        self.lost += 1
        return False

    async def _write(self) -> None:
        batch, self._pending = self._pending, _Batch()
        self._batch = batch
        try:
            await self._database.write(lambda connection: self.write_batch(connection, batch), abandon=True)
        except (StoreError, sqlite3.IntegrityError) as error:
            self._pending = batch.before(self._pending)
            self._batch = None
            self._sound(error)
            self._written.set()  # nobody waits for a disk that takes nothing
            self._written = trio.Event()
            with trio.move_on_after(RETRY_S):
                await self._closed.wait()
            await trio.sleep(COMMIT_S)
            self._kick.set()
        else:
            self._batch = None
            self._failing = False
            self._alarms.clear(ALARM)
        self._written.set()
        self._written = trio.Event()

    def write_batch(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        """In one transaction, in a thread."""
        for record, phones in batch.begun:
            _insert(connection, record, phones)
        connection.executemany("UPDATE page SET state = 'running' WHERE number = ?", batch.started)
        connection.executemany(
            "UPDATE page_phone SET outcome = ?, detail = ? WHERE page = ? AND phone = ?", batch.outcomes
        )
        connection.executemany("UPDATE page_phone SET stop = ? WHERE page = ? AND phone = ?", batch.stops)
        connection.executemany(
            "UPDATE page SET state = 'ended', reason = ?, note = ?, delivery = ?, outcomes = ?, ended_s = ?"
            " WHERE number = ?",
            batch.ended,
        )
        for (number,) in batch.recovered:
            _interrupted(connection, number, self._clock())  # again: at the start nothing could be written perhaps
            connection.execute("UPDATE page SET state = 'ended' WHERE number = ?", (number,))
        if batch.ended:
            _prune(connection, self._clock())

    def _sound(self, error: Exception) -> None:
        self._failing = True
        self._alarms.sound(
            ALARM,
            f"pages go out, but what becomes of them cannot be written ({error}): make room on the disk or repair it",
        )


def _insert(connection: sqlite3.Connection, record: PageRecord, phones: Sequence[PushTarget]) -> None:
    connection.execute(
        "INSERT INTO page (number, requested_s, requested_by, audio, phones, priority, delivery, wish, idempotency_key,"
        " state, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.number,
            record.requested_s,
            record.requested_by,
            record.audio,
            record.phones,
            record.priority,
            record.delivery,
            json.dumps(dict(record.wish)),
            record.idempotency_key,
            record.state,
            record.note,
        ),
    )
    connection.executemany(
        "INSERT INTO page_phone (page, phone, address) VALUES (?, ?, ?)",
        ((record.number, phone.device_name, phone.address) for phone in phones),
    )


def _pages(connection: sqlite3.Connection, where: str, values: Sequence[object]) -> list[PageRecord]:
    rows = connection.execute(
        "SELECT number, requested_s, requested_by, audio, phones, priority, delivery, wish, idempotency_key, state,"  # noqa: S608  clauses of this module
        f" reason, note, outcomes, ended_s FROM page {where}",
        tuple(values),
    )
    return [
        PageRecord(
            number=row[0],
            requested_s=row[1],
            requested_by=row[2],
            audio=row[3],
            phones=row[4],
            priority=row[5],
            delivery=row[6],
            wish=json.loads(row[7]),
            idempotency_key=row[8],
            state=row[9],
            reason=row[10],
            note=row[11],
            outcomes=json.loads(row[12]) if row[12] else {},
            ended_s=row[13],
        )
        for row in rows
    ]


def _results(connection: sqlite3.Connection, page: int) -> list[PhoneResult]:
    rows = connection.execute(
        "SELECT phone, address, outcome, detail, stop FROM page_phone WHERE page = ? ORDER BY phone", (page,)
    )
    return [PhoneResult(phone=row[0], address=row[1], outcome=row[2], detail=row[3], stop=row[4]) for row in rows]


def _recover(connection: sqlite3.Connection, now_s: float) -> tuple[list[PageRecord], list[Unfinished]]:
    unfinished = []
    for number, _state in connection.execute(_OPEN).fetchall():
        _interrupted(connection, number, now_s)
        unfinished.append(_unfinished(number, _results(connection, number)))
    return _kept(connection), unfinished


def _interrupted(connection: sqlite3.Connection, number: int, now_s: float) -> None:
    """A page that a crash has left open gets one outcome for each phone, and is being recovered."""
    found = connection.execute("SELECT state FROM page WHERE number = ?", (number,)).fetchone()
    if found is None or found[0] == "ended":
        return
    ending = _WAITED if found[0] == "waiting" else _CUT_OFF
    connection.execute(
        "UPDATE page_phone SET outcome = ?, detail = ? WHERE page = ? AND outcome IS NULL", (*ending, number)
    )
    counts = Counter(result.outcome or "" for result in _results(connection, number))
    connection.execute(
        "UPDATE page SET state = 'recovering', reason = 'interrupted', outcomes = ?,"
        " ended_s = coalesce(ended_s, ?) WHERE number = ?",
        (json.dumps(counts), now_s, number),
    )


def _left_open(connection: sqlite3.Connection) -> tuple[list[PageRecord], list[Unfinished]]:
    pages = connection.execute(_OPEN).fetchall()
    return _kept(connection), [
        _unfinished(number, _results(connection, number), began=state != "waiting") for number, state in pages
    ]


def _kept(connection: sqlite3.Connection) -> list[PageRecord]:
    return _pages(connection, "ORDER BY number DESC LIMIT ?", (KEPT_PAGES,))[::-1]


def _unfinished(number: int, results: Sequence[PhoneResult], *, began: bool = True) -> Unfinished:
    due = tuple(result for result in results if began and result.stop in _NOT_STOPPED and may_listen(result.outcome))
    return Unfinished(number=str(number), phones=len(results), to_stop=due)


def _prune(connection: sqlite3.Connection, now_s: float) -> None:
    connection.execute(
        "DELETE FROM page WHERE state = 'ended' AND (requested_s < ? OR number <= (SELECT max(number) FROM page) - ?)",
        (now_s - KEPT_DAYS * 86_400, KEPT_PAGES),
    )
    rows = connection.execute(
        "SELECT max(number) FROM (SELECT number, sum(phones) OVER (ORDER BY number DESC) AS so_far FROM page)"
        " WHERE so_far > ?",
        (KEPT_PHONES,),
    ).fetchone()
    if rows[0] is not None:
        connection.execute(
            "DELETE FROM page_phone WHERE page IN (SELECT number FROM page WHERE number <= ? AND state = 'ended')", rows
        )
