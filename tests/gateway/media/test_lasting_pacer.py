"""Pacer processes that are killed, over real sockets: what plays goes on where it would be by now."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from gateway.media import Audio, LastingPacer, Pacer, PacerError, StreamStarted
from gateway.media import lasting_pacer as module

pytestmark = pytest.mark.real
SOURCE = "127.78.1.9"
FRAMES = 150


def audio(frames: int = FRAMES) -> Audio:
    return Audio(name="numbered", frames=frames, payload=b"".join(index.to_bytes(2) * 80 for index in range(frames)))


class Ear:
    def __init__(self, address: str, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def frames(self) -> list[int]:
        found = []
        while True:
            try:
                found.append(int.from_bytes(self.socket.recv(2000)[12:14]))
            except BlockingIOError:
                return found


@pytest.fixture
def ears() -> Iterator[list[Ear]]:
    first = Ear("127.78.1.1")
    ears = [first, Ear("127.78.1.2", first.port)]
    yield ears
    for ear in ears:
        ear.socket.close()


@asynccontextmanager
async def lasting(port: int, started: list[StreamStarted], alarms: list[str | None]) -> AsyncIterator[LastingPacer]:
    def opener() -> object:
        return Pacer.open(source=SOURCE, rtp_port=port, on_started=started.append)

    with trio.fail_after(30):
        async with LastingPacer.open(opener, on_change=alarms.append) as pacer:  # type: ignore[arg-type]
            yield pacer


async def kill(pacer: LastingPacer) -> None:
    killed = pacer.pid
    os.kill(killed, signal.SIGKILL)
    while pacer.pid in (0, killed):
        await trio.sleep(0.01)


async def test_a_killed_pacer_is_replaced_and_the_page_goes_on(ears: list[Ear]) -> None:
    one, two = ears
    started: list[StreamStarted] = []
    alarms: list[str | None] = []
    async with lasting(one.port, started, alarms) as pacer:
        await pacer.load("1", audio())
        await pacer.start("1", [("P1", "127.78.1.1")])
        await trio.sleep(0.4)
        await kill(pacer)
        await pacer.join("1", [("P2", "127.78.1.2")])
        await pacer.finished("1")
        packets = pacer.packets
        assert (pacer.restarts, pacer.streams) == (1, 0)
    heard = one.frames()
    assert heard == sorted(set(heard)), "nothing twice, nothing out of order"
    assert heard[0] == 0
    assert heard[-1] == FRAMES - 1
    resumed = [event.first_frame for event in started if event.phone == "P1"]
    assert resumed[0] == 0
    assert resumed[1] >= 15, "it goes on where it would be, not at the beginning"
    joined = two.frames()
    assert joined[0] >= resumed[1]
    assert joined[-1] == FRAMES - 1
    assert packets >= len(heard) + len(joined) - 15  # the killed process did not report its last
    assert alarms == [None, "the pacer process has ended", None]


async def test_what_is_asked_while_there_is_no_process_is_done_by_the_next_one(ears: list[Ear]) -> None:
    one, two = ears
    started: list[StreamStarted] = []
    async with lasting(one.port, started, []) as pacer:
        await pacer.load("1", audio())
        await pacer.start("1", [("P1", "127.78.1.1")])
        os.kill(pacer.pid, signal.SIGKILL)
        while pacer.pid:
            await trio.sleep(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pacer.stop, "1")
            nursery.start_soon(pacer.load, "2", audio(10))
        await pacer.start("2", [("P2", "127.78.1.2")])
        await pacer.finished("2")
        await pacer.finished("1")
    assert two.frames() == list(range(10))
    assert len(one.frames()) < 20, "a page that was stopped stays stopped"


async def test_a_pacer_that_does_not_come_back_fails_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESUME_S", 0.5)
    alarms: list[str | None] = []
    opened = 0

    @asynccontextmanager
    async def opener() -> AsyncIterator[Pacer]:
        nonlocal opened
        opened += 1
        if opened > 1:
            raise PacerError("no memory for another process")
        async with Pacer.open(source=SOURCE, rtp_port=32674) as pacer:
            yield pacer

    with trio.fail_after(30):
        async with LastingPacer.open(opener, on_change=alarms.append) as pacer:
            await pacer.load("1", audio())
            await pacer.start("1", [("P1", "127.78.1.5")])
            os.kill(pacer.pid, signal.SIGKILL)
            with pytest.raises(PacerError, match="no other could be started"):
                await pacer.finished("1")
            await pacer.stop("1")
    assert "no memory for another process" in alarms


async def test_the_first_process_has_to_start() -> None:
    with pytest.raises(PacerError, match=r"192\.0\.2\.1"):
        async with LastingPacer.open(lambda: Pacer.open(source="192.0.2.1", rtp_port=32674)):
            pytest.fail("it must not open")


async def test_one_stream_to_a_group_is_heard_by_all_who_joined() -> None:
    members = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for member in members:
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        member.bind(("239.78.1.1", 20480))
        membership = socket.inet_aton("239.78.1.1") + socket.inet_aton("127.0.0.1")
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        member.setblocking(False)
    started: list[StreamStarted] = []
    with trio.fail_after(30):
        async with Pacer.open(source="127.0.0.1", rtp_port=32674, on_started=started.append) as pacer:
            await pacer.load("1", audio(20))
            await pacer.start("1", [("239.78.1.1:20480", "239.78.1.1:20480")])
            await pacer.finished("1")
            assert pacer.packets == 20
    assert started[0].destination == "239.78.1.1:20480"
    for member in members:
        assert [int.from_bytes(member.recv(2000)[12:14]) for _ in range(20)] == list(range(20))
        member.close()
