"""The cookie of a session."""

from __future__ import annotations

from typing import Final

COOKIE: Final = "__Host-pushlab"
"""The prefix has browsers take it only over HTTPS, from this host and for this host alone."""
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"


def session_cookie(secret: str) -> str:
    """The header that begins a session in a browser; it ends with the browser, or on the server."""
    return f"{COOKIE}={secret}; {_ATTRIBUTES}"


def ended_cookie() -> str:
    """The header that has a browser forget the session."""
    return f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}"
