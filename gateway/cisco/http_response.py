"""Read one HTTP response of a phone, however it arrives, within limits."""

from __future__ import annotations

from dataclasses import dataclass

import httptools

MAX_RESPONSE = 64 * 1024
"""Bytes of one response, all together. A phone's answers have hundreds; an endless one must not fill memory."""
MAX_INFORMATIONAL = 10
"""Responses 1xx before the real one. More is no conversation any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResponse:
    """A whole response: its status and its body, chunks joined."""

    status: int
    body: bytes


class ResponseDefectError(Exception):
    """The bytes are no HTTP response. The text says what is wrong with them, and holds none of them."""


class ResponseReader:
    """Bytes in, at most one response out.

    Feed `receive` what arrives and call `end` when the phone has closed; whichever completes the response returns it.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._received = 0
        self._informational = 0
        self._body: list[bytes] = []
        self._status: int | None = None
        self._until_close = True
        self._complete = False

    @property
    def started(self) -> bool:
        """Whether anything arrived."""
        return self._received > 0

    # called by the parser

    def on_message_begin(self) -> None:
        """Forget what an informational response said."""
        if not self._complete:
            self._status = None
            self._until_close = True

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002  the parser gives both
        """Note whether the body's end is marked in the bytes."""
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._until_close = False

    def on_headers_complete(self) -> None:
        """Note the status, which the parser forgets."""
        if not self._complete:
            self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Collect."""
        if not self._complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Skip informational responses, hold on to the real one."""
        if self._complete:
            return
        if self._status is not None and 100 <= self._status < 200:
            self._informational += 1
            self._body.clear()
        else:
            self._complete = True

    # called by the connection

    def receive(self, data: bytes) -> HttpResponse | None:
        """Take the next bytes.

        Returns:
            The response, once it is whole.

        Raises:
            ResponseDefectError: These bytes are no response, or too many.
        """
        self._received += len(data)
        if self._received > MAX_RESPONSE:
            raise ResponseDefectError(f"more than {MAX_RESPONSE} bytes")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise ResponseDefectError("an upgrade that nobody asked for") from None
        except httptools.HttpParserError as error:
            # Bytes behind a whole response are the phone's business.
            if not self._complete:
                raise ResponseDefectError(f"not HTTP: {error.args[0] if error.args else 'unreadable'}") from None
        if self._informational > MAX_INFORMATIONAL:
            raise ResponseDefectError(f"more than {MAX_INFORMATIONAL} informational responses")
        return self._response() if self._complete else None

    def end(self) -> HttpResponse | None:
        """The phone has closed. Returns the response if closing is what ends it, else None: it was cut off."""
        if self._status is not None and self._status >= 200 and self._until_close:
            self._complete = True
        return self._response() if self._complete else None

    def _response(self) -> HttpResponse:
        assert self._status is not None
        return HttpResponse(status=self._status, body=b"".join(self._body))
