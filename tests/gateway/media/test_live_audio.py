"""Live audio on its way to the pacer process, in virtual time: where each piece is put."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from gateway.media import Audio, Fed, LastingPacer, Pacer, bundled_tone, live_announcement
from gateway.media.lasting_pacer import AHEAD_FRAMES, CUSHION_FRAMES, MARGIN_FRAMES
from gateway.media.rtp import Numbering
from gateway.media.schedule import FRAME_NS, Schedule, Stream

FRAME = 160


class Process:
    """A pacer process that only keeps what it is told."""

    def __init__(self) -> None:
        self.packets = self.streams = self.pid = self.rss_bytes = 0
        self.lateness: dict[str, float] = {}
        self.cpu_s = 0.0
        self.gone = False
        self.dead = trio.Event()
        self.payload = bytearray()
        self.frames = 0
        self.started: list[int] = []

    async def load(self, _page: str, audio: Audio) -> None:
        self.payload, self.frames = bytearray(audio.payload), audio.frames

    async def start(self, _page: str, _phones: object, *, frame: int = 0) -> None:
        self.started.append(frame)

    async def feed(self, _page: str, frame: int, payload: bytes) -> None:
        self.payload[frame * FRAME : frame * FRAME + len(payload)] = payload

    async def shorten(self, _page: str, frames: int) -> None:
        self.frames = frames

    async def wait_ended(self) -> None:
        await self.dead.wait()

    def die(self) -> None:
        self.gone = True
        self.dead.set()


def opened(processes: list[Process]) -> AbstractAsyncContextManager[LastingPacer]:
    @asynccontextmanager
    async def opener() -> AsyncIterator[Pacer]:
        processes.append(Process())
        yield processes[-1]  # type: ignore[misc]

    return LastingPacer.open(opener)


def piece(number: int, frames: int = 5) -> bytes:
    return bytes([number]) * frames * FRAME


def frames_of(process: Process, number: int) -> list[int]:
    return [at for at in range(len(process.payload) // FRAME) if process.payload[at * FRAME] == number]


async def test_what_comes_before_phones_listen_is_heard_first(autojump_clock: MockClock) -> None:
    processes: list[Process] = []
    async with opened(processes) as pacer:
        await pacer.load("1", live_announcement())
        assert await pacer.feed("1", piece(1)) == Fed(taken=5, ahead=CUSHION_FRAMES + 5)
        await trio.sleep(1)  # phones are being started: nothing is due yet
        assert await pacer.feed("1", piece(2)) == Fed(taken=5, ahead=CUSHION_FRAMES + 10)
        await pacer.start("1", [("A", "127.0.0.1")])
        await trio.sleep(0.1)
        assert await pacer.feed("1", piece(3)) == Fed(taken=5, ahead=CUSHION_FRAMES + 10)
        begin = CUSHION_FRAMES
        for number in (1, 2, 3):
            assert frames_of(processes[0], number) == list(range(begin, begin + 5))
            begin += 5


async def test_after_a_stall_the_next_piece_has_a_place_that_is_still_to_come(autojump_clock: MockClock) -> None:
    processes: list[Process] = []
    async with opened(processes) as pacer:
        await pacer.load("1", live_announcement())
        await pacer.start("1", [("A", "127.0.0.1")])
        await pacer.feed("1", piece(1))
        await trio.sleep((CUSHION_FRAMES + 5 - MARGIN_FRAMES) * 0.02 - 0.001)
        await pacer.feed("1", piece(2))
        assert frames_of(processes[0], 2)[0] == CUSHION_FRAMES + 5  # just in time: without a gap
        await trio.sleep(3)
        due = round(trio.current_time() / 0.02 - 0.5)
        assert await pacer.feed("1", piece(3)) == Fed(taken=5, ahead=CUSHION_FRAMES + 5)
        assert frames_of(processes[0], 3)[0] in (due + CUSHION_FRAMES, due + CUSHION_FRAMES - 1)


async def test_no_more_than_five_seconds_are_kept(autojump_clock: MockClock) -> None:
    processes: list[Process] = []
    async with opened(processes) as pacer:
        await pacer.load("1", live_announcement(bundled_tone("chime")))
        lead = frames_of(processes[0], 0xFF)[0]
        taken = 0
        while fed := await pacer.feed("1", piece(1)):
            taken += fed.taken
            if not fed.taken:
                break
        assert fed == Fed(taken=0, ahead=AHEAD_FRAMES)
        assert 0 < taken < AHEAD_FRAMES - lead
        await pacer.start("1", [("A", "127.0.0.1")])
        await trio.sleep(0.0601)
        assert await pacer.feed("1", piece(1)) == Fed(taken=3, ahead=AHEAD_FRAMES)


async def test_its_end_and_what_takes_none(autojump_clock: MockClock) -> None:
    processes: list[Process] = []
    async with opened(processes) as pacer:
        assert await pacer.feed("1", piece(1)) is None
        assert await pacer.end_live("1") is None
        await pacer.load("1", live_announcement())
        await pacer.start("1", [("A", "127.0.0.1")])
        await pacer.feed("1", piece(1))
        assert await pacer.end_live("1") == pytest.approx((CUSHION_FRAMES + 5) * 0.02)
        assert processes[0].frames == CUSHION_FRAMES + 5
        assert await pacer.feed("1", piece(2)) is None
        assert await pacer.end_live("1") is None
        await pacer.load("2", bundled_tone("chime"))
        assert await pacer.feed("2", piece(1)) is None


async def test_another_process_has_what_was_given_and_gets_the_rest(autojump_clock: MockClock) -> None:
    processes: list[Process] = []
    async with opened(processes) as pacer:
        await pacer.load("1", live_announcement())
        await pacer.start("1", [("A", "127.0.0.1")])
        await pacer.feed("1", piece(1))
        await trio.sleep(0.2)
        processes[0].die()
        await trio.testing.wait_all_tasks_blocked()
        await pacer.feed("1", piece(2))
        await trio.sleep(1)
        assert len(processes) == 2
        assert frames_of(processes[1], 1) == list(range(CUSHION_FRAMES, CUSHION_FRAMES + 5))
        assert frames_of(processes[1], 2) == list(range(CUSHION_FRAMES + 5, CUSHION_FRAMES + 10))
        await pacer.end_live("1")
        assert processes[1].frames == CUSHION_FRAMES + 10


def stream(phone: str) -> Stream:
    return Stream(phone=phone, source="", destination="", address=b"")


def sent(schedule: Schedule, from_ms: int, to_ms: int) -> tuple[list[int], bool]:
    frames, ended = [], False
    for at in range(from_ms, to_ms):
        for visit in schedule.visits(at * 1_000_000):
            frames += [packet.frame for packet in visit.packets]
            visit.cohort.settle()
            if visit.ended:
                ended = True
                schedule.end(visit.cohort)
    return frames, ended


@pytest.mark.parametrize(("frames", "last"), [(10, 9), (3, 4), (1000, 99)])
def test_a_schedule_is_shortened_never_below_what_was_sent(frames: int, last: int) -> None:
    schedule = Schedule(epoch_ns=0)
    schedule.add("1", 100)
    schedule.start("1", [stream("A")], Numbering(ssrc=1, sequence=2, timestamp=3), 0)
    assert sent(schedule, 0, 95)[0] == [0, 1, 2, 3, 4]
    schedule.shorten("1", frames)
    rest, ended = sent(schedule, 95, 100 * FRAME_NS // 1_000_000 + 50)
    assert ([*range(5), *rest][-1], ended) == (last, True)
