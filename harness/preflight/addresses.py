"""URLs of phones: compared as phones would see them, and told without what may be secret. No I/O."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_SHOWN: Final = 255
"""Characters of a URL; phones take no more (UCM-DOC)."""


def host_of(url: str) -> str:
    """Its host in lower case; empty where it is no URL."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def is_address(host: str) -> bool:
    """Whether that is an IP address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def same_url(one: str, other: str) -> bool:
    """Whether both mean the same request: case of scheme and host, and a scheme's own port, do not count."""
    return _parts(one) is not None and _parts(one) == _parts(other)


def told(url: str) -> str:
    """The URL as it may be shown: a query can hold a password (CME's fallback-url has one)."""
    head, mark, _ = url.partition("?")
    if "@" in head.partition("://")[2].partition("/")[0]:  # credentials before the host
        head = head.partition("://")[0] + "://…@" + head.rpartition("@")[2]
    shown = head.encode("unicode_escape").decode("ascii") if not head.isprintable() else head
    return shown[:_SHOWN] + ("?…" if mark else "")


def _parts(url: str) -> tuple[str, str, int | None, str, str] | None:
    try:
        parts = urlsplit(url.strip())
        scheme = parts.scheme.lower()
        return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme), parts.path or "/", parts.query
    except ValueError:
        return None
