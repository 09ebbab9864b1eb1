"""A page of the bundled recording with one thing wrong: the law fails, and says what is wrong where."""

import re
import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_synthetic import AUDIO, GATEWAY, MS, Packet, Run, address_of, mulaw

from harness.judge import Judgement, Verdict, judge
from harness.judge.places import A_LAW, departures
from harness.judge.sound import in_band
from harness.judge.source import DECODED, source_samples
from harness.judge.verdict import Check
from harness.scenario.audio import audio_path

Bytes = np.ndarray
S = 8000
"""One second of payload."""
SOURCE = source_samples(audio_path("announcement", Path()))
assert SOURCE is not None
RIGHT = np.frombuffer(mulaw(SOURCE.astype(np.int64)), np.uint8)


def a_law(samples: np.ndarray) -> Bytes:
    """The nearest byte of each sample, by the decoding table alone."""
    order = np.argsort(A_LAW)
    values = A_LAW[order]
    place = np.clip(np.searchsorted(values, samples), 1, 255)
    place -= samples - values[place - 1] < values[place] - samples
    return order[place].astype(np.uint8)


def louder(payload: Bytes, factor: float) -> Bytes:
    samples = np.clip(DECODED[payload] * factor, -32_124, 32_124).astype(np.int64)
    return np.frombuffer(mulaw(samples), np.uint8)


def another_recording(payload: Bytes) -> Bytes:
    tone = 8000 * np.sin(2 * np.pi * np.cumsum(np.linspace(200, 1900, len(payload))) / S)
    return np.frombuffer(mulaw(tone.astype(np.int64)), np.uint8)


PLANTS: dict[str, tuple[Callable[[Bytes], Bytes], str]] = {
    "looped": (lambda p: np.tile(p[:S], 6)[: len(p)], "0.00 to 1.00 s come again at 1.00 s; it starts over"),
    "a second doubled, the rest behind it": (
        lambda p: np.concatenate([p[: 3 * S], p[2 * S :]]), "2.00 to 3.00 s come again at 3.00 s",
    ),
    "a second doubled, the next one gone": (
        lambda p: np.concatenate([p[: 3 * S], p[2 * S : 3 * S], p[4 * S :]]),
        "2.00 to 3.00 s come again at 3.00 s; 3.00 to 4.00 s are missing",
    ),
    "two seconds swapped": (
        lambda p: np.concatenate([p[:S], p[2 * S : 3 * S], p[S : 2 * S], p[3 * S :]]),
        "1.00 to 2.00 s come later than they should",
    ),
    "a second missing": (lambda p: np.concatenate([p[:S], p[2 * S :]]), "1.00 to 2.00 s are missing"),
    "the beginning missing": (lambda p: p[S:], "0.00 to 1.00 s are missing"),
    "the end missing": (lambda p: p[:-S], "4.84 to 5.84 s are missing"),
    "a frame doubled": (
        lambda p: np.concatenate([p[: 30 * 160], p[29 * 160 : 30 * 160], p[31 * 160 :]]),
        "0.58 to 0.60 s come again at 0.60 s",
    ),
    "a second silent": (
        lambda p: np.concatenate([p[: 2 * S], np.full(S, 0xFF, np.uint8), p[3 * S :]]), "silence from 2.00 to 3.00 s",
    ),
    "silence": (lambda p: np.full(len(p), 0xFF, np.uint8), "silence was sent"),
    "too quiet": (lambda p: louder(p, 0.25), "12 dB too quiet"),
    "too loud": (lambda p: louder(p, 4.0), "too loud"),
    "A-law as payload type 0": (lambda p: a_law(DECODED[p]), "A-law bytes were sent as mu-law (payload type 0)"),
    "another recording": (another_recording, "another recording was sent"),
    "backwards": (lambda p: p[::-1].copy(), "another recording was sent"),
}  # fmt: skip


