"""Which page has which phone: a phone plays one stream, so two pages that want it have to agree.

An emergency page takes phones from a normal one; between equals the later page's `busy` rule decides. Nothing here
waits: a page asks once for all its phones and is told which are free, which it takes from whom, and which others hold.

Pushes to one phone go out one after the other (`sole`), whoever sends them: the stop of a page that loses a phone never
arrives after the start of the one that takes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import trio

from gateway.push.plan import Busy, Priority


class Holder(Protocol):
    """Who can have phones."""

    @property
    def number(self) -> str:
        """Of the page."""

    @property
    def priority(self) -> Priority | None:
        """Of the page; None gives way to any."""

    async def give_up(self, names: Sequence[str], to: str) -> None:
        """Another page has these phones now: no packet goes to them after this returns, and no push."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a page gets of what it asked for."""

    free: list[str] = field(default_factory=list)
    taken: dict[Holder, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Its own now; the holders from before have to give them up, and the phones to be stopped first."""
    held: list[str] = field(default_factory=list)
    """Others have these and keep them."""


class Claims:
    """Phones and who has them."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}
        self._locks: dict[str, trio.Lock] = {}
        self.changed = trio.Event()
        """Set, and made anew, when phones become free."""

    def claim(self, page: Holder, busy: Busy, names: Iterable[str]) -> Grant:
        """Ask for phones."""
        grant = Grant()
        for name in names:
            holder = self._holders.get(name)
            if holder is None or holder is page:
                grant.free.append(name)
            elif _gives_way(holder.priority, page.priority, busy):
                grant.taken[holder].append(name)
            else:
                grant.held.append(name)
                continue
            self._holders[name] = page
        return grant

    def release(self, page: Holder, names: Iterable[str]) -> None:
        """Give phones back; those that another page has taken stay there."""
        for name in names:
            if self._holders.get(name) is page:
                del self._holders[name]
        self.changed.set()
        self.changed = trio.Event()

    def free(self, name: str) -> bool:
        """Whether nobody has this phone."""
        return name not in self._holders

    @asynccontextmanager
    async def sole(self, name: str) -> AsyncIterator[None]:
        """Inside, nobody else pushes to this phone."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = trio.Lock()
        try:
            try:
                lock.acquire_nowait()
            except trio.WouldBlock:
                await lock.acquire()
            try:
                yield
            finally:
                lock.release()
        finally:
            if not lock.locked():
                self._locks.pop(name, None)


def _gives_way(holder: Priority | None, page: Priority | None, busy: Busy) -> bool:
    if holder is None:
        return True
    if holder is not page:
        return page is Priority.EMERGENCY
    return busy is Busy.NOW
