"""Writes the harness's own records."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

_BUFFER_BYTES: Final = 2**16


class EventWriter:
    """Appends records of the witness `harness` to a file; a context manager that closes it.

    Secrets are the caller's care: nothing given here may be one.
    """

    def __init__(self, path: Path) -> None:
        """Open the file for appending.

        Raises:
            OSError: it cannot be opened.
        """
        self._file: IO[bytes] = path.open("ab", buffering=_BUFFER_BYTES)

    def write(
        self, kind: str, *, t_ns: int | None = None, phone: str | None = None, push: str | None = None, **fields: object
    ) -> int:
        """Write one record.

        Args:
            kind: one of docs/reference/events.md.
            t_ns: when it happened, CLOCK_MONOTONIC; now if absent.
            phone: device name.
            push: the push's name.
            fields: the rest; values that JSON has.

        Returns:
            The record's `t_ns`.
        """
        at = time.monotonic_ns() if t_ns is None else t_ns
        record: dict[str, object] = {"t_ns": at, "witness": "harness", "kind": kind}
        if phone is not None:
            record["phone"] = phone
        if push is not None:
            record["push"] = push
        self._file.write(json.dumps(record | fields, separators=(",", ":")).encode() + b"\n")
        return at

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Write the rest and close."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
