"""`pushlab capture`: takes packets until it is told to stop, then writes what it took and what it may have missed.

One thread, one selector: ring blocks, the lifeline and signals wake it, timers are its time-out. It behaves as every
server of pushlab does (docs/design/parts.md); the format of its files is in docs/reference/capture.md.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.capture import spool
from harness.capture.clause import Clause, program
from harness.capture.clock import monotonic_ns, uncertainty_ns
from harness.capture.configuration import Configuration, ConfigurationError, load
from harness.capture.reader import address
from harness.capture.tap import Tap, TapError

SCHEMA = 1
EXIT_CONFIGURATION = 4
EXIT_NOT_STARTED = 5
EXIT_NOT_WRITTEN = 1
CLOCK_EVERY_S = 60.0
CANARIES_MAX = 1000
"""Canaries listed for each clause; a run sends two."""
_CLOCK_READINGS = 5
_LAGS_MAX = 1_000_000
"""Passes of the loop whose time is kept, 8 MB: a day at ten a second."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `pushlab capture`. Must be called in the main thread; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        configuration = load(arguments.config) if arguments.config else _alone(arguments)
    except ConfigurationError as error:
        for problem in error.problems:
            _log(problem)
        return EXIT_CONFIGURATION
    try:
        _run(configuration, arguments)
    except TapError as error:
        _log(str(error))
        return EXIT_NOT_STARTED
    except OSError as error:
        _log(f"{configuration.pcap.parent}: the capture cannot be written: {error.strerror} (errno {error.errno})")
        return EXIT_NOT_WRITTEN
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "Takes RTP from an interface, with drop counts."
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="pushlab capture", description=about)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--interface", metavar="IF", help="take UDP to --port on this interface; needs --out")
    what.add_argument("--config", type=Path, metavar="FILE", help="JSON file with clauses (docs/reference/capture.md)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write FILE.pcap.gz and FILE.json")
    parser.add_argument("--port", type=int, default=32674, help="UDP destination port (default: %(default)s)")
    parser.add_argument("--status-s", type=float, metavar="SECONDS", help="print a status line this often")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input ends")
    parser.add_argument("--events", type=Path, metavar="FILE", help="write this part's records to FILE")
    return parser


def _alone(arguments: argparse.Namespace) -> Configuration:
    problems = []
    if arguments.out is None:
        problems.append("--interface needs --out FILE")
    elif not arguments.out.absolute().parent.is_dir():
        problems.append(f"--out: {arguments.out.parent} is not a folder")
    if not 0 < arguments.port < 65536:
        problems.append(f"--port: {arguments.port} is not a port")
    if problems:
        raise ConfigurationError(problems)
    stem = arguments.out.name.removesuffix(".gz").removesuffix(".pcap")
    # With outgoing packets: whoever asks for an interface wants to see what is on it. `lo` would show all twice.
    incoming_only = arguments.interface == "lo"
    clause = Clause(
        name="rtp", kind="rtp", interface=arguments.interface, port=arguments.port, incoming_only=incoming_only
    )
    folder = arguments.out.absolute().parent
    return Configuration(pcap=folder / f"{stem}.pcap.gz", description=folder / f"{stem}.json", clauses=(clause,))


def _run(configuration: Configuration, arguments: argparse.Namespace) -> None:
    with ExitStack() as stack:
        # Before anything slow: a stop that comes while taps are opened is a clean stop, too.
        stopped = stack.enter_context(_stop_signals())
        store = spool.SpoolFile(configuration.pcap.parent, limit_bytes=configuration.limit_bytes)
        stack.callback(store.close)
        taps: list[Tap] = []
        for number, clause in enumerate(configuration.clauses):
            tap = Tap(clause, program(clause), number=number, spool=store)
            stack.callback(tap.close)
            taps.append(tap)
        session = _Session(configuration, taps, store)
        _say({"ready": True, "urls": {}})
        session.take(stopped, status_s=arguments.status_s, lifeline=arguments.stop_with_stdin)
        session.write()
        if arguments.events:
            arguments.events.write_text(json.dumps(session.record()) + "\n")


