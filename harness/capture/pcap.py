"""Classic pcap files, by columns.

A pcap file is a 24 byte header and then records: 16 bytes of header (seconds, fraction, captured length, original
length) and the frame. Each record's length decides where the next one begins, so records have to be walked one by
one. But evidence of RTP is nearly all records of one length: `walk` guesses that the next records are as long as this
one, looks at all their length fields at once, and is right up to the first that differs. By induction every position
found this way is a true record; nothing is skipped on trust.

Source: the file format as in draft-ietf-opsawg-pcap, sections 4 and 5 (magic 0xA1B23C4D: nanoseconds).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

MAGIC_NANOSECONDS = 0xA1B23C4D
MAGIC_MICROSECONDS = 0xA1B2C3D4
LINK_TYPE_ETHERNET = 1
LINK_TYPE_COOKED = 113
"""Linux cooked capture, as `tcpdump -i any` writes it (LINKTYPE_LINUX_SLL)."""
LINK_TYPE_COOKED_2 = 276
LINK_TYPES = (LINK_TYPE_ETHERNET, LINK_TYPE_COOKED, LINK_TYPE_COOKED_2)
FILE_HEADER = struct.Struct("<IHHiIII")
RECORD_HEADER_BYTES = 16
SNAP_BYTES = 262_144
"""Longest frame that a file may hold; the figure that tcpdump and Wireshark use. A longer record is corruption."""
PADDING_BYTES = 64
"""Zeros behind the last record, so that headers can be read as columns without asking each row where the file ends."""
RAW_BYTES_MAX = 8 * 1024**3
"""Most that is unpacked from one file: 35 million RTP packets. More is a mistake or an attack, not a run."""

_CHUNK_BYTES = 1 << 20
_FIRST_GUESS = 64
_LAST_GUESS = 1 << 18
_SHORT_RUN = 8
_SLOW_RECORDS = 64

_RECORD = np.dtype([("seconds", "<u4"), ("fraction", "<u4"), ("captured", "<u4"), ("length", "<u4")])


class CaptureError(Exception):
    """A capture cannot be read, or not to its end. It does not mean that packets were lost while capturing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """Where the records of a pcap file are.

    Attributes:
        offset: of each frame (not of its record header) in the file's bytes.
        captured: bytes of the frame that the file holds.
        length: bytes that the frame had on the wire.
        realtime_ns: time stamp, nanoseconds since 1970 (CLOCK_REALTIME).
        link_type: one of `LINK_TYPES`.
        problem: why the file ended early, None if it is whole.
    """

    offset: Integers
    captured: Integers
    length: Integers
    realtime_ns: Integers
    link_type: int
    problem: str | None


def file_header() -> bytes:
    """The header of a nanosecond, little-endian Ethernet file."""
    return FILE_HEADER.pack(MAGIC_NANOSECONDS, 2, 4, 0, 0, SNAP_BYTES, LINK_TYPE_ETHERNET)


