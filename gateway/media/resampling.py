"""To 8,000 samples a second, without aliases.

Each output sample is a weighted sum of the input around it; the weights are a sinc (the ideal low pass) under a Kaiser
window. Going down, the low pass sits below half the output rate, so what telephones cannot carry is removed instead of
folded back; going up, it sits below half the input rate. The position of an output sample between two input samples
(its phase) repeats after L = 8000 / gcd outputs, so weights are computed once a phase ("polyphase"). Rates without a
small L (44,099 Hz) use the nearest of 1,024 phases: the error is far below that of mu-law.

Figures: pass band to 3.4 kHz within 0.1 dB, 80 dB down from 4.0 kHz on (Kaiser's formulas, beta 7.86, 32 zero crossings
each side: transition of 0.6 kHz).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

OUTPUT_HZ = 8_000

_ZERO_CROSSINGS = 32
_KAISER_BETA = 7.86
_CUTOFF = 0.4625  # of the lower rate: 3.7 kHz, the middle of the transition band
_MAX_PHASES = 1_024
_BLOCK = 2_000  # outputs at a time: bounds the memory, however long the file

Reader = Callable[[int, int], NDArray[np.float32]]
"""Gives `count` mono samples from `first` on; both within the source."""


def resample(read: Reader, samples: int, rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Yield the source at 8 kHz, block by block.

    Args:
        read: Gives pieces of the source.
        samples: Length of the source.
        rate_hz: Its rate, samples a second.
    """
    divisor = math.gcd(rate_hz, OUTPUT_HZ)
    up, down = OUTPUT_HZ // divisor, rate_hz // divisor
    phases = min(up, _MAX_PHASES)
    weights = _weights(rate_hz, phases)
    taps = weights.shape[1]
    half = taps // 2
    outputs = -(-samples * up // down)
    for start in range(0, outputs, _BLOCK):
        position = np.arange(start, min(start + _BLOCK, outputs), dtype=np.int64) * down
        centre, remainder = np.divmod(position, up)
        phase = (remainder * phases + up // 2) // up
        centre += phase // phases
        phase %= phases
        first = int(centre[0]) - half + 1
        last = int(centre[-1]) + half + 1
        source = np.zeros(last - first, dtype=np.float32)
        inside_first, inside_last = max(first, 0), min(last, samples)
        if inside_last > inside_first:
            source[inside_first - first : inside_last - first] = read(inside_first, inside_last - inside_first)
        windows = np.lib.stride_tricks.sliding_window_view(source, taps)[centre - half + 1 - first]
        yield np.einsum("ij,ij->i", windows, weights[phase]).astype(np.float32)


def _weights(rate_hz: int, phases: int) -> NDArray[np.float32]:
    """Return the weights of each phase, shape (phases, taps); each row sums to 1."""
    cutoff = _CUTOFF * min(rate_hz, OUTPUT_HZ) / rate_hz  # in cycles an input sample
    reach = _ZERO_CROSSINGS / (2 * cutoff)  # input samples each side
    half = math.ceil(reach) + 1
    offset = np.arange(-half + 1, half + 1)[None, :] - np.arange(phases)[:, None] / phases
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (offset / reach) ** 2, 0, None))) * (np.abs(offset) < reach)
    weights = np.sinc(2 * cutoff * offset) * window
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
