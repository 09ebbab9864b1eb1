"""Passwords: the rule they follow, and Argon2id off the event loop.

Parameters are those that OWASP's Password Storage Cheat Sheet gives first for Argon2id: 19 MiB, two passes, one lane;
about 25 ms on one core. One at a time, so that logins take neither both cores nor the memory from a page, and few
waiting: more are told to come back.
"""

from __future__ import annotations

from typing import Final

import trio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
MAX_WAITING: Final = 20
"""Half a second of work."""
LEAST_CHARACTERS: Final = 12
MOST_BYTES: Final = 256
"""Passphrases of any length that people type; hashing time does not depend on it."""


class BusyError(Exception):
    """Too many passwords are being checked at this moment."""


def password_defect(password: str, name: str) -> str | None:
    """What is wrong with a new password; None: nothing. Length counts, not kinds of characters (NIST SP 800-63B)."""
    if len(password) < LEAST_CHARACTERS:
        return f"must have at least {LEAST_CHARACTERS} characters; a few words in a row are easy to remember"
    if len(password.encode("utf-8", "surrogatepass")) > MOST_BYTES or not password.isprintable():
        return f"must be at most {MOST_BYTES} bytes of printable characters"
    if name and name.lower() in password.lower() and len(password) < 2 * LEAST_CHARACTERS:
        return "must not hold the account's name"
    if len(set(password)) < 5:
        return "must not repeat the same few characters"
    return None


class Passwords:
    """Hashes and verifies, for the whole process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
        self._limiter = trio.CapacityLimiter(1)
        self._nobody = ""

    def hash_now(self, password: str) -> str:
        """Hash in the calling thread."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        """Hash in a thread.

        Raises:
            BusyError: too many are waiting.
        """
        self._check_room()
        return await trio.to_thread.run_sync(self.hash_now, password, limiter=self._limiter)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password is that of the hash; None: of an account that does not exist, which takes as long.

        Raises:
            BusyError: too many are waiting.
        """
        self._check_room()
        return await trio.to_thread.run_sync(self._verify_now, hashed, password, limiter=self._limiter)

    def _verify_now(self, hashed: str | None, password: str) -> bool:
        if hashed is None:
            self._nobody = self._nobody or self._hasher.hash("nobody has this password")
        try:
            self._hasher.verify(hashed or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    def _check_room(self) -> None:
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise BusyError