class _Session:
    """One capture from its first packet to its files."""

    def __init__(self, configuration: Configuration, taps: list[Tap], store: spool.SpoolFile) -> None:
        self._configuration = configuration
        self._taps = taps
        self._store = store
        self._clock = [read_clock()]
        self._lags_ms = array.array("d")
        self._unaccounted: list[str] = []
        self._warned = False

    def take(self, stopped: socket.socket, *, status_s: float | None, lifeline: bool) -> None:
        """Moves blocks until a signal or the end of the lifeline."""
        with selectors.DefaultSelector() as selector:
            for tap in self._taps:
                selector.register(tap, selectors.EVENT_READ, tap)
            selector.register(stopped, selectors.EVENT_READ)
            if lifeline:
                selector.register(0, selectors.EVENT_READ)
            timers: list[tuple[float, Callable[[], None]]] = [(CLOCK_EVERY_S, self._read_clock)]
            if status_s:
                timers.append((status_s, self._status))
            due = [time.monotonic() + every for every, _ in timers]
            running = True
            while running:
                events = selector.select(max(0.0, min(due) - time.monotonic()))
                began = time.monotonic()
                for key, _ in events:
                    if isinstance(key.data, Tap):
                        key.data.drain()
                    elif key.fd == stopped.fileno() or not os.read(0, 4096):
                        running = False
                self._warn()
                for number, (every, act) in enumerate(timers):
                    if due[number] <= began:
                        act()
                        due[number] = max(due[number] + every, began)
                if len(self._lags_ms) < _LAGS_MAX:
                    self._lags_ms.append((time.monotonic() - began) * 1000)
        self._unaccounted = [tap.clause.name for tap in self._taps if not tap.finish()]
        self._warn()
        self._read_clock()

    def write(self) -> None:
        """Writes both files; the description comes last and only beside a whole pcap."""
        cut = frozenset(number for number, tap in enumerate(self._taps) if tap.clause.kind == "syn")
        frames = self._store.frames(cut)
        spool.write(self._configuration.pcap, frames)
        t_ns = monotonic_ns(frames.realtime_ns, self._clock)
        description = {
            "schema": SCHEMA,
            "pcap": self._configuration.pcap.name,
            "packets": len(t_ns),
            "started_t_ns": self._clock[0]["monotonic_ns"],
            "ended_t_ns": self._clock[-1]["monotonic_ns"],
            "clauses": [self._clause(number, frames, t_ns) for number in range(len(self._taps))],
            "clock": self._clock,
            "clock_uncertainty_ns": uncertainty_ns(self._clock),
            "truncated": self._store.problem is not None,
            "problem": self._store.problem,
        }
        unfinished = self._configuration.description.with_name(self._configuration.description.name + ".part")
        unfinished.write_text(json.dumps(description, indent=1) + "\n")
        unfinished.replace(self._configuration.description)
        for tap in self._taps:
            _log(f"{tap.clause.name}: received {tap.received}, dropped {tap.dropped}")

    def record(self) -> dict[str, Any]:
        """This part's last record (docs/reference/events.md)."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lags = np.array(self._lags_ms if len(self._lags_ms) else [0.0])
        lag_ms: dict[str, float] = {f"p{q}": float(np.percentile(lags, q)) for q in (50, 90, 95, 99)}
        return {
            "t_ns": time.monotonic_ns(),
            "witness": "harness",
            "kind": "part.ended",
            "part": "capture",
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "rss_bytes": usage.ru_maxrss * 1024,
            "loop_lag_ms": {"count": len(self._lags_ms), **lag_ms, "max": float(lags.max())},
            "dropped": sum(tap.dropped for tap in self._taps),
        }

    def _clause(self, number: int, frames: spool.Frames, t_ns: npt.NDArray[np.int64]) -> dict[str, Any]:
        tap = self._taps[number]
        rows = np.flatnonzero(frames.tap == number)
        reserved = [int.from_bytes(socket.inet_aton(text), "big") for text in self._configuration.canaries]
        canaries = rows[np.isin(frames.source[rows], reserved)]
        return {
            "name": tap.clause.name,
            "kind": tap.clause.kind,
            "interface": tap.clause.interface,
            "port": tap.clause.port,
            "address": tap.clause.address,
            "filter": tap.clause.filter_text,
            "filter_origin": tap.program.origin,
            "incoming_only": tap.clause.incoming_only,
            "ring_bytes": tap.clause.block_bytes * tap.clause.blocks,
            "received": tap.received,
            "dropped": tap.dropped,
            "kept": len(rows),
            "left_out": self._store.left_out.get(number, 0),
            "accounted": tap.clause.name not in self._unaccounted,
            "first_t_ns": int(t_ns[rows[0]]) if len(rows) else None,
            "last_t_ns": int(t_ns[rows[-1]]) if len(rows) else None,
            "canaries": [
                {
                    "t_ns": int(t_ns[row]),
                    "source": address(int(frames.source[row])),
                    "destination": address(int(frames.destination[row])),
                }
                for row in canaries[:CANARIES_MAX]
            ],
        }

    def _read_clock(self) -> None:
        self._clock.append(read_clock())

    def _status(self) -> None:
        for tap in self._taps:
            tap.count()
        received, dropped = (sum(getattr(tap, name) for tap in self._taps) for name in ("received", "dropped"))
        _say({"status": {"received": received, "dropped": dropped}})

    def _warn(self) -> None:
        if self._store.problem and not self._warned:
            self._warned = True
            _log(self._store.problem)


def read_clock() -> dict[str, int]:
    """Both clocks at one moment: the closest of a few readings. The uncertainty is half the time it took."""
    readings = []
    for _ in range(_CLOCK_READINGS):
        before = time.monotonic_ns()
        realtime = time.time_ns()
        after = time.monotonic_ns()
        readings.append((after - before, before, realtime))
    took, before, realtime = min(readings)
    return {
        "monotonic_ns": before + took // 2,
        "realtime_ns": realtime,
        "uncertainty_ns": math.ceil(took / 2),
    }


@contextmanager
def _stop_signals() -> Iterator[socket.socket]:
    """A socket that becomes readable at SIGINT or SIGTERM."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    wakeup = signal.set_wakeup_fd(writing.fileno())
    numbers = (signal.SIGINT, signal.SIGTERM)
    # The wake-up byte does the work; without a handler of ours the default one would end the process.
    handlers = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield reading
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        reading.close()
        writing.close()


def _say(content: dict[str, Any]) -> None:
    # A parent that no longer reads is gone or going: its lifeline or signal decides, not this line.
    with suppress(BrokenPipeError):
        print(json.dumps(content), flush=True)  # noqa: T201 - the protocol of docs/design/parts.md


def _log(text: str) -> None:
    print(f"capture: {text}", file=sys.stderr, flush=True)  # noqa: T201 - the log of docs/design/parts.md


if __name__ == "__main__":
    sys.exit(main())
