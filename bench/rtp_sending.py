"""How fast RTP is sent, against C, and how late: `python bench/rtp_sending.py`, about 15 s, loopback only.

1. Rate: the pacer's own schedule, header and `sendmmsg`, without waiting, and bench/reference/sendmmsg.c, in turns, the
   order changing each pair. 1,000 phones. Wall clock moves on a shared machine: the median of the ratios is the figure.
2. Lateness: the real process plays 3 s to 1,000 phones, started as one cohort, then each by itself.

The packets end at one socket that nobody reads: it fills up, and the kernel drops the rest after all its work on them.
"""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import trio

from gateway.media import Audio, Pacer, StreamStarted
from gateway.media.rtp import Numbering, header
from gateway.media.schedule import TICK_NS, Schedule, Stream
from gateway.media.sendmmsg import PacketSender, socket_address

SOURCE = "127.79.128.1"
FIRST = IPv4Address("127.79.0.1")
PHONES = 1_000
ROUNDS = 100
PAIRS = 9
SECONDS = 3
FRAMES = SECONDS * 50


@contextmanager
def sink() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 0))
        yield sock.getsockname()[1]


def compiled(folder: Path) -> Path | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source = Path(__file__).parent / "reference" / "sendmmsg.c"
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-o", folder / "sendmmsg", source], check=True)
    return folder / "sendmmsg"


def c_rate(program: Path, port: int) -> float:
    command = [program, SOURCE, str(FIRST), str(port), str(PHONES), str(ROUNDS)]
    output = subprocess.run([str(each) for each in command], check=True, capture_output=True, text=True)
    sent, spent_ns = map(int, output.stdout.split())
    assert sent == PHONES * ROUNDS, output.stdout
    return sent / spent_ns * 1e9


def python_rate(port: int) -> float:
    """Play a page on a clock that is always due."""
    payload = bytes(range(160)) * ROUNDS
    streams = [
        Stream(phone=f"P{number}", source="", destination="", address=socket_address(str(FIRST + number), port))
        for number in range(PHONES)
    ]
    schedule = Schedule(epoch_ns=0)
    schedule.add("1", ROUNDS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((SOURCE, 0))
        sender = PacketSender(sock)
        failed: list[int] = []
        schedule.start("1", streams, Numbering(ssrc=1, sequence=1, timestamp=1), 0)
        sent = 0
        now_ns = 0
        begin_ns = time.perf_counter_ns()
        while schedule.next_ns() is not None:
            now_ns += TICK_NS
            for visit in schedule.visits(now_ns):
                cohort = visit.cohort
                for packet in visit.packets:
                    head = header(
                        marker=packet.marker,
                        sequence=packet.sequence,
                        timestamp=packet.timestamp,
                        ssrc=cohort.numbering.ssrc,
                    )
                    data = head + payload[packet.frame * 160 : packet.frame * 160 + 160]
                    if packet.first:
                        cohort.settle()
                    sent += sender.send(data, cohort.addresses(), lambda index, _: failed.append(index))
                if visit.ended:
                    schedule.end(cohort)
        spent_ns = time.perf_counter_ns() - begin_ns
    assert sent == PHONES * ROUNDS
    assert not failed
    return sent / spent_ns * 1e9


def compare(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(Path(folder))
        if program is None:
            print("rate: no C compiler (cc), nothing to compare with")
            return
        pairs = []
        for number in range(PAIRS):
            if number % 2:
                c, python = c_rate(program, port), python_rate(port)
            else:
                python, c = python_rate(port), c_rate(program, port)
            pairs.append((python, c))
    ratios = sorted(python / c for python, c in pairs)
    python, c = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"rate: python {python:,.0f}/s, C {c:,.0f}/s, "
        f"ratio median {statistics.median(ratios):.2f} (of {PAIRS} pairs, {ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


async def lateness(port: int, *, each: bool) -> None:
    audio = Audio(name="bench", frames=FRAMES, payload=bytes(range(160)) * FRAMES)
    phones = [(f"P{number}", str(FIRST + number)) for number in range(PHONES)]
    started: list[StreamStarted] = []
    async with Pacer.open(source=SOURCE, rtp_port=port, on_started=started.append) as pacer:
        await pacer.load("1", audio)
        await pacer.measure()
        cpu_s, begin_s = pacer.cpu_s, time.monotonic()
        if each:
            for phone in phones:
                await pacer.start("1", [phone])
        else:
            await pacer.start("1", phones)
        await pacer.finished("1")
        figures = await pacer.measure()
        spent_s = time.monotonic() - begin_s
        percent = 100 * (pacer.cpu_s - cpu_s) / spent_s
        packets = pacer.packets
    summary = ", ".join(f"{name} {value:.3f}" for name, value in figures.items() if name != "count")
    name = f"each by itself, {len({event.ssrc for event in started})} cohorts" if each else "one cohort"
    print(
        f"lateness of {PHONES} streams, {name}, ms: {summary}; "
        f"{packets} packets in {spent_s:.1f} s, {percent:.0f} % of a core"
    )


def main() -> int:
    with sink() as port:
        compare(port)
        trio.run(lambda: lateness(port, each=False))
        trio.run(lambda: lateness(port, each=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
