"""Zones and distribution lists: whom a page or an alert is for. Held in memory, kept in the store.

A phone is in at most one zone, the place where it hangs. A distribution list has phones and whole zones in it; the
modelled product has up to 256 of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.store import Database

MAX_ZONES: Final = 1000
MAX_LISTS: Final = 256
"""As in the modelled product."""
MAX_NAME: Final = 64
MAX_DESCRIPTION: Final = 200
MAX_MEMBERS: Final = 100_000

Kind = Literal["phone", "zone"]


class ZoneError(ValueError):
    """A zone or a list cannot be so: bad name, taken, unknown, too many. The text says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionList:
    """Phones and zones under one name."""

    name: str
    description: str = ""
    phones: frozenset[str] = frozenset()
    """Device names."""
    zones: frozenset[str] = frozenset()


@dataclass(kw_only=True, slots=True)
class Zones:
    """All zones (name to description) and lists, in memory."""

    zones: dict[str, str] = field(default_factory=dict)
    lists: dict[str, DistributionList] = field(default_factory=dict)


class ZoneStore:
    """Changes zones and lists: on the disk first, then in memory."""

    def __init__(self, database: Database) -> None:
        """Read the store."""
        self._database = database
        self.known = database.read_now(_load)

    async def add_zone(self, name: str, description: str = "") -> None:
        """Add a zone.

        Raises:
            ZoneError: bad name, taken, or too many.
            StoreError: it cannot be kept.
        """
        _check(name, description)
        if name in self.known.zones:
            raise ZoneError(f"there is a zone {name!r} already")
        if len(self.known.zones) >= MAX_ZONES:
            raise ZoneError(f"at most {MAX_ZONES} zones")
        await self._database.write(lambda c: c.execute("INSERT INTO zone VALUES (?, ?)", (name, description)))
        self.known.zones[name] = description

    async def change_zone(self, name: str, *, new_name: str, description: str) -> None:
        """Rename a zone, or describe it otherwise; its phones and lists follow.

        Raises:
            ZoneError: unknown, bad name, or taken.
            StoreError: it cannot be kept.
        """
        self._need(name, self.known.zones, "zone")
        _check(new_name, description)
        if new_name != name and new_name in self.known.zones:
            raise ZoneError(f"there is a zone {new_name!r} already")

        def work(connection: sqlite3.Connection) -> None:
            changed = (new_name, description, name)
            connection.execute("UPDATE zone SET name = ?, description = ? WHERE name = ?", changed)
            connection.execute(
                "UPDATE distribution_list_member SET name = ? WHERE kind = 'zone' AND name = ?", (new_name, name)
            )

        await self._database.write(work)
        self.known = await self._database.read(_load)

    async def remove_zone(self, name: str) -> None:
        """Remove a zone; its phones are in none then, and lists lose it.

        Raises:
            ZoneError: unknown.
            StoreError: it cannot be kept.
        """
        self._need(name, self.known.zones, "zone")

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM zone WHERE name = ?", (name,))
            connection.execute("DELETE FROM distribution_list_member WHERE kind = 'zone' AND name = ?", (name,))

        await self._database.write(work)
        self.known = await self._database.read(_load)

    async def put_list(self, changed: DistributionList, *, replaces: str | None = None) -> None:
        """Add a list, or put it in the place of the one named `replaces`.

        Raises:
            ZoneError: bad name, taken, unknown zones, or too many.
            StoreError: it cannot be kept.
        """
        _check(changed.name, changed.description)
        if replaces is not None:
            self._need(replaces, self.known.lists, "list")
        if changed.name != replaces and changed.name in self.known.lists:
            raise ZoneError(f"there is a list {changed.name!r} already")
        if replaces is None and len(self.known.lists) >= MAX_LISTS:
            raise ZoneError(f"at most {MAX_LISTS} distribution lists")
        unknown = sorted(changed.zones - self.known.zones.keys())
        if unknown:
            raise ZoneError(f"no such zone: {', '.join(unknown[:10])}")
        if len(changed.phones) + len(changed.zones) > MAX_MEMBERS:
            raise ZoneError(f"at most {MAX_MEMBERS} phones and zones in a list")

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM distribution_list WHERE name = ?", (replaces or changed.name,))
            connection.execute("INSERT INTO distribution_list VALUES (?, ?)", (changed.name, changed.description))
            members: list[tuple[str, Kind, str]] = [(changed.name, "phone", name) for name in sorted(changed.phones)]
            members += [(changed.name, "zone", name) for name in sorted(changed.zones)]
            connection.executemany("INSERT INTO distribution_list_member VALUES (?, ?, ?)", members)

        await self._database.write(work)
        self.known = await self._database.read(_load)

    async def remove_list(self, name: str) -> None:
        """Remove a list; its phones and zones stay.

        Raises:
            ZoneError: unknown.
            StoreError: it cannot be kept.
        """
        self._need(name, self.known.lists, "list")
        await self._database.write(lambda c: c.execute("DELETE FROM distribution_list WHERE name = ?", (name,)))
        del self.known.lists[name]

    @staticmethod
    def _need(name: str, known: Iterable[str], what: str) -> None:
        if name not in known:
            raise ZoneError(f"there is no {what} {name!r}")


def _check(name: str, description: str) -> None:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise ZoneError(f"a name has 1 to {MAX_NAME} printable characters, without blanks at its ends")
    if len(description) > MAX_DESCRIPTION or not (description.isprintable() or not description):
        raise ZoneError(f"a description has at most {MAX_DESCRIPTION} printable characters")


def _load(connection: sqlite3.Connection) -> Zones:
    known = Zones(zones=dict(connection.execute("SELECT name, description FROM zone ORDER BY name")))
    members: dict[tuple[str, str], set[str]] = {}
    for name, kind, member in connection.execute("SELECT list, kind, name FROM distribution_list_member"):
        members.setdefault((name, kind), set()).add(member)
    for name, description in connection.execute("SELECT name, description FROM distribution_list ORDER BY name"):
        known.lists[name] = DistributionList(
            name=name,
            description=description,
            phones=frozenset(members.get((name, "phone"), ())),
            zones=frozenset(members.get((name, "zone"), ())),
        )
    return known
