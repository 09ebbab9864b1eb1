"""RTP packets: header of 12 bytes, then one frame.

Sources: RFC 3550, 5.1 (fields; sequence number and timestamp start at random values and wrap), RFC 3551, 4.1 (marker
on the first packet after silence), table 4 (PCMU is payload type 0, 8,000 Hz).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random

VERSION = 2
PAYLOAD_TYPE_PCMU = 0
HEADER_BYTES = 12
TIMESTAMP_STEP = 160

_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbering:
    """The random numbers that a stream begins with."""

    ssrc: int
    sequence: int
    timestamp: int

    @classmethod
    def draw(cls, random: Random) -> Numbering:
        """Draw all three (RFC 3550, 5.1 and 8.1)."""
        return cls(ssrc=random.getrandbits(32), sequence=random.getrandbits(16), timestamp=random.getrandbits(32))

    def sequence_after(self, packets: int) -> int:
        """Return the sequence number of the packet that follows `packets` others."""
        return (self.sequence + packets) & 0xFFFF

    def timestamp_at(self, frame: int) -> int:
        """Return the timestamp of a frame, counted from the audio's first."""
        return (self.timestamp + frame * TIMESTAMP_STEP) & 0xFFFFFFFF


def header(*, marker: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """Return the header of one packet: no padding, no extension, no contributing sources."""
    return _HEADER.pack(VERSION << 6, marker << 7 | PAYLOAD_TYPE_PCMU, sequence, timestamp, ssrc)
