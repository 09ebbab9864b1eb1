"""The audio that should have been paged, read by the judge itself: nobody's word for it is needed.

Only where the file needs no resampling (8,000 Hz, mono, 16 bit) is every mu-law byte fixed by its sample. A byte is
right when it decodes to within half a step of the sample: encoders differ in how they round ties and the two lowest
bits, which G.711 does not have.

Source: ITU-T G.711, table 2a (mu-law): 8 segments of 16 steps, the step doubling from 8 to 1024 in 16 bit units.
"""

import wave
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

FRAME: Final = 160
_BIAS: Final = 132
_ROUNDING: Final = 8
"""16 bit samples hold two bits that 14 bit G.711 does not; encoders cut or round them."""
_CLIP: Final = 32124
"""Largest value that mu-law can say."""


def _decoding() -> npt.NDArray[np.int32]:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + _BIAS) << exponent) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int32)


DECODED: Final = _decoding()
"""The sample that each mu-law byte means, 16 bit units."""


def source_samples(path: Path) -> npt.NDArray[np.int32] | None:
    """Samples of a file that needs no resampling, whole frames, the last filled with silence; None for any other."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getparams()[:3] != (1, 2, 8000):
                return None
            raw = file.readframes(file.getnframes())
    except (OSError, wave.Error, EOFError):
        return None
    samples = np.frombuffer(raw, "<i2").astype(np.int32)
    return np.append(samples, np.zeros(-len(samples) % FRAME, np.int32))


def mistakes(payload: npt.NDArray[np.uint8], samples: npt.NDArray[np.int32]) -> int:
    """How many bytes are not what their samples are in mu-law."""
    decoded = DECODED[payload]
    code = ~payload
    half_step = 4 << ((code >> 4) & 7).astype(np.int32)
    wanted = np.clip(samples, -_CLIP, _CLIP)
    return int((np.abs(decoded - wanted) > half_step + _ROUNDING).sum())
