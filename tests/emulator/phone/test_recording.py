"""mu-law to WAV."""

import io
import struct
import wave

from emulator.phone.recording import SECONDS, RecordedPeriod, wav


def samples(data: bytes) -> tuple[int, ...]:
    with wave.open(io.BytesIO(wav(data))) as file:
        return struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))


def test_values_of_g_711():
    """The ends of the eight segments, both signs (G.711, table 2a, on a scale of 16 bits)."""
    codes = bytes([0xFF, 0xFE, 0xF0, 0xEF, 0x80, 0x7F, 0x7E, 0x70, 0x00])
    assert samples(codes) == (0, 8, 120, 132, 32124, 0, -8, -120, -32124)


def test_a_recording_is_bounded_and_takes_frames_only():
    period = RecordedPeriod(push="p", source="10.0.0.1", port=32674, since_ns=0)

    def hear(timestamp: int, *, size: int = 172, second: int = 0, sequence: int = 1) -> None:
        period.hear(10, 1, 2, size, 0x80, second, sequence, timestamp, 3, bytes(160))

    hear(0xFFFFFFF0)
    hear(0x90, second=8, sequence=2)
    hear(0x90, size=100, sequence=3)
    assert len(period.audio) == 160
    hear(0x90, sequence=4)  # across the wrap
    assert len(period.audio) == 320
    hear(0x90 + SECONDS * 8000, sequence=5)
    assert len(period.audio) == 320
