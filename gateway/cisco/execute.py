"""Write the request that makes a phone execute URIs.

The form is the one seen to work with 79xx phones (voip-info.org "Cisco 79XX XML Push"; chan-sccp/ptt): HTTP/1.0 with
a Host field, Basic credentials, one form field named exactly ``XML``. HTTP/1.0 also keeps a phone from answering in
chunks or with informational responses. ``Expect`` is never sent: phones answer error 6 to it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus

MAX_ITEMS = 3
"""Items in one CiscoIPPhoneExecute (Cisco XSI development notes 7.1(3), page 3-18)."""
PRIORITIES = range(3)
"""Of an item (Cisco XSI development notes; its XML schema has 3 as well)."""
MAX_URL = 256
"""Characters in one URL (Cisco's own XML schema, CiscoIpPhoneServices.xsd)."""
MAX_XML = 512
"""Bytes of a posted object that every firmware takes (development notes 7.1(3), page 6-2; later ones take 40 kB)."""

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """The user that pushes carry. The password is left out of ``repr``."""

    user: str
    password: str = field(repr=False)

    def basic(self) -> bytes:
        """The value of an Authorization field (RFC 7617, UTF-8)."""
        return b"Basic " + b64encode(f"{self.user}:{self.password}".encode())


def execute_body(urls: Sequence[str], *, priority: int = 0) -> bytes:
    """The form body that asks a phone to execute ``urls``.

    Args:
        urls: One to three URIs of at most 256 characters each.
        priority: Of http URLs (XSI-6): 0 at once, 1 when the phone is idle, 2 only if it is. URIs are executed at once.

    Returns:
        ``XML=`` and the percent-encoded CiscoIPPhoneExecute.

    Raises:
        ValueError: More than a phone takes: items, characters of a URL or bytes of the object.
    """
    if not 1 <= len(urls) <= MAX_ITEMS:
        raise ValueError(f"a phone executes 1 to {MAX_ITEMS} items at once, got {len(urls)}")
    if priority not in PRIORITIES:
        raise ValueError(f"a priority is from 0 to 2, got {priority}")
    for url in urls:
        if not 1 <= len(url) <= MAX_URL:
            raise ValueError(f"a URL for a phone has 1 to {MAX_URL} characters, got {len(url)}")
        if any(ord(character) < 0x20 and character not in "\t\n\r" for character in url):
            raise ValueError("a URL for a phone has no control characters")
    items = "".join(f'<ExecuteItem Priority="{priority}" URL="{url.translate(_ESCAPES)}"/>' for url in urls)
    xml = f"<CiscoIPPhoneExecute>{items}</CiscoIPPhoneExecute>".encode()
    if len(xml) > MAX_XML:
        raise ValueError(f"a phone takes objects of at most {MAX_XML} bytes, this one has {len(xml)}")
    return b"XML=" + quote_plus(xml).encode()


def execute_request(*, host: str, authorization: bytes, body: bytes) -> bytes:
    """The whole request that carries ``body`` to ``/CGI/Execute`` (path and field name are case-sensitive).

    Args:
        host: The phone's address, with the port where it is not 80.
        authorization: As `Credentials.basic` gives it.
        body: As `execute_body` gives it.
    """
    return b"".join(
        (
            b"POST /CGI/Execute HTTP/1.0\r\nHost: ",
            host.encode("ascii"),
            b"\r\nAuthorization: ",
            authorization,
            b"\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ",
            str(len(body)).encode(),
            b"\r\n\r\n",
            body,
        )
    )


def get_request(*, host: str, path: str) -> bytes:
    """A request for one of a phone's open pages, such as ``/DeviceInformationX``. It carries no credentials."""
    return f"GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii")
