"""The gateway's side of the pacer process: commands go out, reports of streams come back.

A command returns when the process has answered it, so "stop" means stopped. Commands are queued whole and written by a
task of their own: a caller that is cancelled leaves no half message behind. When the process ends by itself, every
command and every wait raises `PacerError`; the gateway goes on.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from gateway.media.audio import Audio
from gateway.media.channel import Decoder, Message, encode
from gateway.media.errors import PacerError
from gateway.media.schedule import CATCH_UP_FRAMES

READY_S = 10.0
"""The process starts in about half a second; on a crowded machine that may be ten times as long."""
CLOSE_S = 2.0
"""Given to the process for its last figures."""
MULTICAST_TTL = 16
"""Routers between gateway and phones at most: a campus, not the world (assumed; `media.multicast_ttl` sets it)."""
PROCESS = (sys.executable, "-P", "-m", "gateway.media.pacer_process")
"""The command that is the process; the channel is its standard input."""
_QUEUE = 64
_log = logging.getLogger("gateway.pacer")
_READ_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamStarted:
    """The first packet of a stream was handed to the kernel."""

    phone: str
    page: str
    source: str
    """`address:port`, as `destination`."""
    destination: str
    ssrc: int
    first_sequence: int
    first_timestamp: int
    first_frame: int
    """Index into the audio: above 0 for a phone that joined late."""
    t_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamStopped:
    """A stream has played to its end or was stopped; no packet follows."""

    phone: str
    page: str
    packets: int
    unsent: int
    """Packets that the kernel refused to send to this phone."""
    t_ns: int


@dataclass(kw_only=True, slots=True, eq=False)
class _Page:
    loaded: bool = False
    stopped: bool = False
    playing: bool = False
    unanswered: int = 0
    changed: trio.Event = field(default_factory=trio.Event)


@dataclass(kw_only=True, slots=True, eq=False)
class _Request:
    state: _Page | None
    answered: trio.Event = field(default_factory=trio.Event)
    answer: Message = field(default_factory=dict)


class Pacer:
    """Sends pages as RTP, one stream a phone. Made by `open`."""

    def __init__(
        self,
        *,
        on_started: Callable[[StreamStarted], None] | None,
        on_stopped: Callable[[StreamStopped], None] | None,
    ) -> None:
        self._on_started = on_started
        self._on_stopped = on_stopped
        self._queue, self._queued = trio.open_memory_channel[bytes](_QUEUE)
        self._requests: dict[int, _Request] = {}
        self._last_id = 0
        self._pages: dict[str, _Page] = {}
        self._ended: str | None = None
        self._gone = trio.Event()
        self.packets = 0
        """Packets sent so far."""
        self.streams = 0
        """Streams now."""
        self.pid = 0
        """Of the process."""
        self.port = 0
        """UDP port that packets leave from."""
        self.lateness: dict[str, float] = {"count": 0}
        """Actual minus planned time of sending, ms: count, p50, p90, p95, p99, max. Set by `measure` and at the end."""
        self.cpu_s = 0.0
        """Processor time of the process; set as `lateness`."""
        self.rss_bytes = 0
        """Its peak memory; set as `lateness`."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        source: str | None,
        rtp_port: int,
        on_started: Callable[[StreamStarted], None] | None = None,
        on_stopped: Callable[[StreamStopped], None] | None = None,
        seed: int | None = None,
        multicast_ttl: int = MULTICAST_TTL,
        catch_up_frames: int = CATCH_UP_FRAMES,
        process: Sequence[str] = PROCESS,
    ) -> AsyncIterator[Pacer]:
        """Start the pacer process and wait until it is ready; end it with the block.

        Args:
            source: Address that packets leave from; None leaves it to the system.
            rtp_port: Port of the phones.
            on_started: Called for each stream, from a task of this block. Not to block.
            on_stopped: Likewise.
            multicast_ttl: Routers that a packet to a group may pass.
            catch_up_frames: Overdue frames that are sent at once after a stall; older ones are skipped.
            process: The command to start.
            seed: Makes SSRC, sequence numbers and timestamps repeat.

        Raises:
            PacerError: The process does not start, or cannot bind the source address.
        """
        pacer = cls(on_started=on_started, on_stopped=on_stopped)
        ours, theirs = socket.socketpair()
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        try:
            with theirs:
                child = await trio.lowlevel.open_process(
                    list(process), stdin=theirs.fileno(), stdout=subprocess.DEVNULL
                )
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise PacerError(f"the pacer process cannot be started: {error}") from error
            raise
        pacer.pid = child.pid
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pacer._write, stream)
                nursery.start_soon(pacer._read, stream)
                with trio.move_on_after(READY_S) as patience:
                    answer = await pacer._ask(
                        {
                            "command": "open",
                            "source": source,
                            "rtp_port": rtp_port,
                            "seed": seed,
                            "multicast_ttl": multicast_ttl,
                            "catch_up_frames": catch_up_frames,
                        }
                    )
                    pacer.port = answer["port"]
                if patience.cancelled_caught:
                    raise PacerError(f"the pacer process was not ready within {READY_S:g} s")
                try:
                    yield pacer
                finally:
                    with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_S):
                        await pacer._last_figures()
                    nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:  # what the block raised, not wrapped by this nursery
                raise group.exceptions[0] from group.exceptions[0].__cause__
            raise
        finally:
            with trio.CancelScope(shield=True):
                await stream.aclose()
                with trio.move_on_after(CLOSE_S):
                    await child.wait()
                if child.returncode is None:
                    child.kill()
                    await child.wait()

    async def load(self, page: str, audio: Audio) -> None:
        """Give the process the audio of a page. A page may be loaded again when it does not play.

        Raises:
            PacerError: The page is playing, or the process has ended.
        """
        state = self._pages.setdefault(page, _Page())
        state.loaded, state.stopped = True, False
        live = audio.live_from is not None
        await self._ask({"command": "load", "page": page, "crc32": audio.crc32, "live": live}, audio.payload)

    async def feed(self, page: str, frame: int, payload: bytes) -> None:
        """Put audio of a live page in its place: whole frames, from `frame` on. A page that was stopped takes nothing.

        Raises:
            PacerError: The page is not live or shorter than that, or the process has ended.
        """
        await self._ask({"command": "feed", "page": page, "frame": frame}, payload)

    async def shorten(self, page: str, frames: int) -> None:
        """End a page's audio after so many frames, or now where more were sent.

        Raises:
            PacerError: The process has ended.
        """
        await self._ask({"command": "shorten", "page": page, "frames": frames})

    async def start(self, page: str, phones: Sequence[tuple[str, str]], *, frame: int = 0) -> None:
        """Play to these phones (device name, address) at once, from the beginning or from a later frame.

        An address may carry a port: `239.0.1.1:20480` is a group, and one stream to it is many phones'.
        May be called again for others. The first call, even without phones, sets the clock that `join` follows.
        After `stop` of the whole page nothing is sent.

        Raises:
            PacerError: The page was not loaded, a phone already receives it, an address is no IPv4 address, the audio
                has no such frame, or the process has ended.
        """
        await self._ask_for(page, "start", phones, {"frame": frame})

    async def join(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        """Play to these phones from the frame that is due now of the first cohort.

        Where the audio has ended already they hear it from the beginning; of a page that was stopped nothing is sent.

        Raises:
            PacerError: As `start`, or the page was not started yet.
        """
        await self._ask_for(page, "join", phones)

    async def stop(self, page: str, phones: Sequence[str] | None = None) -> None:
        """End the streams of these phones, or of the whole page: none of them gets a packet after this returns.

        Phones that receive nothing are passed over.

        Raises:
            PacerError: The process has ended (and so have its packets).
        """
        if phones is None and page in self._pages:
            self._pages[page].stopped = True
        await self._ask({"command": "stop", "page": page, "phones": None if phones is None else list(phones)})

    async def finished(self, page: str) -> None:
        """Return when no stream of the page is left: each has played to its end or was stopped.

        A page that was started without phones is finished when its audio would have ended.

        Raises:
            PacerError: The process has ended.
        """
        state = self._pages.get(page)
        while state is not None and (state.playing or state.unanswered):
            self._require_process()
            await state.changed.wait()
        self._require_process()

    @property
    def gone(self) -> bool:
        """Whether the process has ended by itself."""
        return self._gone.is_set()

    async def wait_ended(self) -> None:
        """Return when the process has ended by itself."""
        await self._gone.wait()

    async def measure(self) -> dict[str, float]:
        """Ask for the figures so far; return `lateness`, and set `cpu_s` and `rss_bytes`.

        Raises:
            PacerError: The process has ended.
        """
        answer = await self._ask({"command": "measure"})
        self.lateness = answer["lateness"]
        self.cpu_s = answer["cpu_s"]
        self.rss_bytes = answer["rss_bytes"]
        return self.lateness

    async def _last_figures(self) -> None:
        try:
            await self.measure()
        except PacerError:
            return  # the figures of the last `measure` stay

    async def _ask_for(
        self, page: str, command: str, phones: Sequence[tuple[str, str]], more: Message | None = None
    ) -> None:
        state = self._pages.get(page)
        if state is None or not state.loaded:
            raise PacerError(f"page {page} was not loaded")
        if state.stopped:
            return
        await self._ask({"command": command, "page": page, "phones": [list(phone) for phone in phones], **(more or {})})

    async def _ask(self, message: Message, payload: bytes = b"") -> Message:
        self._require_process()
        self._last_id += 1
        number = self._last_id
        state = self._pages.get(message.get("page", ""))
        request = self._requests[number] = _Request(state=state)
        if state is not None:
            state.unanswered += 1
        try:
            await self._queue.send(encode({**message, "id": number}, payload))
        except (trio.Cancelled, trio.BrokenResourceError, trio.ClosedResourceError):
            self._forget(number)
            self._require_process()
            raise
        await request.answered.wait()
        if not request.answer:
            self._require_process()
        if "error" in request.answer:
            # A page that was stopped while this command was on its way: nothing is sent, as was wished.
            if state is not None and state.stopped:
                return request.answer
            raise PacerError(request.answer["error"])
        return request.answer

    def _require_process(self) -> None:
        if self._ended is not None:
            raise PacerError(self._ended)

    async def _write(self, stream: trio.SocketStream) -> None:
        try:
            async for data in self._queued:
                await stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end()

    async def _read(self, stream: trio.SocketStream) -> None:
        decoder = Decoder()
        try:
            while data := await stream.receive_some(_READ_BYTES):
                for message, _ in decoder.feed(data):
                    self._take(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self._end()

    def _end(self) -> None:
        """Note that the process is gone and wake all who wait for it."""
        self._ended = "the pacer process has ended, no audio is sent"
        self._gone.set()
        self._queued.close()
        self.streams = 0
        for request in self._requests.values():
            request.answered.set()
        for state in self._pages.values():
            self._change(state)

    def _take(self, message: Message) -> None:
        self.packets, self.streams = message["counters"]
        state = self._pages.get(message.get("page", ""))
        match message["event"]:
            case "started":
                self._report_started(message)
            case "stopped":
                if state is not None:
                    state.playing = message["playing"]
                self._report_stopped(message)
            case "warning":
                _log.warning("%s", message["text"])
            case "done":
                self._take_answer(message)
        if state is not None:
            self._change(state)

    def _take_answer(self, message: Message) -> None:
        request = self._forget(message["id"])
        request.answer = message
        if request.state is not None:
            request.state.playing = message["playing"]
        request.answered.set()

    def _forget(self, number: int) -> _Request:
        request = self._requests.pop(number)
        if request.state is not None:
            request.state.unanswered -= 1
        return request

    def _report_started(self, message: Message) -> None:
        if self._on_started is None:
            return
        for phone, source, destination in message["streams"]:
            self._on_started(
                StreamStarted(
                    phone=phone,
                    page=message["page"],
                    source=source,
                    destination=destination,
                    ssrc=message["ssrc"],
                    first_sequence=message["sequence"],
                    first_timestamp=message["timestamp"],
                    first_frame=message["frame"],
                    t_ns=message["t_ns"],
                )
            )

    def _report_stopped(self, message: Message) -> None:
        if self._on_stopped is None:
            return
        for phone, packets, unsent in message["streams"]:
            self._on_stopped(
                StreamStopped(phone=phone, page=message["page"], packets=packets, unsent=unsent, t_ns=message["t_ns"])
            )

    @staticmethod
    def _change(state: _Page) -> None:
        state.changed.set()
        state.changed = trio.Event()
