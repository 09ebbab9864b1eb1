from __future__ import annotations

import zlib
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.capture import rtp
from harness.capture.reader import Packets

if TYPE_CHECKING:
    from tests.harness.capture.conftest import Builder, Load


def signed(value: int, bits: int):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def slowly(packets: Packets, rows: list[int]):
    """One stream, as the RFCs read: a loop and dictionaries."""
    number, top, jitter, jitter_max, gap = 0, 0, 0.0, 0.0, 0
    first_of = {}
    reordered = wrong_steps = bunched = 0
    jitter_sum = 0.0
    time_sum = 0
    points = []
    previous = None
    for row in rows:
        sequence, timestamp, t_ns = (int(getattr(packets, name)[row]) for name in ("sequence", "timestamp", "t_ns"))
        if previous:
            step = signed(sequence - previous[0], 16)
            ticks = signed(timestamp - previous[1], 32)
            number += step
            time_sum += ticks
            wrong_steps += ticks != 160 * step
            jitter += (abs((t_ns - previous[2]) - ticks * 125_000) - jitter) / 16
            jitter_max = max(jitter, jitter_max)
            jitter_sum += jitter
            gap = max(gap, t_ns - previous[2])
            bunched += t_ns - previous[2] < 5_000_000
        if number not in first_of:
            first_of[number] = row
            reordered += number < top
        top = max(top, number)
        points.append((time_sum * 125_000, t_ns))
        previous = (sequence, timestamp, t_ns)
    x, y = np.array(points, float).T - np.array(points, float).mean(axis=0)[:, None]
    in_order = [first_of[n] for n in sorted(first_of)]
    content = b"".join(packets.payloads(np.array([r])).tobytes() for r in in_order if packets.payload_offset[r] >= 0)
    expected = max(first_of) - min(first_of) + 1
    numbers = sorted(first_of)
    return {
        "loss_bursts": sum(after - before > 1 for before, after in pairwise(numbers)),
        "bunched": bunched, "jitter_mean_ms": jitter_sum / max(len(rows) - 1, 1) / 1e6,
        "packets": len(rows), "expected": expected, "lost": expected - len(first_of),
        "duplicates": len(rows) - len(first_of), "reordered": reordered, "wrong_steps": wrong_steps,
        "jitter_ms": jitter / 1e6, "jitter_max_ms": jitter_max / 1e6, "gap_ms": gap / 1e6,
        "clock_slope": float((x * y).sum() / (x * x).sum()) if (x * x).sum() else None,
        "crc32": f"{zlib.crc32(content):08x}",
        "lowest_sequence": (int(packets.sequence[rows[0]]) + min(first_of)) & 0xFFFF,
    }  # fmt: skip


@st.composite
def traffic(draw: st.DrawFn):
    """A few streams with loss, duplicates, reordering, wraps, changed steps and odd sizes, mixed in time."""
    frames = []
    for stream in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, 65535))
        base = draw(st.integers(0, 2**32 - 1))
        for n in draw(st.lists(st.integers(0, 12), min_size=1, max_size=15)):
            odd = draw(st.sampled_from([0, 0, 0, 0, 1]))
            size = draw(st.sampled_from([160, 160, 160, 20, 161]))
            frames.append((first + n, base + n * 160 + odd, stream, bytes([stream * 16 + n]) * size, n))
    order = draw(st.permutations(range(len(frames)))) if draw(st.booleans()) else range(len(frames))
    t_ns = 0
    listed = []
    for place in order:
        t_ns += draw(st.integers(0, 50_000_000))
        listed.append((t_ns, frames[place]))
    return listed


