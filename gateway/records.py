"""Writes the gateway's event records (docs/reference/events.md): cheap at once, on disk a moment later."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

FLUSH_S = 0.2
"""Records are written in batches; at most 0.25 s late is what readers rely on."""
MAX_PENDING = 200_000
"""Records kept while the disk takes none (about 60 MB). Beyond it the newest are dropped, and counted."""

_encode = json.JSONEncoder(separators=(",", ":")).encode
_log = logging.getLogger("gateway.records")

Value = str | int | float | bool | None | dict[str, int] | dict[str, float]


class Records:
    """An open records file, or none: then nothing is kept.

    A disk that is full or broken costs records, never a page: it is logged once and counted in `lost`.
    """

    def __init__(self, path: Path | None) -> None:
        """Open ``path`` for appending.

        Raises:
            OSError: It cannot be opened.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644) if path is not None else None
        self._pending: list[str] = []
        self.lost = 0

    def write(self, kind: str, *, t_ns: int | None = None, **fields: Value) -> None:
        """Note that something happened, at ``t_ns`` (CLOCK_MONOTONIC) or now. Fields that are None are left out."""
        if self._descriptor is None:
            return
        if len(self._pending) >= MAX_PENDING:
            self.lost += 1
            return
        record: dict[str, Value] = {
            "t_ns": time.monotonic_ns() if t_ns is None else t_ns,
            "witness": "gateway",
            "kind": kind,
        }
        for name, value in fields.items():
            if value is not None:
                record[name] = round(value, 3) if type(value) is float else value
        self._pending.append(_encode(record))

    async def flush_regularly(self) -> None:
        """Write batches until cancelled."""
        while True:
            await trio.sleep(FLUSH_S)
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        if not self._pending or self._descriptor is None:
            return
        batch = self._pending
        self._pending = []
        data = memoryview(("\n".join(batch) + "\n").encode())
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            if not self.lost:
                _log.error("event records are being lost: %s", error.strerror)
            self.lost += len(batch)

    def close(self) -> None:
        """Write what is pending and close."""
        self.flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
