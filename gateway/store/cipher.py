"""Encrypts secrets at rest. The key is a file outside the data folder: who copies the data alone has no passwords.

Fernet (AES-128-CBC with HMAC-SHA256; the cryptography library's recipe) with a random key of 32 bytes.
"""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path
from typing import Final, Self

from cryptography.fernet import Fernet, InvalidToken

KEY_BYTES: Final = 44
"""32 random bytes in URL-safe base64."""


class KeyFileError(Exception):
    """The key file cannot be used, or is not the one that a secret was encrypted with. Says what to do."""


class Cipher:
    """Encrypts and decrypts short texts."""

    def __init__(self, key: bytes) -> None:
        """Take a key as `Fernet.generate_key` makes it."""
        self._fernet = Fernet(key)
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """Another key of 32 bytes, for one purpose, that tells nothing of this one (HMAC-SHA256 as HKDF's extract)."""
        return hmac.digest(self._key, purpose.encode(), "sha256")

    @classmethod
    def ephemeral(cls) -> Self:
        """A key that nobody keeps: for a store in memory."""
        return cls(Fernet.generate_key())

    @classmethod
    def load(cls, path: Path, *, data_folder: Path) -> Self:
        """Read the key, or make it (mode 0600) where the file is missing.

        Raises:
            KeyFileError: it lies in the data folder, can be read by others, is no key, or cannot be made.
        """
        if data_folder.resolve() in path.resolve().parents:
            raise KeyFileError(f"{path}: lies in the data folder, where a copy of the data would take it along")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return cls(_read(path))
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be made: {error.strerror}") from None
        key = Fernet.generate_key()
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    def encrypt(self, text: str) -> str:
        """The text as a token in ASCII."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str) -> str:
        """The text of a token.

        Raises:
            KeyFileError: the token is of another key, or damaged.
        """
        try:
            return self._fernet.decrypt(token.encode("ascii", "replace")).decode()
        except InvalidToken:
            raise KeyFileError("a stored secret is of another key: restore the key file, or enter it again") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(KEY_BYTES + 2).strip()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"{path}: can be read by others: chmod 600 {path}")
    try:
        Fernet(key)
    except ValueError:
        raise KeyFileError(f"{path}: is no key; remove it only if every stored secret may be entered again") from None
    return key
