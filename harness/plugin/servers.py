"""A server of pushlab (`phones`, `callmanager`) as a process beside a test: started, asked, stopped.

It is the blocking counterpart of `harness.bed.processes`: the manners of docs/design/parts.md, for callers without an
event loop. Its lifeline is its standard input, so it does not outlive the test process, however that ends.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

COMMAND: Final = (sys.executable, "-P", "-m", "harness.cli")
"""Of our own processes; -P, because a project under test may have a package `gateway` of its own where it stands."""
READY_WITHIN_S: Final = 30.0
"""A fleet of 10,000 phones with its interpreter is ready in 2 s on an idle machine."""
STOP_WITHIN_S: Final = 15.0
POLL_S: Final = 0.05
LATE_S: Final = 0.3
"""Records are on disk at most 0.25 s late (docs/design/parts.md); the rest is for a busy machine."""

Record = dict[str, Any]
"""One record of a witness, as in docs/reference/events.md."""


class ServerError(Exception):
    """A server that does not start, or ended by itself; with the last lines of its log. Not: what it was asked."""


class Server:
    """A running server; a context manager that stops it."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        """Start it and wait until it is ready.

        Args:
            name: the subcommand: `phones` or `callmanager`.
            arguments: of the subcommand. They are visible to everybody on the machine: never a password.
            folder: where its log and its records go; must exist.

        Raises:
            ServerError: it did not become ready.
        """
        self.name = name
        self.log_path = folder / f"{name}.log"
        self.events_path = folder / f"{name}.jsonl"
        self.events_path.touch()
        self._read_to = 0
        self._records: list[Record] = []
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [*COMMAND, name, *arguments, "--events", str(self.events_path), "--stop-with-stdin"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C reaches the test process alone, which stops its servers in order.
                start_new_session=True,
            )
        try:
            self.urls = self._become_ready()
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> None:
        """Stop it, so that its last records are written; a second time does nothing.

        Raises:
            ServerError: it had ended by itself before.
        """
        if self._process.stdin is None or self._process.stdin.closed:
            return
        ended = self._process.poll()
        self._end()
        if ended is not None:
            raise ServerError(f"{self.name} ended by itself (status {ended}); its last lines:\n{self.last_words()}")

    def records(self, kind: str | None = None, *, phone: str | None = None) -> list[Record]:
        """What it has recorded so far, in order; waits until all that happened before the call is on disk.

        Args:
            kind: only records of this kind, such as `push.received`.
            phone: only those of this device name.
        """
        if self._process.poll() is None:
            time.sleep(LATE_S)
        return self._chosen(kind, phone)

    def wait(self, kind: str, *, phone: str | None = None, count: int = 1, within_s: float = 5.0) -> list[Record]:
        """Wait for records.

        Args:
            kind: of this kind.
            phone: of this device name; default: of any.
            count: how many there must be.
            within_s: how long to wait.

        Raises:
            AssertionError: there were fewer when the time was over; it says what there was.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + within_s
        while True:
            over = time.monotonic() >= deadline
            found = self._chosen(kind, phone)
            if len(found) >= count:
                return found
            if over:
                raise AssertionError(self._missed(kind, phone, count, len(found), within_s))
            if self._process.poll() is not None and not over:
                deadline = time.monotonic()
            time.sleep(POLL_S)

    def last_words(self) -> str:
        """The last lines of its log."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-4096:].rstrip() or "(its log is empty)"

    def _chosen(self, kind: str | None, phone: str | None) -> list[Record]:
        self._read()
        return [
            record
            for record in self._records
            if kind in {None, record["kind"]} and phone in {None, record.get("phone")}
        ]

    def _read(self) -> None:
        """Take up what is new in its file; a line that is being written waits for its end."""
        with self.events_path.open("rb") as file:
            file.seek(self._read_to)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read_to += len(whole) + len(end)
        self._records += [json.loads(line) for line in whole.splitlines()]

    def _missed(self, kind: str, phone: str | None, count: int, found: int, within_s: float) -> str:
        kinds: dict[str, int] = {}
        for record in self._chosen(None, phone):
            kinds[record["kind"]] = kinds.get(record["kind"], 0) + 1
        seen = ", ".join(f"{number} {name}" for name, number in kinds.items()) or "nothing"
        whose = f" of {phone}" if phone else ""
        return f"expected {count} {kind}{whose} within {within_s:g} s, got {found}; {self.name} recorded{whose}: {seen}"

    def _become_ready(self) -> dict[str, str]:
        stdout = self._process.stdout
        assert stdout is not None
        readable, _, _ = select.select([stdout], [], [], READY_WITHIN_S)
        line = stdout.readline() if readable else b""
        if not line:
            how = "ended before it was ready" if readable else f"was not ready within {READY_WITHIN_S:g} s"
            if readable:
                self._process.wait(STOP_WITHIN_S)
            raise ServerError(f"{self.name} {how}:\n{self.last_words()}")
        return {str(name): str(url) for name, url in json.loads(line)["urls"].items()}

    def _end(self) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        finally:
            process.stdout.close()