@settings(max_examples=150, deadline=None)
@given(traffic())
def test_columns_and_a_plain_loop_agree(build: Builder, load: Load, listed: list[Any]):
    packets = load(
        (t_ns, build.rtp(sequence=sequence, timestamp=timestamp, ssrc=stream // 2, payload=payload,
                         destination=f"10.20.0.{stream}", second=0 if n != 3 else 8, first=0x80 if n != 4 else 0x40))
        for t_ns, (sequence, timestamp, stream, payload, n) in listed
    )  # fmt: skip
    streams = rtp.analyse(packets)
    keys = [(stream // 2, f"10.20.0.{stream}") for _, (_, _, stream, _, _) in listed]
    assert [(s.ssrc, s.destination_address) for s in streams] == list(dict.fromkeys(keys))
    for stream in streams:
        rows = [row for row, key in enumerate(keys) if key == (stream.ssrc, stream.destination_address)]
        assert stream.rows.tolist() == rows
        got = asdict(stream)
        for name, expected in slowly(packets, rows).items():
            if isinstance(expected, float):
                assert got[name] == pytest.approx(expected, rel=1e-6, abs=1e-9), name
            else:
                assert got[name] == expected, name
        ns = [listed[row][1][4] for row in rows]
        assert (stream.wrong_version, stream.wrong_payload_type) == (ns.count(4), ns.count(3))
        assert stream.wrong_size == sum(len(listed[row][1][3]) != 160 for row in rows)


def test_a_clean_stream_over_both_wraps(build: Builder, load: Load):
    packets = load(
        (n * 20_000_000, build.rtp(sequence=65500 + n, timestamp=2**32 - 1600 + n * 160, payload=bytes([n]) * 160))
        for n in range(100)
    )
    (stream,) = rtp.analyse(packets)
    assert (stream.packets, stream.expected, stream.lost, stream.duplicates, stream.reordered) == (100, 100, 0, 0, 0)
    assert (stream.first_sequence, stream.last_sequence, stream.lowest_sequence) == (65500, 63, 65500)
    assert (stream.jitter_ms, stream.gap_ms, stream.clock_slope, stream.malformed) == (0.0, 20.0, 1.0, 0)
    assert stream.crc32 == f"{zlib.crc32(b''.join(bytes([n]) * 160 for n in range(100))):08x}"
    assert (stream.source_text, stream.destination_text) == ("10.20.128.10:40000", "10.20.0.1:32674")


def test_jitter_over_more_packets_than_its_window(build: Builder, load: Load):
    waits = np.random.default_rng(3).integers(15_000_000, 25_000_000, 2500)
    times = np.cumsum(waits).tolist()
    packets = load((t_ns, build.rtp(sequence=n, timestamp=n * 160)) for n, t_ns in enumerate(times))
    (stream,) = rtp.analyse(packets)
    expected = slowly(packets, list(range(2500)))
    assert stream.jitter_ms == pytest.approx(expected["jitter_ms"], rel=1e-12)
    assert stream.jitter_max_ms == pytest.approx(expected["jitter_max_ms"], rel=1e-12)


def test_a_sender_whose_clock_is_one_percent_slow(build: Builder, load: Load):
    packets = load((n * 20_200_000, build.rtp(sequence=n, timestamp=n * 160)) for n in range(50))
    (stream,) = rtp.analyse(packets)
    assert stream.clock_slope == pytest.approx(1.01)


def test_five_parts_make_a_stream(build: Builder, load: Load):
    variants = [{}, {"ssrc": 8}, {"source": "10.20.128.11"}, {"destination": "10.20.0.2"}, {"ports": (40001, 32674)},
                {"ports": (40000, 32676)}]  # fmt: skip
    packets = load((n, build.rtp(**variant)) for n, variant in enumerate(variants * 2))
    assert [stream.packets for stream in rtp.analyse(packets)] == [2] * 6


def test_streams_with_one_hash_are_told_apart(build: Builder, load: Load, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rtp, "_MIX_A", np.uint64(0))
    packets = load((n, build.rtp(ssrc=n % 3, destination=f"10.20.0.{n % 2}", sequence=n)) for n in range(12))
    assert [stream.packets for stream in rtp.analyse(packets)] == [2] * 6


def test_rows_can_be_chosen_and_tcp_is_no_stream(build: Builder, load: Load):
    packets = load([(0, build.rtp()), (1, build.tcp()), (2, build.rtp(sequence=2))])
    assert [stream.packets for stream in rtp.analyse(packets)] == [2]
    assert [stream.packets for stream in rtp.analyse(packets, np.array([0, 1]))] == [1]
    assert [stream.packets for stream in rtp.analyse(packets, packets.sequence == 2)] == [1]
    assert rtp.analyse(packets, packets.protocol == 6) == []
    assert rtp.analyse(load([])) == []
