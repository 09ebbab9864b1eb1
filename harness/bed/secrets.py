"""A run's random passwords, and the private folder that hands them to the parts.

They go by files of mode 0600, never by command lines or environments. The folder lies in the lab's own memory file
system where there is one, and is emptied as soon as the parts have read it.
"""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.bed.errors import BedError
from harness.net.namespace import scratch

RANDOM_BYTES: Final = 12
"""96 bits: nobody guesses it within a run."""
SPICE: Final = "+/%&="
"""Ends every password: characters that a wrong URL or form encoding damages, so that one shows in every run."""

PASSWORD_MAX: Final = 128
"""More is no password of a CallManager user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One password and the file that holds it."""

    value: str = field(repr=False)
    path: Path


def new_password() -> str:
    """A random password that needs every kind of escaping a push and a question need."""
    return secrets.token_hex(RANDOM_BYTES) + SPICE


class PrivateFolder:
    """Files that only this run's user may read, gone at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._secrets: list[Path] = []

    def write(self, name: str, text: str) -> Path:
        """Write a file of mode 0600; it never exists with another mode."""
        path = self.path / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def secret(self, name: str) -> Secret:
        """A new random password in a file."""
        value = new_password()
        path = self.write(name, value + "\n")
        self._secrets.append(path)
        return Secret(value=value, path=path)

    def given(self, name: str, source: Path) -> Secret:
        """A password that others know already, out of its user's file, as a file of this folder.

        Raises:
            BedError: the file cannot be read, or holds no password.
        """
        try:
            value = source.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BedError(f"{source}: the password cannot be read: {error}") from None
        if not value or len(value) > PASSWORD_MAX or not value.isprintable():
            raise BedError(f"{source}: expected a password on one line, of 1 to {PASSWORD_MAX} characters")
        path = self.write(name, value + "\n")
        self._secrets.append(path)
        return Secret(value=value, path=path)

    def forget_secrets(self) -> None:
        """Remove the passwords' files: the parts have read them."""
        for path in self._secrets:
            path.unlink(missing_ok=True)


@contextmanager
def private_folder() -> Iterator[PrivateFolder]:
    """A private folder for one run."""
    path = Path(tempfile.mkdtemp(prefix="pushlab-", dir=scratch()))
    try:
        yield PrivateFolder(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
