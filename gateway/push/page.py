"""Run one page: push the start to all phones, play, and stop them again, whatever happens in between."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Literal, Protocol

import trio

from gateway.cisco import Outcome, PushAnswer
from gateway.media import Audio
from gateway.push.client import Action, PushTarget
from gateway.push.progress import Begin, Join, PagePlan, PageProgress
from gateway.records import Records

STOP_S = 30.0
"""How long stopping may take after an interruption. The process has to end; what is not stopped by then is told."""
STOP_ATTEMPTS = 2
"""A phone left listening refuses the next page, and stopping twice does no harm."""
PACER_STOP_S = 2.0
"""How long the pacer may take to fall silent."""

State = Literal["starting", "playing", "stopping", "ended"]
Reason = Literal["completed", "interrupted", "failed"]
_log = logging.getLogger("gateway.page")


class PagePacer(Protocol):
    """What a page needs of the pacer (`gateway.media.Pacer`)."""

    async def load(self, page: str, audio: Audio) -> None:
        """Keep the audio of a page at hand."""

    async def start(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        """Begin streams from the first frame."""

    async def join(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        """Begin streams from the frame that is due."""

    async def stop(self, page: str, phones: Sequence[str] | None = None) -> None:
        """No packet goes out after this returns."""

    async def finished(self, page: str) -> None:
        """Wait until all streams have played to their end."""


class PagePusher(Protocol):
    """What a page needs of the pusher (`gateway.push.Pusher`)."""

    @property
    def concurrency(self) -> int:
        """Pushes in flight at most."""

    async def push(self, phone: PushTarget, *, page: str, action: Action, attempt: int) -> PushAnswer:
        """Push once, wait for the outcome."""


class Page:
    """One page. `run` it once; `interrupt` it at any time."""

    def __init__(
        self,
        *,
        number: str,
        plan: PagePlan,
        phones: Sequence[PushTarget],
        audio: Audio,
        pusher: PagePusher,
        pacer: PagePacer,
        records: Records,
    ) -> None:
        self._number = number
        self._plan = plan
        self._phones = {phone.device_name: phone for phone in phones}
        self._audio = audio
        self._pusher = pusher
        self._pacer = pacer
        self._records = records
        self._progress = PageProgress(plan, 0.0)
        self._changed = trio.Event()
        self._running = trio.CancelScope()
        self._stopping = trio.CancelScope(shield=True)
        self._interrupted = False
        self._ended = trio.Event()
        self._final_outcomes: dict[str, int] = {}
        self.size = len(plan.phones)
        """Number of phones."""
        self.state: State = "starting"
        self.reason: Reason | None = None

    @property
    def outcomes(self) -> dict[str, int]:
        """Outcome of the start push to count, so far."""
        return self._final_outcomes if self.state == "ended" else self._progress.outcomes()

    def interrupt(self) -> None:
        """End the page now: silence first, then every phone is told to stop."""
        if not self._ended.is_set():
            self._interrupted = self._interrupted or self.state != "stopping"
            self._running.cancel()
            self._stopping.deadline = min(self._stopping.deadline, trio.current_time() + STOP_S)

    async def wait_ended(self) -> None:
        """Wait until the page is over and its phones are stopped."""
        await self._ended.wait()

    async def run(self) -> None:
        """Page. What phones do wrong is in the outcomes; trouble of our own ends the page as `failed`."""
        self._progress = PageProgress(self._plan, trio.current_time())
        self._records.write(
            "page.started",
            page=self._number,
            phones=self.size,
            audio=self._audio.name,
            audio_frames=self._audio.frames,
            audio_crc32=self._audio.crc32,
            delivery="unicast",
            start=self._plan.start,
        )
        broken = False
        try:
            with self._running:
                try:
                    await self._play()
                except* Exception:  # noqa: BLE001  phones have to be stopped whatever failed
                    broken = True
                    _log.exception("page %s failed", self._number)
        except BaseException:
            self.interrupt()
            raise
        finally:
            await self._stop()
            self._end(broken=broken)

    async def _play(self) -> None:
        await self._pacer.load(self._number, self._audio)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._feed)
            await self._in_parallel(self._plan.phones, self._start)
        if self._progress.audio_began:
            await self._pacer.finished(self._number)

    async def _in_parallel(self, names: Sequence[str], action: Callable[[str], Awaitable[None]]) -> None:
        """Do ``action`` for each, with no more workers than there are slots."""
        names_left = iter(names)
        async with trio.open_nursery() as nursery:
            for _ in range(min(self._pusher.concurrency, len(names))):
                nursery.start_soon(_work, names_left, action)

    async def _start(self, name: str) -> None:
        self._progress.begun(name)
        answer = await self._pusher.push(self._phones[name], page=self._number, action="start", attempt=1)
        self._progress.ended(name, answer.outcome)
        self._changed.set()

    async def _feed(self) -> None:
        """Give phones their audio as it becomes due, until none is awaited."""
        while True:
            command = self._progress.due(trio.current_time())
            if command is not None:
                self.state = "playing"
                streams = [(name, self._phones[name].address) for name in command.phones]
                match command:
                    case Begin():
                        await self._pacer.start(self._number, streams)
                    case Join():
                        await self._pacer.join(self._number, streams)
            elif self._progress.settled:
                return
            else:
                with trio.move_on_at(self._progress.wake_at):
                    await self._changed.wait()
                self._changed = trio.Event()

    async def _stop(self) -> None:
        """Silence, then `RTPRx:Stop` to every phone that listens or may.

        Never cancelled; bounded in time after an interruption.
        """
        self.state = "stopping"
        with self._stopping:
            try:
                with trio.move_on_after(PACER_STOP_S):
                    await self._pacer.stop(self._number)
            except Exception:  # noqa: BLE001  a pacer that is gone is silent too
                _log.exception("page %s: the pacer could not be stopped", self._number)
            await self._in_parallel(self._progress.due_for_stop(), self._stop_phone)
        if self._stopping.cancelled_caught:
            _log.error("page %s: not every phone could be stopped within %g s", self._number, STOP_S)

    async def _stop_phone(self, name: str) -> None:
        for attempt in range(1, STOP_ATTEMPTS + 1):
            answer = await self._pusher.push(self._phones[name], page=self._number, action="stop", attempt=attempt)
            lost = answer.outcome in (Outcome.UNREACHABLE, Outcome.INDETERMINATE)
            if not (lost and self._progress.executed(name)):
                return

    def _end(self, *, broken: bool) -> None:
        if self._interrupted:
            self.reason = "interrupted"
        else:
            self.reason = "failed" if broken or not self._progress.listening else "completed"
        self._final_outcomes = self._progress.final_outcomes()
        self.state = "ended"
        # Ended pages are kept for those who ask: their results, not 10,000 phones and ten minutes of audio (6 MB) each.
        del self._plan, self._phones, self._audio, self._progress
        self._records.write("page.ended", page=self._number, reason=self.reason, outcomes=self.outcomes)
        self._ended.set()


async def _work(names: Iterator[str], action: Callable[[str], Awaitable[None]]) -> None:
    for name in names:
        await action(name)
