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

from harness.capture.pcap import rows_of
from harness.capture.quality import mean_opinion_score
from harness.capture.reader import PAYLOAD_BYTES, UDP, Packets, address

SAMPLES_PER_PACKET = 160
NS_PER_SAMPLE = 125_000
"""G.711 at 8,000 Hz (RFC 3551 section 4.5.14)."""

BUNCHED_MS = 5
"""A quarter of the spacing: a paced packet is hardly ever that close behind the one before (assumed)."""

_JITTER_KEEP = 15 / 16
_JITTER_DOUBLINGS = 10
_ROW_BITS = 24
_ROW_MASK = np.uint64((1 << _ROW_BITS) - 1)
_MIX_A = np.uint64(0x9E3779B97F4A7C15)
_MIX_B = np.uint64(0xC2B2AE3D27D4EB4F)
_CRC_PACKETS = 1024

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
        jitter_mean_ms: mean of its values after each packet but the first, 0 for one packet.
        jitter_max_ms: its highest value.
        bunched: packets that came less than `BUNCHED_MS` after the one before: sent in bursts, not paced.
        loss_bursts: runs of neighbouring sequence numbers that never arrived; lost / loss_bursts is their mean length.
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
    jitter_mean_ms: float
    jitter_max_ms: float
    bunched: int
    loss_bursts: int
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
    def mos(self) -> float:
        """Mean opinion score of its losses by the E-model, 1.0 to 4.41 (`harness.capture.quality`)."""
        return mean_opinion_score(self.lost, self.expected, self.loss_bursts)

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
        """ "address:port", as the records of the other witnesses have it."""
        return f"{self.source_address}:{self.source_port}"

    @property
    def destination_text(self) -> str:
        """ "address:port", as the records of the other witnesses have it."""
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
    taken = np.flatnonzero(packets.protocol == UDP)
    if rows is not None:
        wanted = np.zeros(len(packets), bool)
        wanted[rows] = True
        taken = taken[wanted[taken]]
    if not len(taken):
        return []
    order, starts = _by_stream(packets, taken)
    return _rows(packets, order, starts)


def _by_stream(packets: Packets, taken: Rows) -> tuple[Rows, Rows]:
    """Sorts by (stream, arrival): the rows in that order, and where each stream begins."""
    wide = np.uint64
    ends = packets.source[taken].astype(wide) << wide(32) | packets.destination[taken]
    rest = packets.source_port[taken].astype(wide) << wide(48) | packets.ssrc[taken]
    rest |= packets.destination_port[taken].astype(wide) << wide(32)
    if len(taken) <= _ROW_MASK:
        mixed = (ends * _MIX_A) ^ (rest * _MIX_B)
        mixed ^= mixed >> wide(29)
        keys = np.sort((mixed * _MIX_A & ~_ROW_MASK) | np.arange(len(taken), dtype=wide))
        order = (keys & _ROW_MASK).astype(np.int64)
        borders = _borders(ends[order], rest[order])
        hashes = keys >> wide(_ROW_BITS)
        if np.array_equal(borders, hashes[1:] != hashes[:-1]):
            return taken[order], np.append(0, np.flatnonzero(borders) + 1)
    # Too many rows for the key, or two streams with one hash.
    order = np.lexsort((rest, ends))
    return taken[order], np.append(0, np.flatnonzero(_borders(ends[order], rest[order])) + 1)


