"""Recordings that pages name: WAV files in one folder, checked before they are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from gateway.administration.page_request import RECORDING_NAME
from gateway.media import Audio, AudioError, load_audio

MAX_BYTES: Final = 64 * 1024 * 1024
"""Ten minutes of 48 kHz mono are 58 MB."""
MAX_RECORDINGS: Final = 500


class RecordingError(Exception):
    """A recording cannot be kept or is not there. Its text says why."""


class Recordings:
    """Recordings of one folder. Every method reads the disk: call it in a thread."""

    def __init__(self, folder: Path | None) -> None:
        """Keep recordings in ``folder``, which is made when it is needed; None: none are kept."""
        self._folder = folder

    def names(self) -> list[str]:
        """In the order of their names."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path.stem for path in self._folder.glob("*.wav") if RECORDING_NAME.fullmatch(path.stem))

    def load(self, name: str) -> Audio:
        """The audio of a recording.

        Raises:
            RecordingError: There is none of that name.
            AudioError: Its file is damaged.
        """
        path = self._path(name)
        if not path.is_file():
            raise RecordingError(f"there is no recording {name!r}")
        return load_audio(path)

    def keep(self, name: str, wav: bytes) -> Audio:
        """Keep a WAV file under a name, in place of what had it before; on disk when this returns.

        Raises:
            RecordingError: The name or size cannot be, or the disk takes none.
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
            raise RecordingError(f"the recording cannot be kept: {error.strerror}") from None
        except AudioError as error:
            # The file's own name says nothing to who sent it.
            raise AudioError(
                error.what, where=name, expected=error.expected, got=error.got, to_do=error.to_do
            ) from None
        finally:
            unchecked.unlink(missing_ok=True)
        return audio

    def delete(self, name: str) -> None:
        """Forget a recording.

        Raises:
            RecordingError: There is none of that name.
        """
        try:
            self._path(name).unlink()
        except OSError as error:
            raise RecordingError(f"recording {name!r}: {error.strerror}") from None

    def _path(self, name: str) -> Path:
        if self._folder is None:
            raise RecordingError("no recordings are kept: the gateway has no [store]")
        if not RECORDING_NAME.fullmatch(name):
            raise RecordingError("a recording's name has up to 64 letters, digits, spaces, _ and -")
        return self._folder / f"{name}.wav"
