"""Read one HTTP request of a phone: strict, bounded, one per connection.

httptools refuses by itself what makes requests ambiguous: both Content-Length and Transfer-Encoding, two
Content-Lengths, signs and overflows in it, folded header lines, blanks before a colon, control characters, bytes
beyond ASCII in a target, bare line feeds. This reader adds the limits, the Host rule, the versions, and a status for
each refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import httptools

MAX_TARGET = 4096
"""Bytes of a request target. A phone's question has about 80 beyond the configured URL, whose limit is 255
(SEP.cnf.xml)."""
MAX_HEAD = 8192
"""Bytes of request line and header fields together. Phones send about 400."""
MAX_HEADERS = 64
"""Header fields. Phones send at most 10."""
MAX_BODY = 8192
"""Bytes of a body: a question sent as a form has about 80."""
MAX_REQUEST = 32 * 1024
"""Bytes of the whole request as sent, so that chunk framing cannot outgrow the body it carries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One whole request. Target and body may hold a password: left out of ``repr``."""

    method: bytes
    target: bytes = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """What arrived is no request that is answered further. ``status`` 0: close without a word."""

    status: int


class RequestReader:
    """Bytes in; one request or one rejection out."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._received = 0
        self._target = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._headers = 0
        self._head_bytes = 0
        self._hosts = 0
        self._foreign_coding = False
        self._expects = False
        self._method = b""
        self._rejection: Rejection | None = None
        self._head_complete = False
        self._complete = False

    @property
    def continue_wanted(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends its body. True once."""
        wanted = self._expects and self._head_complete and not self._complete and not self._body_bytes
        if wanted:
            self._expects = False
        return wanted

    # called by the parser

    def on_url(self, part: bytes) -> None:
        """Collect the target, which may come in parts."""
        if not self._complete:
            self._target += part
            if len(self._target) > MAX_TARGET:
                self._reject(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note the few fields that matter."""
        if self._complete:
            return
        self._headers += 1
        self._head_bytes += len(name) + len(value) + 4
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"transfer-encoding":
            self._foreign_coding = self._foreign_coding or value.strip().lower() != b"chunked"
        elif name == b"content-length" and len(value) <= 20 and value.isdigit() and int(value) > MAX_BODY:
            self._reject(413)
        elif name == b"expect":
            self._expects = value.strip().lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """Judge the head."""
        if self._complete:
            return
        self._head_complete = True
        self._method = self._parser.get_method()
        version = self._parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._reject(400 if version == "0.9" else 505)
        elif self._headers > MAX_HEADERS or self._head_bytes > MAX_HEAD:
            self._reject(431)
        elif self._hosts > 1 or (version == "1.1" and not self._hosts):
            self._reject(400)
        elif self._foreign_coding:
            self._reject(501)

    def on_body(self, part: bytes) -> None:
        """Collect, up to the limit."""
        if self._complete:
            return
        self._body_bytes += len(part)
        if self._body_bytes > MAX_BODY:
            self._reject(413)
        else:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """The first request is the only one."""
        self._complete = True

    # called by the connection

    def receive(self, data: bytes) -> Request | Rejection | None:
        """Take the next bytes; None while the request is not whole."""
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nobody is upgraded: a whole request is answered plainly. CONNECT meets its 405 there.
            self._complete = True
        except httptools.HttpParserError as error:
            if not self._complete:
                self._reject(self._status_of(error))
        if self._rejection is not None:
            return self._rejection
        if self._complete:
            return Request(method=self._method, target=self._target, body=b"".join(self._body))
        if not self._head_complete and self._received > MAX_HEAD:
            return Rejection(status=431)
        if self._received > MAX_REQUEST:
            return Rejection(status=413)
        return None

    def _reject(self, status: int) -> None:
        if self._rejection is None:
            self._rejection = Rejection(status=status)

    def _status_of(self, error: httptools.HttpParserError) -> int:
        if self._foreign_coding:
            return 501
        text = str(error)
        if "PRI" in text:
            return 0
        return 505 if "version" in text and "Expected" not in text else 400
