"""Parts of a run as processes: started, listened to, stopped, and missed at once when they die.

A part speaks as docs/design/parts.md says: a ready line, then status lines on stdout, the log on stderr, its lifeline
on stdin. `run_part` is a task for as long as the part lives: `part = await nursery.start(run_part, plan)`. Ended with
`Part.stop` it returns; cancelled it stops the part all the same; a part that dies by itself raises PartEndedError
into the nursery (or calls `on_death`).
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from harness.bed.errors import BedError

READY_WITHIN_S: Final = 30.0
"""A fleet of 10,000 phones with its interpreter is ready in 2 s on an idle machine."""
STOP_WITHIN_S: Final = 15.0
"""A part writes its last records within 1 s.

The gateway takes up to 10 s to stop streams of phones that do not answer.
"""
DRAIN_S: Final = 0.5
"""What a part said before its end is in the pipe already; reading it takes a millisecond."""
LINE_LIMIT_BYTES: Final = 256 * 1024
"""A status line is some hundred bytes; more without a line's end is no line."""
QUOTED_LINES: Final = 8
QUOTED_BYTES: Final = 4096


class PartEndedError(BedError):
    """A part ended although nobody had asked it to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlan:
    """What to start.

    Attributes:
        name: as messages name it: `gateway`, `phones`, `callmanager`, `capture`.
        argv: the whole command line. It is visible to everybody on the machine: never a password in it.
        log_path: where its stderr goes; made anew, unless `log_continued`.
        events_path: where it writes its records (`--events`), only kept for the reader.
        pass_fds: descriptors that the command line names.
        environment: the whole environment; default: this process's.
        directory: its working directory; default: this process's.
        ready_within_s: how long the ready line may take.
        speaks: False for a foreign command that prints no ready line: it counts as ready once started, its stdout
            goes to the log.
        on_status: called with the part after each status line.
        on_death: called with the part and what to say, instead of raising, when it dies by itself.
    """

    name: str
    argv: Sequence[str]
    log_path: Path
    log_continued: bool = False
    events_path: Path | None = None
    pass_fds: Sequence[int] = ()
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    ready_within_s: float = READY_WITHIN_S
    speaks: bool = True
    on_status: Callable[["Part"], None] | None = None
    on_death: Callable[["Part", str], None] | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Part:
    """A running part.

    Attributes:
        urls: from its ready line.
        status: the latest status line's counters; empty before the first.
        status_at_s: `trio.current_time()` of that line.
        ended: set when the process has gone; `exit_status` is then its exit code, negative for a signal.
    """

    plan: PartPlan
    process: trio.Process
    urls: dict[str, str] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    status_at_s: float = 0.0
    exit_status: int | None = None
    stopping: bool = False
    ended: trio.Event = field(default_factory=trio.Event)

    @property
    def name(self) -> str:
        """As messages name it."""
        return self.plan.name

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def log_path(self) -> Path:
        """Its stderr."""
        return self.plan.log_path

    @property
    def events_path(self) -> Path | None:
        """Its records."""
        return self.plan.events_path

    async def stop(self, within_s: float = STOP_WITHIN_S) -> int:
        """Ask it to end (SIGTERM), kill it (SIGKILL) after `within_s`; return its exit status.

        0 is a clean end; -9 means that it had to be killed, and its last records may be missing.
        """
        self.stopping = True
        await _end(self.process, within_s)
        await self.ended.wait()
        assert self.exit_status is not None
        return self.exit_status

    def last_words(self) -> str:
        """The last lines of its log, for a message."""
        return tail(self.log_path)


async def run_part(plan: PartPlan, task_status: trio.TaskStatus[Part] = trio.TASK_STATUS_IGNORED) -> None:
    """Start a part, report it ready, listen to it until it ends.

    Raises:
        BedError: it cannot be started, or is not ready in time; with the last lines of its log.
        PartEndedError: it ended by itself (without `on_death`).
    """
    process = await _open(plan)
    part = Part(plan=plan, process=process)
    try:
        if plan.speaks:
            assert process.stdout is not None
            lines = _Lines(process.stdout)
            await _become_ready(part, lines)
            task_status.started(part)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_listen, part, lines)
                part.exit_status = await process.wait()
                # A child of the part may hold its stdout open: what is in the pipe is read, its end is not waited for.
                nursery.cancel_scope.deadline = trio.current_time() + DRAIN_S
        else:
            task_status.started(part)
            part.exit_status = await process.wait()
    finally:
        part.stopping = part.stopping or part.exit_status is None
        with trio.CancelScope(shield=True):
            await _end(process, STOP_WITHIN_S)
            part.exit_status = process.returncode
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    await stream.aclose()
            part.ended.set()
    if not part.stopping:
        message = f"{plan.name} ended by itself ({_how(part.exit_status)}); its last lines:\n{part.last_words()}"
        if plan.on_death is None:
            raise PartEndedError(message)
        plan.on_death(part, message)


async def _open(plan: PartPlan) -> trio.Process:
    with plan.log_path.open("ab" if plan.log_continued else "wb") as log:
        options: dict[str, Any] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE if plan.speaks else log,
            "stderr": log,
            "pass_fds": tuple(plan.pass_fds),
            "env": None if plan.environment is None else dict(plan.environment),
            "cwd": plan.directory,
            # Ctrl-C reaches the run alone, which then stops its parts in order.
            "start_new_session": True,
        }
        try:
            return await trio.lowlevel.open_process(list(plan.argv), **options)
        except OSError as error:
            raise BedError(f"{plan.name} cannot be started: {plan.argv[0]}: {error.strerror}") from None


_PORT_TAKEN: Final = (
    "\n  something on this machine listens there already: another run on this ground, which has to end first? "
    "On ground netns each run has addresses of its own"
)


async def _become_ready(part: Part, lines: "_Lines") -> None:
    plan = part.plan
    with trio.move_on_after(plan.ready_within_s) as deadline:
        line = await lines.next()
        if line is None:
            status = await part.process.wait()
            said = part.last_words()
            hint = _PORT_TAKEN if "EADDRINUSE" in said else ""
            raise BedError(f"{plan.name} ended before it was ready ({_how(status)}):\n{said}{hint}")
        ready = _object(line)
        if ready is None or ready.get("ready") is not True:
            raise BedError(f"{plan.name} said {line[:200]!r} where its ready line was due:\n{part.last_words()}")
        urls = ready.get("urls")
        part.urls = {str(key): str(value) for key, value in urls.items()} if isinstance(urls, dict) else {}
    if deadline.cancelled_caught:
        raise BedError(f"{plan.name} was not ready within {plan.ready_within_s:g} s:\n{part.last_words()}")


async def _listen(part: Part, lines: "_Lines") -> None:
    while (line := await lines.next()) is not None:
        spoken = _object(line)
        if spoken is not None and isinstance(spoken.get("status"), dict):
            part.status = spoken["status"]
            part.status_at_s = trio.current_time()
            if part.plan.on_status is not None:
                part.plan.on_status(part)


async def _end(process: trio.Process, within_s: float) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(within_s):
            await process.wait()
            return
        # The part leads a session of its own: this takes its children (a pacer) with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()


class _Lines:
    """Lines of a pipe; a line beyond the limit counts as the end, for its writer is no part of ours."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def next(self) -> bytes | None:
        """The next line without its end; None at the end of the stream."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LINE_LIMIT_BYTES:
                return None
            data = await self._stream.receive_some()
            if not data:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        spoken = json.loads(line)
    except ValueError:
        return None
    return spoken if isinstance(spoken, dict) else None


def _how(status: int | None) -> str:
    if status is None:
        return "unknown"
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


def tail(path: Path) -> str:
    """The last lines of a log, at most 8 lines and 4 KiB, indented for quoting."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - QUOTED_BYTES), os.SEEK_SET)
            text = file.read(QUOTED_BYTES).decode("utf-8", "replace")
    except OSError:
        text = ""
    lines = text.splitlines()[-QUOTED_LINES:] or ["(its log is empty)"]
    return "\n".join(f"  {line}" for line in lines)
