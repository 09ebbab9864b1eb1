from __future__ import annotations

import struct
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.rtp import Numbering, header


def test_header_is_that_of_rfc_3550():
    assert (
        header(marker=True, sequence=0x0102, timestamp=0x03040506, ssrc=0x0708090A).hex()
        == "8080" + "0102030405060708090a"
    )
    assert header(marker=False, sequence=0, timestamp=0, ssrc=0)[:2] == b"\x80\x00"


@given(st.sampled_from([0, 1]), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_header_is_read_back(marker: int, sequence: int, timestamp: int, ssrc: int):
    data = header(marker=bool(marker), sequence=sequence, timestamp=timestamp, ssrc=ssrc)
    first, second, *rest = struct.unpack("!BBHII", data)
    assert (first >> 6, first & 0x3F, second >> 7, second & 0x7F) == (2, 0, marker, 0)
    assert rest == [sequence, timestamp, ssrc]


def test_numbers_wrap():
    numbering = Numbering(ssrc=1, sequence=0xFFFE, timestamp=2**32 - 160)
    assert [numbering.sequence_after(packets) for packets in range(4)] == [0xFFFE, 0xFFFF, 0, 1]
    assert [numbering.timestamp_at(frame) for frame in range(3)] == [2**32 - 160, 0, 160]


def test_a_seed_repeats_the_numbers_and_streams_differ():
    random = Random(7)
    first, second = Numbering.draw(random), Numbering.draw(random)
    assert first == Numbering.draw(Random(7))
    assert len({first.ssrc, second.ssrc}) == 2
    assert 0 <= first.ssrc < 2**32
    assert 0 <= first.sequence < 2**16
    assert 0 <= first.timestamp < 2**32
