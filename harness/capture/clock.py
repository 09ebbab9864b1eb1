"""From the wire's clock to the run's.

The kernel stamps packets with CLOCK_REALTIME, all other records carry CLOCK_MONOTONIC. Pairs of both, read at the
start, each minute and at the end, tie them together; in between the offset is interpolated, since the system's time
keeping may slew CLOCK_REALTIME.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.capture.pcap import CaptureError

Samples = Sequence[Mapping[str, Any]]
"""Each with `monotonic_ns`, `realtime_ns`, `uncertainty_ns`, in the order taken, as in capture.json."""


def monotonic_ns(realtime_ns: npt.NDArray[np.int64], samples: Samples) -> npt.NDArray[np.int64]:
    """Converts times of the wire.

    Args:
        realtime_ns: CLOCK_REALTIME, nanoseconds since 1970.
        samples: at least one.

    Raises:
        CaptureError: no sample, or one that is not complete.
    """
    realtime, offset = _columns(samples)
    # Differences to the first sample stay exact in floating point, the times themselves would not.
    drift = np.interp(realtime_ns - realtime[0], realtime - realtime[0], offset - offset[0])
    converted: npt.NDArray[np.int64] = realtime_ns + offset[0] + np.rint(drift).astype(np.int64)
    return converted


def uncertainty_ns(samples: Samples) -> int:
    """How wrong a converted time may be: that of the readings, and all that the clocks drifted between two of them."""
    _, offset = _columns(samples)
    drift = int(np.abs(np.diff(offset)).max(initial=0))
    return max(int(sample["uncertainty_ns"]) for sample in samples) + drift


def _columns(samples: Samples) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if not samples:
        raise CaptureError("capture.json has no clock sample: times of the wire cannot be compared with others")
    try:
        monotonic = np.array([sample["monotonic_ns"] for sample in samples], np.int64)
        realtime = np.array([sample["realtime_ns"] for sample in samples], np.int64)
        all(int(sample["uncertainty_ns"]) >= 0 for sample in samples)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CaptureError(f"capture.json has a clock sample that is not complete: {error!r}") from error
    # A clock that was set back between two samples would confuse the interpolation: the later sample wins.
    keep = np.append(realtime[1:] > realtime[:-1], True) if len(realtime) > 1 else np.ones(1, bool)
    return realtime[keep], (monotonic - realtime)[keep]
