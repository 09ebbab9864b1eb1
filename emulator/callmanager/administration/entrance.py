"""Who may come in: by a session's cookie, by HTTP Basic as CallManager 4 asked for it, or (JSON alone) by a token.

The administrator's failures are slowed (`emulator.callmanager.gate`). What changes anything is taken from no other
site's page: a form needs the token that was made for its session, and where the browser names the page's origin it must
be this one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from urllib.parse import urlsplit

import trio
from quart import request

from emulator.callmanager.administration.sessions import Sessions
from emulator.callmanager.attempts import Attempts
from emulator.callmanager.basic import credentials
from emulator.callmanager.cluster import Administrator
from emulator.callmanager.gate import TooManyAttemptsError, admits

COOKIE: Final = "pushlab_callmanager"
"""Cookies do not tell ports apart: other programs on this address have names of their own."""
FETCH_SITES: Final = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of one's own pages, and of an address that somebody typed."""
IDENTITY_CHARACTERS_MAX: Final = 64


class EntranceError(Exception):
    """The request is not let in; answered with its status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Entrance:
    """The door of the pages and of the JSON interface."""

    def __init__(self, administrator: Administrator | None, attempts: Attempts, *, token: str | None) -> None:
        """Let in the administrator, and to the JSON interface whoever has the token; None: nobody this way."""
        self._administrator = administrator
        self._token = None if token is None else hashlib.sha256(token.encode()).digest()
        self._attempts = attempts
        self.sessions = Sessions()

    @property
    def has_administrator(self) -> bool:
        """Whether the pages can be used at all."""
        return self._administrator is not None

    async def admits(self, name: str, password: str) -> bool:
        """Whether these are the administrator's; waits first where this address has failed too often.

        Raises:
            EntranceError: 429: it would have to wait too long.
        """
        address = request.remote_addr or ""
        try:
            return await admits(self._administrator, self._attempts, address=address, name=name, password=password)
        except TooManyAttemptsError:
            raise EntranceError(429, "too many failed attempts: wait a moment") from None

    async def page_identity(self) -> str | None:
        """Whose request for a page this is: what the token of its forms is made for; None: nobody's, log in first.

        Raises:
            EntranceError: 401 for wrong Basic credentials, 429 as `admits`.
        """
        if "Authorization" in request.headers:
            return await self._basic()
        identity = self.cookie()
        return identity if identity and self.sessions.uses(identity, trio.current_time()) else None

    async def require_program(self) -> None:
        """Let a request to the JSON interface in, or raise EntranceError."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            await self._basic()
        else:
            digest = hashlib.sha256(given.strip().encode("utf-8", "surrogatepass")).digest()
            if self._token is None or scheme.lower() != "bearer" or not hmac.compare_digest(digest, self._token):
                raise EntranceError(401, "the bearer token is missing or wrong")
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            require_own_page()

    async def _basic(self) -> str:
        given = request.headers["Authorization"].encode("latin-1", "replace")
        name, password = credentials(given) or ("", "")
        if not await self.admits(name, password):
            raise EntranceError(401, "the administrator's name or password is wrong")
        return "basic"

    @staticmethod
    def cookie() -> str:
        """What the cookie holds; empty where there is none that could be ours."""
        given = request.cookies.get(COOKIE, "")
        return given if len(given) <= IDENTITY_CHARACTERS_MAX else ""


def require_own_page() -> None:
    """Refuse what another site's page made the browser send (OWASP, CSRF prevention: Origin, Fetch Metadata)."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if (site is not None and site not in FETCH_SITES) or (origin is not None and not _is_own(origin)):
        raise EntranceError(403, "the request comes from another site's page")


def _is_own(origin: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == request.host.lower() != ""
    except ValueError:  # "http://["
        return False
