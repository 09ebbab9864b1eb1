"""A run of the bed from a test: `pushlab run` or `pushlab exec` as a process, and what came of it.

It has to be a process: a run takes a network namespace of its own, which a test process cannot enter and leave.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.plugin.servers import COMMAND
from harness.scenario.resolved import toml_value

LIMIT_S: Final = 600.0
"""A run that takes longer is stopped: `pushlab exec` gives its command as long."""
STOP_WITHIN_S: Final = 30.0
"""An interrupted run stops its parts in order, and writes what they recorded."""
JUDGED: Final = (0, 1, 3, 6)
"""Exit codes of a run that may have a verdict."""
LOOPBACK_LOCK: Final = "\0pushlab-loopback-run"
"""Of this network namespace: on loopback all runs have the same addresses, so one goes after the other."""
POLL_S: Final = 0.1


class RunError(Exception):
    """A run without a result: a scenario that is not valid, a bed that could not start, a run that took too long.

    Not: a run that failed, which has a result.

    Attributes:
        exit_code: of `pushlab run` (docs/reference/exit-codes.md); None where it was stopped.
    """

    def __init__(self, message: str, exit_code: int | None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to run.

    Attributes:
        scenario: a bundled name, a scenario file, or a whole scenario as nested mappings.
        out: where its folder goes.
        phones, seed, ground: instead of the scenario's; None: as it says.
        settings: key of the scenario → value, such as `gateway.concurrency` → 50.
        command: for `pushlab exec`; empty: `pushlab run`.
        environment: of the run and its command; None: this process's.
        directory: where it is started; None: here.
        limit_s: how long it may take.
    """

    scenario: str | Path | Mapping[str, Any]
    out: Path
    phones: int | None = None
    seed: int | None = None
    ground: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    command: Sequence[str] = ()
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    limit_s: float = LIMIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that was judged."""

    folder: Path
    exit_code: int
    events: tuple[Mapping[str, Any], ...]
    """The lines of `--json` (docs/reference/event-stream.md)."""


def run(wish: Wish) -> Ended:
    """Run a scenario to its verdict.

    Raises:
        RunError: there is none; with what `pushlab` says.
    """
    __tracebackhide__ = True
    with tempfile.TemporaryDirectory(prefix="pushlab-") as temporary, tempfile.TemporaryFile() as errors:
        words = _command_line(wish, Path(temporary))
        with subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=None if wish.environment is None else dict(wish.environment),
            cwd=wish.directory,
            # Ctrl-C reaches the test process alone, which stops its run in order.
            start_new_session=True,
        ) as process:
            try:
                # `stdin` stays open as long as we live: it is the run's lifeline, and communicate() would close it.
                lines = _read(process, wish.limit_s)
            except BaseException as error:
                _stop(process)
                if isinstance(error, TimeoutError):
                    raise RunError(f"the run did not end within {wish.limit_s:g} s and was stopped", None) from None
                raise
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
    events = tuple(json.loads(line) for line in lines)
    ended = next((event for event in events if event["event"] == "run.ended"), None)
    if process.returncode not in JUDGED or ended is None or ended["verdict"] is None:
        code = process.returncode
        raise RunError(f"pushlab {words[0]} ended with exit code {code} and no verdict:\n{said}", code)
    return Ended(folder=Path(ended["folder"]), exit_code=process.returncode, events=events)


@contextmanager
def alone_on_loopback(within_s: float = LIMIT_S) -> Iterator[None]:
    """Hold what one run on ground loopback may hold at a time, wherever tests run beside this one.

    Raises:
        RunError: another held it all the time.
    """
    deadline = time.monotonic() + within_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        while True:
            try:
                lock.bind(LOOPBACK_LOCK)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise RunError(f"ground loopback was in use by another run for {within_s:g} s", None) from None
                time.sleep(POLL_S)
        yield


def _command_line(wish: Wish, temporary: Path) -> list[str]:
    """The arguments of `pushlab`; a scenario that is no file becomes one."""
    words = ["exec" if wish.command else "run", _scenario(wish.scenario, temporary), "--json", "--stop-with-stdin"]
    words += ["--out", str(wish.out)]
    for name in ("phones", "seed", "ground"):
        value = getattr(wish, name)
        words += [] if value is None else [f"--{name}", str(value)]
    for key, setting in wish.settings.items():
        words += ["--set", f"{key}={toml_value(setting)}"]
    return words + (["--", *wish.command] if wish.command else [])


def _scenario(scenario: str | Path | Mapping[str, Any], temporary: Path) -> str:
    if isinstance(scenario, Mapping):
        file = temporary / "scenario.toml"
        lines = [f"{key} = {toml_value(value)}" for key, value in scenario.items()]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(file)
    # A path without a folder would be taken for a bundled name.
    return str(scenario.absolute()) if isinstance(scenario, Path) else scenario


def _read(process: subprocess.Popen[bytes], limit_s: float) -> list[bytes]:
    """All lines until the process closes its output."""
    assert process.stdout is not None
    deadline = time.monotonic() + limit_s
    found = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            found += data
    process.wait(max(0.1, deadline - time.monotonic()))
    return bytes(found).splitlines()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
