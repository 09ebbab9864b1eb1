"""Writer of a witness's records (docs/reference/events.md): cheap to call on the hot path, encoded later in batches."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import trio

_log = logging.getLogger("emulator.records")

FLUSH_S: Final = 0.2
"""Batches are written this often: the promise is at most 0.25 s late."""
_ENCODED_A_PASS: Final = 200
"""Records encoded before the loop's other tasks get their turn: about a millisecond."""


class Records:
    """Buffers records and writes them as JSON lines.

    A record is held as its fields until the flush task encodes it, so that a push pays for an append and no more.
    Without a path everything is dropped at once.
    """

    def __init__(self, path: Path | None, *, witness: str, clock: Callable[[], int]) -> None:
        """Open the file for appending, as the gateway does: a second start must not empty the diary of the first.

        Args:
            path: Where to write; None drops all records.
            witness: Name of the witness in every record.
            clock: CLOCK_MONOTONIC in nanoseconds.

        Raises:
            OSError: the file cannot be opened.
        """
        self._witness = witness
        self._clock = clock
        self._waiting: list[tuple[int, str, dict[str, Any]]] = []
        self._encode = json.JSONEncoder(separators=(",", ":")).encode
        self._descriptor: int | None = None
        if path is not None:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        else:
            self.write = _drop  # type: ignore[method-assign] # dropping must cost nothing

    @property
    def active(self) -> bool:
        """Whether records are kept: callers may save themselves the work of making one."""
        return self._descriptor is not None

    def write(self, kind: str, /, *, t_ns: int | None = None, **fields: Any) -> None:  # noqa: ANN401 - any JSON value
        """Add one record. Fields that are None are left out; `t_ns` defaults to now."""
        self._waiting.append((self._clock() if t_ns is None else t_ns, kind, fields))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Flush in batches until cancelled. What comes later is written by `close`."""
        task_status.started()
        while True:
            await trio.sleep(FLUSH_S)
            while self._waiting:
                self._flush(_ENCODED_A_PASS)
                await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Write what is left and close the file."""
        while self._waiting:
            self._flush(_ENCODED_A_PASS)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _flush(self, most: int) -> None:
        batch = self._waiting[:most]
        del self._waiting[:most]
        if self._descriptor is None:
            return
        lines = "".join([self._line(t_ns, kind, fields) for t_ns, kind, fields in batch]).encode("ascii")
        try:
            while lines:
                lines = lines[os.write(self._descriptor, lines) :]
        except OSError as error:
            # A full disk must not end the part: the run that reads these records sees that they stop.
            _log.error("records are lost from here on: %s", os.strerror(error.errno or 0))
            os.close(self._descriptor)
            self._descriptor = None

    def _line(self, t_ns: int, kind: str, fields: Mapping[str, Any]) -> str:
        record = {"t_ns": t_ns, "witness": self._witness, "kind": kind}
        record.update((name, value) for name, value in fields.items() if value is not None)
        return self._encode(record) + "\n"


def _drop(kind: str, /, *, t_ns: int | None = None, **fields: Any) -> None:  # noqa: ANN401 - any JSON value
    del kind, t_ns, fields
