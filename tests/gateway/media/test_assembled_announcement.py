from __future__ import annotations

import pytest

from gateway.media import TONES, Audio, AudioError, assemble, bundled_tone
from gateway.media.announcement import PAUSE_MS
from gateway.media.mulaw import SILENCE

SPEECH = Audio(name="speech", frames=50, payload=b"\x12" * 50 * 160)


@pytest.mark.parametrize("name", TONES)
def test_bundled_tones_are_whole_frames_and_heard(name: str) -> None:
    tone = bundled_tone(name)
    assert len(tone.payload) == tone.frames * 160
    assert 500 <= tone.duration_ms <= 2500
    assert len(set(tone.payload)) > 50


def test_tone_pause_and_repetitions() -> None:
    tone = bundled_tone("chime")
    whole = assemble(SPEECH, tone=tone, repeat=2)
    pause = bytes([SILENCE]) * (PAUSE_MS * 8)
    assert whole.payload == tone.payload + pause + SPEECH.payload + pause + SPEECH.payload
    assert whole.frames * 160 == len(whole.payload)
    assert whole.name == "speech"


def test_nothing_added_is_the_audio_itself() -> None:
    assert assemble(SPEECH) is SPEECH


def test_more_than_ten_minutes_are_refused() -> None:
    long = Audio(name="long", frames=200 * 50, payload=b"\x12" * 200 * 8000)
    with pytest.raises(AudioError, match="at most 600 s"):
        assemble(long, repeat=3)
