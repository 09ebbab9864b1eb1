"""The phone's question "is this push genuine?" as bytes, and the verdict on what a server answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Final, Literal
from urllib.parse import quote_plus, urljoin

import httptools

from emulator.phone.execute import Credentials
from emulator.phone.model import Model

ANSWER_BYTES: Final = 65536
"""More than this is not the answer to a question of ten letters."""
HOPS: Final = 1
"""Redirects that are followed. That phones follow one is what the modelled gateway relies on; the bound is assumed."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307})
_URL: Final = re.compile(r"http(s?)://([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?::([0-9]{1,5}))?(/[!-~]*)?", re.IGNORECASE)
_URL_CHARACTERS: Final = 2048
"""A configured URL has at most 255 (UCM-DOC sepmac-cnf-xml); a redirect carries the parameters as well."""

Verdict = Literal["authorized", "refused", "redirected", "garbled"]


@dataclass(frozen=True, slots=True)
class Server:
    """Where a question goes."""

    address: str
    port: int
    target: str = field(repr=False)
    """Path and query; after a redirect it holds the parameters."""
    secured: bool = False
    """By TLS."""

    @property
    def name(self) -> str:
        """`address:port`, as in the records."""
        return f"{self.address}:{self.port}"

    @property
    def host(self) -> str:
        """As in `Host` and in a URL: the port stands there where it is not the scheme's own."""
        return self.address if self.port == (443 if self.secured else 80) else self.name

    @property
    def url(self) -> str:
        """As it was configured."""
        if not self.port:
            return self.target
        return f"{'https' if self.secured else 'http'}://{self.host}{self.target}"

    @property
    def usable(self) -> bool:
        """Whether it can be asked at all."""
        return self.port != 0


def unusable(url: str) -> Server:
    """What stands for a URL that is configured and cannot be asked: every push is refused with error 4 (XSI-6)."""
    return Server("", 0, url)


def read_url(url: str) -> Server | None:
    """The server of an authentication URL; None where it is none that can be asked.

    Only http, https and IPv4 addresses: names are not resolved here (UNIFIEDFX and UPLINX advise addresses anyway).
    """
    match = _URL.fullmatch(url.partition("#")[0])
    if match is None or len(url) > _URL_CHARACTERS:
        return None
    secured, address, target = bool(match.group(1)), match.group(2), match.group(4) or "/"
    port = int(match.group(3) or (443 if secured else 80))
    try:
        IPv4Address(address)  # also refuses 010.0.0.1, which the system would read as octal
    except AddressValueError:
        return None
    return Server(address, port, target, secured) if 0 < port < 65536 else None


def redirected(server: Server, location: bytes, *, keep_query: bool = True) -> Server | None:
    """The server that a `Location` names, absolute or relative to the one asked; None where it names none.

    Some phones drop its query.
    """
    try:
        url = urljoin(server.url, location.decode("latin-1"))
    except ValueError:  # half a bracket, say
        return None
    return read_url(url if keep_query else url.partition("?")[0])


def _head(model: Model, server: Server, more: tuple[str, ...] = ()) -> str:
    host = server.host
    return "\r\n".join([line.replace("{host}", host) for line in model.question_head] + list(more))


def question(model: Model, server: Server, credentials: Credentials, device_name: str) -> bytes:
    """The request to a configured URL: `UserID`, `Password`, `devicename` in this order (WEBMAX, SCCPRS, VOIPINFO).

    An existing query is kept before them.
    """
    form = (
        f"UserID={quote_plus(credentials.user)}&Password={quote_plus(credentials.password)}"
        f"&devicename={quote_plus(device_name)}"
    )
    if model.question_method == "POST":
        return post(model, server, form.encode("latin-1"))
    joint = "" if server.target.endswith(("?", "&")) else "&" if "?" in server.target else "?"
    head = _head(model, server)
    return f"GET {server.target}{joint}{form} HTTP/{model.question_version}\r\n{head}\r\n\r\n".encode("latin-1")


def question_again(model: Model, server: Server) -> bytes:
    """The request after a redirect: GET of exactly what `Location` said; the phone adds nothing (assumed)."""
    return f"GET {server.target} HTTP/{model.question_version}\r\n{_head(model, server)}\r\n\r\n".encode("latin-1")


def post(model: Model, server: Server, form: bytes) -> bytes:
    """A form that the phone posts of its own accord; the head is as that of its other requests (inferred)."""
    more = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}")
    head = _head(model, server, more)
    return f"POST {server.target} HTTP/{model.question_version}\r\n{head}\r\n\r\n".encode("latin-1") + form


class AnswerReader:
    """Reads one HTTP answer, byte by byte if it must be."""

    __slots__ = (
        "_body", "_bytes", "_fields", "_framed", "_most_bytes", "_parser", "_strange", "complete", "garbled",
        "location", "status",
    )  # fmt: skip

    def __init__(self, fields: frozenset[str] = frozenset(), most_bytes: int = ANSWER_BYTES) -> None:
        """Begin; an answer with a header field that is not among `fields` is not understood (69xx). Empty: any is."""
        self._fields = fields
        self._most_bytes = most_bytes
        self._strange = False
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._bytes = 0
        self._framed = False
        self.complete = False
        self.garbled = False
        self.status: int | None = None
        self.location: bytes | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser's callback."""
        name = name.lower()
        if self._fields and name.decode("latin-1") not in self._fields:
            self._strange = True
        if name == b"location" and self.location is None:
            self.location = value
        elif name in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """Parser's callback."""
        self.status = self._parser.get_status_code()
        self.garbled = self._strange

    def on_body(self, body: bytes) -> None:
        """Parser's callback."""
        self._body += body

    def on_message_complete(self) -> None:
        """Parser's callback."""
        # An interim answer (1xx) is not the answer.
        self.complete = self.status is not None and self.status >= 200

    @property
    def body(self) -> bytes:
        """What came of the body."""
        return self._body

    def feed(self, data: bytes) -> bool:
        """Take what came; empty means that the server closed. True when there is nothing more to wait for."""
        self._bytes += len(data)
        if not data:
            self._end()
        else:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError:
                self.garbled = not self.complete
            if self._bytes > self._most_bytes:
                self.garbled = True
        return self.complete or self.garbled

    def _end(self) -> None:
        # Without a length the close is the end (RFC 9112, 6.3); with one it cuts the answer short.
        self.complete = self.complete or (self.status is not None and self.status >= 200 and not self._framed)
        self.garbled = not self.complete

    def verdict(self, hop: int, *, follow: bool = True) -> Verdict:
        """What the answer means. Only status 200 with exactly `AUTHORIZED`, not a byte more, is a yes (UCM-DOC)."""
        if self.garbled or self.status is None:
            return "garbled"
        if follow and self.status in _REDIRECTS and self.location is not None and hop < HOPS:
            return "redirected"
        return "authorized" if self.status == 200 and self._body == b"AUTHORIZED" else "refused"
