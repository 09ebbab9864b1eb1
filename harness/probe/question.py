"""The bytes of a question, right or wrong in whatever way a check needs.

A phone asks `UserID`, `Password`, `devicename` in this order and case (WEBMAX, VOIPINFO), form-urlencoded with `+` for
a blank, by GET or in a POST's body (Cisco's command reference of CME says "HTTP GET/POST").
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_from_bytes, quote_plus

from harness.probe.target import Target

DEVICE: Final = "SEP001BD4FFFFFD"
"""What the questions name as the phone where nobody says another; Cisco's OUI, at the end of the range."""
NOBODY: Final = "pushlab-probe-nobody"
"""A user that no CallManager has: questions in this name can lock no account."""
FORM_TYPE: Final = "Content-Type: application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The right ones."""

    user: str
    password: str = field(repr=False)
    device: str = DEVICE


def other_password(password: str) -> str:
    """Another password of the same length, without a character at its own place, in either case."""
    return "".join("b" if character in "aA" else "a" for character in password)


def pair(name: str, value: str | bytes) -> bytes:
    """One parameter, escaped as phones do; values as text go as UTF-8."""
    text = quote_plus(value, safe="") if isinstance(value, str) else quote_from_bytes(value, safe="")
    return f"{name}={text}".encode("ascii")


def parameters(user: str | bytes, password: str | bytes, device: str | bytes) -> bytes:
    """The three parameters."""
    return b"&".join((pair("UserID", user), pair("Password", password), pair("devicename", device)))


def every_byte_escaped(value: str, *, upper: bool = True) -> bytes:
    """The value with each byte as `%XX`, letters and digits too."""
    digits = "%%%02X" if upper else "%%%02x"
    return "".join(digits % byte for byte in value.encode()).encode("ascii")


def get(
    target: Target,
    query: bytes,
    *,
    version: str = "1.1",
    host: str | None = "",
    fields: Sequence[str] = (),
    method: str = "GET",
    base: str = "",
) -> bytes:
    """A request with its parameters in the query.

    Args:
        target: whose path it goes to.
        query: the parameters, escaped.
        version: of HTTP; empty for a request line without one.
        host: what `Host` says; empty: the target's own; None: there is no such field.
        fields: further header lines.
        method: instead of GET.
        base: `http://host` before the path: the absolute form.
    """
    line = (
        f"{method} {base}".encode("ascii") + target.with_query(query) + (f" HTTP/{version}" if version else "").encode()
    )
    return _head(line, target, host, fields) if version else line + b"\r\n\r\n"


def post(
    target: Target,
    body: bytes,
    *,
    query: bytes = b"",
    version: str = "1.1",
    host: str | None = "",
    fields: Sequence[str] | None = None,
) -> bytes:
    """A request with its parameters in a form body.

    Args:
        target: whose path it goes to.
        body: the parameters, escaped.
        query: parameters in the query as well.
        version: of HTTP.
        host: as in `get`.
        fields: header lines instead of Content-Type and Content-Length.
    """
    path = target.with_query(query) if query or target.query else target.path.encode("ascii")
    line = b"POST " + path + f" HTTP/{version}".encode("ascii")
    length = f"Content-Length: {len(body)}"
    return _head(line, target, host, (FORM_TYPE, length) if fields is None else fields) + body


def _head(line: bytes, target: Target, host: str | None, fields: Sequence[str]) -> bytes:
    lines = [line]
    if host is not None:
        lines.append(f"Host: {host or target.authority}".encode("ascii"))
    lines += [text.encode("latin-1") for text in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"
