"""What the gateway and its pacer process say to each other: length-prefixed JSON, with a payload where there is one.

    4 bytes length of the JSON text | 4 bytes length of the payload | JSON object | payload

Both lengths are big endian. The channel is a socket pair between two processes of this program, so a length beyond its
limit is a bug or a torn stream, never a peer to be patient with.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

MAX_TEXT_BYTES = 8 << 20
"""50,000 phones in one command need about 3 MB."""
MAX_PAYLOAD_BYTES = 8 << 20
"""Ten minutes of audio are 4.8 MB."""

_LENGTHS = struct.Struct("!II")

Message = dict[str, Any]


def encode(message: Message, payload: bytes = b"") -> bytes:
    """Return the bytes of one message."""
    text = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(text), len(payload)) + text + payload


class Decoder:
    """Reads messages from bytes in pieces of any size."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Message, bytes]]:
        """Take bytes; yield each message that is now whole, with its payload.

        Raises:
            ValueError: A length is beyond its limit, or the text is no JSON object.
        """
        self._bytes += data
        while len(self._bytes) >= _LENGTHS.size:
            text_bytes, payload_bytes = _LENGTHS.unpack_from(self._bytes)
            if text_bytes > MAX_TEXT_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
                raise ValueError(f"message of {text_bytes} + {payload_bytes} bytes is beyond the limits")
            text_end = _LENGTHS.size + text_bytes
            end = text_end + payload_bytes
            if len(self._bytes) < end:
                return
            message = json.loads(self._bytes[_LENGTHS.size : text_end])
            if not isinstance(message, dict):
                raise ValueError(  # noqa: TRY004 - bad bytes, as the other limits: not a caller's wrong type
                    f"message is a {type(message).__name__}, not an object"
                )
            payload = bytes(self._bytes[text_end:end])
            del self._bytes[:end]
            yield message, payload
