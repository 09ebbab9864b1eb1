"""The real process over real sockets: what arrives and in which order, never how fast."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest
import trio

from gateway.media import Audio, Pacer, PacerError, StreamStarted, StreamStopped
from gateway.media.channel import Decoder, encode

pytestmark = pytest.mark.real
SOURCE = "127.78.0.9"
Packet = tuple[int, int, int, int, int, int]


def audio(frames: int) -> Audio:
    payload = b"".join(index.to_bytes(2) * 80 for index in range(frames))
    return Audio(name="numbered", frames=frames, payload=payload)


class Phones:
    """Sockets at 127.78.0.1, .2 … on one port."""

    def __init__(self, count: int) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        self.port = 0
        for index, sock in enumerate(self.sockets):
            sock.bind((f"127.78.0.{index + 1}", self.port))
            sock.setblocking(False)
            self.port = sock.getsockname()[1]

    def named(self, *numbers: int) -> list[tuple[str, str]]:
        return [(f"P{number}", f"127.78.0.{number}") for number in numbers]

    def heard(self, number: int) -> list[Packet]:
        """Return first byte, second byte, sequence, timestamp, SSRC and frame of what has come since the last look."""
        packets = []
        while True:
            try:
                data, source = self.sockets[number - 1].recvfrom(2_000)
            except BlockingIOError:
                return packets
            assert source[0] == SOURCE
            assert source[1] % 2 == 0
            frame = int.from_bytes(data[12:14])
            assert data[12:] == frame.to_bytes(2) * 80
            packets.append((*struct.unpack_from("!BBHII", data), frame))


@pytest.fixture
def phones() -> Iterator[Phones]:
    phones = Phones(4)
    yield phones
    for sock in phones.sockets:
        sock.close()


class Diary:
    def __init__(self) -> None:
        self.started: dict[str, StreamStarted] = {}
        self.stopped: dict[str, StreamStopped] = {}
        self.first_started = trio.Event()

    def on_started(self, event: StreamStarted) -> None:
        assert event.phone not in self.started
        self.started[event.phone] = event
        self.first_started.set()

    def on_stopped(self, event: StreamStopped) -> None:
        assert event.phone not in self.stopped
        self.stopped[event.phone] = event


def assert_heard(heard: list[Packet], event: StreamStarted, last_frame: int, lateness: dict[str, float]) -> None:
    """Assert every frame once, in order, with the right numbers.

    Where this machine stopped the process for 40 ms or more, as it may, frames may be missing; the rest must be right.
    """
    frames = [packet[-1] for packet in heard]
    whole = list(range(event.first_frame, last_frame + 1))
    assert frames == whole or (lateness["max"] >= 40 and frames == sorted(set(frames) & set(whole)))
    assert frames[0] == event.first_frame
    for index, (first, second, sequence, timestamp, ssrc, frame) in enumerate(heard):
        follows = index > 0 and frame == frames[index - 1] + 1
        assert (first, second, ssrc) == (0x80, 0 if follows else 0x80, event.ssrc)
        assert sequence == (event.first_sequence + index) % 2**16
        assert timestamp == (event.first_timestamp + 160 * (frame - event.first_frame)) % 2**32


async def test_a_page_is_heard_whole_once_and_in_order_and_a_late_phone_joins(phones: Phones):
    diary = Diary()
    with trio.fail_after(20):
        async with Pacer.open(
            source=SOURCE, rtp_port=phones.port, on_started=diary.on_started, on_stopped=diary.on_stopped, seed=1
        ) as pacer:
            await pacer.load("1", audio(25))
            await pacer.start("1", phones.named(1, 2))
            await diary.first_started.wait()
            await pacer.join("1", phones.named(3))
            await pacer.finished("1")
            await pacer.join("1", phones.named(4))
            await pacer.finished("1")
            assert pacer.streams == 0
            assert pacer.packets == sum(event.packets for event in diary.stopped.values())
    assert set(diary.started) == set(diary.stopped) == {"P1", "P2", "P3", "P4"}
    assert diary.started["P4"].first_frame == 0, "who comes after the end hears it from the beginning"
    for number in (1, 2, 3, 4):
        event = diary.started[f"P{number}"]
        heard = phones.heard(number)
        assert_heard(heard, event, 24, pacer.lateness)
        stopped = diary.stopped[f"P{number}"]
        assert (stopped.packets, stopped.unsent) == (len(heard), 0)
        assert event.destination == f"127.78.0.{number}:{phones.port}"
        assert event.source == f"{SOURCE}:{pacer.port}"
        assert event.t_ns < stopped.t_ns
    assert diary.started["P1"].first_frame == 0
    assert diary.started["P3"].ssrc == diary.started["P1"].ssrc
    assert pacer.lateness["count"] == 50
    assert pacer.lateness["skipped"] == 0 or pacer.lateness["max"] > 40
    assert pacer.cpu_s > 0
    assert pacer.rss_bytes > 1 << 20


async def test_stopped_phones_get_nothing_more_the_rest_plays_on(phones: Phones):
    diary = Diary()
    with trio.fail_after(20):
        async with Pacer.open(
            source=SOURCE, rtp_port=phones.port, on_started=diary.on_started, on_stopped=diary.on_stopped
        ) as pacer:
            await pacer.load("1", audio(15))
            await pacer.start("1", phones.named(1, 2))
            await diary.first_started.wait()
            await pacer.stop("1", ["P1", "nobody"])
            before_stop = len(phones.heard(1))
            assert diary.stopped["P1"].packets == before_stop > 0
            await pacer.finished("1")
            assert phones.heard(1) == []
            assert_heard(phones.heard(2), diary.started["P2"], 14, await pacer.measure())
            await pacer.load("2", audio(500))
            await pacer.start("2", phones.named(3))
            await pacer.stop("2")
            await pacer.finished("2")
            heard = len(phones.heard(3))
            assert heard < 500
            await pacer.start("2", phones.named(1))  # a push that was answered after its page was stopped
            await pacer.join("2", phones.named(2))
            await pacer.finished("2")
            assert (phones.heard(1), phones.heard(2), phones.heard(3)) == ([], [], [])


async def test_each_phone_its_own_start_and_one_that_cannot_be_sent_to_disturbs_nobody(
    phones: Phones, caplog: pytest.LogCaptureFixture
):
    diary = Diary()
    with trio.fail_after(20):
        async with Pacer.open(
            source=SOURCE, rtp_port=phones.port, on_started=diary.on_started, on_stopped=diary.on_stopped
        ) as pacer:
            await pacer.load("1", audio(6))
            await pacer.start("1", phones.named(1))
            await pacer.start("1", [("unreachable", "255.255.255.255"), *phones.named(2)])
            await pacer.start("1", phones.named(3))
            await pacer.finished("1")
    for number in (1, 2, 3):
        assert_heard(phones.heard(number), diary.started[f"P{number}"], 5, pacer.lateness)
        assert diary.started[f"P{number}"].first_frame == 0
    assert diary.stopped["unreachable"].packets == 0
    assert diary.stopped["unreachable"].unsent == diary.stopped["P2"].packets
    told = [record for record in caplog.records if "unreachable" in record.getMessage()]
    assert [(record.name, record.levelname) for record in told] == [("gateway.pacer", "WARNING")]


async def test_a_pacer_without_real_time_priority_says_so_in_the_gateways_log(caplog: pytest.LogCaptureFixture):
    refusing = (
        "import os\n"
        "from gateway.media import pacer_process\n"
        "def refuse(*_): raise PermissionError(1, 'Operation not permitted')\n"
        "os.sched_setscheduler = refuse\n"
        "pacer_process.main()\n"
    )
    with trio.fail_after(20):
        async with Pacer.open(source=SOURCE, rtp_port=32_674, process=(sys.executable, "-P", "-c", refusing)) as pacer:
            await pacer.measure()
    assert [record.getMessage() for record in caplog.records] == [
        "ordinary priority, packets may be some milliseconds late (SCHED_FIFO: Operation not permitted)"
    ]


async def test_a_page_without_phones_keeps_its_clock_until_the_end():
    with trio.fail_after(20):
        async with Pacer.open(source=SOURCE, rtp_port=32_674) as pacer:
            await pacer.load("1", audio(5))
            await pacer.start("1", [])
            await pacer.finished("1")
            assert pacer.packets == 0


async def test_a_seed_repeats_the_numbers_of_the_streams(phones: Phones):
    numbers = []
    for _ in range(2):
        diary = Diary()
        with trio.fail_after(20):
            async with Pacer.open(source=None, rtp_port=phones.port, on_started=diary.on_started, seed=5) as pacer:
                await pacer.load("1", audio(1))
                await pacer.start("1", phones.named(1))
                await pacer.finished("1")
        event = diary.started["P1"]
        assert event.source == f"127.0.0.1:{pacer.port}"  # the system's choice, by the route
        numbers.append((event.ssrc, event.first_sequence, event.first_timestamp))
    assert numbers[0] == numbers[1]


async def test_what_cannot_be_done_is_said_and_does_no_harm(phones: Phones):
    with trio.fail_after(20):
        async with Pacer.open(source=SOURCE, rtp_port=phones.port) as pacer:
            with pytest.raises(PacerError, match="page 1 was not loaded"):
                await pacer.start("1", phones.named(1))
            await pacer.load("1", audio(2))
            with pytest.raises(PacerError, match="nothing to join"):
                await pacer.join("1", phones.named(1))
            with pytest.raises(PacerError, match="address 'nowhere' of P9"):
                await pacer.start("1", [("P9", "nowhere")])
            with pytest.raises(PacerError, match="P1 already"):
                await pacer.start("1", phones.named(1, 1))
            await pacer.start("1", phones.named(1))
            with pytest.raises(PacerError, match="playing"):
                await pacer.load("1", audio(2))
            await pacer.finished("1")
            assert len(phones.heard(1)) == 2


async def test_a_source_address_that_is_not_here_is_named():
    with trio.fail_after(20), pytest.raises(PacerError, match=r"RTP cannot be sent from 192\.0\.2\.1"):
        async with Pacer.open(source="192.0.2.1", rtp_port=32_674):
            pytest.fail("it must not open")


async def test_when_the_process_dies_everybody_who_waits_is_told(phones: Phones):
    diary = Diary()
    with trio.fail_after(20):
        async with Pacer.open(source=SOURCE, rtp_port=phones.port, on_started=diary.on_started) as pacer:
            await pacer.load("1", audio(3_000))
            await pacer.start("1", phones.named(1))
            await diary.first_started.wait()
            os.kill(pacer.pid, signal.SIGKILL)
            with pytest.raises(PacerError, match="has ended"):
                await pacer.finished("1")
            with pytest.raises(PacerError, match="has ended"):
                await pacer.stop("1")
            assert pacer.streams == 0


async def test_a_cancelled_caller_leaves_the_pacer_usable(phones: Phones):
    with trio.fail_after(20):
        async with Pacer.open(source=SOURCE, rtp_port=phones.port) as pacer:
            with trio.CancelScope() as scope:
                scope.cancel()
                await pacer.load("1", audio(3))
            with trio.move_on_after(0):
                await pacer.measure()
            await pacer.load("1", audio(3))
            await pacer.start("1", phones.named(1))
            await pacer.finished("1")
            assert len(phones.heard(1)) == 3


async def test_an_error_in_the_block_comes_out_as_it_is():
    with trio.fail_after(20), pytest.raises(KeyError, match="mine"):
        async with Pacer.open(source=SOURCE, rtp_port=32_674):
            raise KeyError("mine")


def test_the_process_ends_with_its_channel_and_not_with_signals():
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "gateway.media.pacer_process"]
    with ours, subprocess.Popen(command, stdin=theirs, stderr=subprocess.DEVNULL) as process:
        theirs.close()
        ours.settimeout(20)
        page = audio(3_000)
        opening = {"command": "open", "id": 1, "source": SOURCE, "rtp_port": 9, "seed": 1}
        opening |= {"multicast_ttl": 1, "catch_up_frames": 3}
        ours.sendall(encode(opening))
        ours.sendall(encode({"command": "load", "id": 2, "page": "1", "crc32": page.crc32}, page.payload))
        ours.sendall(encode({"command": "start", "id": 3, "page": "1", "phones": [["A", "127.78.0.1"]]}))
        reports: list[str] = []
        decoder = Decoder()
        while "started" not in reports:
            reports += [message["event"] for message, _ in decoder.feed(ours.recv(65_536))]
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        ours.sendall(encode({"command": "measure", "id": 4}))
        while reports.count("done") < 4:
            reports += [message["event"] for message, _ in decoder.feed(ours.recv(65_536))]
        ours.close()
        assert process.wait(20) == 0
