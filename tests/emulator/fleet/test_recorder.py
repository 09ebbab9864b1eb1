"""What phones heard, in a folder that had something in it, and on a disk that is full."""

import resource
import wave
from pathlib import Path

import pytest

from emulator.fleet.recorder import Recorder

US = int.from_bytes(bytes([127, 0, 0, 1]), "big")


def heard(recorder: Recorder, frames: int) -> None:
    period = recorder.period(push="push", source="127.0.0.1", port=32674, since_ns=0)
    for number in range(frames):
        period.hear(number * 20_000_000, US, 40000, 172, 0x80, 0, number, 160 * number, 7, bytes(160))
    recorder.keep("SEP001BD4000001", period)


def frames_of(path: Path) -> int:
    with wave.open(str(path)) as file:
        return file.getnframes() // 160


def test_a_second_start_keeps_what_was_heard_in_the_first(tmp_path: Path) -> None:
    for frames in (3, 5):
        heard(Recorder(tmp_path), frames)
    assert [frames_of(path) for path in sorted(tmp_path.iterdir())] == [3, 5]


def test_a_full_disk_leaves_no_half_a_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        heard(recorder, 50)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    assert "SEP001BD4000001 is not recorded: File too large" in caplog.text
    heard(recorder, 2)
    assert [frames_of(path) for path in tmp_path.iterdir()] == [2]
