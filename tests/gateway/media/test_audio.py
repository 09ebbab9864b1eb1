from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media import Audio, AudioError, load_audio, mulaw
from gateway.media.wave_file import MAX_DURATION_S

Load = Callable[[bytes], Audio]
Encoder = Callable[[np.ndarray], bytes]

EXTENSIBLE_PCM = bytes.fromhex("0100000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def fmt(*, rate: int = 8_000, channels: int = 1, bits: int = 16, code: int = 1, tail: bytes = b"") -> bytes:
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * width, width, bits) + tail)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pcm(samples: object) -> bytes:
    return np.asarray(samples).astype("<i2").tobytes()


def tone(frequency: float, rate: int, seconds: float = 0.5, amplitude: float = 20_000) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def decoded(payload: bytes) -> np.ndarray:
    """Values of mu-law characters, written down from G.711's formula, not from the encoder."""
    bits = ~np.frombuffer(payload, np.uint8).astype(np.int32) & 0xFF
    magnitude = ((((bits & 0x0F) << 3) + 132) << ((bits >> 4) & 7)) - 132
    return np.where(bits & 0x80, -magnitude, magnitude).astype(float)


def level_db(signal: np.ndarray, frequency: float, rate: int = 8_000) -> float:
    """Amplitude of one frequency against 20,000, in dB, the edges left out."""
    middle = signal[rate // 16 : -rate // 16]
    window = np.hanning(len(middle))
    turn = np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)
    return float(20 * np.log10(2 * abs((middle * window * turn).sum()) / window.sum() / 20_000 + 1e-12))


@pytest.fixture
def load(tmp_path: Path):
    def load(content: bytes):
        path = tmp_path / "page.wav"
        path.write_bytes(content)
        return load_audio(path)

    return load


