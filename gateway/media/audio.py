"""An announcement as phones hear it: G.711 mu-law in frames of 20 ms."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gateway.media import mulaw
from gateway.media.errors import AudioError
from gateway.media.resampling import OUTPUT_HZ, resample
from gateway.media.wave_file import WaveFormat, read_format, read_samples

FRAME_BYTES = 160
"""One frame: 20 ms of 8,000 characters a second (the phones' only packet, Cisco IP Phone Services, RTPRx)."""
FRAME_MS = 20

_BLOCK = 65_536  # samples read at a time when nothing is resampled


@dataclass(frozen=True, kw_only=True, slots=True)
class Audio:
    """Telephone audio, ready to be sent."""

    name: str
    """The file's name without folder and suffix."""
    frames: int
    payload: bytes = field(repr=False)
    """`frames` * 160 characters mu-law; the last frame is filled up with silence."""
    live_from: int | None = None
    """Of live audio: the first frame that is given while it plays, silence until then; None: all of it is there."""

    @property
    def crc32(self) -> str:
        """CRC-32 of the payload, 8 hex digits."""
        return f"{zlib.crc32(self.payload):08x}"

    @property
    def duration_ms(self) -> int:
        """Playing time, whole frames."""
        return self.frames * FRAME_MS


def load_audio(path: Path) -> Audio:
    """Read a WAV file: PCM of 8 or 16 bits, mono or stereo, 4 to 192 kHz, at most ten minutes.

    Stereo is mixed down, other rates than 8 kHz are resampled; 8 kHz mono 16 bit passes sample for sample.

    Raises:
        AudioError: The file cannot be read or is no such WAV file.
    """
    try:
        with open(path, "rb", opener=_open_file) as file:
            form = read_format(file, path)
            payload = b"".join(_encoded(file, form))
    except (OSError, UnicodeEncodeError) as error:
        raise AudioError(
            "audio cannot be read",
            where=ascii(str(path))[1:-1] if isinstance(error, UnicodeEncodeError) else str(path),
            expected="a readable file",
            got=getattr(error, "strerror", None) or "a name that no file can have",
            to_do="check the name and the rights of the file",
        ) from error
    frames = -(-len(payload) // FRAME_BYTES)
    padded = payload.ljust(frames * FRAME_BYTES, bytes([mulaw.SILENCE]))
    return Audio(name=path.stem, frames=frames, payload=padded)


def _open_file(name: str, flags: int) -> int:
    """Open a regular file and nothing else: opening a pipe would wait for its writer, for ever."""
    descriptor = os.open(name, flags | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # `open` has its own words for a folder
        os.close(descriptor)
        raise OSError(errno.EINVAL, "something else than a file")
    return descriptor


def _encoded(file: BinaryIO, form: WaveFormat) -> list[bytes]:
    if form.rate_hz == OUTPUT_HZ:
        starts = range(0, form.samples, _BLOCK)
        blocks = [read_samples(file, form, start, min(_BLOCK, form.samples - start)) for start in starts]
        return [mulaw.encode(block[:, 0] if form.channels == 1 else _whole(_mixed(block))) for block in blocks]

    def read(first: int, count: int) -> NDArray[np.float32]:
        return _mixed(read_samples(file, form, first, count))

    return [mulaw.encode(_whole(block)) for block in resample(read, form.samples, form.rate_hz)]


def _mixed(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    mixed: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
    return mixed


def _whole(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16)
