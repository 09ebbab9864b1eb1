"""All phones: found by lists, read from their web servers, chosen by name, zone and distribution list.

Everything is in memory, so that a page never waits for a disk; what changes is written to the store behind it. A store
that cannot be written costs the change's survival, not the change: the alarm `inventory-not-kept` says so.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Protocol

import trio

from gateway.alarms import Alarms
from gateway.inventory.entry import Entry, Listing
from gateway.inventory.merging import Changes, answered, merge
from gateway.inventory.phone_list import Phone
from gateway.inventory.reading import Said
from gateway.inventory.zones import ZoneStore
from gateway.records import Records
from gateway.store import Database, StoreError

MAX_PHONES: Final = 200_000
"""Far above any fleet that one CallManager serves (30,000 phones)."""
MAX_ROWS: Final = 1000
"""Rows of one answer to a search."""
SORTS: Final = (
    "device_name", "address", "directory_number", "model", "zone", "outcome", "seen_s", "authentication_url",
)  # fmt: skip
_COLUMNS: Final = tuple(field.name for field in fields(Entry))
_ROWS_AT_ONCE: Final = 2000
"""Rows of one transaction: a journal that is written meanwhile waits for milliseconds."""


class PhoneReader(Protocol):
    """Reads a phone's web server (`gateway.inventory.reading.Reader`)."""

    async def read(self, address: str) -> Said:
        """Ask who is at an address."""


class SelectionError(ValueError):
    """Nobody can be chosen so.

    Attributes:
        errors: one text each.
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Whom a page or an alert goes to."""

    phones: tuple[Phone, ...]
    left_out: Mapping[str, str]
    """Device name to the reason, of phones that are meant and cannot be pushed to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A part of a search's result."""

    total: int
    entries: Sequence[Entry]


