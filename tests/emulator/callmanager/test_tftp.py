"""TFTP's server side, packet by packet, and against the phone's own side over a network that loses and doubles."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.callmanager.tftp import (
    BLKSIZE_MAX,
    REQUEST_BYTES,
    SENDINGS,
    ReadRequest,
    Refusal,
    Transfer,
    netascii,
    read_request,
)
from emulator.phone import tftp as phone

FILE = bytes(range(256)) * 5


def rrq(*fields: str) -> bytes:
    return b"\0\1" + b"".join(field.encode() + b"\0" for field in fields)


def ack(number: int) -> bytes:
    return struct.pack("!HH", 4, number)


def transfer(content: bytes = FILE, *, mode: str = "octet", options: dict[bytes, bytes] | None = None) -> Transfer:
    return Transfer(ReadRequest(name="f", netascii=mode == "netascii", options=options or {}), content, now=0.0)


def test_requests():
    assert read_request(rrq("SEP1.cnf.xml", "OCTET")) == ReadRequest(name="SEP1.cnf.xml", netascii=False)
    assert read_request(rrq("f", "netascii")) == ReadRequest(name="f", netascii=True)
    asked = read_request(rrq("f", "octet", "BLKSIZE", "1428", "tsize", "0"))
    assert asked == ReadRequest(name="f", netascii=False, options={b"blksize": b"1428", b"tsize": b"0"})


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\0\2f\0octet\0", 2),
        (rrq("f", "mail"), 4),
        (b"\0\1f\0octet", 4),
        (b"\0\1f\0", 4),
        (rrq("f", "octet", "blksize"), 8),
    ],
)
def test_requests_that_cannot_be_served_get_an_error(data: bytes, code: int):
    refusal = read_request(data)
    assert isinstance(refusal, Refusal)
    assert refusal.data[:4] == struct.pack("!HH", 5, code)
    assert refusal.data.endswith(b"\0")


@pytest.mark.parametrize("data", [b"", b"\0", ack(1), b"\0\3\0\1x", b"\0\5\0\0\0", b"\0\1" + b"a" * REQUEST_BYTES])
def test_what_is_no_request_gets_no_answer(data: bytes):
    assert read_request(data) is None


@given(st.binary(max_size=600))
def test_no_datagram_breaks_the_reader(data: bytes):
    read_request(data)


def test_blocks_go_out_one_by_one_and_a_short_one_ends_it():
    sent = transfer(FILE)  # 1280 bytes
    assert sent.packet == b"\0\3\0\1" + FILE[:512]
    assert sent.received(ack(1), 0.1) == b"\0\3\0\2" + FILE[512:1024]
    assert sent.received(ack(2), 0.2) == b"\0\3\0\3" + FILE[1024:]
    assert not sent.done
    assert sent.received(ack(3), 0.3) is None
    assert sent.done


def test_a_file_of_whole_blocks_ends_with_an_empty_one():
    sent = transfer(b"x" * 512)
    assert sent.received(ack(1), 0.1) == b"\0\3\0\2"
    assert not sent.done
    sent.received(ack(2), 0.2)
    assert sent.done


def test_an_old_acknowledgement_is_not_answered():
    sent = transfer()
    sent.received(ack(1), 0.1)
    assert sent.received(ack(1), 0.2) is None
    assert sent.received(ack(7), 0.2) is None
    assert sent.received(ack(2), 0.3) is not None


def test_silence_is_answered_with_the_same_packet_and_then_with_nothing():
    sent = transfer()
    now = 0.0
    for _ in range(SENDINGS - 1):
        assert sent.due == now + 1.0
        now = sent.due
        assert sent.late(now) == sent.packet
    assert sent.late(sent.due) is None
    assert sent.failed
    assert not sent.done


def test_options_are_acknowledged_as_far_as_they_are_granted():
    options = {b"blksize": b"9000", b"tsize": b"0", b"timeout": b"3", b"windowsize": b"8", b"multicast": b""}
    sent = transfer(options=options)
    assert sent.packet == b"\0\6" + b"blksize\0%d\0" % BLKSIZE_MAX + b"tsize\0001280\0timeout\0003\0"
    assert sent.due == 3.0
    assert sent.received(ack(0), 1.0) == b"\0\3\0\1" + FILE
    assert sent.received(ack(1), 1.0) is None
    assert sent.done


@pytest.mark.parametrize(
    "options", [{b"blksize": b"7"}, {b"blksize": b"x"}, {b"timeout": b"0"}, {b"timeout": b"256"}, {b"tsize": b"9"}]
)
def test_options_out_of_range_are_left_out(options: dict[bytes, bytes]):
    assert transfer(options=options).packet[:4] == b"\0\3\0\1"


def test_anything_but_an_acknowledgement_ends_it():
    sent = transfer()
    assert sent.received(b"\0\3\0\1x", 0.1) == b"\0\5\0\4an acknowledgement is expected\0"
    assert sent.failed
    gone = transfer()
    assert gone.received(b"\0\5\0\3disk full\0", 0.1) is None
    assert gone.failed


def test_netascii_has_its_line_ends():
    assert netascii(b"a\nb\rc\r\n") == b"a\r\nb\r\0c\r\0\r\n"
    assert transfer(b"a\n", mode="netascii").packet == b"\0\3\0\1a\r\n"


@settings(max_examples=200, deadline=None)
@given(
    content=st.binary(max_size=2000) | st.integers(0, 6).map(lambda n: b"z" * (512 * n)),
    fates=st.lists(st.sampled_from(["there", "there", "there", "lost", "twice"]), max_size=40),
)
def test_a_phone_gets_exactly_the_file_over_any_network(content: bytes, fates: list[str]):
    """Lost and doubled packets in both directions: the file arrives whole, or both sides say that it did not."""
    reading = phone.Reading("f", now=0.0, most_bytes=10_000)
    assert isinstance(read_request(reading.packet), ReadRequest)
    sent = transfer(content)
    fate = iter(fates)

    def carried(packet: bytes | None) -> list[bytes]:
        return [] if packet is None else [packet] * {"lost": 0, "there": 1, "twice": 2}[next(fate, "there")]

    to_phone, to_server, now = carried(sent.packet), list[bytes](), 0.0
    for _ in range(500):
        if to_phone:
            to_server += carried(reading.received(to_phone.pop(0), 4711, now))
        elif to_server:
            to_phone += carried(sent.received(to_server.pop(0), now))
        elif reading.outcome is not None:
            break
        else:
            now = reading.due if sent.done or sent.failed else min(reading.due, sent.due)
            if now >= reading.due:
                again = reading.late(now)
                to_server += carried(again) if reading.peer else []  # a request again would be another transfer
            if now >= sent.due and not sent.failed and not sent.done:
                to_phone += carried(sent.late(now))
    if reading.outcome == "read":
        assert reading.content == content
    else:
        assert reading.outcome == "timed_out"
        assert not sent.done
