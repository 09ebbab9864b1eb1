"""A phone reads one file by TFTP."""

import struct

import pytest

from emulator.phone.tftp import SENDINGS, Reading


def data(number: int, content: bytes) -> bytes:
    return struct.pack("!HH", 3, number) + content


def reading(most_bytes: int = 10_000) -> Reading:
    return Reading("SEP001BD4000001.cnf.xml", now=0.0, most_bytes=most_bytes)


def test_a_file_of_two_blocks():
    one = reading()
    assert one.packet == b"\0\1SEP001BD4000001.cnf.xml\0octet\0"
    assert one.received(data(1, b"a" * 512), 4711, 0.1) == b"\0\4\0\1"
    assert one.outcome is None
    assert one.received(data(2, b"b"), 4711, 0.2) == b"\0\4\0\2"
    assert (one.outcome, one.content) == ("read", b"a" * 512 + b"b")


def test_a_block_that_comes_twice_counts_once_and_is_acknowledged_again():
    one = reading()
    one.received(data(1, b"a" * 512), 4711, 0.1)
    assert one.received(data(1, b"a" * 512), 4711, 0.2) == b"\0\4\0\1"
    one.received(data(2, b""), 4711, 0.3)
    assert one.content == b"a" * 512


def test_another_port_is_told_that_it_is_not_meant():
    one = reading()
    one.received(data(1, b"a" * 512), 4711, 0.1)
    assert one.received(data(2, b"evil"), 4712, 0.2) == b"\0\5\0\5unknown transfer\0"
    one.received(data(2, b"b"), 4711, 0.3)
    assert one.content == b"a" * 512 + b"b"


@pytest.mark.parametrize(
    ("packet", "outcome"),
    [
        (b"\0\5\0\1File not found\0", "not_found"),
        (b"\0\5\0\2no\0", "garbled"),
        (data(2, b"x"), "garbled"),
        (data(1, b"x" * 513), "garbled"),
        (b"\0\6blksize\0512\0", "garbled"),
    ],
)
def test_what_ends_it(packet: bytes, outcome: str):
    one = reading()
    assert one.received(packet, 4711, 0.1) is None
    assert one.outcome == outcome


def test_a_datagram_that_is_too_short_is_nothing():
    one = reading()
    assert one.received(b"\0\3", 4711, 0.1) is None
    assert one.outcome is None


def test_a_file_beyond_the_limit_is_given_up():
    one = reading(most_bytes=600)
    one.received(data(1, b"a" * 512), 4711, 0.1)
    assert one.received(data(2, b"a" * 512), 4711, 0.2) is None
    assert one.outcome == "garbled"


def test_silence():
    one = reading()
    for _ in range(SENDINGS - 1):
        assert one.late(one.due) == one.packet
    assert one.late(one.due) is None
    assert one.outcome == "timed_out"
