from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from gateway.media import load_audio

FOLDER = Path(__file__).parents[3] / "scenarios" / "audio"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_announcement", FOLDER / "make_announcement.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["announcement", "notice"])
def test_the_script_makes_the_bundled_file_byte_for_byte(name: str) -> None:
    content = (FOLDER / f"{name}.wav").read_bytes()
    assert script().wav_bytes(name) == content
    assert len(content) < 100_000


@pytest.mark.parametrize(
    ("name", "shortest_ms", "longest_ms"), [("announcement", 4_000, 6_000), ("notice", 2_000, 3_000)]
)
def test_no_frame_of_it_is_like_another(name: str, shortest_ms: int, longest_ms: int) -> None:
    audio = load_audio(FOLDER / f"{name}.wav")
    frames = [audio.payload[at : at + 160] for at in range(0, len(audio.payload), 160)]
    assert len(set(frames)) == len(frames) == audio.frames
    assert shortest_ms <= audio.duration_ms <= longest_ms
