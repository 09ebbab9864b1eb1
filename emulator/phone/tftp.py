"""TFTP as a phone that reads one file (RFC 1350, octet, no options: assumed). Datagrams and times in, datagrams out."""

from __future__ import annotations

import struct
from typing import Final, Literal

BLOCK_BYTES: Final = 512
TIMEOUT_S: Final = 1.0
"""Until the last packet is sent again (assumed)."""
SENDINGS: Final = 4
"""Of one packet, then the server is given up (assumed)."""
_RRQ, _DATA, _ACK, _ERROR = 1, 3, 4, 5
_NOT_FOUND: Final = 1
_UNKNOWN_TRANSFER: Final = 5

Outcome = Literal["read", "not_found", "garbled", "unreachable", "timed_out"]


class Reading:
    """One file on its way here."""

    def __init__(self, name: str, *, now: float, most_bytes: int) -> None:
        """Begin; `packet` is what to send to the server's port.

        Args:
            name: file name, ASCII.
            now: seconds of any clock that only goes forward.
            most_bytes: a longer file is given up as garbled.
        """
        self.packet = struct.pack("!H", _RRQ) + name.encode("ascii") + b"\0octet\0"
        self.due = now + TIMEOUT_S
        """When to ask `late`."""
        self.outcome: Outcome | None = None
        """None while it goes on."""
        self.peer: int | None = None
        """The server's port of this transfer, once it has answered."""
        self._content = bytearray()
        self._block = 0
        self._sendings = 1
        self._most = most_bytes

    @property
    def content(self) -> bytes:
        """What has come."""
        return bytes(self._content)

    def received(self, data: bytes, port: int, now: float) -> bytes | None:
        """What to send back to that port now that this came from it; None: nothing."""
        if self.peer is not None and port != self.peer:
            return struct.pack("!HH", _ERROR, _UNKNOWN_TRANSFER) + b"unknown transfer\0"  # RFC 1350, 4
        if self.outcome is not None or len(data) < 4:
            return None
        kind, number = struct.unpack_from("!HH", data)
        if kind == _ERROR:
            self.outcome = "not_found" if number == _NOT_FOUND else "garbled"
            return None
        if kind != _DATA or len(data) > BLOCK_BYTES + 4 or (self.peer is None and number != 1):
            self.outcome = "garbled"
            return None
        self.peer = port
        if number == self._block + 1 & 0xFFFF:
            self._block = number
            self._content += data[4:]
            self._sendings = 1
            self.due = now + TIMEOUT_S
            if len(self._content) > self._most:
                self.outcome = "garbled"
                return None
            if len(data) < BLOCK_BYTES + 4:
                self.outcome = "read"
        elif number != self._block:
            return None  # neither the next block nor the last one again
        self.packet = struct.pack("!HH", _ACK, number)
        return self.packet

    def late(self, now: float) -> bytes | None:
        """The last packet again when `due` has come; None: the server is given up."""
        if self._sendings >= SENDINGS:
            self.outcome = "timed_out"
            return None
        self._sendings += 1
        self.due = now + TIMEOUT_S
        return self.packet
