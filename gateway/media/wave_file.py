"""WAV files: find the samples, read them in pieces.

The standard library's `wave` knows WAVE_FORMAT_EXTENSIBLE only from Python 3.12 on, and says little about what is
wrong. Sources: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (RIFF, WAVE_FORMAT_PCM),
Microsoft "WAVEFORMATEXTENSIBLE" (sub-format in the last 16 bytes of the format chunk).

Nothing is trusted that the file says about itself: chunk sizes are compared with the file's own size, chunks and
duration are bounded, and samples are read a piece at a time.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gateway.media.errors import AudioError

RATES_HZ = (4_000, 192_000)
"""Sample rates that are read: below is no speech, above is no recorder."""
MAX_DURATION_S = 600
"""A page is an announcement; ten minutes of payload are 4.8 MB in the pacer."""
MAX_CHUNKS = 1_000
"""Chunks looked at before the samples: real files have fewer than ten."""

_PCM = 0x0001
_EXTENSIBLE = 0xFFFE
_FORMATS = {
    0x0002: "ADPCM",
    0x0003: "floating point",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0055: "MP3",
}
_GUID_TAIL = bytes.fromhex(
    "000000001000800000aa00389b71"
)  # KSDATAFORMAT_SUBTYPE_*, without the format in its first two bytes
_CONVERT = "convert it, for example: sox INPUT -b 16 -r 8000 -c 1 OUTPUT.wav"


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveFormat:
    """Where the samples of a WAV file are and what they look like."""

    rate_hz: int
    channels: int
    sample_bytes: int
    """1: unsigned, 2: signed, little endian."""
    offset: int
    """Of the first sample in the file."""
    samples: int
    """For each channel."""


def read_format(file: BinaryIO, path: Path) -> WaveFormat:
    """Find format and samples of an open WAV file.

    Raises:
        AudioError: It is no WAV file, is truncated, empty, too long, or has a format that is not read here.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        # Never the bytes themselves: whoever may name a file could read the beginning of any file, of a password too.
        got = "an empty file" if not head else "a file that begins otherwise"
        raise AudioError(
            "not a WAV file",
            where=str(path),
            expected="'RIFF' and 'WAVE' in the first 12 bytes",
            got=got,
            to_do=_CONVERT,
        )
    described: tuple[int, int, int] | None = None
    for _ in range(MAX_CHUNKS):
        at = file.tell()
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if described is None:
                raise _truncated(path, "a format chunk before the samples", "none")
            return _with_samples(path, described, offset=at + 8, length=length, file_size=size)
        if at + 8 + length > size:
            raise _truncated(path, f"{length} bytes in chunk {name!r}", f"{size - at - 8}")
        if name == b"fmt ":
            described = _read_fmt(path, file.read(min(length, 40)))
        file.seek(at + 8 + length + length % 2)
    raise _truncated(path, "a chunk 'data' with the samples", "none" if described else "neither it nor a format chunk")


def read_samples(file: BinaryIO, form: WaveFormat, first: int, count: int) -> NDArray[np.int16]:
    """Read samples `first` to `first + count` of all channels, as 16 bit, shape (samples, channels)."""
    width = form.channels * form.sample_bytes
    file.seek(form.offset + first * width)
    raw = file.read(count * width)
    raw = raw[: len(raw) // width * width]
    if form.sample_bytes == 1:
        samples = (np.frombuffer(raw, np.uint8).astype(np.int16) - 128) << 8
    else:
        samples = np.frombuffer(raw, "<i2").astype(np.int16)
    return samples.reshape(-1, form.channels)


def _read_fmt(path: Path, chunk: bytes) -> tuple[int, int, int]:
    if len(chunk) < 16:
        raise _truncated(path, "at least 16 bytes in the format chunk", f"{len(chunk)}")
    code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE:
        if len(chunk) < 40 or chunk[26:40] != _GUID_TAIL:
            raise _unsupported(path, "PCM", "an extensible format of unknown kind")
        code = int.from_bytes(chunk[24:26], "little")
    if code != _PCM:
        raise _unsupported(path, "PCM", f"{_FORMATS.get(code, 'unknown')} (format code 0x{code:04x})")
    if bits not in (8, 16):
        raise _unsupported(path, "8 or 16 bits a sample", f"{bits}")
    if channels not in (1, 2):
        raise _unsupported(path, "mono or stereo", f"{channels} channels")
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise _unsupported(path, f"a sample rate from {RATES_HZ[0]} to {RATES_HZ[1]} Hz", f"{rate_hz} Hz")
    return rate_hz, channels, bits // 8


def _with_samples(
    path: Path, described: tuple[int, int, int], *, offset: int, length: int, file_size: int
) -> WaveFormat:
    rate_hz, channels, sample_bytes = described
    width = channels * sample_bytes
    if length > file_size - offset:
        raise _truncated(path, f"{length} bytes of samples", f"{file_size - offset}")
    samples = length // width
    if not samples:
        raise AudioError(
            "no audio",
            where=str(path),
            expected="at least one sample",
            got="none",
            to_do="record the announcement again",
        )
    if samples > MAX_DURATION_S * rate_hz:
        raise AudioError(
            "audio too long",
            where=str(path),
            expected=f"at most {MAX_DURATION_S} s",
            got=f"{samples / rate_hz:.1f} s",
            to_do="shorten it, or page in parts",
        )
    return WaveFormat(rate_hz=rate_hz, channels=channels, sample_bytes=sample_bytes, offset=offset, samples=samples)


def _truncated(path: Path, expected: str, got: str) -> AudioError:
    return AudioError(
        "WAV file is truncated or damaged", where=str(path), expected=expected, got=got, to_do="copy the file again"
    )


def _unsupported(path: Path, expected: str, got: str) -> AudioError:
    return AudioError("unsupported WAV format", where=str(path), expected=expected, got=got, to_do=_CONVERT)
