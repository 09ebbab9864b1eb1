"""RTP streams: what arrived of each, by columns.

Theory of operation. A stream is one (source address and port, destination address and port, SSRC). Packets are sorted
once by (stream, arrival): 40 bits of a hash of the five and 24 bits of the row number make one 64 bit key, so that a
plain sort of numbers does it; that no two streams fell together is checked afterwards, and a full sort takes over if
they did. Everything else is arithmetic on neighbours:

* Sequence numbers are unwrapped by the signed 16 bit difference to the packet before, so a wrap costs nothing and a
  late packet counts backwards (RFC 3550 appendix A.1 without its probation).
* Interarrival jitter J += (|D| - J)/16 (RFC 3550 section 6.4.1) is a geometric sum of |D|. It is summed by doubling
  the distance ten times; what is older than 1024 packets weighs (15/16)^1024 = 2e-29, below a double's precision.
* The payload's CRC-32 runs over the payloads in sequence order, each sequence number once.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.capture.reader import PAYLOAD_BYTES, RTP_HEADER_BYTES, UDP, Packets, address

SAMPLES_PER_PACKET = 160
NS_PER_SAMPLE = 125_000
"""G.711 at 8,000 Hz (RFC 3551 section 4.5.14)."""

_JITTER_KEEP = 15 / 16
_JITTER_DOUBLINGS = 10
_ROW_BITS = 24
_ROW_MASK = np.uint64((1 << _ROW_BITS) - 1)

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """What the wire saw of one stream.

    Attributes:
        source: IPv4 address as a number; `source_text` is "10.20.128.10:40000".
        source_port: UDP port.
        destination: IPv4 address as a number; `destination_address` is "10.20.0.1".
        destination_port: UDP port.
        ssrc: RTP synchronisation source.
        packets: all that arrived, duplicates included.
        expected: highest - lowest sequence number + 1, unwrapped.
        lost: expected sequence numbers that never arrived. Packets missing before the first or behind the last that
            arrived cannot be seen here: compare with what was sent.
        duplicates: packets whose sequence number had arrived before.
        reordered: packets, duplicates not counted, that came after one with a higher sequence number (RFC 4737).
        jitter_ms: RFC 3550 interarrival jitter after the last packet.
        jitter_max_ms: its highest value.
        gap_ms: longest time between two packets that followed each other, 0 for one packet.
        first_t_ns: arrival of the first packet, CLOCK_MONOTONIC.
        last_t_ns: arrival of the last packet.
        first_sequence: sequence number of the packet that arrived first.
        last_sequence: of the packet that arrived last.
        lowest_sequence: where the stream begins in sequence order (16 bits).
        first_timestamp: RTP timestamp of the packet that arrived first.
        last_timestamp: of the packet that arrived last.
        malformed: packets with any of the next three.
        wrong_version: RTP version is not 2 (0 where the packet is too short to be RTP).
        wrong_payload_type: not 0.
        wrong_size: payload is not 160 bytes, or not all of it was captured.
        wrong_steps: packets whose timestamp differs from the packet's before by other than 160 for each step of the
            sequence number.
        clock_slope: arrival time against RTP time, least squares; 1.0 is a true 8,000 Hz. None with fewer than two
            different timestamps.
        crc32: CRC-32 of the 160 byte payloads in sequence order, each sequence number once (its first arrival),
            8 hex digits.
        rows: the stream's rows in the packets analysed, in order of arrival, int64.
    """

    source: int
    source_port: int
    destination: int
    destination_port: int
    ssrc: int
    packets: int
    expected: int
    lost: int
    duplicates: int
    reordered: int
    jitter_ms: float
    jitter_max_ms: float
    gap_ms: float
    first_t_ns: int
    last_t_ns: int
    first_sequence: int
    last_sequence: int
    lowest_sequence: int
    first_timestamp: int
    last_timestamp: int
    malformed: int
    wrong_version: int
    wrong_payload_type: int
    wrong_size: int
    wrong_steps: int
    clock_slope: float | None
    crc32: str
    rows: Rows = field(repr=False, compare=False)

    @property
    def source_address(self) -> str:
        """Dotted form of `source`."""
        return address(self.source)

    @property
    def destination_address(self) -> str:
        """Dotted form of `destination`."""
        return address(self.destination)

    @property
    def source_text(self) -> str:
        """"address:port", as the records of the other witnesses have it."""
        return f"{self.source_address}:{self.source_port}"

    @property
    def destination_text(self) -> str:
        """"address:port", as the records of the other witnesses have it."""
        return f"{self.destination_address}:{self.destination_port}"


def analyse(packets: Packets, rows: npt.NDArray[Any] | None = None) -> list[Stream]:
    """Finds the streams and what arrived of each.

    Args:
        packets: of a capture, in time order.
        rows: mask (n,) or row numbers in time order: which packets to take, for example without canaries. Only UDP
            packets are taken in any case, and each of those belongs to exactly one stream.

    Returns:
        The streams in the order in which their first packets arrived.
    """
    raise NotImplementedError