def _borders(ends: npt.NDArray[np.uint64], rest: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    borders: npt.NDArray[np.bool_] = (ends[1:] != ends[:-1]) | (rest[1:] != rest[:-1])
    return borders


def _rows(packets: Packets, order: Rows, starts: Rows) -> list[Stream]:
    counts = np.diff(starts, append=len(order))
    lasts = starts + counts - 1
    group = np.repeat(np.arange(len(starts)), counts)
    t_ns, sequence, timestamp = packets.t_ns[order], packets.sequence[order], packets.timestamp[order]

    steps = _differences(sequence, starts, np.int16)
    samples = _differences(timestamp, starts, np.int32)
    waits = _differences(t_ns, starts, np.int64)
    unwrapped = _sums(steps, starts, counts)
    lowest, highest = np.minimum.reduceat(unwrapped, starts), np.maximum.reduceat(unwrapped, starts)
    expected = highest - lowest + 1
    by_sequence, fresh, reordered = _sequence_order(unwrapped, steps, group, starts)
    distinct = np.add.reduceat(fresh.astype(np.int64), starts)
    jitter = _jitter_ns(np.abs(waits - samples * NS_PER_SAMPLE), starts, counts)
    slope = _slopes(_sums(samples, starts, counts) * NS_PER_SAMPLE, _sums(waits, starts, counts), starts, group)

    bunched = waits < BUNCHED_MS * 1_000_000
    bunched[starts] = False
    holes = np.zeros(len(order), bool)
    holes[1:] = np.diff(unwrapped[by_sequence]) > 1
    holes[starts] = False  # sequence order keeps streams apart

    wrong_version = packets.version[order] != 2
    wrong_type = packets.payload_type[order] != 0
    wrong_size = packets.payload_offset[order] < 0
    crc32 = _payload_crc32(packets, order[by_sequence], fresh[by_sequence], starts)

    def total(flags: npt.NDArray[np.bool_]) -> list[int]:
        return list(np.add.reduceat(flags.astype(np.int64), starts).tolist())

    heads, tails = order[starts], order[lasts]
    columns: dict[str, list[Any]] = {
        "source": packets.source[heads].tolist(),
        "source_port": packets.source_port[heads].tolist(),
        "destination": packets.destination[heads].tolist(),
        "destination_port": packets.destination_port[heads].tolist(),
        "ssrc": packets.ssrc[heads].tolist(),
        "packets": counts.tolist(),
        "expected": expected.tolist(),
        "lost": (expected - distinct).tolist(),
        "duplicates": (counts - distinct).tolist(),
        "reordered": total(reordered),
        "jitter_ms": (jitter[lasts] / 1e6).tolist(),
        "jitter_mean_ms": (np.add.reduceat(jitter, starts) / np.maximum(counts - 1, 1) / 1e6).tolist(),
        "jitter_max_ms": (np.maximum.reduceat(jitter, starts) / 1e6).tolist(),
        "bunched": total(bunched),
        "loss_bursts": total(holes),
        "gap_ms": (np.maximum.reduceat(waits, starts) / 1e6).tolist(),
        "first_t_ns": t_ns[starts].tolist(),
        "last_t_ns": t_ns[lasts].tolist(),
        "first_sequence": packets.sequence[heads].tolist(),
        "last_sequence": packets.sequence[tails].tolist(),
        "lowest_sequence": ((packets.sequence[heads] + lowest) & 0xFFFF).tolist(),
        "first_timestamp": packets.timestamp[heads].tolist(),
        "last_timestamp": packets.timestamp[tails].tolist(),
        "malformed": total(wrong_version | wrong_type | wrong_size),
        "wrong_version": total(wrong_version),
        "wrong_payload_type": total(wrong_type),
        "wrong_size": total(wrong_size),
        "wrong_steps": total(samples != steps * SAMPLES_PER_PACKET),
        "clock_slope": [None if value != value else value for value in slope.tolist()],  # noqa: PLR0124 - NaN
        "crc32": crc32,
        "rows": np.split(order, starts[1:]),
    }
    by_arrival = np.argsort(heads, kind="stable").tolist()
    names = list(columns)
    rows = list(zip(*columns.values(), strict=True))
    return [Stream(**dict(zip(names, rows[index], strict=True))) for index in by_arrival]


def _differences(values: npt.NDArray[Any], starts: Rows, signed: type[np.signedinteger[Any]]) -> Rows:
    """To the packet before in the same stream, 0 for the first; wrapped counters as the shorter way round."""
    out = np.zeros(len(values), np.int64)
    out[1:] = (values[1:] - values[:-1]).astype(signed)
    out[starts] = 0
    return out


def _sums(steps: Rows, starts: Rows, counts: Rows) -> Rows:
    """Sum of the steps from the stream's first packet on."""
    sums = np.cumsum(steps)
    return sums - np.repeat(sums[starts], counts)


def _sequence_order(
    unwrapped: Rows, steps: Rows, group: Rows, starts: Rows
) -> tuple[Rows, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Looks closely at streams whose sequence numbers do not only rise.

    Returns:
        Positions in (stream, sequence number) order; which packets bring a new sequence number; which are reordered.
    """
    fresh = np.ones(len(unwrapped), bool)
    reordered = np.zeros(len(unwrapped), bool)
    by_sequence = np.arange(len(unwrapped))
    falling = steps <= 0
    falling[starts] = False
    if not falling.any():
        return by_sequence, fresh, reordered
    look = np.flatnonzero(np.logical_or.reduceat(falling, starts)[group])
    number, stream = unwrapped[look], group[look]
    order = np.lexsort((number, stream))
    again = np.zeros(len(look), bool)
    again[1:] = (np.diff(number[order]) == 0) & (np.diff(stream[order]) == 0)
    fresh[look[order]] = ~again
    # One rising line for all streams: each begins above all that the stream before can reach.
    floor = int(number.min())
    line = stream * (int(number.max()) - floor + 1) + (number - floor)
    reordered[look] = (line < np.maximum.accumulate(line)) & fresh[look]
    by_sequence[look] = look[order]
    return by_sequence, fresh, reordered


def _jitter_ns(differences: Rows, starts: Rows, counts: Rows) -> npt.NDArray[np.float64]:
    """RFC 3550 jitter after each packet. `differences` is |D|, 0 for a stream's first packet."""
    jitter = differences / 16.0
    place = np.arange(len(jitter)) - np.repeat(starts, counts)
    for doubling in range(_JITTER_DOUBLINGS):
        distance = 1 << doubling
        if distance >= counts.max():
            break
        older = jitter[:-distance] * _JITTER_KEEP**distance
        older *= place[distance:] >= distance
        jitter[distance:] += older
    return jitter


def _slopes(rtp_ns: Rows, arrival_ns: Rows, starts: Rows, group: Rows) -> npt.NDArray[np.float64]:
    """Least squares slope of arrival over RTP time for each stream, NaN where all timestamps are one."""
    counts = np.diff(starts, append=len(group))
    x = rtp_ns - (np.add.reduceat(rtp_ns, starts) / counts)[group]
    y = arrival_ns - (np.add.reduceat(arrival_ns, starts) / counts)[group]
    spread = np.add.reduceat(x * x, starts)
    slopes = np.full(len(starts), np.nan)
    np.divide(np.add.reduceat(x * y, starts), spread, out=slopes, where=spread > 0)
    return slopes


def _payload_crc32(packets: Packets, rows: Rows, fresh: npt.NDArray[np.bool_], starts: Rows) -> list[str]:
    """CRC-32 over the payloads of each stream; rows in sequence order, only fresh ones of the right size."""
    offsets = packets.payload_offset[rows]
    use = fresh & (offsets >= 0)
    found = []
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
        wanted = offsets[begin:end][use[begin:end]]
        crc = 0
        # A piece at a time stays in the processor's cache between copying and summing.
        for piece in range(0, len(wanted), _CRC_PACKETS):
            crc = zlib.crc32(rows_of(packets.raw, wanted[piece : piece + _CRC_PACKETS], PAYLOAD_BYTES).data, crc)
        found.append(f"{crc:08x}")
    return found
