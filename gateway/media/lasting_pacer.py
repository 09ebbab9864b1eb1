"""A pacer that outlives its process: when the process dies another one is started, and what played goes on.

A page that was playing continues where it would be by now: phones miss what the new process took to start (about half a
second), and hear the rest. What cannot be continued within `RESUME_S` fails, as the page that asked for it is told.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

import trio

from gateway.media.audio import FRAME_BYTES, FRAME_MS, Audio
from gateway.media.errors import PacerError
from gateway.media.pacer import Pacer

RESUME_S = 5.0
"""How long a page waits for another process; the start of one takes half a second, ten times as long when crowded."""
RESTART_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Between two starts of a process; the last one holds from then on."""
STEADY_S = 10.0
"""A process that lived so long begins the row above anew."""

CUSHION_FRAMES = 15
"""Live audio is put so far behind what is being sent: 300 ms, for pieces of 100 ms that come late."""
MARGIN_FRAMES = 3
"""What would be due within 60 ms comes too late to the process: it gets a new place, and nothing of it is lost."""
AHEAD_FRAMES = 250
"""Live audio that is kept at most before it is due: 5 s. Phones that are started first take up to two of them."""

Opener = Callable[[], AbstractAsyncContextManager[Pacer]]
_log = logging.getLogger("gateway.pacer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fed:
    """What became of a piece of live audio."""

    taken: int
    """Frames; the rest came too early, or the page is full."""
    ahead: int
    """Frames that are kept and not due yet."""


@dataclass(slots=True, eq=False)
class _Playing:
    """What a new process has to be told of a page."""

    audio: Audio
    live: bytearray | None = None
    """Of live audio: what there is of it, the rest silence."""
    written: int = 0
    """Frames before which the next piece has no place any more."""
    began: float | None = None
    """When its first phones were started; those that join follow that clock."""
    streams: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Phone to its address and when its audio began."""

    def due(self, now: float) -> int:
        """The frame that is due; 0 before it began."""
        return 0 if self.began is None else int((now - self.began) * 1000 / FRAME_MS)

    def as_it_is(self) -> Audio:
        """The audio, as far as it is there."""
        return self.audio if self.live is None else replace(self.audio, payload=bytes(self.live))


class LastingPacer:
    """As `Pacer`, over as many processes as it takes. Made by `open`."""

    def __init__(self, opener: Opener, on_change: Callable[[str | None], None] | None) -> None:
        self._opener = opener
        self._on_change = on_change
        self._current: Pacer | None = None
        self._changed = trio.Event()
        self._closing = trio.Event()
        self._pages: dict[str, _Playing] = {}
        self._packets_before = 0
        self.restarts = 0
        """Processes that were started in place of one that died."""
        self.lateness: dict[str, float] = {"count": 0}
        self.cpu_s = 0.0
        self.rss_bytes = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, opener: Opener, *, on_change: Callable[[str | None], None] | None = None
    ) -> AsyncIterator[LastingPacer]:
        """Start the first process and keep one running inside the block.

        Args:
            opener: Starts a process: `Pacer.open` with its arguments.
            on_change: Called with what is wrong while there is no process, and with None when there is one again.

        Raises:
            PacerError: The first process does not start.
        """
        pacer = cls(opener, on_change)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(pacer._keep_running)
                try:
                    yield pacer
                finally:
                    # Not by cancelling: the process is still to be asked for its last figures.
                    pacer._closing.set()
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:  # what the block raised, not wrapped by this nursery
                raise group.exceptions[0] from group.exceptions[0].__cause__
            raise

    @property
    def packets(self) -> int:
        """Packets sent so far, by all processes."""
        return self._packets_before + (self._current.packets if self._current else 0)

    @property
    def streams(self) -> int:
        """Streams now."""
        return self._current.streams if self._current else 0

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return self._current.pid if self._current else 0

    async def load(self, page: str, audio: Audio) -> None:
        """As `Pacer.load`."""
        playing = self._pages[page] = _Playing(audio)
        if audio.live_from is not None:
            playing.live = bytearray(audio.payload)
            playing.written = audio.live_from + CUSHION_FRAMES
        await self._do(lambda pacer: pacer.load(page, audio), again=False)

    async def start(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        """As `Pacer.start`."""
        now = trio.current_time()
        playing = self._pages.get(page)
        if playing is not None:
            playing.began = now if playing.began is None else playing.began
            playing.streams.update({phone: (address, now) for phone, address in phones})
        await self._do(lambda pacer: pacer.start(page, phones), again=False)

    async def join(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        """As `Pacer.join`."""
        playing = self._pages.get(page)
        if playing is not None:
            now = trio.current_time()
            began = playing.began
            if began is None or now - began >= playing.audio.duration_ms / 1000:
                began = now  # the audio is over: they hear it from the beginning
            playing.streams.update({phone: (address, began) for phone, address in phones})
        await self._do(lambda pacer: pacer.join(page, phones), again=False)

    async def feed(self, page: str, payload: bytes) -> Fed | None:
        """Put a piece of live audio behind the one before; where that is over, a little behind what is sent now.

        Args:
            page: a live page.
            payload: whole frames.

        Returns:
            What was taken; None where the page does not take live audio, not yet or not any more.

        Raises:
            PacerError: No process within `RESUME_S`.
        """
        playing = self._pages.get(page)
        if playing is None or playing.live is None:
            return None
        due = playing.due(trio.current_time())
        if playing.began is not None and playing.written < due + MARGIN_FRAMES:
            playing.written = due + CUSHION_FRAMES
        room = min(due + AHEAD_FRAMES, playing.audio.frames) - playing.written
        taken = max(0, min(len(payload) // FRAME_BYTES, room))
        if taken:
            frame, piece = playing.written, payload[: taken * FRAME_BYTES]
            playing.live[frame * FRAME_BYTES : (frame + taken) * FRAME_BYTES] = piece
            playing.written += taken
            # Again with another process: the piece has its place, and comes there twice at worst.
            await self._do(lambda pacer: pacer.feed(page, frame, piece), again=True)
        return Fed(taken=taken, ahead=playing.written - due)

    async def end_live(self, page: str) -> float | None:
        """No more live audio comes: the page ends when what was given is over. Its duration, s; None as in `feed`.

        Raises:
            PacerError: No process within `RESUME_S`.
        """
        playing = self._pages.get(page)
        if playing is None or playing.live is None:
            return None
        frames = min(max(playing.written, 1), playing.audio.frames)
        payload = bytes(playing.live[: frames * FRAME_BYTES])
        playing.audio = replace(playing.audio, frames=frames, payload=payload, live_from=None)
        playing.live = None
        await self._do(lambda pacer: pacer.shorten(page, frames), again=True)
        return playing.audio.duration_ms / 1000

    async def stop(self, page: str, phones: Sequence[str] | None = None) -> None:
        """As `Pacer.stop`. Without a process nothing is sent anyway."""
        if phones is None:
            self._pages.pop(page, None)
        elif page in self._pages:
            for phone in phones:
                self._pages[page].streams.pop(phone, None)
        pacer = self._current
        if pacer is not None:
            try:
                await pacer.stop(page, phones)
            except PacerError:
                await pacer.wait_ended()

    async def finished(self, page: str) -> None:
        """As `Pacer.finished`, over all processes."""
        await self._do(lambda pacer: pacer.finished(page), again=True)

    async def _do(self, action: Callable[[Pacer], Awaitable[None]], *, again: bool) -> None:
        """Do it with the process there is; what has begun is begun by its successor, which only `finished` asks again.

        Raises:
            PacerError: No process within `RESUME_S`, or what the process says.
        """
        while True:
            pacer = self._current
            if pacer is not None:
                try:
                    await action(pacer)
                    return
                except PacerError:
                    if not pacer.gone:
                        raise
            await self._process(pacer)
            if not again:
                return  # its successor was told when it started

    async def _process(self, dead: Pacer | None) -> None:
        with trio.move_on_after(RESUME_S):
            while self._current is None or self._current is dead:
                await self._changed.wait()
            return
        raise PacerError(f"the pacer process has ended, and no other could be started within {RESUME_S:g} s")

    async def _keep_running(self, task_status: trio.TaskStatus[None]) -> None:
        first = True
        tries = 0
        while not self._closing.is_set():
            began = trio.current_time()
            pacer: Pacer | None = None
            try:
                async with self._opener() as pacer:
                    await self._resume(pacer)
                    self._become(pacer, None)
                    if first:
                        first = False
                        task_status.started()
                    try:
                        await _first_of(pacer.wait_ended, self._closing.wait)
                    finally:
                        self._packets_before += pacer.packets
                        self._current = None
                if self._closing.is_set():
                    return
                why = "the pacer process has ended"
            except PacerError as error:
                if first:
                    raise
                why = str(error)
            finally:
                self._take_figures(pacer)
            _log.error("%s: another one is started", why)
            tries = 0 if trio.current_time() - began >= STEADY_S else tries + 1
            self._become(None, why)
            self.restarts += 1
            with trio.move_on_after(RESTART_S[min(tries, len(RESTART_S)) - 1] if tries else 0):
                await self._closing.wait()

    def _take_figures(self, pacer: Pacer | None) -> None:
        if pacer is not None:
            self.lateness, self.cpu_s, self.rss_bytes = pacer.lateness, pacer.cpu_s, pacer.rss_bytes

    def _become(self, pacer: Pacer | None, why: str | None) -> None:
        self._current = pacer
        self._changed.set()
        self._changed = trio.Event()
        if self._on_change is not None:
            self._on_change(why)

    async def _resume(self, pacer: Pacer) -> None:
        """Tell a new process what plays, from where it would be by now; go on until nothing has changed meanwhile."""
        told: dict[str, tuple[_Playing, set[str]]] = {}
        while True:
            page = next((each for each in {**self._pages, **told} if not self._is_told(each, told)), None)
            if page is None:
                return
            playing = self._pages.get(page)
            if page in told and told[page][0] is not playing:
                del told[page]
                await pacer.stop(page)
            elif playing is not None and page not in told:
                told[page] = (playing, set())
                await pacer.load(page, playing.as_it_is())
                if playing.began is not None:
                    await _start(pacer, page, playing, playing.began, [])  # the clock for those who join
            elif playing is not None:
                await _tell(pacer, page, playing, told[page][1])

    def _is_told(self, page: str, told: dict[str, tuple[_Playing, set[str]]]) -> bool:
        playing = self._pages.get(page)
        return page in told and playing is told[page][0] and playing.streams.keys() == told[page][1]


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    async with trio.open_nursery() as nursery:

        async def wait(each: Callable[[], Awaitable[object]]) -> None:
            await each()
            nursery.cancel_scope.cancel()

        for each in waits:
            nursery.start_soon(wait, each)


async def _tell(pacer: Pacer, page: str, playing: _Playing, told: set[str]) -> None:
    gone = told - playing.streams.keys()
    cohorts: dict[float, list[tuple[str, str]]] = defaultdict(list)
    for phone, (address, began) in playing.streams.items():
        if phone not in told:
            cohorts[began].append((phone, address))
    told.difference_update(gone)
    told.update(playing.streams)
    if gone:
        await pacer.stop(page, list(gone))
    for began, phones in cohorts.items():
        await _start(pacer, page, playing, began, phones)


async def _start(pacer: Pacer, page: str, playing: _Playing, began: float, phones: list[tuple[str, str]]) -> None:
    frame = int((trio.current_time() - began) * 1000 / FRAME_MS)
    if frame < playing.audio.frames:
        await pacer.start(page, phones, frame=frame)