class Phonebook:
    """The inventory of one gateway."""

    def __init__(
        self,
        database: Database,
        zones: ZoneStore,
        *,
        reader: PhoneReader,
        concurrency: int,
        records: Records,
        alarms: Alarms,
        allowed: Callable[[str], bool] = lambda _address: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read the store.

        Args:
            database: where the inventory is kept.
            zones: zones and distribution lists.
            reader: reads phones.
            concurrency: phones read at once.
            records: event records.
            alarms: for a store that cannot be written.
            allowed: whether this gateway may talk to an address (setting `phone_networks`).
            clock: seconds since 1970.
        """
        self._database = database
        self.zones = zones
        self._reader = reader
        self._concurrency = concurrency
        self._records = records
        self._alarms = alarms
        self._allowed = allowed
        self._clock = clock
        self._reading = trio.Lock()
        self.entries: dict[str, Entry] = {entry.device_name: entry for entry in database.read_now(_load)}

    @property
    def phones(self) -> tuple[Phone, ...]:
        """All that can be pushed to, in the order of the inventory."""
        return tuple(
            Phone(device_name=entry.device_name, address=entry.address)
            for entry in self.entries.values()
            if entry.listed and entry.address
        )

    async def take(self, listing: Listing) -> dict[str, int]:
        """Take a list of phones in; returns how many were added, moved, missing and are without an address.

        Raises:
            SelectionError: addresses outside the allowed networks, or too many phones; nothing was taken.
        """
        outside = [f"{line.device_name}: {line.address} is outside the networks of phones that are allowed"
                   for line in listing.phones if line.address and not self._allowed(line.address)]  # fmt: skip
        if outside:
            more = [f"and {len(outside) - 50} more"] if len(outside) > 50 else []
            raise SelectionError(outside[:50] + more)
        if len(listing.phones) + len(self.entries) > 2 * MAX_PHONES:
            raise SelectionError([f"more than {MAX_PHONES} phones"])
        changes = merge(self.entries, listing)
        await self.keep(changes)
        return changes.counts()

    def take_at_start(self, listing: Listing) -> None:
        """As `take`, before the event loop runs: a list that the configuration file names, already checked."""
        changes = merge(self.entries, listing)
        self.entries.update(changes.entries)
        try:
            self._database.write_now(_upsert(list(changes.entries.values())))
        except StoreError as error:
            self._alarms.sound("inventory-not-kept", f"changes of the inventory are lost at the next restart: {error}")

    async def keep(self, changes: Changes) -> None:
        """Take changes into the inventory, and into the store as far as that can be written."""
        self.entries.update(changes.entries)
        await self._store(list(changes.entries.values()))

    async def remove(self, names: Iterable[str]) -> int:
        """Forget phones; how many there were."""
        known = [name for name in names if self.entries.pop(name, None) is not None]
        await self._write(
            lambda connection: connection.executemany("DELETE FROM phone WHERE device_name = ?", [(n,) for n in known])
        )
        return len(known)

    async def assign(self, names: Iterable[str], zone: str) -> int:
        """Put phones into a zone (empty: into none); how many were put.

        Raises:
            SelectionError: unknown phones, or an unknown zone.
        """
        wanted = list(names)
        errors = [f"there is no zone {zone!r}"] if zone and zone not in self.zones.known.zones else []
        errors += [f"not in the inventory: {name[:40]}" for name in wanted if name not in self.entries][:10]
        if errors:
            raise SelectionError(errors)
        changed = [replace(self.entries[name], zone=zone) for name in wanted]
        self.entries.update((entry.device_name, entry) for entry in changed)
        await self._store(changed)
        return len(changed)

    def zone_renamed(self, name: str, new_name: str) -> None:
        """A zone has another name now, or none any more (empty); the store has followed by itself."""
        for entry in [entry for entry in self.entries.values() if entry.zone == name]:
            self.entries[entry.device_name] = replace(entry, zone=new_name)

    def select(
        self, *, phones: Sequence[str] | None = None, zones: Sequence[str] = (), lists: Sequence[str] = ()
    ) -> Selection:
        """Choose phones by name, zone and distribution list; each once, in the order of the inventory.

        Args:
            phones: device names; None with neither zones nor lists: all.
            zones: names of zones.
            lists: names of distribution lists.

        Raises:
            SelectionError: unknown names, or nobody is left.
        """
        known = self.zones.known
        errors = [f"there is no zone {name[:40]!r}" for name in zones if name not in known.zones]
        errors += [f"there is no distribution list {name[:40]!r}" for name in lists if name not in known.lists]
        unknown = [name for name in phones or () if name not in self.entries]
        if unknown:
            more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
            errors.append(f"not in the inventory: {', '.join(name[:40] for name in unknown[:10])}{more}")
        if errors:
            raise SelectionError(errors)
        everybody = phones is None and not zones and not lists
        wanted = set(phones or ()).union(*(known.lists[name].phones for name in lists))
        wanted_zones = set(zones).union(*(known.lists[name].zones for name in lists))
        chosen: list[Phone] = []
        left_out: dict[str, str] = {}
        for entry in self.entries.values():
            if not (everybody or entry.device_name in wanted or (entry.zone and entry.zone in wanted_zones)):
                continue
            if not entry.listed:
                left_out[entry.device_name] = "no list has it any longer"
            elif not entry.address:
                left_out[entry.device_name] = entry.detail or "its address is not known"
            else:
                chosen.append(Phone(device_name=entry.device_name, address=entry.address))
        if not chosen:
            raise SelectionError(
                ["the inventory has no such phone that could be paged: add phones, or look at the reasons there"]
                if self.entries
                else ["the inventory is empty: nobody would be paged. Add phones first"]
            )
        return Selection(phones=tuple(chosen), left_out=left_out)

    def search(
        self,
        text: str = "",
        *,
        zone: str | None = None,
        state: str = "",
        sort: str = "device_name",
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> Found:
        """Find phones whose names, number, address, model or description hold a text.

        Args:
            text: without regard to case; empty: all.
            zone: only of this zone; empty: only those in none; None: all.
            state: only with this outcome of reading, or `missing` (not listed any longer); empty: all.
            sort: one of `SORTS`.
            descending: the order.
            offset: entries to skip.
            limit: entries at most, up to `MAX_ROWS`.
        """
        needle = text.strip().casefold()
        found = [
            entry
            for entry in self.entries.values()
            if (zone is None or entry.zone == zone)
            and (not state or (not entry.listed if state == "missing" else entry.listed and entry.outcome == state))
            and (not needle or needle in _haystack(entry))
        ]
        if sort not in SORTS:
            sort = "device_name"
        # What is missing comes last in both orders.
        there = [entry for entry in found if getattr(entry, sort) not in (None, "")]
        there.sort(key=lambda entry: _key(getattr(entry, sort)), reverse=descending)
        found = there + [entry for entry in found if getattr(entry, sort) in (None, "")]
        return Found(total=len(found), entries=found[offset : offset + min(limit, MAX_ROWS)])

    def shared_numbers(self) -> dict[str, int]:
        """Directory numbers that several phones have, and how many."""
        counts = Counter(entry.directory_number for entry in self.entries.values() if entry.directory_number)
        return {number: count for number, count in counts.items() if count > 1}

    async def read(self, names: Sequence[str] | None = None) -> dict[str, int]:
        """Ask phones who they are, a bounded number at once; all that have an address, or these.

        Returns:
            Outcome to count, of the phones that were asked.
        """
        async with self._reading:
            wanted = None if names is None else set(names)
            asked = [
                entry.device_name
                for entry in self.entries.values()
                if entry.address and (wanted is None or entry.device_name in wanted)
            ]
            counts: Counter[str] = Counter()
            changed: dict[str, Entry] = {}
            left = iter(asked)
            async with trio.open_nursery() as nursery:
                for _ in range(min(self._concurrency, len(asked))):
                    nursery.start_soon(self._work, left, counts, changed)
            await self._store(list(changed.values()))
            return dict(counts)

    async def _work(self, names: Iterator[str], counts: Counter[str], changed: dict[str, Entry]) -> None:
        for name in names:
            entry = self.entries.get(name)
            if entry is None or not entry.address:
                continue
            said = await self._reader.read(entry.address)
            if self.entries.get(name) != entry:
                continue  # it moved, or was removed, meanwhile
            changes = answered(
                self.entries,
                name,
                outcome=said.outcome,
                information=said.information,
                authentication_url=said.authentication_url,
                detail=said.detail,
                answer_ms=said.answer_ms,
                seen_s=self._clock(),
            )
            self.entries.update(changes.entries)
            changed.update(changes.entries)
            outcome = self.entries[name].outcome or "another"
            counts[outcome] += 1
            self._records.write(
                "inventory.read",
                phone=name,
                address=entry.address,
                outcome=outcome,
                directory_number=said.information.directory_number if said.information else None,
                mac=said.information.mac if said.information else None,
                model=said.information.model if said.information else None,
                answer_ms=said.answer_ms,
                detail=self.entries[name].detail,
            )

    async def _store(self, entries: Sequence[Entry]) -> None:
        for first in range(0, len(entries), _ROWS_AT_ONCE):
            await self._write(_upsert(entries[first : first + _ROWS_AT_ONCE]))

    async def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        try:
            await self._database.write(work)
        except StoreError as error:
            self._alarms.sound("inventory-not-kept", f"changes of the inventory are lost at the next restart: {error}")
        else:
            self._alarms.clear("inventory-not-kept")


def _haystack(entry: Entry) -> str:
    said = f"{entry.directory_number}\n{entry.model}"
    return f"{entry.device_name}\n{entry.address}\n{entry.description}\n{said}".casefold()


def _key(value: object) -> tuple[int, float, str]:
    """Numbers by size, also those in texts of digits; addresses by their parts."""
    if isinstance(value, int | float):
        return (0, float(value), "")
    text = str(value)
    if text.count(".") == 3 and text.replace(".", "").isdigit():
        return (1, 0.0, ".".join(part.rjust(3, "0") for part in text.split(".")))
    return (0, float(text), "") if text.isdecimal() and len(text) < 16 else (1, 0.0, text.casefold())


def _upsert(entries: Sequence[Entry]) -> Callable[[sqlite3.Connection], object]:
    rows = [_row(entry) for entry in entries]
    marks = ", ".join("?" * len(_COLUMNS))
    sets = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    statement = (
        f"INSERT INTO phone ({', '.join(_COLUMNS)}) VALUES ({marks}) "  # noqa: S608 - the dataclass's names
        f"ON CONFLICT (device_name) DO UPDATE SET {sets}"
    )
    return lambda connection: connection.executemany(statement, rows)


def _row(entry: Entry) -> tuple[object, ...]:
    values = {name: getattr(entry, name) for name in _COLUMNS}
    return tuple({**values, "listed": int(entry.listed), "zone": entry.zone or None}.values())


def _load(connection: sqlite3.Connection) -> list[Entry]:
    cursor = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM phone ORDER BY rowid")  # noqa: S608 - fixed names
    found = []
    for row in cursor:
        values = dict(zip(_COLUMNS, row, strict=True))
        found.append(Entry(**{**values, "listed": bool(values["listed"]), "zone": values["zone"] or ""}))
    return found
