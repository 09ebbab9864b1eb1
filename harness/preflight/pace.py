"""How fast is asked: so many a second over all, so many at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class Pace:
    """A gate that every question passes; questions leave at even distances, never in bunches."""

    def __init__(self, *, per_s: float, at_once: int) -> None:
        """Take the limits.

        Args:
            per_s: questions a second over all.
            at_once: questions that wait for an answer at the same time.
        """
        self._distance_s = 1.0 / per_s
        self._next = 0.0
        self._room = trio.CapacityLimiter(at_once)
        self.asked = 0
        """Questions so far."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn; it ends with the block."""
        async with self._room:
            due = max(self._next, trio.current_time())
            self._next = due + self._distance_s
            await trio.sleep_until(due)
            self.asked += 1
            yield