def page(payload: Bytes) -> Run:
    """The recording to two phones; the second one's stream has this payload, and the phone heard just that."""
    run = Run(phones=2, frames=len(RIGHT) // 160)
    run.samples = SOURCE.astype(np.int16)
    run.payload = RIGHT.tobytes()
    run.one("gateway", "page.started")["audio_crc32"] = ""
    for index, sound in ((0, RIGHT), (1, payload)):
        first = run.audio(index)[0]
        assert first.payload is not None
        _, _, sequence, timestamp, ssrc = struct.unpack(">BBHII", first.payload[:12])
        frames = len(sound) // 160
        run.packets = [p for p in run.packets if p.destination != address_of(index) or p.payload is None]
        for frame in range(frames):
            header = struct.pack(
                ">BBHII", 0x80, 0, (sequence + frame) & 0xFFFF, (timestamp + 160 * frame) & 0xFFFFFFFF, ssrc
            )
            content = header + sound[160 * frame : 160 * frame + 160].tobytes()
            run.packets.append(
                Packet(AUDIO + frame * 20 * MS, GATEWAY, first.source_port, address_of(index), 32674, content)
            )
        heard = run.find("phones", "stream.heard")[index]
        crc32 = f"{zlib.crc32(sound[: frames * 160].tobytes()):08x}"
        heard.update(packets=frames, last_sequence=(sequence + frames - 1) & 0xFFFF, crc32=crc32)
    return run


def check_of(judgement: Judgement) -> Check:
    return next(check for check in judgement.checks if check.name == "audio-is-the-source")


@pytest.mark.parametrize("name", PLANTS)
def test_a_wrong_second_is_told_by_its_place(tmp_path: Path, name: str) -> None:
    plant, told = PLANTS[name]
    payload = plant(RIGHT)
    check = check_of(judge(page(payload[: len(payload) // 160 * 160]).write(tmp_path / "run")))
    assert check.verdict is Verdict.FAIL
    assert told in check.why


@pytest.mark.parametrize("name", PLANTS)
@pytest.mark.parametrize("rate", [44_100, 16_000])
def test_the_same_of_a_source_that_was_resampled(tmp_path: Path, rate: int, name: str) -> None:
    from gateway.media import load_audio

    sound = resampled(SOURCE.astype(np.float64), rate)
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.clip(sound, -32_768, 32_767).astype("<i2").tobytes())
    right = np.frombuffer(load_audio(path).payload, np.uint8)[: len(RIGHT)]
    heard, wanted = (in_band(s.astype(np.float64), S, rate) for s in (DECODED[right], SOURCE))
    assert np.corrcoef(heard, wanted[: len(heard)])[0, 1] >= 0.99
    assert departures(right, SOURCE.astype(np.float64), rate) == ""
    plant, told = PLANTS[name]
    payload = plant(right)
    found = departures(payload[: len(payload) // 160 * 160], SOURCE.astype(np.float64), rate)
    # The band's filter blurs what lies within two frames of a jump.
    assert to_tenths(told) in to_tenths(found)


def to_tenths(text: str) -> str:
    return re.sub(r"\d+\.\d\d", lambda number: f"{float(number[0]):.1f}", text)


def resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    """By filling up the spectrum of whole seconds."""
    seconds = -(-len(samples) // S)
    spectrum = np.fft.rfft(samples, seconds * S)
    return np.fft.irfft(spectrum, seconds * rate)[: len(samples) * rate // S] * rate / S


sounds = st.sampled_from(
    [RIGHT[:0], RIGHT[:160], RIGHT[: 40 * 160], np.full(20 * 160, 0xFF, np.uint8), RIGHT[S : 2 * S]]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(sounds, max_size=5), st.lists(sounds, max_size=3), st.sampled_from([S, 44_100]), st.randoms())
def test_whatever_is_heard_something_is_said_or_nothing(
    heard: list[Bytes], source: list[Bytes], rate: int, random: Random
) -> None:
    """Nothing breaks it, and what is in place is never told as wrong."""
    noise = np.frombuffer(random.randbytes(160 * random.randrange(3)), np.uint8)
    payload = np.concatenate([noise[:0], *heard, noise])
    sound = np.concatenate([noise[:0], *source]).astype(np.uint8)
    found = departures(payload.astype(np.uint8), DECODED[sound].astype(np.float64), rate)
    if np.array_equal(payload, sound) and rate == S:
        assert found == ""


def test_packets_lost_are_told_by_their_place(tmp_path: Path) -> None:
    run = page(RIGHT)
    lost = run.audio(1)[50:75]
    run.packets = [p for p in run.packets if p not in lost]
    check = check_of(judge(run.write(tmp_path / "run")))
    assert "267 frames were sent, the audio has 292: 1.00 to 1.50 s are missing" in check.why


def test_the_right_recording_passes(tmp_path: Path) -> None:
    assert check_of(judge(page(RIGHT).write(tmp_path / "run"))).verdict is Verdict.PASS


@pytest.mark.parametrize(("seconds", "most"), [(0.5, 0.75), (1.0, 0.6)])
def test_the_recording_never_repeats_itself(seconds: float, most: float) -> None:
    """No half second and no second of it is like any other a tenth of a second away or more: wherever a loop or a
    doubled part begins, it is found there. Nearer than that the chime's tones are like themselves."""
    source, length = SOURCE.astype(np.float64), round(seconds * S)
    size = 1 << (2 * len(source)).bit_length()
    spectrum = np.fft.rfft(source, size)
    squares = np.append(0.0, np.cumsum(source**2))
    for begin in range(0, len(source) - length, S // 10):
        block = source[begin : begin + length]
        products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(block, size)), size)[: len(source) - length]
        power = (squares[length:] - squares[:-length])[: len(products)]
        likeness = np.abs(products) / np.sqrt(power * (block @ block))
        likeness[max(0, begin - S // 10) : begin + S // 10] = 0
        assert likeness.max() < most, begin / S


def test_every_frame_of_the_recording_is_marked() -> None:
    """No frame is silent or like another, even in the rests: the noise laid under all of it tells them apart."""
    frames = SOURCE[: len(SOURCE) // 160 * 160].reshape(-1, 160).astype(np.float64)
    assert np.sqrt((frames**2).mean(axis=1)).min() > 20
    assert len(np.unique(RIGHT.reshape(-1, 160), axis=0)) == len(frames)


def test_the_a_law_table_at_its_ends() -> None:
    """G.711, table 1a: the smallest and largest values, 16 bit units, and the sign bit."""
    assert (A_LAW[0xD5], A_LAW[0x55], A_LAW[0xAA], A_LAW[0x2A]) == (8, -8, 32_256, -32_256)
