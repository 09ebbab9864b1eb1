"""CallManager's credential policy: an account is locked after failed logons.

Unified CM's default policy locks an account for 30 minutes after 3 failed logons, and forgets failures after 30 minutes
(Cisco, "Credential policy", default values). That a right password
forgets them too, and that a logon during the lock does not prolong it, is assumed. Only accounts whose password
CallManager holds itself are under it: a directory locks its own.

Time is passed in, integer nanoseconds that never go back.
"""

from dataclasses import dataclass

NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPolicy:
    """When an account is locked."""

    failures: int = 3
    """Failed logons that lock; 0 locks never."""
    lock_minutes: float = 30.0
    reset_minutes: float = 30.0
    """So long after a failure it is forgotten."""


@dataclass(slots=True)
class _Account:
    credential: bytes
    failures: int = 0
    failed_ns: int = 0
    locked_until_ns: int = 0


class Locks:
    """Which accounts are locked; one entry for each account that exists and has failed lately."""

    def __init__(self, policy: CredentialPolicy) -> None:
        """Start with no account locked."""
        self._policy = policy
        self._accounts: dict[str, _Account] = {}
        self.locked_count = 0
        """How often an account was locked."""

    def locked(self, name: str, credential: bytes, now_ns: int) -> bool:
        """Whether this account is locked now. `credential` changes with the password: a new one is not locked."""
        account = self._accounts.get(name)
        return account is not None and account.credential == credential and now_ns < account.locked_until_ns

    def failed(self, name: str, credential: bytes, now_ns: int) -> None:
        """A wrong password for an account that exists and is not locked."""
        if not self._policy.failures:
            return
        account = self._accounts.get(name)
        if account is None or account.credential != credential:
            account = self._accounts[name] = _Account(credential)
        if account.failures and now_ns - account.failed_ns >= self._policy.reset_minutes * NS_PER_MINUTE:
            account.failures = 0
        account.failures += 1
        account.failed_ns = now_ns
        if account.failures >= self._policy.failures:
            account.failures = 0
            account.locked_until_ns = now_ns + round(self._policy.lock_minutes * NS_PER_MINUTE)
            self.locked_count += 1

    def succeeded(self, name: str) -> None:
        """A right password, or an administrator's word: what was counted is forgotten, a lock ends."""
        self._accounts.pop(name, None)
