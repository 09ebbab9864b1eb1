"""Readers who leave, and full disks: the text is lost, the exit code is not."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from harness.live import Live
from harness.screen import told_when_slow

FULL = Path("/dev/full")
"""Each write fails with ENOSPC."""

RICH = """
import sys
from rich.console import Console
from harness.screen import reader_may_leave
with reader_may_leave(sys.stdout):
    Console().print("x")
raise SystemExit(3)
"""


@contextmanager
def nobody_reads() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def code_of(*words: str, stdout: int, stderr: int) -> int:
    return subprocess.run([sys.executable, *words], stdout=stdout, stderr=stderr, check=False).returncode


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-m", "harness.cli", "check", "burst-offload"), 0),
        (("-m", "harness.cli", "check", "burst-offlod"), 4),
        (("-m", "harness.cli", "judge", "/nonexistent"), 6),
        (("-c", "from harness.screen import say; say('x' * 100_000); raise SystemExit(3)"), 3),
        (("-c", RICH), 3),
    ],
)
def test_the_exit_code_stays(words: tuple[str, ...], code: int) -> None:
    with nobody_reads() as pipe:
        assert code_of(*words, stdout=pipe, stderr=pipe) == code
    with FULL.open("wb") as full:
        assert code_of(*words, stdout=full.fileno(), stderr=full.fileno()) == code


@pytest.mark.parametrize("terminal", [False, True])
def test_a_display_that_nobody_reads_lets_the_run_go_on(*, terminal: bool) -> None:
    with nobody_reads() as pipe, os.fdopen(os.dup(pipe), "w") as stream:
        with Live(Console(file=stream, force_terminal=terminal, width=80), phones=5) as live:
            for second in range(5):
                live.stage(f"stage {second}")
                live.update("phones", {"listening": 5, "packets": 50}, second * 3.0)
        stream.write("what comes later goes nowhere")


def test_quick_work_says_nothing_and_slow_work_its_stages() -> None:
    said: list[str] = []
    with told_when_slow(said.append, patience_s=60) as tell:
        tell("reading")
    assert said == []
    heard = threading.Event()

    def write(stage: str) -> None:
        said.append(stage)
        heard.set()

    with told_when_slow(write, patience_s=0.01) as tell:
        tell("reading")
        assert heard.wait(10)
        tell("judging")
    assert said == ["reading", "judging"]
