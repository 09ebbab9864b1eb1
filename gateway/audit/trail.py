"""The audit trail in the store. Whoever acts never waits long for it: a page goes out whether it can be written or not.

Entries go into a queue in memory and from there, in order, into the store. While the store takes none they wait, up to
a limit, and an alarm says so.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import trio

from gateway.alarms import Alarms
from gateway.audit.chain import FIRST, Entry, code_of, first_break, seal_of
from gateway.store import Database, StoreError

WAIT_S: Final = 2.0
"""How long somebody who changes a setting waits for its entry to be on disk."""
RETRY_S: Final = 5.0
MAX_WAITING: Final = 10_000
"""Entries kept while the store takes none, about 5 MB; beyond it the newest are lost, and counted."""
MAX_TEXT: Final = 256
"""Characters of a name, address or subject."""
ALARM: Final = "audit-lost"
AUDIT_KEY: Final = "audit trail"
"""The purpose that the chain's key is derived for (`gateway.store.Cipher.derive`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fact:
    at_s: float
    who: str
    address: str
    action: str
    subject: str
    detail: str


class AuditTrail:
    """Writes entries. `run` it beside the gateway."""

    def __init__(
        self, database: Database, key: bytes, alarms: Alarms, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._key = key
        self._alarms = alarms
        self._clock = clock
        self._queue: deque[_Fact] = deque()
        self._wake = trio.Event()
        self._written = trio.Event()
        self.lost = 0

    def note(self, who: str, address: str, action: str, subject: str = "", **detail: object) -> None:
        """Note what somebody did; on disk a moment later. Values must be no secrets."""
        if len(self._queue) >= MAX_WAITING:
            self.lost += 1
            return
        fact = _Fact(
            at_s=round(self._clock(), 3),
            who=_clean(who),
            address=_clean(address),
            action=action,
            subject=_clean(subject),
            detail=json.dumps(detail, default=str),
        )
        self._queue.append(fact)
        self._wake.set()

    async def written(self) -> None:
        """Wait until all that was noted is on disk, but not long."""
        with trio.move_on_after(WAIT_S):
            while self._queue:
                await self._written.wait()

    async def run(self) -> None:
        """Write entries until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while not await self._flush():  # noqa: ASYNC110  nobody tells when a disk has room again
                await trio.sleep(RETRY_S)

    async def _flush(self) -> bool:
        """Write what waits now; whether the store took it. What is noted meanwhile wakes the next round."""
        batch = list(self._queue)
        if not batch:
            return True
        try:
            await self._database.write(lambda connection: append(connection, self._key, batch))
        except (StoreError, sqlite3.Error) as error:
            self._alarms.sound(
                ALARM, f"the audit trail cannot be written ({error}): {len(batch)} entries wait, {self.lost} are lost"
            )
            return False
        for _ in batch:
            self._queue.popleft()
        self._alarms.clear(ALARM)
        self._written.set()
        self._written = trio.Event()
        return True

    async def finish(self) -> None:
        """Write the last entries when the gateway ends."""
        with trio.CancelScope(shield=True), trio.move_on_after(WAIT_S):
            await self._flush()

    async def entries(self, *, before: int | None, limit: int, action: str = "", who: str = "") -> list[Entry]:
        """The newest first.

        Args:
            before: only entries with a smaller number.
            limit: how many.
            action: only actions that begin so.
            who: only by this one.

        Raises:
            StoreError: the store cannot be read.
        """

        def work(connection: sqlite3.Connection) -> list[Entry]:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM audit WHERE number < ? AND (? = '' OR who = ?)"  # noqa: S608  no values
                " AND (? = '' OR substr(action, 1, length(?)) = ?) ORDER BY number DESC LIMIT ?",
                (2**62 if before is None else before, who, who, action, action, action, limit),
            )
            return [_entry(row) for row in rows]

        return await self._database.read(work)

    async def verify(self) -> tuple[int, str | None]:
        """As `verify`, beside the gateway's work.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self._database.read(lambda connection: verify(connection, self._key))


_COLUMNS = "number, at_s, who, address, action, subject, detail"


def append(connection: sqlite3.Connection, key: bytes, facts: list[_Fact]) -> None:
    """Add entries to the chain."""
    last = connection.execute("SELECT number, code FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    end = connection.execute("SELECT number FROM audit_end").fetchone()
    number, code = last or (0, FIRST)
    # A tail that was cut off stays visible: numbers go on from the sealed one.
    number = max(number, end[0] if end else 0)
    for fact in facts:
        number += 1
        entry = Entry(
            number=number,
            at_s=fact.at_s,
            who=fact.who,
            address=fact.address,
            action=fact.action,
            subject=fact.subject,
            detail=fact.detail,
        )
        code = code_of(entry, code, key)
        connection.execute(
            f"INSERT INTO audit ({_COLUMNS}, code) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  no values
            (number, fact.at_s, fact.who, fact.address, fact.action, fact.subject, fact.detail, code),
        )
    connection.execute("INSERT OR REPLACE INTO audit_end VALUES (1, ?, ?)", (number, seal_of(number, code, key)))


def fact(who: str, action: str, subject: str = "", **detail: object) -> _Fact:
    """What somebody did at the console of the machine, for `append`."""
    return _Fact(
        at_s=round(time.time(), 3),
        who=_clean(who),
        address="console",
        action=action,
        subject=_clean(subject),
        detail=json.dumps(detail, default=str),
    )


def verify(connection: sqlite3.Connection, key: bytes) -> tuple[int, str | None]:
    """Count the entries and look for the first break of the chain, in words; None: it is whole."""
    count = 0

    def entries() -> Iterator[tuple[Entry, bytes]]:
        nonlocal count
        for row in connection.execute(f"SELECT {_COLUMNS}, code FROM audit ORDER BY number"):  # noqa: S608  no values
            count += 1
            yield _entry(row[:7]), row[7]

    end = connection.execute("SELECT number, seal FROM audit_end").fetchone()
    found = first_break(entries(), end, key)
    return count, found


def _entry(row: tuple[int, float, str, str, str, str, str]) -> Entry:
    number, at_s, who, address, action, subject, detail = row
    return Entry(number=number, at_s=at_s, who=who, address=address, action=action, subject=subject, detail=detail)


def _clean(text: str) -> str:
    """On one line and short, whatever was typed."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)[
        :MAX_TEXT
    ]
