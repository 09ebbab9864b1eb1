"""Whether a stream sounds like its source, where resampling or mixing leaves more than one right byte.

Theory of operation. The source is brought to 8,000 Hz by cutting off its spectrum; the stream is decoded. Both are kept
to a band that every telephone filter passes, the stream is shifted to where they agree best (a resampler delays) and
scaled (a mixer may halve), and what is left over is looked at frame by frame: a frame whose remainder is as strong as
its sound holds another sound. A gateway's own resampler differs by a hundredth of that; silence, a repeated second or a
swapped frame leave more than all of it.
"""

import math
import wave
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.judge.source import DECODED, FRAME

RATE: Final = 8000
BAND_HZ: Final = (300.0, 2500.0)
"""Compared: every anti-alias filter for 8,000 Hz leaves this alone."""
BAND_SHARE: Final = 0.4
"""Of a source below 8,000 Hz, the share of its rate up to which its filters leave it alone."""
LAG: Final = 160
"""Largest delay of a resampler that is looked for, samples: one frame."""
GAIN: Final = (0.5, 2.0)
"""Level of the stream against the source: a mixer of two channels may halve it or add it up."""
REMAINDER: Final = 0.5
"""Share of a frame's power that may be left over: -3 dB. Resamplers leave 1 %, other sound leaves more than all."""
FLOOR: Final = 0.01
"""Of the mean power: a remainder below it is not heard beside the rest, whatever its own frame holds."""
SILENCE: Final = 64.0
"""Root mean square, 16 bit units, up to which a stream is silent: three steps of the finest segment, and dither."""
_CHUNK_S: Final = 10
_OVERLAP_S: Final = 1

Sound = npt.NDArray[np.float64]


def source_sound(path: Path) -> Sound | None:
    """A WAV file's sound at 8,000 Hz, mono, kept to the band; None where it is no PCM of 8 or 16 bit.

    Shape (ceil(seconds x 8000),), 16 bit units.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, frames = file.getparams()[:4]
            if width not in (1, 2) or not channels or not rate or not frames:
                return None
            found = []
            for begin in range(0, -(-frames // rate), _CHUNK_S):
                lead = min(begin, _OVERLAP_S)
                file.setpos((begin - lead) * rate)
                raw = file.readframes((lead + _CHUNK_S + _OVERLAP_S) * rate)
                chunk = _at_8000(_mono(raw, channels, width), rate)
                found.append(chunk[lead * RATE : (lead + _CHUNK_S) * RATE])
    except (OSError, wave.Error, EOFError):
        return None
    return np.concatenate(found)


def frames_of(sound: Sound) -> int:
    """Frames of 20 ms that it fills, the last one begun."""
    return -(-len(sound) // FRAME)


def unlike(payload: npt.NDArray[np.uint8], sound: Sound, rate_hz: float = RATE) -> int:
    """Frames of a stream that hold other sound than the source's; all of them where level or silence differ.

    Args:
        payload: mu-law bytes, whole frames.
        sound: as `source_sound` gives it, from the stream's first frame on.
        rate_hz: the source's own rate.
    """
    frames = len(payload) // FRAME
    heard = in_band(DECODED[payload].astype(np.float64), RATE, rate_hz)
    wanted = np.zeros(len(heard))
    length = min(len(heard), len(sound))
    wanted[:length] = in_band(sound[:length], RATE, rate_hz)
    level = float(np.sqrt(np.mean(wanted**2)))
    if level <= SILENCE:
        return 0 if float(np.sqrt(np.mean(heard**2))) <= 2 * SILENCE else frames
    wanted = _shifted(wanted, _lag(heard, wanted))
    gain = float(heard @ wanted / (wanted @ wanted)) if wanted.any() else 0.0
    if not GAIN[0] <= gain <= GAIN[1]:
        return frames
    wanted *= gain
    rest = np.add.reduceat((heard - wanted) ** 2, np.arange(0, len(heard), FRAME))
    power = np.add.reduceat(wanted**2, np.arange(0, len(heard), FRAME))
    return int((rest > REMAINDER * power + FLOOR * power.mean()).sum())


def source_rate(path: Path) -> int:
    """Samples a second of a WAV file; 0 where it cannot be read."""
    try:
        with wave.open(str(path), "rb") as file:
            return file.getframerate()
    except (OSError, wave.Error, EOFError):
        return 0


def _mono(raw: bytes, channels: int, width: int) -> Sound:
    if width == 1:
        samples = (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) * 256
    else:
        samples = np.frombuffer(raw, "<i2").astype(np.float64)
    mixed: Sound = samples[: len(samples) // channels * channels].reshape(-1, channels).mean(axis=1)
    return mixed


def _at_8000(samples: Sound, rate: int) -> Sound:
    """By cutting off or filling up the spectrum: exact for whole seconds."""
    if rate == RATE or not len(samples):
        return samples
    length = math.ceil(len(samples) * RATE / rate)
    # Filled up to whole seconds, so that both lengths are whole numbers of samples.
    seconds = -(-len(samples) // rate)
    spectrum = np.fft.rfft(samples, seconds * rate)
    wanted = np.zeros(seconds * RATE // 2 + 1, complex)
    shared = min(len(wanted), len(spectrum))
    wanted[:shared] = spectrum[:shared]
    return np.fft.irfft(wanted, seconds * RATE)[:length] * RATE / rate


def in_band(samples: Sound, rate: int, source_rate_hz: float) -> Sound:
    """The band alone, without the constant part; the ends are padded so that they do not meet."""
    padded = np.fft.rfft(samples, len(samples) + rate // 10)
    frequency = np.fft.rfftfreq(len(samples) + rate // 10, 1 / rate)
    padded[(frequency < BAND_HZ[0]) | (frequency > min(BAND_HZ[1], BAND_SHARE * source_rate_hz))] = 0
    return np.fft.irfft(padded, len(samples) + rate // 10)[: len(samples)]


def _lag(heard: Sound, wanted: Sound) -> int:
    """By how many samples the stream is behind its source, where they agree best."""
    size = len(heard) + LAG
    agreement = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)
    near = np.concatenate([agreement[-LAG:], agreement[: LAG + 1]])
    return int(np.argmax(near)) - LAG


def _shifted(samples: Sound, lag: int) -> Sound:
    moved = np.zeros(len(samples))
    if lag >= 0:
        moved[lag:] = samples[: len(samples) - lag]
    else:
        moved[:lag] = samples[-lag:]
    return moved
