"""Logins of the administration pages: sessions, and the tokens of their forms. No I/O.

Times are seconds of a clock that never goes back.
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
