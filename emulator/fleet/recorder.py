"""What phones heard, as WAV files in a folder."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Any, Final

from emulator.phone.recording import RecordedPeriod, wav
from emulator.phone.stream import Period
from emulator.server import ConfigurationError

_log = logging.getLogger("emulator.fleet.recorder")

AT_A_TIME: Final = 200
"""Phones that are recorded while they listen: 480 MB at the most. Further ones are counted and not recorded."""
FOLDER_BYTES: Final = 1 << 30
"""Written in all."""


class Recorder:
    """Makes periods that keep their audio, and writes it when they end."""

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Raises:
            ConfigurationError: it cannot be made or written to.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError([f"--record {folder}: {error.strerror}"]) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigurationError([f"--record {folder}: cannot be written to"])
        self._folder = folder
        self._running = self._files = self._bytes = 0
        self._said = False

    def period(self, **what: Any) -> Period:  # noqa: ANN401 - passed on as it is
        """A listening period, recorded while there is room."""
        if self._running >= AT_A_TIME:
            if not self._said:
                _log.warning("only %d phones are recorded at a time", AT_A_TIME)
            self._said = True
            return Period(**what)
        self._running += 1
        return RecordedPeriod(**what)

    def keep(self, device_name: str, period: Period) -> None:
        """Write `<phone>-<number>.wav`, if the period was recorded and anything was heard."""
        if not isinstance(period, RecordedPeriod):
            return
        self._running -= 1
        if not period.audio:
            return
        data = wav(period.audio)
        if self._bytes + len(data) > FOLDER_BYTES:
            _log.warning("%s is not recorded: %d bytes are written", device_name, self._bytes)
            return
        try:
            path = self._new(device_name)
        except OSError as error:
            _log.warning("%s is not recorded: %s", device_name, error.strerror)
            return
        try:
            path.write_bytes(data)
        except OSError as error:
            _log.warning("%s is not recorded: %s", device_name, error.strerror)
            with contextlib.suppress(OSError):
                path.unlink()  # half a file would be taken for what was heard
            return
        self._bytes += len(data)

    def _new(self, device_name: str) -> Path:
        """A file that was not there: a second start must not write over what was heard in the first."""
        while True:
            self._files += 1
            path = self._folder / f"{device_name}-{self._files:04d}.wav"
            with contextlib.suppress(FileExistsError):
                path.touch(exist_ok=False)
                return path
