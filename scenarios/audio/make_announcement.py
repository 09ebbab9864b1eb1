#!/usr/bin/env python3
"""Make the bundled recordings: a chime, then something like speech.

announcement.wav says "attention please, this is a test page only, thank you"; notice.wav, a third as long, says "test
page": scenarios that show something about phones and not about audio need no more.

Nothing was recorded: vowels are a buzz through three resonators, consonants are noise through one, as formant
synthesisers do it. Two properties matter more than beauty: the file comes out the same, byte for byte, wherever it is
made; and no 20 ms of it is like any other, so that a frame heard twice, late or out of order is noticed.

Sources: formants of men's vowels: Peterson and Barney, "Control methods used in a study of the vowels" (1952), table
II. Resonator: Klatt, "Software for a cascade/parallel formant synthesizer" (1980), section I.B. What follows each
consonant and how long it lasts was chosen by ear.

Usage: make_announcement.py [FOLDER]
"""

from __future__ import annotations

import io
import math
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8_000
SEED = 1878  # random.Random, whose numbers are promised to stay; numpy's are not
NOTICE_SEED = 1879
PEAK = 20_000

CHIME_HZ = (784.0, 659.3, 523.3)
CHIME_S = 0.28
VOWELS = {
    "ee": (270, 2290, 3010),
    "i": (390, 1990, 2550),
    "e": (530, 1840, 2480),
    "a": (660, 1720, 2410),
    "o": (570, 840, 2410),
    "uh": (640, 1190, 2390),
}
BANDWIDTHS_HZ = (60, 90, 150)


class Syllable(NamedTuple):
    """A consonant, a vowel that glides into another, and a rest."""

    noise_hz: float
    noise_s: float
    vowel: str
    glide: str
    vowel_s: float
    pitch_hz: float
    rest_s: float = 0.02


SPEECH = (
    Syllable(0, 0, "uh", "uh", 0.10, 118),  # a
    Syllable(3200, 0.05, "e", "e", 0.20, 136),  # ten
    Syllable(2500, 0.09, "uh", "uh", 0.17, 112, 0.09),  # tion
    Syllable(900, 0.04, "ee", "ee", 0.26, 124, 0.0),  # plea
    Syllable(3500, 0.10, "i", "i", 0.03, 108, 0.16),  # se
    Syllable(1500, 0.05, "i", "i", 0.12, 126),  # this
    Syllable(3500, 0.07, "i", "i", 0.12, 120),  # is
    Syllable(3400, 0.05, "uh", "uh", 0.09, 116),  # a
    Syllable(3000, 0.05, "e", "e", 0.19, 133),  # te
    Syllable(3500, 0.11, "uh", "uh", 0.04, 110, 0.05),  # st
    Syllable(900, 0.04, "e", "ee", 0.27, 122),  # pa
    Syllable(2600, 0.07, "i", "i", 0.20, 100, 0.18),  # ge
    Syllable(0, 0, "o", "uh", 0.14, 124),  # o
    Syllable(1200, 0.04, "ee", "ee", 0.24, 114, 0.10),  # nly
    Syllable(1800, 0.06, "a", "ee", 0.24, 118),  # tha
    Syllable(2000, 0.05, "i", "uh", 0.20, 104),  # nk
    Syllable(1600, 0.05, "o", "ee", 0.30, 92, 0.10),  # you
)


class Recording(NamedTuple):
    """What one file holds."""

    seed: int
    chime_hz: tuple[float, ...]
    speech: tuple[Syllable, ...]


RECORDINGS = {
    "announcement": Recording(SEED, CHIME_HZ, SPEECH),
    "notice": Recording(NOTICE_SEED, CHIME_HZ[1:], SPEECH[8:12]),
}


def samples(recording: Recording) -> NDArray[np.int16]:
    """Return the recording, 8,000 samples a second."""
    random = Random(recording.seed)
    sound = [*_chime(recording.chime_hz), *_speech(recording.speech, random)]
    breath = [random.uniform(-60, 60) for _ in sound]  # keeps rests from being equal, and a line from sounding dead
    scale = PEAK / max(map(abs, sound))
    return np.rint(np.array(sound) * scale + np.array(breath)).astype(np.int16)


def wav_bytes(name: str) -> bytes:
    """Return the file of that name: 8 kHz, 16 bit, mono."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(samples(RECORDINGS[name]).astype("<i2").tobytes())
    return file.getvalue()


def _chime(tones_hz: tuple[float, ...]) -> Iterator[float]:
    """Falling tones, each dying away into the next."""
    length = round(CHIME_S * RATE_HZ)
    for index, tone_hz in enumerate(tones_hz):
        last = index == len(tones_hz) - 1
        for n in range(length * 2 if last else length):
            t = n / RATE_HZ
            angle = 2 * math.pi * tone_hz * t
            attack = min(1.0, t / 0.006)
            yield 0.6 * attack * math.exp(-5.0 * t) * (math.sin(angle) + 0.25 * math.sin(2.003 * angle))


def _speech(speech: tuple[Syllable, ...], random: Random) -> Iterator[float]:
    phase = 0.0
    for syllable in speech:
        yield from _consonant(syllable, random)
        length = round(syllable.vowel_s * RATE_HZ)
        buzz = []
        for n in range(length):
            pitch_hz = syllable.pitch_hz * (1.04 - 0.1 * n / length) * (1 + 0.004 * random.uniform(-1, 1))
            phase = (phase + pitch_hz / RATE_HZ) % 1
            pulse = (1 - phase / 0.4) * math.sin(math.pi * phase / 0.4) if phase < 0.4 else 0.0
            buzz.append((pulse + 0.02 * random.uniform(-1, 1)) * _envelope(n, length, 0.02))
        yield from _vowel(buzz, syllable)
        yield from (0.0 for _ in range(round(syllable.rest_s * RATE_HZ)))


def _consonant(syllable: Syllable, random: Random) -> Iterator[float]:
    length = round(syllable.noise_s * RATE_HZ)
    noise = [random.uniform(-1, 1) * _envelope(n, length, 0.008) for n in range(length)]
    if noise:
        hiss = _resonated(noise, [syllable.noise_hz] * length, 600)
        loudest = max(map(abs, hiss))
        yield from (0.22 * value / loudest for value in hiss)


def _vowel(buzz: list[float], syllable: Syllable) -> list[float]:
    sound = buzz
    for first, last, bandwidth in zip(VOWELS[syllable.vowel], VOWELS[syllable.glide], BANDWIDTHS_HZ, strict=True):
        glide = [first + (last - first) * n / len(buzz) for n in range(len(buzz))]
        sound = _resonated(sound, glide, bandwidth)
    loudest = max(map(abs, sound))
    return [value / loudest for value in sound]


def _resonated(sound: list[float], centre_hz: list[float], bandwidth_hz: float) -> list[float]:
    """Return the sound through one resonator whose centre moves."""
    decay = math.exp(-math.pi * bandwidth_hz / RATE_HZ)
    c = -decay * decay
    before = before_that = 0.0
    result = []
    for value, frequency in zip(sound, centre_hz, strict=True):
        b = 2 * decay * math.cos(2 * math.pi * frequency / RATE_HZ)
        before, before_that = (1 - b - c) * value + b * before + c * before_that, before
        result.append(before)
    return result


def _envelope(n: int, length: int, ramp_s: float) -> float:
    ramp = ramp_s * RATE_HZ
    return min(1.0, n / ramp, (length - n) / ramp)


def main() -> None:
    """Write the files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name in RECORDINGS:
        (folder / f"{name}.wav").write_bytes(wav_bytes(name))


if __name__ == "__main__":
    main()
