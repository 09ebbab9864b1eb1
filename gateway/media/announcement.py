"""What a page plays: a tone first where one is wished, then the recording, once or several times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.media import mulaw
from gateway.media.audio import FRAME_BYTES, FRAME_MS, Audio
from gateway.media.errors import AudioError
from gateway.media.resampling import OUTPUT_HZ
from gateway.media.wave_file import MAX_DURATION_S

PAUSE_MS: Final = 600
"""Between repetitions, and after the tone: the next sentence is heard as one."""
_LEVEL: Final = 0.25
"""Of full scale: clearly heard, never louder than speech."""
_FADE_S: Final = 0.01


def _tones(*parts: tuple[tuple[float, ...], float]) -> NDArray[np.int16]:
    """Frequencies in Hz and a duration in seconds, one after the other; no frequency is silence."""
    pieces = []
    for frequencies, duration_s in parts:
        at_s = np.arange(round(duration_s * OUTPUT_HZ)) / OUTPUT_HZ
        wave = np.zeros_like(at_s)
        for frequency in frequencies:
            wave += np.sin(2 * np.pi * frequency * at_s) / len(frequencies)
        fade = np.minimum(np.minimum(at_s, duration_s - at_s) / _FADE_S, 1.0)
        pieces.append(wave * fade * _LEVEL * 32_767)
    samples: NDArray[np.int16] = np.rint(np.concatenate(pieces)).astype(np.int16)
    return samples


_BUNDLED: Final[dict[str, Callable[[], NDArray[np.int16]]]] = {
    # Two falling notes, as before announcements in stations.
    "chime": lambda: _tones(((659.3,), 0.5), ((523.3,), 0.7)),
    # The ringing of a North American line: 440 and 480 Hz (ITU-T E.180 supplement 2).
    "ring": lambda: _tones(((440.0, 480.0), 2.0)),
    # Short and high, three times: for emergencies.
    "alert": lambda: _tones(*[((950.0,), 0.2), ((), 0.1)] * 3),
}
TONES: Final = tuple(_BUNDLED)
"""Names of the tones that need no file."""


def bundled_tone(name: str) -> Audio:
    """One of `TONES`."""
    payload = mulaw.encode(_BUNDLED[name]())
    frames = -(-len(payload) // FRAME_BYTES)
    return Audio(name=name, frames=frames, payload=payload.ljust(frames * FRAME_BYTES, bytes([mulaw.SILENCE])))


def live_announcement(tone: Audio | None = None) -> Audio:
    """A tone where one is wished, then room for ten minutes of live audio."""
    lead = b"" if tone is None else tone.payload + bytes([mulaw.SILENCE]) * (PAUSE_MS // FRAME_MS * FRAME_BYTES)
    payload = lead.ljust(MAX_DURATION_S * OUTPUT_HZ, bytes([mulaw.SILENCE]))
    live_from = len(lead) // FRAME_BYTES
    return Audio(name="live", frames=len(payload) // FRAME_BYTES, payload=payload, live_from=live_from)


def assemble(audio: Audio, *, tone: Audio | None = None, repeat: int = 1) -> Audio:
    """The whole announcement: tone, pause, recording, pause, recording ... One repetition without a tone is the audio.

    Raises:
        AudioError: Longer than phones are paged for.
    """
    if tone is None and repeat == 1:
        return audio
    pause = bytes([mulaw.SILENCE]) * (PAUSE_MS // FRAME_MS * FRAME_BYTES)
    parts = ([] if tone is None else [tone.payload]) + [audio.payload] * repeat
    total = sum(map(len, parts)) + len(pause) * (len(parts) - 1)
    if total > MAX_DURATION_S * OUTPUT_HZ:
        raise AudioError(
            "the announcement is too long",
            where=audio.name,
            expected=f"at most {MAX_DURATION_S:g} s with tone and repetitions",
            got=f"{total / OUTPUT_HZ:.0f} s",
            to_do="repeat it less often",
        )
    payload = pause.join(parts)
    return Audio(name=audio.name, frames=len(payload) // FRAME_BYTES, payload=payload)
