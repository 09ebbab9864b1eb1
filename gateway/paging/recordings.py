"""Recordings that pages name: WAV files in one folder, checked before they are kept."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.administration.page_request import RECORDING_NAME
from gateway.alarms import Alarms
from gateway.media import Audio, AudioError, load_audio

MAX_BYTES: Final = 64 * 1024 * 1024
"""Ten minutes of 48 kHz mono are 58 MB."""
MAX_RECORDINGS: Final = 500
MAX_UNKEPT: Final = 4
"""Recordings in memory that no disk took, at most 5 MB each."""
ALARM: Final = "recording-not-kept"


class RecordingError(Exception):
    """A recording cannot be kept or is not there. Its text says why."""


class Recordings:
    """Recordings of one folder. Every method reads the disk: call it in a thread."""

    def __init__(self, folder: Path | None, alarms: Alarms | None = None) -> None:
        """Keep recordings in ``folder``, which is made when it is needed; None: none are kept."""
        self._folder = folder
        self._alarms = alarms or Alarms()
        self._unkept: dict[str, Audio] = {}

    def names(self) -> list[str]:
        """In the order of their names."""
        if self._folder is None or not self._folder.is_dir():
            return sorted(self._unkept)
        kept = {path.stem for path in self._folder.glob("*.wav") if RECORDING_NAME.fullmatch(path.stem)}
        return sorted(kept | self._unkept.keys())

    def load(self, name: str) -> Audio:
        """The audio of a recording.

        Raises:
            RecordingError: There is none of that name.
            AudioError: Its file is damaged.
        """
        path = self._path(name)
        if name in self._unkept:
            return self._unkept[name]
        if not path.is_file():
            raise RecordingError(f"there is no recording {name!r}")
        return load_audio(path)

    def keep(self, name: str, wav: bytes) -> Audio:
        """Keep a WAV file under a name, in place of what had it before; on disk when this returns.

        What a disk does not take is kept in memory, with an alarm: the page that it is for goes out.

        Raises:
            RecordingError: The name or size cannot be.
            AudioError: It is no WAV file that can be played.
        """
        path = self._path(name)
        if len(wav) > MAX_BYTES:
            raise RecordingError(f"a recording has at most {MAX_BYTES // 2**20} MiB")
        if not path.exists() and len(self.names()) >= MAX_RECORDINGS:
            raise RecordingError(f"{MAX_RECORDINGS} recordings are kept already: delete some")
        unchecked = path.with_suffix(".unchecked")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with unchecked.open("wb") as file:
                file.write(wav)
                file.flush()
                os.fsync(file.fileno())
            audio = load_audio(unchecked)
            unchecked.replace(path)
        except OSError as error:
            return self._keep_in_memory(name, wav, error)
        except AudioError as error:
            # The file's own name says nothing to who sent it.
            raise _named(error, name) from None
        finally:
            with suppress(OSError):
                unchecked.unlink(missing_ok=True)
        self._unkept.pop(name, None)
        if not self._unkept:
            self._alarms.clear(ALARM)
        return audio

    def _keep_in_memory(self, name: str, wav: bytes, why: OSError) -> Audio:
        descriptor = os.memfd_create("recording", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(wav)
            file.flush()
            try:
                audio = replace(load_audio(Path(f"/proc/self/fd/{descriptor}")), name=name)
            except AudioError as error:
                raise _named(error, name) from None
        self._unkept.pop(name, None)
        self._unkept[name] = audio
        if len(self._unkept) > MAX_UNKEPT:
            del self._unkept[next(iter(self._unkept))]
        self._alarms.sound(
            ALARM, f"recordings are in memory only and lost at the next restart ({why.strerror}): make room on the disk"
        )
        return audio

    def delete(self, name: str) -> None:
        """Forget a recording.

        Raises:
            RecordingError: There is none of that name.
        """
        unkept = self._unkept.pop(name, None)
        try:
            self._path(name).unlink(missing_ok=unkept is not None)
        except OSError as error:
            raise RecordingError(f"recording {name!r}: {error.strerror}") from None

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise RecordingError("no recordings are kept: the gateway has no [store]")
        if not RECORDING_NAME.fullmatch(name):
            raise RecordingError("a recording's name has up to 64 letters, digits, spaces, _ and -")
        return self._folder / f"{name}.wav"


def _named(error: AudioError, name: str) -> AudioError:
    return AudioError(error.what, where=name, expected=error.expected, got=error.got, to_do=error.to_do)
