"""What a phone hears."""

from random import Random
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from emulator.phone.stream import STREAMS, Period, Stream

SOURCE = 0x0A148_00A
SOURCE_TEXT = "10.20.128.10"
MS = 1_000_000


def period() -> Period:
    return Period(push="p", source=SOURCE_TEXT, port=32674, since_ns=0)


def hear(listening: Period, index: int, *, t_ms: float | None = None, base: int = 0, source: int | None = None,
         ssrc: int = 7, size: int = 172, first: int = 0x80, second: int = 0) -> bytes:  # fmt: skip
    payload = (index.to_bytes(2, "big", signed=False) * 80)[: max(0, size - 12)]
    listening.hear(
        int((index * 20 if t_ms is None else t_ms) * MS) + 1000,
        listening.source_number if source is None else source,
        5004, size, first, second, (base + index) & 0xFFFF, ((base + index) * 160) & 0xFFFFFFFF, ssrc, payload,
    )  # fmt: skip
    return payload


def only(listening: Period) -> Stream:
    (stream,) = listening.streams.values()
    return stream


def test_a_clean_stream_across_the_wrap():
    listening = period()
    crc = 0
    for index in range(100):
        crc = crc32(hear(listening, index, base=65500), crc)
    stream = only(listening)
    assert (stream.packets, stream.lost, stream.duplicates, stream.reordered, stream.malformed) == (100, 0, 0, 0, 0)
    assert (stream.first_sequence, stream.last_sequence) == (65500, (65500 + 99) & 0xFFFF)
    assert (stream.jitter_ms, stream.gap_ns, stream.crc, stream.foreign) == (0.0, 20 * MS, crc, False)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=80), st.sampled_from([0, 1000, 65510]))
def test_counts_are_those_of_a_plain_count(order: list[int], base: int) -> None:
    listening = period()
    heard: list[int] = []
    crc = duplicates = 0
    for position, index in enumerate(order):
        payload = hear(listening, index, t_ms=position * 20, base=base)
        if index in heard:
            duplicates += 1
        else:
            crc = crc32(payload, crc)
            heard.append(index)
    stream = only(listening)
    late = sum(index < max(heard[:position]) for position, index in enumerate(heard) if position)
    assert stream.packets == len(order)
    assert stream.duplicates == duplicates
    assert stream.reordered == late
    assert stream.lost == max(heard) - min(heard) + 1 - len(heard)
    assert stream.crc == crc
    assert stream.first_sequence == (base + min(heard)) & 0xFFFF
    assert stream.last_sequence == (base + max(heard)) & 0xFFFF


def test_jitter_is_that_of_rfc_3550():
    listening = period()
    expected = 0.0
    for index in range(200):
        late = 5 if index % 2 else 0
        hear(listening, index, t_ms=index * 20 + late)
        if index:
            expected += (5 - expected) / 16
    assert abs(only(listening).jitter_ms - expected) < 1e-6
    for index in range(200, 400):
        hear(listening, index, t_ms=index * 20)
    assert only(listening).jitter_ms < 0.1
    assert only(listening).most_jitter_ms >= expected - 1e-6


def test_malformed_and_foreign_packets_are_named():
    listening = period()
    hear(listening, 0)
    hear(listening, 1, second=8)
    hear(listening, 2, size=92)
    hear(listening, 3, second=0x80)
    hear(listening, 0, first=0, size=4, ssrc=0)
    hear(listening, 0, source=1, ssrc=9)
    own, garbage, foreign = listening.streams.values()
    assert (own.packets, own.malformed, own.foreign) == (4, 2, False)
    assert (garbage.packets, garbage.malformed, garbage.crc) == (1, 1, 0)
    assert (foreign.packets, foreign.foreign) == (1, True)


def test_a_gap_is_the_longest_silence():
    listening = period()
    for index, t_ms in enumerate([0, 20, 40, 240, 260]):
        hear(listening, index, t_ms=t_ms)
    assert only(listening).gap_ns == 200 * MS


def test_wild_sequence_numbers_cost_neither_memory_nor_time():
    listening = period()
    wild = Random(1)
    for step in [*(-20_000, 2_999) * 50, *(wild.randrange(-3_000, 3_000) for _ in range(500))]:
        sequence = (only(listening).last_sequence if listening.streams else 0) + step
        hear(listening, sequence & 0xFFFF, t_ms=0)
        assert len(only(listening)._missing or ()) <= 3_000
    assert only(listening).packets == 600
    assert only(listening).lost >= 2_998 * 50


def test_random_ssrcs_cost_no_memory():
    listening = period()
    for ssrc in range(1000):
        hear(listening, 0, ssrc=ssrc)
    assert len(listening.streams) == STREAMS
    assert sum(stream.packets for stream in listening.streams.values()) == 1000
