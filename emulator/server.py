"""The manners that all servers of the emulator share: ready line, status lines, lifeline, signals, last records."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import resource
import signal
import sys
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import trio

from emulator.engine import BindError
from emulator.records import Records

DESCRIPTORS: Final = 32_768
"""The soft limit is often 1,024: a burst to two thousand phones has a connection in and a question out for each."""
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
_LAG_INTERVAL_S: Final = 0.05
_LAG_SAMPLES: Final = 20_000
"""Beyond it every second sample is given up, and the interval doubles: a day's run stays within 160 kB."""


class Body(Protocol):
    """Runs the part until it is cancelled; starts with the URLs of the ready line.

    What it does in its own `finally` (last records, say) still reaches the file.
    """

    async def __call__(self, records: Records, /, *, task_status: trio.TaskStatus[Mapping[str, str]]) -> None:
        """Run."""


class ConfigurationError(Exception):
    """The configuration is wrong. Not for addresses that cannot be bound: see `BindError`."""

    exit_code: Final = 4

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Manners:
    """How a server talks to whoever started it (docs/design/parts.md)."""

    part: str
    """Name in `part.ended`, and witness of its records."""
    events: Path | None = None
    status_s: float | None = None
    stop_with_stdin: bool = False


class Subject(Protocol):
    """What a server tells about itself."""

    def status(self) -> Mapping[str, int]:
        """Cumulative counters of the status line."""

    def ended(self) -> Mapping[str, Any]:
        """Further fields of `part.ended`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every server has."""
    parser.add_argument("--events", type=Path, metavar="FILE", help="append records here (docs/reference/events.md)")
    parser.add_argument("--status-s", type=_seconds, metavar="SECONDS", help="print counters this often")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input ends")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.01 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"expected 0.01 to 86400 seconds, got {text}")
    return value


def manners(arguments: argparse.Namespace, part: str) -> Manners:
    """The options of `add_arguments` as parsed."""
    return Manners(
        part=part,
        events=arguments.events,
        status_s=arguments.status_s,
        stop_with_stdin=arguments.stop_with_stdin,
    )


def run(body: Body, subject: Subject, *, how: Manners) -> int:
    """Run a server to its end in an event loop of its own.

    Returns:
        The exit code: 0 stopped as asked, 4 the configuration is wrong (as is an events file that cannot be opened), 5
        an address cannot be bound.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    _raise_descriptor_limit()
    try:
        records = Records(how.events, witness=how.part, clock=time.monotonic_ns)
    except OSError as error:
        print(f"cannot write {how.events}: {os.strerror(error.errno or 0)}", file=sys.stderr)  # noqa: T201 - the log
        return ConfigurationError.exit_code
    try:
        trio.run(_main, body, subject, how, records)
    except ExceptionGroup as group:
        expected, rest = group.split((BindError, ConfigurationError))
        if rest is not None or expected is None:
            raise
        return _complain(_leaf(expected))
    finally:
        records.close()
    return 0


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _leaf(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _complain(error: Exception) -> int:
    print(error, file=sys.stderr)  # noqa: T201 - the log
    return BindError.exit_code if isinstance(error, BindError) else ConfigurationError.exit_code


async def _main(body: Body, subject: Subject, how: Manners, records: Records) -> None:
    lag = _Lag()
    # Signals are caught before the ready line: whoever reads it may stop this part at once.
    with _ignored(_STOPPING), trio.open_signal_receiver(*_STOPPING) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on_signal, signals, nursery.cancel_scope)
            await nursery.start(records.run)
            urls = await nursery.start(body, records)
            # What lives now lives to the end: thousands of phones need not be looked through at each collection.
            gc.collect()
            gc.freeze()
            _say({"ready": True, "urls": dict(urls)})
            nursery.start_soon(lag.sample)
            if how.status_s is not None:
                nursery.start_soon(_report, subject, how.status_s)
            if how.stop_with_stdin:
                nursery.start_soon(_lifeline, nursery.cancel_scope)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    records.write(
        "part.ended",
        part=how.part,
        cpu_s=round(usage.ru_utime + usage.ru_stime, 3),
        rss_bytes=usage.ru_maxrss * 1024,
        loop_lag_ms=lag.summary(),
        **dict(subject.ended()),
    )


@contextlib.contextmanager
def _ignored(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Ignore signals where no receiver is open.

    A receiver that closes hands what it has not delivered to the handler from before: a signal that came together with
    the end of the lifeline would end the process before its last records.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(line: Mapping[str, object]) -> None:
    # Nobody listening any longer is no reason to stop serving; the lifeline is for that.
    with contextlib.suppress(OSError, ValueError):
        print(json.dumps(line), flush=True)  # noqa: T201 - the part's voice to its parent


async def _report(subject: Subject, interval_s: float) -> None:
    while True:
        await trio.sleep(interval_s)
        _say({"status": dict(subject.status())})


async def _stop_on_signal(signals: object, scope: trio.CancelScope) -> None:
    async for _ in signals:  # type: ignore[attr-defined] # trio does not name the receiver's type
        scope.cancel()
        return


async def _lifeline(scope: trio.CancelScope) -> None:
    descriptor = sys.stdin.fileno()
    while True:
        # A file cannot be waited for, and reading it does not block.
        with contextlib.suppress(PermissionError):
            await trio.lowlevel.wait_readable(descriptor)
        if not os.read(descriptor, 4096):
            break
    scope.cancel()


class _Lag:
    """How late the loop runs timers."""

    def __init__(self) -> None:
        self._ms = array("d")
        self._interval_s = _LAG_INTERVAL_S

    async def sample(self) -> None:
        while True:
            due = trio.current_time() + self._interval_s
            await trio.sleep_until(due)
            self._ms.append((trio.current_time() - due) * 1000)
            if len(self._ms) >= _LAG_SAMPLES:
                self._ms = self._ms[::2]
                self._interval_s *= 2

    def summary(self) -> dict[str, float | int]:
        return distribution(self._ms)


def distribution(values: array[float]) -> dict[str, float | int]:
    """`count`, `p50`, `p90`, `p95`, `p99` and `max` of some values (nearest rank); of none only the count."""
    ordered = sorted(values)
    count = len(ordered)
    summary: dict[str, float | int] = {"count": count}
    if count:
        for share in (50, 90, 95, 99):
            summary[f"p{share}"] = round(ordered[min(count - 1, count * share // 100)], 3)
        summary["max"] = round(ordered[-1], 3)
    return summary
