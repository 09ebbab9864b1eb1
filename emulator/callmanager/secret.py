"""A secret in a file of its own: one line, readable by its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
SECRET_BYTES_MAX: Final = 4096
"""A password or a token is one line."""


def read_secret(path: Path) -> tuple[str, list[str]]:
    """The secret (empty where there is none) and what is wrong with the file; no text quotes the secret."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        return "", [f"{path} cannot be read: {error.strerror}"]
    problems = [f"others can read it: chmod 600 {path}"] if mode & OPEN_TO_OTHERS else []
    try:
        secret = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return "", [*problems, f"{path} is not UTF-8"]
    if not secret or len(data) > SECRET_BYTES_MAX or "\n" in secret:
        return "", [*problems, f"{path} must hold one line of 1 to {SECRET_BYTES_MAX} bytes"]
    return secret, problems
