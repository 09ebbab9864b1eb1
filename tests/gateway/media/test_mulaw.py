"""mu-law against a second encoder, walked through the tables of G.711 step by step."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from gateway.media.mulaw import SILENCE, encode

# G.711, table 2a: decision values x of the positive values in its 14 bit steps. Interval 0 is [0, 1); then 15 more of
# size 2 up to 31, and seven segments of sixteen intervals whose size doubles, up to 8159.
DECISIONS = [0, 1]
for _size, _end in ((2, 31), (4, 95), (8, 223), (16, 479), (32, 991), (64, 2015), (128, 4063), (256, 8159)):
    while DECISIONS[-1] < _end:
        DECISIONS.append(DECISIONS[-1] + _size)
DECISIONS.pop()  # 8159 ends the last interval, it begins none
VALUES = [0] + [(low + high) // 2 for low, high in zip(DECISIONS[1:], [*DECISIONS[2:], 8159], strict=True)]


def reference(sample: int) -> int:
    interval = bisect_right(DECISIONS, abs(sample) / 4) - 1
    return (0x7F if sample < 0 else 0xFF) - interval


def test_tables_of_g711_have_128_intervals_and_its_quantised_values():
    assert len(DECISIONS) == 128
    assert DECISIONS[16:19] == [31, 35, 39]
    assert VALUES[:3] == [0, 2, 4]
    assert VALUES[127] == 8031  # table 2a, the value of character 0x80


def test_every_sample_is_encoded_as_the_reference_does():
    samples = np.arange(-32_768, 32_768, dtype=np.int16)
    assert encode(samples) == bytes(reference(int(sample)) for sample in samples)


def test_each_character_comes_back_from_its_own_value():
    values = np.array([4 * value for value in VALUES], dtype=np.int16)
    assert encode(values) == bytes(range(0xFF, 0x7F, -1))
    assert encode(-values)[1:] == bytes(range(0x7E, -1, -1))


def test_silence_is_the_character_of_zero():
    assert encode(np.zeros(3, dtype=np.int16)) == bytes([SILENCE] * 3)