@pytest.fixture
def reference_encoder() -> Encoder:
    """The standard library's: it is there up to Python 3.12, and was written by others in another language."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="Python 3.13 has no audioop any more")
    return lambda samples: audioop.lin2ulaw(samples.astype("<i2").tobytes(), 2)


def test_8_khz_mono_16_bit_passes_sample_for_sample(load: Load):
    samples = np.random.default_rng(1).integers(-32_768, 32_768, 150_000)
    audio = load(riff(fmt(), chunk(b"data", pcm(samples))))
    assert audio.name == "page"
    assert audio.frames == 938
    assert audio.payload == mulaw.encode(samples.astype(np.int16)) + b"\xff" * (938 * 160 - 150_000)
    assert audio.crc32 == f"{zlib.crc32(audio.payload):08x}"
    assert audio.duration_ms == 18_760


def speech(rate: int, seconds: float = 3) -> np.ndarray:
    """Like speech: harmonics of a voice that glides, louder and softer syllables, up to 3.2 kHz."""
    at = np.arange(round(rate * seconds)) / rate
    pitch = 2 * np.pi * 120 * at - 30 / 0.7 * np.cos(2 * np.pi * 0.7 * at)
    voice = sum(np.sin(n * pitch) / n for n in range(1, 20))
    return 4_000 * voice * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * at))


def test_heard_is_exactly_what_an_encoder_of_somebody_else_makes(load: Load, reference_encoder: Encoder):
    # G.711 has 14 bits: between two of its steps encoders of 16 bit samples may differ, on them none may.
    samples = (speech(8_000) / 4).astype(np.int16) * np.int16(4)
    heard = load(riff(fmt(), chunk(b"data", pcm(samples)))).payload
    assert heard[: len(samples)] == reference_encoder(samples)


@pytest.mark.parametrize("rate", [11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_heard_correlates_with_the_source(load: Load, rate: int, channels: int):
    """Against the source itself at 8 kHz, not against a resampler: the sound is a formula. Aligned within 2 ms."""
    mono = speech(rate)
    source = mono if channels == 1 else np.stack([mono, mono], axis=1)
    heard = decoded(load(riff(fmt(rate=rate, channels=channels), chunk(b"data", pcm(source)))).payload)
    ideal = speech(8_000)[:20_000]
    best = max(np.corrcoef(heard[16 + lag : 16 + lag + 19_000], ideal[16:19_016])[0, 1] for lag in range(-16, 17))
    assert best >= 0.99


def test_last_frame_is_filled_up_with_silence(load: Load):
    audio = load(riff(fmt(), chunk(b"data", pcm([-20_000] * 161))))
    assert audio.frames == 2
    assert audio.payload[160:] == audio.payload[:1] + b"\xff" * 159


def test_8_bit_samples_are_unsigned(load: Load):
    audio = load(riff(fmt(bits=8), chunk(b"data", bytes([128, 0, 255] * 160))))
    assert audio.payload[:3] == mulaw.encode(np.array([0, -32_768, 127 * 256], dtype=np.int16))


def test_stereo_is_mixed_down(load: Load):
    both = np.stack([np.full(160, 8_000), np.full(160, 4_000)], axis=1)
    audio = load(riff(fmt(channels=2), chunk(b"data", pcm(both))))
    assert audio.payload == mulaw.encode(np.full(160, 6_000, dtype=np.int16))


def test_other_chunks_and_odd_sizes_are_passed_over(load: Load):
    plain = load(riff(fmt(), chunk(b"data", pcm(range(160)))))
    parts = (
        chunk(b"LIST", b"INFOx"),
        fmt(),
        chunk(b"fact", bytes(4)),
        chunk(b"data", pcm(range(160))),
        chunk(b"id3 ", b"123"),
    )
    assert load(riff(*parts)).payload == plain.payload


def test_extensible_pcm_is_pcm(load: Load):
    tail = struct.pack("<HHI", 22, 16, 4) + EXTENSIBLE_PCM
    audio = load(riff(fmt(code=0xFFFE, tail=tail), chunk(b"data", pcm(range(160)))))
    assert audio.payload == mulaw.encode(np.arange(160, dtype=np.int16))


@pytest.mark.parametrize("rate", [4_000, 11_025, 16_000, 22_050, 44_099, 44_100, 48_000, 192_000])
def test_a_tone_keeps_pitch_and_level_at_every_rate(load: Load, rate: int):
    audio = load(riff(fmt(rate=rate), chunk(b"data", pcm(tone(1_000, rate)))))
    assert audio.frames == (26 if rate == 44_099 else 25)  # half a sample more than half a second
    signal = decoded(audio.payload)[:4_000]
    assert abs(level_db(signal, 1_000)) < 0.2
    rest = signal - 20_000 * np.sin(2 * np.pi * 1_000 * np.arange(4_000) / 8_000)
    assert np.std(rest[500:-500]) < 20_000 * 10 ** (-33 / 20)  # mu-law's own noise is 38 dB below


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("frequency", [4_600, 6_000, 7_000])
def test_what_telephones_cannot_carry_does_not_come_back_as_an_alias(load: Load, rate: int, frequency: int):
    audio = load(riff(fmt(rate=rate), chunk(b"data", pcm(tone(frequency, rate)))))
    assert level_db(decoded(audio.payload), 8_000 - frequency) < -60
    middle = decoded(audio.payload)[500:-500]
    assert np.abs(middle).max() < 20_000 * 10 ** (-40 / 20)


def test_speech_band_is_kept_and_loud_sources_do_not_wrap_around(load: Load):
    audio = load(riff(fmt(rate=44_100), chunk(b"data", pcm(tone(3_300, 44_100)))))
    assert abs(level_db(decoded(audio.payload), 3_300)) < 0.5
    square = np.where(tone(200, 44_100) > 0, 32_767, -32_768)
    signal = decoded(load(riff(fmt(rate=44_100), chunk(b"data", pcm(square)))).payload)
    middle = signal[10:30]  # inside the first half wave: an overflow would turn the sign
    assert (middle[:5] > 0).all()


def test_resampling_does_not_depend_on_where_a_block_ends(load: Load):
    signal = tone(440, 44_100, seconds=1.5)
    whole = decoded(load(riff(fmt(rate=44_100), chunk(b"data", pcm(signal)))).payload)
    ideal = 20_000 * np.sin(2 * np.pi * 440 * np.arange(len(whole)) / 8_000)
    assert np.abs(whole - ideal)[100:-100].max() < 700  # half of mu-law's largest step, and rounding


GOOD = riff(fmt(), chunk(b"data", pcm(range(160))))


@pytest.mark.parametrize(
    ("content", "what", "got"),
    [
        (b"", "not a WAV file", "an empty file"),
        (b"ID3\x03 this is an MP3", "not a WAV file", "begins otherwise"),
        (GOOD[:-10], "truncated", "310"),
        (GOOD[:30], "truncated", "10"),
        (riff(fmt()), "truncated", "none"),
        (riff(), "truncated", "neither"),
        (riff(chunk(b"data", bytes(4)), fmt()), "truncated", "none"),
        (riff(chunk(b"fmt ", bytes(10)), chunk(b"data", bytes(4))), "truncated", "10"),
        (riff(fmt(), chunk(b"data", b"")), "no audio", "none"),
        (riff(fmt(), chunk(b"data", b"\1")), "no audio", "none"),
        (riff(fmt(bits=24), chunk(b"data", bytes(6))), "unsupported", "24"),
        (riff(fmt(code=3, bits=32), chunk(b"data", bytes(8))), "unsupported", "floating point"),
        (riff(fmt(code=0x11), chunk(b"data", bytes(8))), "unsupported", "IMA ADPCM"),
        (riff(fmt(code=0x1234), chunk(b"data", bytes(8))), "unsupported", "0x1234"),
        (riff(fmt(code=0xFFFE), chunk(b"data", bytes(8))), "unsupported", "extensible"),
        (riff(fmt(channels=6), chunk(b"data", bytes(24))), "unsupported", "6 channels"),
        (riff(fmt(channels=0), chunk(b"data", bytes(24))), "unsupported", "0 channels"),
        (riff(fmt(rate=1), chunk(b"data", bytes(24))), "unsupported", "1 Hz"),
        (riff(fmt(rate=400_000), chunk(b"data", bytes(24))), "unsupported", "400000 Hz"),
        (riff(fmt(rate=4_000, bits=8), chunk(b"data", bytes(MAX_DURATION_S * 4_000 + 1))), "too long", "600.0 s"),
    ],
)
def test_a_bad_file_says_what_is_wrong_where_and_what_to_do(load: Load, content: bytes, what: str, got: str):
    with pytest.raises(AudioError) as caught:
        load(content)
    error = caught.value
    assert what in error.what
    assert error.where.endswith("page.wav")
    assert got in error.got
    assert error.expected
    assert error.to_do
    for part in (error.what, error.where, error.expected, error.got, error.to_do):
        assert part in str(error)


def test_what_is_no_file_is_an_audio_error_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path, got in (
        (tmp_path / "pipe.wav", "something else than a file"),
        (Path("/dev/zero"), "something else than a file"),
        (tmp_path / "\ud800.wav", "a name that no file can have"),
    ):
        with pytest.raises(AudioError, match=got) as caught:
            load_audio(path)
        str(caught.value).encode()


def test_a_missing_file_is_an_audio_error(tmp_path: Path):
    with pytest.raises(AudioError, match="No such file"):
        load_audio(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="Is a directory"):
        load_audio(tmp_path)


@given(st.binary(max_size=80) | st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8)))
def test_a_damaged_file_is_audio_or_an_audio_error(
    tmp_path_factory: pytest.TempPathFactory, damage: bytes | tuple[int, bytes]
):
    content = bytearray(GOOD)
    if isinstance(damage, tuple):
        at, patch = damage
        content[at : at + len(patch)] = patch
    else:
        content[12:] = damage
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    path.write_bytes(content)
    try:
        audio = load_audio(path)
    except AudioError:
        return
    assert len(audio.payload) == audio.frames * 160 > 0
