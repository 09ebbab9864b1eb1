"""What a listening phone hears: per source and SSRC the counts that RFC 3550 defines, and a checksum of the payloads.

Each packet of a page to thousands of phones comes through `Period.hear`, so its usual case (the next packet of the
stream heard last) is straight-line code on slots.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

PAYLOAD_BYTES: Final = 160
"""20 ms of G.711 (XSI-5: mu-law, 20 ms)."""
_RTP_HEADER_BYTES: Final = 12
_TICKS_PER_NS: Final = 8000 / 1e9
_HALF: Final = 1 << 15
_DROPOUT: Final = 3000
"""A jump further ahead is another start, not a loss (RFC 3550, A.1, MAX_DROPOUT)."""
_MISSING: Final = 3000
"""Sequence numbers remembered as missing per stream: a minute of silence. Beyond it the older half is given up."""
STREAMS: Final = 64
"""Streams told apart per listening period: an attacker with random SSRCs must not cost memory; further ones count as
one."""


class Stream:
    """One (source, SSRC) as heard. `packets` counts every packet, duplicates and malformed ones too."""

    __slots__ = (
        "_highest", "_lowest", "_missing", "crc", "duplicates", "first_t_ns", "first_timestamp", "foreign", "gap_ns",
        "jitter", "last_t_ns", "last_timestamp", "lost_before", "malformed", "most_jitter", "packets", "reordered",
        "source", "source_port", "ssrc",
    )  # fmt: skip

    def __init__(
        self, source: int, source_port: int, ssrc: int, *, foreign: bool, t_ns: int, sequence: int, timestamp: int
    ) -> None:
        self.source = source
        self.source_port = source_port
        self.ssrc = ssrc
        self.foreign = foreign
        self.packets = self.duplicates = self.reordered = self.malformed = self.lost_before = 0
        self.first_t_ns = self.last_t_ns = t_ns
        self.first_timestamp = self.last_timestamp = timestamp
        self.jitter = self.most_jitter = 0.0
        self.gap_ns = 0
        self.crc = 0
        self._lowest = sequence
        self._highest = sequence - 1
        self._missing: set[int] | None = None

    @property
    def lost(self) -> int:
        """Sequence numbers between the first and the last heard that never came."""
        return self.lost_before + (len(self._missing) if self._missing else 0)

    @property
    def expected(self) -> int:
        """Packets that the sequence numbers promise since the sender's last start (RFC 3550, A.3)."""
        return self._highest - self._lowest + 1

    @property
    def first_sequence(self) -> int:
        """Lowest sequence number heard, 16 bits."""
        return self._lowest & 0xFFFF

    @property
    def last_sequence(self) -> int:
        """Highest sequence number heard, 16 bits."""
        return self._highest & 0xFFFF

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter (RFC 3550, 6.4.1), last value."""
        return self.jitter / 8

    @property
    def most_jitter_ms(self) -> float:
        """The highest that it has been."""
        return self.most_jitter / 8

    def out_of_order(self, sequence: int) -> bool:
        """Place a packet that is not the next one; True if it had been heard before."""
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead < _HALF and ahead:
            if ahead > _DROPOUT:
                self._restart(self._highest + ahead)
                return False
            self._miss(range(self._highest + 1, self._highest + ahead))
            self._highest += ahead
            return False
        extended = self._highest - ((self._highest - sequence) & 0xFFFF)
        if extended < self._lowest - _DROPOUT:
            self._restart(extended)
            return False
        if extended < self._lowest:
            self._miss(range(extended + 1, self._lowest))
            self._lowest = extended
        elif self._missing and extended in self._missing:
            self._missing.remove(extended)
        else:
            self.duplicates += 1
            return True
        self.reordered += 1
        return False

    def _restart(self, sequence: int) -> None:
        self.lost_before = self.lost
        self._missing = None
        self._lowest = self._highest = sequence

    def _miss(self, sequences: range) -> None:
        """Remember what did not come. Bounded in time too: whoever sends at random must not hold up the fleet."""
        missing = self._missing = self._missing or set()
        missing.update(sequences)
        if len(missing) > _MISSING:
            kept = sorted(missing)[-_MISSING // 2 :]
            self.lost_before += len(missing) - len(kept)
            self._missing = set(kept)


class Period:
    """From one `RTPRx` to its end: what was heard in it."""

    __slots__ = (
        "_current", "mixed", "multicast", "port", "push", "since_ns", "source", "source_number", "streams", "volume",
    )  # fmt: skip

    def __init__(
        self,
        *,
        push: str,
        source: str,
        port: int,
        since_ns: int,
        volume: int | None = None,
        multicast: bool = False,
        mixed: bool = False,
    ) -> None:
        self.push = push
        self.volume = volume
        self.multicast = multicast
        """The source is a group: then whoever sends to it is not foreign."""
        self.mixed = mixed
        """Heard together with a call (XSI-5: whisper)."""
        self.source = source
        octets = [int(octet) for octet in source.split(".")]
        self.source_number = int.from_bytes(bytes(octets), "big")
        self.port = port
        self.since_ns = since_ns
        self.streams: dict[tuple[int, int], Stream] = {}
        self._current: Stream | None = None

    def hear(
        self,
        t_ns: int,
        source: int,
        source_port: int,
        size: int,
        first: int,
        second: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
    ) -> None:
        """Take one datagram.

        Args:
            t_ns: When the kernel received it, CLOCK_MONOTONIC.
            source: Sender's IPv4 address as a number.
            source_port: Sender's port.
            size: The datagram's bytes.
            first: First byte: version, padding, extension, CSRC count.
            second: Second byte: marker and payload type.
            sequence: 16 bits.
            timestamp: 32 bits.
            ssrc: 32 bits.
            payload: What follows the 12 bytes of header, at most 160 bytes of it.
        """
        stream = self._current
        if stream is None or stream.ssrc != ssrc or stream.source != source or stream.source_port != source_port:
            stream = self._stream(t_ns, source, source_port, sequence, timestamp, ssrc)
        stream.packets += 1
        if size != _RTP_HEADER_BYTES + PAYLOAD_BYTES or first != 0x80 or second & 0x7F:
            stream.malformed += 1
            if size < _RTP_HEADER_BYTES or first >> 6 != 2:
                return  # nothing in it can be taken for a sequence number
        silence = t_ns - stream.last_t_ns
        if silence > stream.gap_ns:  # noqa: PLR1730 - max() costs a call per packet
            stream.gap_ns = silence
        if stream.packets > 1:
            ticks = (timestamp - stream.last_timestamp + 0x80000000) % 0x100000000 - 0x80000000  # also across the wrap
            moved = silence * _TICKS_PER_NS - ticks
            jitter = stream.jitter
            jitter += ((moved if moved >= 0 else -moved) - jitter) / 16
            stream.jitter = jitter
            if jitter > stream.most_jitter:  # noqa: PLR1730 - as below
                stream.most_jitter = jitter
        stream.last_t_ns = t_ns
        stream.last_timestamp = timestamp
        if sequence == (stream._highest + 1) & 0xFFFF:  # noqa: SLF001 - one class in two, for speed
            stream._highest += 1  # noqa: SLF001 - see above
        elif stream.out_of_order(sequence):
            return
        stream.crc = crc32(payload, stream.crc)

    def _stream(
        self, t_ns: int, source: int, source_port: int, sequence: int, timestamp: int, ssrc: int
    ) -> Stream:
        stream = self.streams.get((source << 16 | source_port, ssrc))
        if stream is None and len(self.streams) >= STREAMS:
            stream = next(reversed(self.streams.values()))
        if stream is None:
            stream = self.streams[source << 16 | source_port, ssrc] = Stream(
                source,
                source_port,
                ssrc,
                foreign=source != self.source_number and not self.multicast,
                t_ns=t_ns,
                sequence=sequence,
                timestamp=timestamp,
            )
        self._current = stream
        return stream
