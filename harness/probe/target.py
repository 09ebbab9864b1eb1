"""The URL that is probed."""

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

MAX_URL: Final = 2048
"""Characters. A phone's authentication URL has at most 255 (usecallmanagernz, SEP.cnf.xml)."""
_SAFE: Final = re.compile(r"[!-~]+")
_PORTS: Final = {"http": 80, "https": 443}


class TargetError(ValueError):
    """No URL that can be probed; the text says what is expected. Not: nobody answers there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an endpoint is. Nothing is sent anywhere else, redirects included."""

    secured: bool
    host: str
    """Name or address; an IPv6 address without brackets."""
    port: int
    path: str
    query: str
    """What the URL brings of its own; parameters are put behind it."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an absolute http or https URL.

        Raises:
            TargetError: it is none, or it carries credentials.
        """
        expected = "expected a URL such as http://10.1.1.5/cisco_auth/authenticate.html"
        if len(url) > MAX_URL or not _SAFE.fullmatch(url):
            raise TargetError(f"{expected}, of printable ASCII and at most {MAX_URL} characters")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise TargetError(f"{expected}, got {url!r}") from None
        if parts.scheme not in _PORTS or not parts.hostname or port == 0:
            raise TargetError(f"{expected}, got {url!r}")
        if parts.username is not None or parts.fragment:
            raise TargetError(f"{expected}: without credentials and without a fragment")
        if "password=" in parts.query.lower():
            raise TargetError(f"{expected}: without a password in it; that comes from --password-file")
        return cls(
            secured=parts.scheme == "https",
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            path=parts.path or "/",
            query=parts.query,
        )

    @property
    def authority(self) -> str:
        """As in `Host`: the port stands there where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secured else "http"] else f"{host}:{self.port}"

    @property
    def base(self) -> str:
        """Scheme and authority."""
        return f"{'https' if self.secured else 'http'}://{self.authority}"

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.base + self.path + (f"?{self.query}" if self.query else "")

    def with_query(self, query: bytes) -> bytes:
        """Path and query of a request, the parameters behind what the URL brings."""
        own = self.query.encode("ascii")
        joint = b"" if not own or own.endswith(b"&") else b"&"
        return self.path.encode("ascii") + b"?" + own + (joint + query if query else b"")
