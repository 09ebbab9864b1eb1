"""Whole runs: real processes, sockets, namespaces and captures, a second of audio each."""

import json
import math
import os
import signal
import struct
import subprocess
import sys
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.net import first_process
from harness.net.namespace import available

RUN_LIMIT_S = 120
UNHURRIED = (
    "page.late_after_ms=30000",
    "integrity.lateness.pacer_ms.p99=<= 1000",
    "integrity.lateness.callmanager_model_fraction.p99=<= 100",
)
"""A test machine may be busy with other things; limits on lateness have tests of their own, on made-up records."""
RATE = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A `pushlab` that has ended."""

    code: int
    stdout: str
    stderr: str
    folder: Path
    """Where its last run lies."""

    @property
    def verdict(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "verdict.json").read_text(encoding="utf-8")))

    def checks(self, verdict: str) -> set[str]:
        """Names of the checks that have that verdict."""
        return {check["name"] for check in self.verdict["checks"] if check["verdict"] == verdict}

    def metric(self, name: str) -> float:
        return float(self.verdict["metrics"][name])


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli", *words]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushlab:
    """Runs the command in a folder of the test's own, with one second of audio."""

    folder: Path
    audio: Path
    skip_if_held_up: Callable[[Path], None]

    def __call__(self, *words: str, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Ended:
        ended = subprocess.run(
            [*before, *command(*words)],
            cwd=self.folder,
            env=os.environ | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        last = self.folder / "runs" / "latest"
        self.skip_if_held_up(last)
        return Ended(code=ended.returncode, stdout=ended.stdout, stderr=ended.stderr, folder=last)

    def run(self, scenario: str, *words: str, phones: int = 10, before: Sequence[str] = ()) -> Ended:
        """`pushlab run` with few phones and short audio, and no limits on time: what is tested here is not speed."""
        return self("run", scenario, "--phones", str(phones), *self._unhurried(), *words, before=before)

    def run_site(self, scenario: str, site: Path, *words: str, before: Sequence[str] = ()) -> Ended:
        """The same with the phones of a site's list."""
        return self("run", scenario, "--csv", str(site), *self._unhurried(), *words, before=before)

    def _unhurried(self) -> list[str]:
        settings = (f"page.audio={self.audio}", *UNHURRIED)
        return [word for setting in settings for word in ("--set", setting)]

    def run_and_kill(self, part: str, *, scenario: str = "burst-offload") -> Ended:
        """A scenario with the bundled announcement; one of its parts is killed when it begins to play."""
        mark = f"PUSHLAB_TEST_MARK={self.folder}"
        settings = [word for setting in UNHURRIED for word in ("--set", setting)]
        run = subprocess.Popen(
            command("run", scenario, "--phones", "10", *settings),
            cwd=self.folder,
            env=os.environ | dict([mark.split("=", 1)]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert run.stderr is not None
        said = []
        for line in run.stderr:
            said.append(line)
            if "playing the announcement" in line:
                os.kill(_process_of(mark, part), signal.SIGKILL)
                break
        stdout, stderr = run.communicate(timeout=RUN_LIMIT_S)
        folder = self.folder / "runs" / "latest"
        return Ended(code=run.returncode, stdout=stdout, stderr="".join(said) + stderr, folder=folder)

    def variant(self, name: str, *words: str) -> Ended:
        """`burst-offload` with one of the wrong gateways of tests/mutants."""
        script = Path(__file__).parent.parent / "mutants" / "gateway_variant.py"
        argv: Sequence[str] = [sys.executable, str(script), name]
        options = ("--set", "gateway.kind=command", "--set", f"gateway.command={json.dumps(argv)}")
        return self.run("burst-offload", *options, *words)


def _process_of(mark: str, part: str) -> int:
    """The part's process among those whose environment carries the mark."""
    words = "harness.bed.directory.server\0" if part == "directory" else f"harness.cli\0{part}\0"
    (found,) = (
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdecimal() and _is(folder, mark, words)
    )
    return found


def _is(process: Path, mark: str, words: str) -> bool:
    try:
        marked = mark.encode() in (process / "environ").read_bytes().split(b"\0")
        return marked and words.encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture
def pushlab(tmp_path: Path, skip_if_held_up: Callable[[Path], None]) -> Pushlab:
    audio = tmp_path / "second.wav"
    # A rising tone: no two frames are alike, so that a frame twice or left out shows.
    phases = [2 * math.pi * (300 * t + 200 * t * t) for t in (n / RATE for n in range(RATE))]
    with wave.open(str(audio), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", int(12000 * math.sin(phase))) for phase in phases))
    return Pushlab(folder=tmp_path, audio=audio, skip_if_held_up=skip_if_held_up)


@pytest.fixture
def own_loopback() -> tuple[str, ...]:
    """Begins a command line that has a loopback of its own: the machine's may have other fleets on the same ports."""
    if not available().possible:
        return ()
    return (sys.executable, "-I", "-S", first_process.__file__, "run")


@pytest.fixture(scope="session")
def netns() -> None:
    """Skips where namespaces are forbidden, and says what would allow them."""
    found = available()
    if not found.possible:
        pytest.skip(f"namespaces: {found.why}; to allow them: {found.remedy}")
