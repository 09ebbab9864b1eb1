"""Logins of the administration pages: sessions, the tokens of their forms, and the pace of failed attempts. No I/O.

There is one administrator and no lock-out of him: failures only make the next attempts from the same address wait, so
that nobody can shut him out by guessing. Times are seconds of a clock that never goes back.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

SESSIONS_MAX: Final = 64
"""As many as connections; the one that was quiet longest makes room."""
IDLE_S: Final = 1800.0
"""CallManager's own pages end after half an hour without a click."""
SESSION_S: Final = 12 * 3600.0
"""Of a session however busy: a working day."""
ADDRESSES_MAX: Final = 1024
"""Whose failures are remembered; the oldest is forgotten first."""
FAILURES_FREE: Final = 3
"""Anybody mistypes; attempts wait from then on."""
PACE_S: Final = 1.0
"""Between two attempts from an address that has failed too often."""
WAIT_S_MAX: Final = 10.0
"""Whoever would have to wait longer is told to come back."""
FORGOTTEN_S: Final = 300.0
"""So long after its last failure an address is as good as any."""


@dataclass(slots=True)
class _Session:
    began_s: float
    used_s: float


class Sessions:
    """Who is logged in; the secret behind the forms' tokens lives as long as the process."""

    def __init__(self) -> None:
        """Start with nobody logged in."""
        self._sessions: dict[str, _Session] = {}
        self._key = secrets.token_bytes(32)

    @staticmethod
    def new_identity() -> str:
        """What the cookie of somebody who has none is to hold."""
        return secrets.token_urlsafe(32)

    def begin(self, now_s: float) -> str:
        """Log in: the identity of a new session, never one that was offered from outside."""
        while len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[min(self._sessions, key=lambda identity: self._sessions[identity].used_s)]
        identity = self.new_identity()
        self._sessions[identity] = _Session(now_s, now_s)
        return identity

    def uses(self, identity: str, now_s: float) -> bool:
        """Whether this session is there and has not ended; it is used now."""
        session = self._sessions.get(identity)
        if session is None:
            return False
        if now_s - session.used_s >= IDLE_S or now_s - session.began_s >= SESSION_S:
            del self._sessions[identity]
            return False
        session.used_s = now_s
        return True

    def end(self, identity: str) -> None:
        """Log out; nothing happens if it has ended already."""
        self._sessions.pop(identity, None)

    def token(self, identity: str) -> str:
        """What the forms shown to this identity carry."""
        return hmac.new(self._key, identity.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def is_token(self, identity: str, given: str) -> bool:
        """Whether a form that came back was made for this identity."""
        return hmac.compare_digest(self.token(identity).encode(), given.encode("utf-8", "surrogatepass"))


@dataclass(slots=True)
class _Failures:
    count: int
    failed_s: float
    next_s: float


class Attempts:
    """The pace of login attempts of each address."""

    def __init__(self) -> None:
        """Start with no failure known."""
        self._failures: dict[str, _Failures] = {}

    def wait_s(self, address: str, now_s: float) -> float | None:
        """How long the next attempt of this address has to wait before it is looked at; None: too long, refuse it.

        The place in the queue is taken by asking: attempts at the same time do not wait side by side.
        """
        failures = self._failures.get(address)
        if failures is None:
            return 0.0
        if now_s - failures.failed_s >= FORGOTTEN_S:
            del self._failures[address]
            return 0.0
        if failures.count < FAILURES_FREE:
            return 0.0
        starts_s = max(now_s, failures.next_s)
        if starts_s - now_s > WAIT_S_MAX:
            return None
        failures.next_s = starts_s + PACE_S
        return starts_s - now_s

    def failed(self, address: str, now_s: float) -> None:
        """Wrong credentials came from there."""
        failures = self._failures.pop(address, None) or _Failures(0, now_s, now_s)
        failures.count += 1
        failures.failed_s = now_s
        failures.next_s = max(failures.next_s, now_s + PACE_S)
        if len(self._failures) >= ADDRESSES_MAX:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = failures

    def succeeded(self, address: str) -> None:
        """Right credentials came from there: its failures are forgotten."""
        self._failures.pop(address, None)
