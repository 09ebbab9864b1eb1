"""Audio that a page names: a bundled recording or a WAV file."""

import wave
from pathlib import Path
from typing import Final

import harness

_PACKAGE: Final = Path(harness.__file__).parent
MAX_AUDIO_S: Final = 600.0
"""Longest page: ten minutes are 30,000 packets a phone, and the evidence of 1,000 phones 8 GB."""


class AudioError(ValueError):
    """A file that cannot be paged; the text says why."""


def scenarios_folder() -> Path:
    """Where the bundled scenarios lie: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "scenarios"
    return installed if installed.is_dir() else _PACKAGE.parent / "scenarios"


def audio_path(name: str, folder: Path) -> Path:
    """The file that a page's `audio` means: bundled, beside the scenario, or from the working directory."""
    bundled = scenarios_folder() / "audio" / f"{name}.wav"
    if "/" not in name and not name.lower().endswith(".wav"):
        return bundled
    path = Path(name)
    beside = folder / path
    return beside if path.is_absolute() or beside.exists() else path.absolute()


def audio_seconds(path: Path) -> float:
    """Length of a WAV file that can be paged.

    Raises:
        AudioError: unreadable, not WAV, not PCM of 8 or 16 bit in one or two channels, empty or too long.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, frames = file.getparams()[:4]
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror or error}") from None
    except (wave.Error, EOFError) as error:
        raise AudioError(f"not a PCM WAV file: {str(error) or 'it ends within its header'}") from None
    if channels not in (1, 2) or width not in (1, 2):
        raise AudioError(f"{channels} channels of {8 * width} bit; 1 or 2 channels of 8 or 16 bit are needed")
    if frames == 0 or rate == 0:
        raise AudioError("holds no sound")
    if frames / rate > MAX_AUDIO_S:
        raise AudioError(f"lasts {frames / rate:.0f} s; at most {MAX_AUDIO_S:.0f} s can be paged")
    return frames / rate
