"""HTTP's part of the answers: heads as IIS 5.0 and as Tomcat write them, and the pages of refusals. No I/O.

The heads are those of the authentication pages of the same machine (emulator/callmanager/authenticate.py), without
what only those have (inferred). IIS closes after its answer; Tomcat keeps the connection.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

IIS_REASONS: Final = {200: "OK", 401: "Access Denied", 405: "Method Not Allowed", 503: "Service Unavailable"}
TOMCAT_REALM: Final = "Cisco Web Services Realm"
"""As Unified CM names it on its port 8443 (EDGELOG: /cucm-uds/; the same for these services is inferred)."""


def iis(status: int, body: bytes, *, kind: str = "text/xml", extra: str = "", unix_s: float) -> bytes:
    """Write an answer of CallManager 4; `extra` are whole header lines."""
    head = (
        f"HTTP/1.1 {status} {IIS_REASONS[status]}\r\nServer: Microsoft-IIS/5.0\r\n"
        f"Date: {formatdate(unix_s, usegmt=True)}\r\nConnection: close\r\n{extra}"
        f"Content-Length: {len(body)}\r\nContent-Type: {kind}\r\n\r\n"
    )
    return head.encode("ascii") + body


def tomcat(
    status: int,
    body: bytes,
    *,
    kind: str = "text/xml;charset=UTF-8",
    extra: str = "",
    close: bool = False,
    unix_s: float,
) -> bytes:
    """Write an answer of Unified CM; `extra` are whole header lines, `close` says that the connection ends."""
    ends = "Connection: close\r\n" if close else ""
    head = (
        f"HTTP/1.1 {status} \r\n{extra}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Date: {formatdate(unix_s, usegmt=True)}\r\n{ends}Server: \r\n\r\n"
    )
    return head.encode("ascii") + body


UNAUTHORIZED_PAGE: Final = (
    b"<html><head><title>HTTP Status 401 - Unauthorized</title></head>"
    b"<body><h1>HTTP Status 401 - Unauthorized</h1></body></html>"
)
"""Of a 401: clients of AXL look for `HTTP Status 401` in it (TINYCUCM)."""
