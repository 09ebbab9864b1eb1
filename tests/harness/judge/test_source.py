import wave
from pathlib import Path

import numpy as np
import pytest
from judge_synthetic import mulaw

from harness.judge.source import DECODED, mistakes, source_samples

EVERY = np.arange(-32768, 32768)


def test_ends_and_middle_of_the_table() -> None:
    """ITU-T G.711 table 2a, values times 4: 0, 8, ..., 32124."""
    assert DECODED[0xFF] == 0
    assert DECODED[0x7F] == 0
    assert DECODED[0xFE] == 8
    assert DECODED[0x80] == 32124
    assert DECODED[0x00] == -32124
    assert len(np.unique(DECODED)) == 255


def test_right_bytes_are_no_mistakes_for_any_sample() -> None:
    assert mistakes(np.frombuffer(mulaw(EVERY), np.uint8), EVERY.astype(np.int32)) == 0


def test_the_gateways_own_encoder_is_right_for_any_sample() -> None:
    from gateway.media.mulaw import encode

    encoded = np.frombuffer(bytes(encode(EVERY.astype(np.int16))), np.uint8)
    assert mistakes(encoded, EVERY.astype(np.int32)) == 0


@pytest.mark.parametrize("change", [1, 0x10, 0x55, 0x80])
def test_a_changed_bit_is_a_mistake(change: int) -> None:
    """A sample at the very edge of two steps may be either; all others are found."""
    payload = np.frombuffer(mulaw(EVERY), np.uint8) ^ np.uint8(change)
    assert mistakes(payload, EVERY.astype(np.int32)) > 0.7 * len(EVERY)


def written(path: Path, *, rate: int = 8000, channels: int = 1, width: int = 2, frames: int = 200) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(frames * channels * width))
    return path


def test_only_a_file_that_needs_no_resampling_speaks_for_itself(tmp_path: Path) -> None:
    assert source_samples(written(tmp_path / "a.wav", rate=16000)) is None
    assert source_samples(written(tmp_path / "b.wav", channels=2)) is None
    assert source_samples(written(tmp_path / "c.wav", width=1)) is None
    assert source_samples(tmp_path / "none.wav") is None
    (tmp_path / "d.wav").write_bytes(b"no sound")
    assert source_samples(tmp_path / "d.wav") is None


def test_the_last_frame_is_filled(tmp_path: Path) -> None:
    samples = source_samples(written(tmp_path / "a.wav", frames=161))
    assert samples is not None
    assert len(samples) == 320
