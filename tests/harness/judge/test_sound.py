"""Sources that need resampling or mixing: the gateway's own work is let pass, another sound is found."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from judge_synthetic import Run, mulaw

from harness.judge import judge
from harness.judge.sound import frames_of, source_sound, unlike
from harness.judge.source import DECODED

F = 160
SECONDS = 1.3


def sweep(rate: int) -> np.ndarray:
    """A rising tone: no two frames are alike."""
    t = np.arange(round(SECONDS * rate)) / rate
    return 12_000 * np.sin(2 * np.pi * (300 * t + 200 * t * t))


def hiss(rate: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 4000, round(SECONDS * rate))


def write(path: Path, samples: np.ndarray, rate: int, channels: int = 1, width: int = 2) -> Path:
    both = np.repeat(samples[:, None], channels, axis=1)
    both[:, -1] *= 0.8
    data = both.astype("<i2") if width == 2 else (both / 256 + 128).astype(np.uint8)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data.tobytes())
    return path


def other_sounds(right: bytes) -> dict[str, bytes]:
    return {
        "silence": b"\xff" * len(right),
        "half a second again and again": (right[: 25 * F] * 9)[: len(right)],
        "two parts swapped": right[: 10 * F] + right[20 * F : 30 * F] + right[10 * F : 20 * F] + right[30 * F :],
        "one frame twice": right[: 30 * F] + right[29 * F : 30 * F] + right[31 * F :],
        "upside down": bytes(byte ^ 0x80 for byte in right),
        "A-law": bytes(byte ^ 0x2A for byte in right),
        "two frames late": b"\xff" * (2 * F) + right[: -2 * F],
        "a quarter as loud": mulaw(DECODED[np.frombuffer(right, np.uint8)].astype(np.int64) // 4),
    }


@pytest.mark.parametrize("make", [sweep, hiss])
@pytest.mark.parametrize(("rate", "channels", "width"), [(44_100, 2, 1), (48_000, 1, 2), (11_025, 1, 1), (6000, 2, 2)])
def test_the_gateways_resampling_passes_and_other_sound_does_not(
    tmp_path: Path, make: Callable[[int], np.ndarray], rate: int, channels: int, width: int
) -> None:
    from gateway.media import load_audio

    path = write(tmp_path / "a.wav", make(rate), rate, channels, width)
    right, sound = load_audio(path), source_sound(path)
    assert sound is not None
    assert frames_of(sound) == right.frames
    assert unlike(np.frombuffer(right.payload, np.uint8), sound, rate) == 0
    for name, payload in other_sounds(right.payload).items():
        assert unlike(np.frombuffer(payload, np.uint8), sound, rate) > 0, name


def test_chunks_fit_together(tmp_path: Path) -> None:
    """Longer than a chunk: no seam that sounds otherwise."""
    from gateway.media import load_audio

    t = np.arange(25 * 16_000) / 16_000
    path = write(tmp_path / "long.wav", 9000 * np.sin(2 * np.pi * (310 * t + 40 * t * t)), 16_000)
    right, sound = load_audio(path), source_sound(path)
    assert sound is not None
    assert unlike(np.frombuffer(right.payload, np.uint8), sound, 16_000) == 0


def test_silence_is_to_be_silent(tmp_path: Path) -> None:
    sound = source_sound(write(tmp_path / "a.wav", np.zeros(44_100), 44_100, 2))
    assert sound is not None
    assert unlike(np.full(8000, 0xFF, np.uint8), sound, 44_100) == 0
    assert unlike(np.frombuffer(mulaw(sweep(8000).astype(np.int64))[:8000], np.uint8), sound, 44_100) == 50


def test_what_is_no_pcm_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    assert source_sound(tmp_path / "a.wav") is None
    assert source_sound(tmp_path / "none.wav") is None
    assert source_sound(write(tmp_path / "b.wav", np.zeros(0), 8000)) is None


def law_of(folder: Path) -> tuple[str, str]:
    (check,) = (check for check in judge(folder).checks if check.name == "audio-is-the-source")
    return check.verdict.text, check.why


def test_a_source_that_was_resampled_is_held_against_the_stream(tmp_path: Path) -> None:
    folder = Run().write(tmp_path / "run")
    t = np.arange(44_100) / 44_100
    right = 8000 * np.sin(2 * np.pi * 440 * t) * (1 - t / 100)
    write(tmp_path / "source.wav", right, 44_100)
    assert law_of(folder)[0] == "pass"
    write(tmp_path / "source.wav", right[::-1] * (t > 0.5), 44_100)
    assert law_of(folder)[0] == "fail"
    write(tmp_path / "source.wav", np.append(right, right), 44_100)
    assert "50 frames were sent, the audio has 100" in law_of(folder)[1]


def test_without_the_source_nobody_but_the_gateway_speaks(tmp_path: Path) -> None:
    folder = Run().write(tmp_path / "run")
    (tmp_path / "source.wav").unlink()
    verdict, why = law_of(folder)
    assert verdict == "inconclusive"
    assert "cannot be read any more" in why


def test_a_source_that_was_changed_is_no_source(tmp_path: Path) -> None:
    run = Run()
    run.one("harness", "lab.described")["audio_sha256"] = "0" * 64
    verdict, why = law_of(run.write(tmp_path / "run"))
    assert verdict == "inconclusive"
    assert "not what it was" in why
