"""The same files to our analysis and to `tshark -z rtp,streams`, which shares nothing with it."""

from __future__ import annotations

import random
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from harness.capture.reader import read
from harness.capture.rtp import Stream, analyse

if TYPE_CHECKING:
    from tests.harness.capture.conftest import Builder

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="needs the Debian package tshark")

MS = 1_000_000
LINE = re.compile(
    r"^ *[\d.]+ +[\d.]+ +(?P<source>[\d.]+) +(?P<source_port>\d+) +(?P<destination>[\d.]+) +(?P<port>\d+)"
    r" +0x(?P<ssrc>[0-9A-F]{8}) +(?P<payload>\S+) +(?P<packets>\d+) +(?P<lost>-?\d+) \(-?[\d.]+%\)"
    r" +[-\d.]+ +[\d.]+ +(?P<gap>[\d.]+) +[-\d.]+ +(?P<mean>[\d.]+) +(?P<max>[\d.]+)",
    re.MULTILINE,
)


class Seen(NamedTuple):
    """One line of tshark's table."""

    packets: int
    lost: int
    gap_ms: float
    jitter_mean_ms: float
    jitter_max_ms: float


def tshark(path: Path) -> dict[tuple[str, str, int], Seen]:
    done = subprocess.run(
        ["tshark", "-n", "-r", path, "-d", "udp.port==32674,rtp", "-q", "-z", "rtp,streams"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found = {}
    for line in LINE.finditer(done.stdout):
        key = f"{line['source']}:{line['source_port']}", f"{line['destination']}:{line['port']}", int(line["ssrc"], 16)
        assert key not in found
        figures = (float(line[name]) for name in ("gap", "mean", "max"))
        found[key] = Seen(int(line["packets"]), int(line["lost"]), *figures)
    assert found, done.stdout + done.stderr
    return found


class Traffic:
    """Streams that are damaged on their way, seeded; each packet comes 20 ms after the one before, up to 8 ms late."""

    def __init__(self, build: Builder, seed: int) -> None:
        self._build = build
        self._random = random.Random(seed)
        self.frames: list[tuple[int, bytes]] = []

    def stream(
        self, *, count: int = 300, ssrc: int = 7, phone: int = 1, sequence: int = 1000, timestamp: int = 160_000,
        loss: float = 0.0, duplicate: float = 0.0, reorder: float = 0.0, begin_ms: int = 0,
    ) -> Traffic:  # fmt: skip
        order: list[int] = [0]
        for number in range(1, count):
            # tshark takes the first and the last to arrive for the stream's ends: the tests below.
            fate = self._random.random() if number < count - 1 else 1.0
            if fate < loss:
                continue
            if fate < loss + duplicate:
                order += [number, number]
            elif fate < loss + duplicate + reorder and len(order) > 1:
                order.insert(len(order) - 1, number)
            else:
                order.append(number)
        # The place in the row makes the time, so that what is out of order comes out of order.
        times = sorted((begin_ms + 20 * number) * MS + self._random.randrange(8 * MS) for number in order)
        for t_ns, number in zip(times, order, strict=True):
            frame = self._build.rtp(
                sequence=sequence + number, timestamp=timestamp + 160 * number, ssrc=ssrc,
                destination=f"10.20.0.{phone}", payload=self._random.randbytes(160),
            )  # fmt: skip
            self.frames.append((t_ns, frame))
        return self

    def tagged(self, tags: bytes) -> Traffic:
        self.frames = [(t_ns, frame[:12] + tags + frame[12:]) for t_ns, frame in self.frames]
        return self

    def cooked(self) -> bytes:
        header = struct.pack(">HHH8s", 0, 1, 6, bytes(8))
        frames = [(t_ns, header + frame[12:]) for t_ns, frame in self.frames]
        content = self._build.pcap(sorted(frames, key=lambda each: each[0]))
        return content[:20] + struct.pack("<I", 113) + content[24:]

    def pcap(self) -> bytes:
        return self._build.pcap(sorted(self.frames, key=lambda each: each[0]))


DAMAGE = {
    "clean": {},
    "loss": {"loss": 0.1},
    "duplicates": {"duplicate": 0.1},
    "reordered": {"reorder": 0.1},
    "everything": {"loss": 0.05, "duplicate": 0.05, "reorder": 0.05},
    "sequence numbers wrap": {"sequence": 65_400, "loss": 0.03, "reorder": 0.03},
    "timestamps wrap": {"timestamp": 2**32 - 16_000, "loss": 0.03, "duplicate": 0.03},
    "wraps twice": {"sequence": 65_500, "count": 70_000},
    "one packet": {"count": 1},
}


def cases(build: Builder) -> Iterator[tuple[str, bytes]]:
    for seed, (name, damage) in enumerate(DAMAGE.items()):
        yield name, Traffic(build, seed).stream(**damage).pcap()
    many = Traffic(build, 100)
    for phone in range(1, 40):
        many.stream(phone=phone, ssrc=phone, sequence=phone * 1700, loss=0.02, reorder=0.02, duplicate=0.02)
    yield "forty phones", many.pcap()
    yield "two sources at once to one phone", Traffic(build, 101).stream(ssrc=7).stream(ssrc=8, loss=0.1).pcap()
    changed = Traffic(build, 102).stream(ssrc=7, count=100).stream(ssrc=9, count=100, sequence=5, begin_ms=2000)
    yield "the source changes", changed.pcap()
    for name, tags in (("VLAN", b"\x81\x00\x00\x05"), ("two VLAN tags", b"\x88\xa8\x00\x09\x81\x00\x00\x05")):
        yield name, Traffic(build, 103).stream(loss=0.05, duplicate=0.02, reorder=0.05).tagged(tags).pcap()
    yield "cooked", Traffic(build, 104).stream(loss=0.05, reorder=0.05).cooked()


def agree(stream: Stream, seen: Seen) -> None:
    assert stream.packets == seen.packets
    # tshark takes RFC 3550's own count (A.3): expected - received, in which a packet that comes twice makes up for one
    # that never came. Ours counts each sequence number that never came.
    assert stream.lost - stream.duplicates == seen.lost
    # Three digits behind the point are printed.
    assert stream.gap_ms == pytest.approx(seen.gap_ms, abs=0.001)
    assert stream.jitter_mean_ms == pytest.approx(seen.jitter_mean_ms, rel=0.01, abs=0.001)
    assert stream.jitter_max_ms == pytest.approx(seen.jitter_max_ms, rel=0.01, abs=0.001)


def test_same_packets_same_lost_same_jitter(build: Builder, tmp_path: Path):
    for name, content in cases(build):
        path = tmp_path / f"{name}.pcap"
        path.write_bytes(content)
        ours = {(s.source_text, s.destination_text, s.ssrc): s for s in analyse(read(path, build.capture))}
        theirs = tshark(path)
        assert ours.keys() == theirs.keys(), name
        for key, seen in theirs.items():
            agree(ours[key], seen)


def test_where_the_first_packet_came_late_tshark_counts_from_the_second(build: Builder, tmp_path: Path):
    """Told in docs/reference/capture.md: what came before the first to arrive is expected by ours alone."""
    frames = [(n * 20 * MS, build.rtp(sequence=s, timestamp=160 * s)) for n, s in enumerate([11, 10, 12, 14])]
    path = tmp_path / "late.pcap"
    path.write_bytes(build.pcap(frames))
    (ours,), (theirs,) = analyse(read(path, build.capture)), tshark(path).values()
    assert (ours.packets, ours.expected, ours.lost, ours.reordered) == (4, 5, 1, 1)
    assert (theirs.packets, theirs.lost) == (4, 0)


def test_where_the_last_packet_came_early_tshark_counts_to_the_one_behind_it(build: Builder, tmp_path: Path):
    frames = [(n * 20 * MS, build.rtp(sequence=s, timestamp=160 * s)) for n, s in enumerate([10, 12, 14, 13])]
    path = tmp_path / "early.pcap"
    path.write_bytes(build.pcap(frames))
    (ours,), (theirs,) = analyse(read(path, build.capture)), tshark(path).values()
    assert (ours.packets, ours.expected, ours.lost, ours.reordered) == (4, 5, 1, 1)
    assert (theirs.packets, theirs.lost) == (4, 0)
