from __future__ import annotations

import gzip
import struct
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture import pcap


def padded(content: bytes) -> np.ndarray:
    return np.frombuffer(content + bytes(pcap.PADDING_BYTES), np.uint8)


# Runs of one length between single odd ones: both ways of walking are used.
lengths = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from([1, 1, 1, 2, 7, 9, 70, 300])), min_size=0, max_size=12
).map(lambda runs: [length for length, count in runs for _ in range(count)])


@given(lengths)
def test_walk_finds_what_a_loop_finds(sizes: list[int]):
    content = b"".join(struct.pack("<IIII", 1, 2, size, size) + bytes([n % 256]) * size for n, size in enumerate(sizes))
    found = pcap.records(padded(pcap.file_header() + content))
    expected, position = [], 24
    for size in sizes:
        expected.append(position + 16)
        position += 16 + size
    assert found.offset.tolist() == expected
    assert found.captured.tolist() == sizes
    assert found.problem is None


@given(lengths, st.randoms(use_true_random=False))
def test_packing_frames_and_reading_them_again_gives_the_same(sizes: list[int], random: Random):
    frames = [random.randbytes(size) for size in sizes]
    spool = b"".join(frames)
    starts = np.cumsum([0, *sizes])[:-1].astype(np.int64) if sizes else np.zeros(0, np.int64)
    order = list(range(len(frames)))
    random.shuffle(order)
    captured = np.array(sizes, np.int64)[order] if sizes else np.zeros(0, np.int64)
    times = np.array([10**18 + n for n in order], np.int64)
    raw = padded(spool)
    packed = pcap.pack(raw, starts[order] if sizes else starts, captured, captured + 5, times)
    again = padded(pcap.file_header() + packed.tobytes())
    found = pcap.records(again)
    assert [again[o : o + c].tobytes() for o, c in zip(found.offset, found.captured, strict=True)] == [
        frames[n] for n in order
    ]
    assert found.realtime_ns.tolist() == times.tolist()
    assert (found.length - found.captured == 5).all()


def test_microseconds_are_read_as_tcpdump_writes_them():
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    found = pcap.records(padded(header + struct.pack("<IIII", 3, 999_999, 2, 60) + b"ab"))
    assert found.realtime_ns.tolist() == [3_999_999_000]
    assert found.length.tolist() == [60]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are not a pcap file"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "0x0a0d0d0a"),
        (struct.pack(">IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1, 1), "not a little-endian pcap"),
        (struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1, 105), "link type is 105"),
    ],
)
def test_another_kind_of_file_is_named(content: bytes, message: str):
    with pytest.raises(pcap.CaptureError, match=message):
        pcap.records(padded(content))


@given(st.integers(1, 200))
def test_a_file_cut_anywhere_keeps_its_whole_records(cut: int):
    record = struct.pack("<IIII", 1, 2, 60, 60) + bytes(60)
    content = pcap.file_header() + record * 5
    found = pcap.records(padded(content[:-cut]))
    assert len(found.offset) == 5 - -(-cut // 76)
    assert (found.problem is None) == (cut % 76 == 0)


def test_a_member_behind_another_is_read_too(tmp_path: Path):
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(b"one ") + gzip.compress(b"two"))
    raw, problem = pcap.unpack(path)
    assert (raw[: -pcap.PADDING_BYTES].tobytes(), problem) == (b"one two", None)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(pcap.CaptureError, match=r"none\.pcap: cannot be read: No such file"):
        pcap.unpack(tmp_path / "none.pcap")
