"""Raw ring blocks on disk, and the capture made of them.

While a run lasts, all taps append their blocks to one nameless temporary file; only where each block begins is kept
in memory. At the end the packets in it are found by columns, ordered by time and written as capture.pcap.gz.

Source of the block and packet headers: include/uapi/linux/if_packet.h, tpacket_hdr_v1 and tpacket3_hdr.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.capture import pcap

_PACKETS_AT = 12
_FIRST_AT = 16
_ROWS_AT_ONCE = 65_536
"""15 MB of RTP records at once: enough for numpy, little enough to stay beside a running lab."""
_ETHERNET_BYTES = 14

_PACKET = np.dtype(
    {
        "names": ["seconds", "nanoseconds", "captured", "length", "frame_at"],
        "formats": ["<u4", "<u4", "<u4", "<u4", "<u2"],
        "offsets": [4, 8, 12, 16, 24],
        "itemsize": 48,
    }
)
_ADDRESSES = np.dtype([("source", ">u4"), ("destination", ">u4")])


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """What the taps took, one row a packet, in time order.

    Attributes:
        raw: the spool's bytes.
        tap: number of the tap, shape (n,).
        offset: of the frame in `raw`.
        captured: bytes to keep of the frame.
        length: bytes it had on the wire.
        realtime_ns: CLOCK_REALTIME.
        source: IPv4 source address as a number (filters let only IPv4 through).
        destination: IPv4 destination address.
    """

    raw: pcap.Bytes
    tap: pcap.Integers
    offset: pcap.Integers
    captured: pcap.Integers
    length: pcap.Integers
    realtime_ns: pcap.Integers
    source: npt.NDArray[np.uint32]
    destination: npt.NDArray[np.uint32]


class SpoolFile:
    """Takes ring blocks up to a limit.

    Attributes:
        problem: why blocks were left out, None if all were kept.
        left_out: packets of the blocks left out, by tap number.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.problem: str | None = None
        self.left_out: dict[int, int] = {}
        # Nameless: a process that is killed leaves nothing behind.
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by `close`
        self._limit_bytes = limit_bytes
        self._end = 0
        self._blocks: list[tuple[int, int]] = []

    def take(self, tap: int, block: memoryview, packets: int) -> None:
        """Appends a block. Past the limit, or with the disk full, its packets and all later ones count as left out."""
        if self.problem is None and self._end + len(block) > self._limit_bytes:
            self.problem = f"the capture reached its limit of {self._limit_bytes} bytes; later packets are only counted"
        if self.problem is None:
            try:
                written = os.write(self._file.fileno(), block)
            except OSError as error:
                written = 0
                self.problem = f"the capture cannot be written: {error.strerror} (errno {error.errno})"
            if written == len(block):
                self._blocks.append((tap, self._end))
                self._end += written
                return
            self.problem = self.problem or "the disk is full; later packets are only counted"
            os.ftruncate(self._file.fileno(), self._end)
            os.lseek(self._file.fileno(), self._end, os.SEEK_SET)
        self.left_out[tap] = self.left_out.get(tap, 0) + packets

    def frames(self, cut: frozenset[int]) -> Frames:
        """Finds all packets.

        Args:
            cut: numbers of the taps whose packets are TCP and end with the TCP header. The filter has cut them in the
                kernel already; this makes sure.
        """
        raw = self._bytes()
        taps: list[pcap.Integers] = []
        places: list[pcap.Integers] = []
        for tap, begin in self._blocks:
            packets = int.from_bytes(raw[begin + _PACKETS_AT : begin + _PACKETS_AT + 4].tobytes(), "little")
            first = begin + int.from_bytes(raw[begin + _FIRST_AT : begin + _FIRST_AT + 4].tobytes(), "little")
            if packets:
                # The last packet of a block has no distance to a next one.
                found, last = pcap.walk(raw, first, len(raw), size_at=0, extra=0, limit=packets - 1)
                places.append(np.append(found, last))
                taps.append(np.full(packets, tap, np.int64))
        place = np.concatenate(places) if places else np.zeros(0, np.int64)
        tap_of = np.concatenate(taps) if taps else np.zeros(0, np.int64)
        header = pcap.rows_of(raw, place, _PACKET.itemsize).view(_PACKET)
        realtime_ns = header["seconds"].astype(np.int64) * 1_000_000_000 + header["nanoseconds"]
        order = np.argsort(realtime_ns, kind="stable")
        header, tap_of = header[order], tap_of[order]
        offset = place[order] + header["frame_at"]
        captured = header["captured"].astype(np.int64)
        for tap in cut:
            rows = np.flatnonzero(tap_of == tap)
            captured[rows] = np.minimum(captured[rows], _header_end(raw, offset[rows]))
        addresses = pcap.rows_of(raw, offset + _ETHERNET_BYTES + 12, 8).view(_ADDRESSES)
        return Frames(
            raw=raw,
            tap=tap_of,
            offset=offset,
            captured=captured,
            length=header["length"].astype(np.int64),
            realtime_ns=realtime_ns[order],
            source=addresses["source"].astype(np.uint32),
            destination=addresses["destination"].astype(np.uint32),
        )

    def _bytes(self) -> pcap.Bytes:
        os.pwrite(self._file.fileno(), bytes(pcap.PADDING_BYTES), self._end)
        mapped = mmap.mmap(self._file.fileno(), self._end + pcap.PADDING_BYTES, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, np.uint8)

    def close(self) -> None:
        """The temporary file is gone after this."""
        self._file.close()


def write(path: Path, frames: Frames) -> None:
    """Writes the frames as a gzipped pcap file; it has its name only when it is whole."""
    squeeze = zlib.compressobj(1, wbits=31)
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        file.write(squeeze.compress(pcap.file_header()))
        for start in range(0, len(frames.offset), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            packed = pcap.pack(
                frames.raw, frames.offset[rows], frames.captured[rows], frames.length[rows], frames.realtime_ns[rows]
            )
            file.write(squeeze.compress(packed.data))
        file.write(squeeze.flush())
    unfinished.replace(path)


def _header_end(raw: pcap.Bytes, offset: pcap.Integers) -> pcap.Integers:
    """Bytes from the frame's begin to the end of its TCP header."""
    internet = (raw[offset + _ETHERNET_BYTES] & 0x0F).astype(np.int64) * 4
    transport = (raw[np.minimum(offset + _ETHERNET_BYTES + internet + 12, len(raw) - 1)] >> 4).astype(np.int64) * 4
    end: pcap.Integers = _ETHERNET_BYTES + internet + transport
    return end
