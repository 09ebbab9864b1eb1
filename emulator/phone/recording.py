"""What a phone heard, kept as mu-law while it listens and decoded to WAV when somebody wants it.

Frames are laid out by their RTP timestamps from the arrival of the first one; where frames of two streams meet, the
later one is heard (assumed: what a phone does with two senders is not documented). Gaps are silence.
"""

from __future__ import annotations

import io
import wave
from typing import Any, Final

from emulator.phone.stream import PAYLOAD_BYTES, Period

SECONDS: Final = 300
"""Kept of one period: 2.4 MB. What comes later is only counted."""
RATE: Final = 8000
_SILENCE: Final = b"\xff"
"""Zero in mu-law (G.711)."""


def _decoded(code: int) -> int:
    """One sample as 16 bits, signed (G.711, table 2a)."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return 0x84 - magnitude if code & 0x80 else magnitude - 0x84


_LOW: Final = bytes(_decoded(code) & 0xFF for code in range(256))
_HIGH: Final = bytes(_decoded(code) >> 8 & 0xFF for code in range(256))


class RecordedPeriod(Period):
    """A listening period that keeps its audio."""

    __slots__ = ("_origins", "audio")

    def __init__(self, **what: Any) -> None:  # noqa: ANN401 - passed on as it is
        super().__init__(**what)
        self.audio = bytearray()
        self._origins: dict[tuple[int, int, int], tuple[int, int]] = {}

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
        """Count it as any period does, and keep it if it is a frame of G.711."""
        super().hear(t_ns, source, source_port, size, first, second, sequence, timestamp, ssrc, payload)
        if size != PAYLOAD_BYTES + 12 or first != 0x80 or second & 0x7F:
            return
        stream = self._current
        assert stream is not None
        key = (stream.source, stream.source_port, stream.ssrc)
        origin = self._origins.get(key)
        if origin is None:
            began_ns = self._began(t_ns)
            origin = self._origins[key] = ((t_ns - began_ns) * RATE // 1_000_000_000, timestamp)
        place = origin[0] + ((timestamp - origin[1] + 0x80000000) % 0x100000000 - 0x80000000)
        if not 0 <= place <= SECONDS * RATE - PAYLOAD_BYTES:
            return
        missing = place - len(self.audio)
        if missing > 0:
            self.audio += _SILENCE * missing
        self.audio[place : place + PAYLOAD_BYTES] = payload

    def _began(self, t_ns: int) -> int:
        return min((stream.first_t_ns for stream in self.streams.values()), default=t_ns)


def wav(audio: bytes | bytearray) -> bytes:
    """mu-law as a WAV file: 8 kHz, 16 bits, one channel."""
    samples = bytearray(2 * len(audio))
    samples[0::2] = audio.translate(_LOW)
    samples[1::2] = audio.translate(_HIGH)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(bytes(samples))
    return file.getvalue()