def walk(raw: Bytes, start: int, end: int, *, size_at: int, extra: int, limit: int) -> tuple[Integers, int]:
    """Finds linked records: each says by a 32 bit little-endian field how far it is to the next.

    Args:
        raw: the bytes.
        start: where the first record begins.
        end: where the records end.
        size_at: offset of the size field in a record.
        extra: added to the size field to get the distance to the next record.
        limit: at most this many records.

    Returns:
        The positions of all records that lie whole before `end`, and the position behind the last of them.
    """
    parts: list[Integers] = []
    position, left, guess = start, limit, _FIRST_GUESS
    field_end = size_at + 4
    while left > 0 and position + field_end <= end:
        distance = int.from_bytes(raw[position + size_at : position + field_end].tobytes(), "little") + extra
        if distance < field_end or position + distance > end:
            break
        count = min(guess, left, (end - position) // distance)
        sizes = np.ndarray((count,), "<u4", buffer=raw, offset=position + size_at, strides=(distance,))
        same = sizes == sizes[0]
        run = count if same.all() else int(same.argmin())
        parts.append(np.arange(position, position + run * distance, distance, dtype=np.int64))
        position += run * distance
        left -= run
        guess = min(guess * 4, _LAST_GUESS) if run == count else _FIRST_GUESS
        if run < _SHORT_RUN:
            slow, position = _walk_slowly(
                raw, position, end, size_at=size_at, extra=extra, limit=min(left, _SLOW_RECORDS)
            )
            parts.append(slow)
            left -= len(slow)
    return (np.concatenate(parts) if parts else np.zeros(0, np.int64)), position


def _walk_slowly(
    raw: Bytes, position: int, end: int, *, size_at: int, extra: int, limit: int
) -> tuple[Integers, int]:
    """One record after the other: cheaper than guessing where lengths keep changing."""
    field = struct.Struct("<I")
    found: list[int] = []
    while len(found) < limit and position + size_at + 4 <= end:
        distance: int = field.unpack_from(raw.data, position + size_at)[0] + extra
        if distance < size_at + 4 or position + distance > end:
            break
        found.append(position)
        position += distance
    return np.array(found, dtype=np.int64), position


def rows_of(raw: Bytes, offsets: Integers, width: int) -> npt.NDArray[np.void]:
    """Copies `width` bytes from each offset. Shape (n,), items of `width` bytes; `.view` gives them fields."""
    if not len(offsets):
        return np.zeros(0, f"V{width}")
    windows: npt.NDArray[np.void] = np.ndarray((len(raw) - width + 1,), f"V{width}", buffer=raw, strides=(1,))
    return windows[offsets]


def unpack(path: Path) -> tuple[Bytes, str | None]:
    """Reads a file, gzipped or not, into memory, with `PADDING_BYTES` zeros behind it.

    Returns:
        The bytes (padding included), and why there are fewer than there should be (None: all there).

    Raises:
        CaptureError: the file cannot be opened or is larger than `RAW_BYTES_MAX` unpacked.
    """
    parts: list[bytes] = []
    problem = None
    total = 0
    try:
        for part in _unpacked(path):
            total += len(part)
            if total > RAW_BYTES_MAX:
                raise CaptureError(f"{path}: more than {RAW_BYTES_MAX} bytes unpacked; captures are limited to that")
            parts.append(part)
    except (zlib.error, EOFError) as error:
        problem = f"compressed data ends early or is damaged ({error})"
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {error.strerror}") from error
    parts.append(bytes(PADDING_BYTES))
    return np.frombuffer(b"".join(parts), np.uint8), problem


def _unpacked(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        chunk = file.read(_CHUNK_BYTES)
        if not chunk.startswith(b"\x1f\x8b"):
            while chunk:
                yield chunk
                chunk = file.read(_CHUNK_BYTES)
            return
        member = zlib.decompressobj(wbits=31)
        while chunk:
            yield member.decompress(chunk)
            chunk = member.unused_data or file.read(_CHUNK_BYTES)
            if member.eof and chunk:
                member = zlib.decompressobj(wbits=31)
        if not member.eof:
            raise EOFError("the end mark is missing")


def records(raw: Bytes) -> Records:
    """Finds all whole records of an unpacked pcap file.

    A record whose header cannot be (a fraction of a whole second or more, more captured than there was, a frame longer
    than any) ends the file: where the next one begins is only known from it.

    Args:
        raw: the bytes with `PADDING_BYTES` zeros behind, as `unpack` gives them.

    Raises:
        CaptureError: not a little-endian pcap file of one of `LINK_TYPES`.
    """
    end = len(raw) - PADDING_BYTES
    if end < FILE_HEADER.size:
        raise CaptureError(f"{end} bytes are not a pcap file, its header alone has {FILE_HEADER.size}")
    magic, _major, _minor, _zone, _digits, _snap, link = FILE_HEADER.unpack_from(raw.data)
    if magic not in {MAGIC_NANOSECONDS, MAGIC_MICROSECONDS}:
        raise CaptureError(f"not a little-endian pcap file: it begins with {magic:#010x} (pcapng: editcap -F nsecpcap)")
    if link & 0xFFFF not in LINK_TYPES:
        raise CaptureError(f"link type is {link & 0xFFFF}, expected Ethernet (1) or Linux cooked (113, 276)")
    position, stop = walk(raw, FILE_HEADER.size, end, size_at=8, extra=RECORD_HEADER_BYTES, limit=end)
    header = rows_of(raw, position, RECORD_HEADER_BYTES).view(_RECORD)
    second = 1_000_000_000 if magic == MAGIC_NANOSECONDS else 1_000_000
    wrong = (header["captured"] > header["length"]) | (header["captured"] > SNAP_BYTES) | (header["fraction"] >= second)
    problem = None if stop == end else f"{end - stop} bytes behind record {len(position)} are not a whole record"
    if wrong.any():
        good = int(wrong.argmax())
        position, header = position[:good], header[:good]
        problem = f"record {good + 1} is damaged: its header cannot be one"
    return Records(
        offset=position + RECORD_HEADER_BYTES,
        captured=header["captured"].astype(np.int64),
        length=header["length"].astype(np.int64),
        realtime_ns=header["seconds"].astype(np.int64) * 1_000_000_000
        + header["fraction"].astype(np.int64) * (1_000_000_000 // second),
        link_type=link & 0xFFFF,
        problem=problem,
    )


def pack(raw: Bytes, offset: Integers, captured: Integers, length: Integers, realtime_ns: Integers) -> Bytes:
    """Builds the records (no file header) of frames that lie somewhere in `raw`, in the order given.

    Args:
        raw: where the frames are.
        offset: of each frame in `raw`.
        captured: bytes of each frame to write.
        length: bytes that each frame had on the wire.
        realtime_ns: nanoseconds since 1970.
    """
    begin = np.cumsum(captured + RECORD_HEADER_BYTES)
    out = np.zeros(int(begin[-1]) if len(begin) else 0, np.uint8)
    begin -= captured + RECORD_HEADER_BYTES
    header = np.empty(len(offset), _RECORD)
    header["seconds"], header["fraction"] = np.divmod(realtime_ns, 1_000_000_000)
    header["captured"], header["length"] = captured, length
    _scatter(out, begin, header.view(f"V{RECORD_HEADER_BYTES}"))
    for width in np.unique(captured):
        rows = np.flatnonzero(captured == width)
        if width:
            _scatter(out, begin[rows] + RECORD_HEADER_BYTES, rows_of(raw, offset[rows], int(width)))
    return out


def _scatter(out: Bytes, offsets: Integers, rows: npt.NDArray[np.void]) -> None:
    if len(offsets):
        width = rows.dtype.itemsize
        windows = np.ndarray((len(out) - width + 1,), f"V{width}", buffer=out, strides=(1,))
        windows[offsets] = rows
