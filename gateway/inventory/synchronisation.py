"""Keeps the inventory in step with its sources: when somebody asks, and on schedule."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

import trio

from gateway.alarms import Alarms
from gateway.inventory.phonebook import Phonebook, PhoneReader, SelectionError
from gateway.inventory.sources.asking import ask
from gateway.inventory.sources.source import Source, SourceError, read_source
from gateway.store import Cipher, Database, KeyFileError, StoreError

MAX_SOURCES: Final = 20
LOOK_S: Final = 10.0
"""How often the schedule is looked at."""
_log = logging.getLogger("gateway.inventory")


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A source, and what became of it last."""

    source: Source
    last_s: float | None = None
    """Seconds since 1970."""
    last_result: str = ""
    """In words."""


def is_due(known: Known, now_s: float) -> bool:
    """Whether a source is to be asked by its schedule.

    A clock that was set back makes it due: it must not stop the schedule for as long as it was set back.
    """
    every = known.source.every_minutes
    return every is not None and (known.last_s is None or not 0 <= now_s - known.last_s < every * 60)


class Synchronisation:
    """All sources of one gateway."""

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        phonebook: Phonebook,
        *,
        reader: PhoneReader,
        allowed: Callable[[str], bool],
        concurrency: int,
        alarms: Alarms,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read the store."""
        self._database = database
        self._cipher = cipher
        self._phonebook = phonebook
        self._reader = reader
        self._allowed = allowed
        self._concurrency = concurrency
        self._alarms = alarms
        self._clock = clock
        self._running: set[str] = set()
        self.known: dict[str, Known] = {each.source.name: each for each in database.read_now(self._load)}

    async def put(self, values: Mapping[str, object]) -> Source:
        """Add a source, or put it in the place of the one of the same name; an empty password keeps the former one.

        Raises:
            SourceError: it cannot be so, or there are too many.
            StoreError: it cannot be kept.
        """
        before = self.known.get(str(values.get("name", "")))
        if before is not None and not values.get("password"):
            values = {**values, "password": before.source.password}
        source = read_source(values)
        if before is None and len(self.known) >= MAX_SOURCES:
            raise SourceError(f"at most {MAX_SOURCES} sources")
        known = Known(source=source) if before is None else replace(before, source=source)
        await self._database.write(self._saving(known))
        self.known[source.name] = known
        return source

    async def remove(self, name: str) -> None:
        """Remove a source; its phones stay.

        Raises:
            SourceError: unknown.
            StoreError: it cannot be kept.
        """
        if name not in self.known:
            raise SourceError(f"there is no source {name!r}")
        await self._database.write(lambda c: c.execute("DELETE FROM inventory_source WHERE name = ?", (name,)))
        del self.known[name]
        self._alarms.clear(f"synchronisation-failed:{name}")

    async def synchronise(self, name: str) -> dict[str, int]:
        """Ask one source, take its phones in, and read them.

        Returns:
            What changed, and the outcomes of reading.

        Raises:
            SourceError: unknown, under way already, or it could not say; the inventory is as it was.
        """
        known = self.known.get(name)
        if known is None:
            raise SourceError(f"there is no source {name!r}")
        if name in self._running:
            raise SourceError(f"{name} is being synchronised already")
        self._running.add(name)
        try:
            listing = await ask(
                known.source, reader=self._reader, allowed=self._allowed, concurrency=self._concurrency
            )
            if not listing.phones:
                raise SourceError("no phone is in the list: taken for the truth, it would make every phone disappear")
            changed = await self._phonebook.take(listing)
            read = await self._phonebook.read([phone.device_name for phone in listing.phones])
        except (SourceError, SelectionError) as error:
            await self._note(name, f"failed: {error}")
            self._alarms.sound(f"synchronisation-failed:{name}", f"the phones of {name} could not be listed: {error}")
            raise SourceError(str(error)) from None
        finally:
            self._running.discard(name)
        self._alarms.clear(f"synchronisation-failed:{name}")
        words = [f"{len(listing.phones)} phones", *(f"{count} {what}" for what, count in changed.items() if count)]
        await self._note(name, ", ".join(words).replace("_", " "))
        return {"listed": len(listing.phones), **changed, **{f"read_{outcome}": n for outcome, n in read.items()}}

    async def run(self) -> None:
        """Synchronise on schedule until cancelled; what goes wrong is an alarm."""
        while True:
            await trio.sleep(LOOK_S)
            for known in list(self.known.values()):
                if not is_due(known, self._clock()):
                    continue
                try:
                    await self.synchronise(known.source.name)
                except SourceError as error:
                    _log.warning("synchronisation of %s: %s", known.source.name, error)

    async def _note(self, name: str, result: str) -> None:
        known = self.known.get(name)
        if known is None:
            return  # removed meanwhile
        self.known[name] = replace(known, last_s=self._clock(), last_result=result[:500])
        try:
            await self._database.write(self._saving(self.known[name]))
        except StoreError as error:
            self._alarms.sound("inventory-not-kept", f"changes of the inventory are lost at the next restart: {error}")

    def _saving(self, known: Known) -> Callable[[sqlite3.Connection], object]:
        values = asdict(known.source)
        password = values.pop("password")
        row = (
            values.pop("name"),
            values.pop("kind"),
            json.dumps({**values, "networks": list(known.source.networks)}),
            self._cipher.encrypt(password) if password else None,
            known.source.every_minutes,
            known.last_s,
            known.last_result,
        )
        return lambda c: c.execute("INSERT OR REPLACE INTO inventory_source VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def _load(self, connection: sqlite3.Connection) -> list[Known]:
        rows = connection.execute(
            "SELECT name, kind, settings, secret, last_s, last_result FROM inventory_source ORDER BY rowid"
        ).fetchall()
        found = []
        for name, kind, settings, secret, last_s, last_result in rows:
            values = json.loads(settings)
            try:
                password = self._cipher.decrypt(secret) if secret else ""
            except KeyFileError as error:
                password = ""
                self._alarms.sound(f"synchronisation-failed:{name}", f"its password cannot be read: {error}")
            source = Source(
                name=name, kind=kind, password=password, **{**values, "networks": tuple(values["networks"])}
            )
            found.append(Known(source=source, last_s=last_s, last_result=last_result or ""))
        return found
