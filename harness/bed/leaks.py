"""Looks for the run's passwords in what the parts wrote down; the passwords are random, so a hit is a leak."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from harness.bed.secrets import SPICE
from harness.bed.setup import RunSecrets

BLOCK_BYTES: Final = 2**20
"""Read at once; a password that lies across two blocks is found all the same."""


def forms(password: str) -> tuple[bytes, ...]:
    """How a password may look when it escapes: as it is, percent-encoded, in hex, in base64 within any text.

    What `SPICE` adds is left out: encodings change it, and the rest is random enough to be no accident.
    """
    core = password.removesuffix(SPICE).encode()
    found = [core, core.hex().encode()]
    for shift in range(3):
        # In the middle of a text base64 has three forms; characters at the ends depend on the neighbours.
        encoded = base64.b64encode(b"x" * shift + core)
        found.append(encoded[4 if shift else 0 : -4])
    return tuple(found)


def search(files: Iterable[Path], passwords: Sequence[str]) -> tuple[int, list[str]]:
    """How many of these files there are, and the names of those that hold one of the passwords."""
    wanted = sorted({form for password in passwords for form in forms(password)})
    longest = max((len(form) for form in wanted), default=1)
    looked, found = 0, []
    for file in files:
        try:
            with file.open("rb") as stream:
                looked += 1
                tail = b""
                while block := stream.read(BLOCK_BYTES):
                    content = tail + block
                    if any(form in content for form in wanted):
                        found.append(file.name)
                        break
                    tail = content[1 - longest :] if longest > 1 else b""
        except FileNotFoundError:
            continue
    return looked, found


def passwords_of(secrets: RunSecrets) -> list[str]:
    """All of them."""
    held = [*secrets.users.values(), secrets.pushed, secrets.token, secrets.callmanager_token]
    held += [each for each in (secrets.directory_manager, secrets.administrator, secrets.drifted) if each is not None]
    return [secret.value for secret in held]
