from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from gateway.media import load_audio

FOLDER = Path(__file__).parents[3] / "scenarios" / "audio"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_announcement", FOLDER / "make_announcement.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_makes_the_bundled_file_byte_for_byte():
    content = (FOLDER / "announcement.wav").read_bytes()
    assert script().wav_bytes() == content
    assert len(content) < 100_000


def test_no_frame_of_it_is_like_another():
    audio = load_audio(FOLDER / "announcement.wav")
    frames = [audio.payload[at : at + 160] for at in range(0, len(audio.payload), 160)]
    assert len(set(frames)) == len(frames) == audio.frames
    assert 4_000 <= audio.duration_ms <= 6_000
