"""Where a stream departs from its source: which second is missing, comes twice, late, or is no second of it at all.

Theory of operation. The stream is followed along its source. As long as a frame is what the source has at the present
distance (the *lag*), nothing happens. At the first frame that is not, half a second from there on is looked for in the
source by cross-correlation; where it is found, the stream goes on with that lag, and the jump is what happened. A frame
that is found nowhere is another sound. Whether a law holds is not decided here: this only tells in words what was found
to be wrong, as near as a frame.

Source: ITU-T G.711, table 1a (A-law): what is tried where hardly anything is found, since bytes of the other law are
the commonest wrong sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.judge.sound import FLOOR, RATE, REMAINDER, Sound, in_band
from harness.judge.source import DECODED, FRAME

SEARCHES_MAX: Final = 24
"""Jumps followed; a stream that jumps more often is told up to there."""
WINDOW: Final = 30 * RATE
"""How far from its place a sound is looked for, samples."""
BLOCK: Final = RATE // 2
"""Looked for at once, samples."""
FOUND: Final = 0.8
"""Correlation from which half a second counts as found: resampling leaves 0.99, unrelated speech stays below 0.5."""
FOUND_ALONE: Final = 0.95
"""Of a single frame: those of one vowel are alike."""
QUIET: Final = 8.0
"""Root mean square up to which a frame is silent: one step of the finest segment."""
GAIN_MIN: Final = 0.1
"""A sound found 20 dB below its source is not it."""
EDGE: Final = 2 * FRAME
"""The frames in which a jump falls are of both sides; a filter makes two of one."""
GAIN_DB: Final = 1.0
"""Difference in level that is told."""
PHRASES_MAX: Final = 3
_SLACK: Final = FRAME * 3 // 4
_KNOWN: Final = 0.5
"""Share of the frames that must be found for the stream to be the source at all."""


def _a_law() -> npt.NDArray[np.int32]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int32)


A_LAW: Final = _a_law()
"""The sample that each A-law byte means, 16 bit units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the stream, samples."""

    begin: int
    end: int
    source: int | None
    """Where it is in the source; None where it is silence or another sound."""
    silent: bool = False
    gain: float = 1.0


def departures(payload: npt.NDArray[np.uint8], sound: Sound, rate_hz: int = RATE) -> str:
    """What is wrong with a stream, in words; empty where no frame is out of place.

    Args:
        payload: mu-law bytes, whole frames, in the order in which they came.
        sound: the source at 8,000 Hz, 16 bit units, from the stream's first frame on.
        rate_hz: the source's own rate; where it was resampled, only the band that every resampler leaves alone is
            compared.
    """
    if not len(payload) or not len(sound):
        return ""

    def compared(samples: npt.NDArray[np.int32] | Sound) -> Sound:
        values = samples.astype(np.float64)
        return values if rate_hz == RATE else in_band(values, RATE, rate_hz)

    heard, sound = compared(DECODED[payload]), compared(sound)
    quiet = np.mean(DECODED[payload].reshape(-1, FRAME).astype(np.float64) ** 2, axis=1) <= QUIET**2
    stretches = follow(heard, sound, quiet)
    if quiet.all() and np.mean(sound**2) > QUIET**2:
        return "silence was sent"
    if _share(stretches, len(heard)) < _KNOWN:
        other = follow(compared(A_LAW[payload]), sound, np.zeros(len(quiet), bool))
        if _share(other, len(heard)) < _KNOWN:
            return "another recording was sent"
        return "; ".join(["A-law bytes were sent as mu-law (payload type 0)", *_phrases(other, len(sound))])
    return "; ".join(_phrases(stretches, len(sound))[:PHRASES_MAX])


def follow(heard: Sound, sound: Sound, quiet: npt.NDArray[np.bool_]) -> list[Stretch]:
    """The stream as stretches of its source, in the stream's order; whole frames each.

    Args:
        heard: what was sent, whole frames.
        sound: the source.
        quiet: which frames are silent, before any filter rang into them.
    """
    found: list[Stretch] = []
    lag, gain, searches = 0, 1.0, 0
    level = float(np.mean(sound**2))
    for begin in range(0, len(heard), FRAME):
        frame = heard[begin : begin + FRAME]
        wanted = _cut(sound, begin + lag, len(frame))
        silent = bool(quiet[begin // FRAME])
        if not (found and found[-1].silent):
            silent &= float(np.mean((gain * wanted) ** 2)) > 4 * QUIET**2
        here = not silent and _is(frame, wanted, gain, level)
        alone: tuple[int, float] | None = None
        if not here and not silent and searches < SEARCHES_MAX:
            searches += 1
            block = heard[begin : begin + BLOCK]
            loud = float(np.mean(block**2)) > FLOOR * level  # else it is like any end that dies away
            jump = _search(block, sound, begin + lag, FOUND) if loud else None
            if jump is not None and _is(frame, _cut(sound, jump[0], len(frame)), jump[1], level):
                lag, gain = jump[0] - begin, jump[1]
                here = True
            else:
                # The frame alone: the stream may go on as before behind it.
                alone = _search(frame, sound, begin + lag, FOUND_ALONE)
        if here:
            stretch = Stretch(begin=begin, end=begin + len(frame), source=begin + lag, gain=gain)
        elif alone is not None:
            stretch = Stretch(begin=begin, end=begin + len(frame), source=alone[0], gain=alone[1])
        else:
            stretch = Stretch(begin=begin, end=begin + len(frame), source=None, silent=silent)
        _append(found, stretch)
    return found


def _append(found: list[Stretch], stretch: Stretch) -> None:
    last = found[-1] if found else None
    if last is not None and last.silent == stretch.silent and _goes_on(last, stretch):
        found[-1] = Stretch(begin=last.begin, end=stretch.end, source=last.source, silent=last.silent, gain=last.gain)
    else:
        found.append(stretch)


def _goes_on(last: Stretch, stretch: Stretch) -> bool:
    if last.source is None or stretch.source is None:
        return last.source is stretch.source
    return stretch.source - stretch.begin == last.source - last.begin


def _is(frame: Sound, wanted: Sound, gain: float, level: float) -> bool:
    rest = float(np.mean((frame - gain * wanted) ** 2))
    return rest <= gain**2 * (REMAINDER * float(np.mean(wanted**2)) + FLOOR * level)


def _cut(sound: Sound, begin: int, length: int) -> Sound:
    """That part of the source, silence beyond its ends."""
    out = np.zeros(length)
    low, high = max(begin, 0), min(begin + length, len(sound))
    if low < high:
        out[low - begin : high - begin] = sound[low:high]
    return out


def _search(block: Sound, sound: Sound, near: int, enough: float) -> tuple[int, float] | None:
    """Where in the source the block is, and how loud against it."""
    low, high = max(0, near - WINDOW), min(len(sound), near + WINDOW)
    # Silence behind the end: the last frame of a source is filled.
    region = np.append(sound[low:high], np.zeros(len(block)))
    if high <= low or not block.any():
        return None
    size = 1 << (len(region) + len(block)).bit_length()
    products = np.fft.irfft(np.fft.rfft(region, size) * np.conj(np.fft.rfft(block, size)), size)
    products = products[: len(region) - len(block)]
    squares = np.append(0.0, np.cumsum(region**2))
    power = (squares[len(block) :] - squares[: -len(block)])[: len(products)]
    usable = power > QUIET**2 * len(block)
    likeness = np.where(usable, products / np.sqrt(np.maximum(power, 1.0) * float(block @ block)), 0.0)
    if not len(likeness):
        return None
    best = int(likeness.argmax())
    if likeness[best] < enough:
        return None
    gain = float(products[best] / power[best])
    return (low + best, gain) if gain >= GAIN_MIN else None


def _share(stretches: Sequence[Stretch], length: int) -> float:
    """Share of the stream that is somewhere in its source."""
    return sum(s.end - s.begin for s in stretches if s.source is not None) / length


def _phrases(stretches: Sequence[Stretch], length: int) -> list[str]:
    """What happened, in the stream's order."""
    covered = np.zeros(length, bool)
    played = np.zeros(length, bool)
    for stretch in stretches:
        if stretch.source is not None:
            covered[max(stretch.source, 0) : max(stretch.source + stretch.end - stretch.begin, 0)] = True
    phrases = _level(stretches)
    again: dict[int, int] = {}
    expected = 0
    for place, stretch in enumerate(stretches):
        size = stretch.end - stretch.begin
        if stretch.source is None:
            if size > EDGE or not 0 < place < len(stretches) - 1 or stretch.silent:
                what = "silence" if stretch.silent else "another sound"
                phrases.append(f"{what} from {_s(stretch.begin)} to {_s(stretch.end)} s")
            expected += size
            continue
        # What sounds like the silence around the source may lie outside of it.
        begin, end = (min(max(at, 0), length) for at in (stretch.source, stretch.source + size))
        if begin > expected + _SLACK and not _mostly(played, expected, begin):
            late = _mostly(covered, expected, begin)
            what = "come later than they should" if late else "are missing"
            phrases.append(f"{_s(expected)} to {_s(begin)} s {what}")
        elif begin < expected - _SLACK and _mostly(played, begin, min(end, expected)):
            again[begin] = again.get(begin, 0) + 1
            if again[begin] == 1:
                told = f"{_s(begin)} to {_s(min(end, expected, length))} s come again at {_s(stretch.begin)} s"
                phrases.append(told)
        played[begin:end] = True
        expected = end
    phrases += [f"it starts over from {_s(begin)} s {times} times" for begin, times in again.items() if times > 1]
    if length - expected > _SLACK and not covered[expected:].any():
        phrases.append(f"{_s(expected)} to {_s(length)} s are missing")
    return phrases


def _mostly(mask: npt.NDArray[np.bool_], begin: int, end: int) -> bool:
    return begin < end and bool(mask[begin:end].mean() > _KNOWN)


def _level(stretches: Sequence[Stretch]) -> list[str]:
    gains = [s.gain for s in stretches if s.source is not None and s.gain > 0]
    weights = [s.end - s.begin for s in stretches if s.source is not None and s.gain > 0]
    if not gains:
        return []
    change_db = float(20 * np.log10(np.average(gains, weights=weights)))
    if abs(change_db) <= GAIN_DB:
        return []
    return [f"{abs(change_db):.0f} dB too {'loud' if change_db > 0 else 'quiet'}"]


def _s(samples: int) -> str:
    return f"{samples / RATE:.2f}"
