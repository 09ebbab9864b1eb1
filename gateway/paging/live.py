"""Live audio of pages: who gives it, piece by piece, and what happens when nobody does any more.

Pieces are put one behind the other and sent at their time (`gateway.media.LastingPacer.feed`); where none comes, phones
hear silence. The giver is told how much is kept, so that a file that is given faster than it is heard waits at its own
end. A giver that is silent for `STALL_S` is gone, and its page ends: phones must not listen to nothing for ten minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio

from gateway.media import PacerError
from gateway.media.audio import FRAME_BYTES, FRAME_MS
from gateway.media.mulaw import SILENCE
from gateway.push import Page

STALL_S: Final = 10.0
"""Longer than a network's hiccup or a speaker's breath: a microphone gives silence, not nothing."""
LOOK_S: Final = 0.5
MAX_PIECE: Final = 80_000
"""Bytes of one piece: ten seconds; five are kept."""


class NotLiveError(Exception):
    """The page takes no live audio: it was not asked for so, or it has ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveState:
    """What became of a piece.

    Attributes:
        taken: bytes; the rest is to be given again, later.
        buffered_ms: what is kept and not due yet.
        state: of the page.
    """

    taken: int
    buffered_ms: int
    state: str


class LiveSources:
    """Live pages of a gateway."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}
        self._ending: set[str] = set()

    def add(self, number: str) -> None:
        """A page that takes live audio."""
        self._heard[number] = trio.current_time()

    async def take(self, page: Page, piece: bytes, *, end: bool) -> LiveState:
        """A piece of G.711 mu-law, 8,000 bytes a second; its last frame is filled up with silence.

        Args:
            page: where it belongs.
            piece: may be empty.
            end: nothing follows.

        Raises:
            NotLiveError: see there.
            PacerError: it cannot be sent.
        """
        if page.number not in self._heard or page.number in self._ending:
            raise NotLiveError
        self._heard[page.number] = trio.current_time()
        padded = piece + bytes([SILENCE]) * (-len(piece) % FRAME_BYTES)
        fed = await page.feed(padded)
        if fed is None:
            if page.state not in ("waiting", "starting"):
                raise NotLiveError
            if end:  # before anything could be taken: there is nothing to hear
                self._ending.add(page.number)
                page.interrupt()
            return LiveState(taken=0, buffered_ms=0, state=page.state)
        taken = min(len(piece), fed.taken * FRAME_BYTES)
        if end and taken == len(piece):
            await self._end(page)
        return LiveState(taken=taken, buffered_ms=fed.ahead * FRAME_MS, state=page.state)

    async def watch(self, page: Page) -> None:
        """End a page whose giver is gone; returns once it has ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look, page)
            try:
                await page.wait_ended()
            finally:
                self._heard.pop(page.number, None)
                self._ending.discard(page.number)
            nursery.cancel_scope.cancel()

    async def _look(self, page: Page) -> None:
        while page.number not in self._ending:
            await trio.sleep(LOOK_S)
            if page.state == "waiting":
                self._heard[page.number] = trio.current_time()  # its turn is still to come
            elif trio.current_time() - self._heard.get(page.number, 0.0) >= STALL_S:
                page.note = f"live audio stopped coming: ended after {STALL_S:g} s without"
                try:
                    await self._end(page)
                except PacerError:
                    page.interrupt()

    async def _end(self, page: Page) -> None:
        self._ending.add(page.number)
        await page.end_live()
