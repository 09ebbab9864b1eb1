from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.channel import MAX_PAYLOAD_BYTES, Decoder, Message, encode

MESSAGES = st.lists(
    st.tuples(st.dictionaries(st.text(), st.integers() | st.text()), st.binary(max_size=300)), max_size=5
)


@given(MESSAGES, st.integers(1, 50))
def test_messages_come_back_whatever_the_pieces(messages: list[tuple[Message, bytes]], size: int):
    data = b"".join(encode(message, payload) for message, payload in messages)
    decoder = Decoder()
    read = [each for at in range(0, len(data), size) for each in decoder.feed(data[at : at + size])]
    assert read == messages


def test_one_byte_at_a_time():
    decoder = Decoder()
    data = encode({"a": 1}, b"xy")
    assert [list(decoder.feed(bytes([byte]))) for byte in data[:-1]] == [[]] * (len(data) - 1)
    assert list(decoder.feed(data[-1:])) == [({"a": 1}, b"xy")]


@pytest.mark.parametrize(
    "data", [b"\xff" * 8, (0).to_bytes(4) + (MAX_PAYLOAD_BYTES + 1).to_bytes(4), (2).to_bytes(4) + bytes(4) + b"[]"]
)
def test_lengths_beyond_the_limit_and_other_json_are_refused(data: bytes):
    with pytest.raises(ValueError, match="message"):
        list(Decoder().feed(data))
