"""The exact bytes that a phone answers, per model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from emulator.phone.execute import ITEMS
from emulator.phone.model import Model

PARSE_ERROR: Final = 1
"""`CiscoIPPhoneError` of an object that cannot be read (OL20949 p.3-19), and of a second stream (XSI-5): overloaded."""
BUSY_ERROR: Final = 1
AUTHENTICATION_ERROR: Final = 4


@dataclass(frozen=True, slots=True)
class Item:
    """One ResponseItem."""

    url: str
    status: int
    data: str


SUCCESS: Final = (0, "Success")
INVALID_URI: Final = (1, "Invalid URI")
URI_NOT_FOUND: Final = (6, "URI not found")
"""Status and Data of a ResponseItem (XSI-5, tables of the Device and App URIs)."""


def _head(model: Model, status: str, length: int, date: str, *, close: bool, more: str = "", kind: str = "") -> bytes:
    # That a closing phone says so, and last, is assumed.
    fields = model.answer_head.format(
        type=kind or model.content_type, date=date, length=length, server=model.server, more=more
    )
    connection = "Connection: close\r\n" if close else ""
    return f"HTTP/{model.answer_version} {status}\r\n{fields}{connection}\r\n".encode("latin-1")


def whole(model: Model, body: bytes, date: str, *, close: bool, kind: str = "") -> bytes:
    """Status 200 with a body; `kind` is its Content-Type where it is not the model's XML."""
    return _head(model, "200 OK", len(body), date, close=close, kind=kind) + body


def error(model: Model, number: int, date: str, *, close: bool) -> bytes:
    """`CiscoIPPhoneError`, 32 bytes with the blank before the slash that clients compare with, under status 200."""
    return whole(model, b'<CiscoIPPhoneError Number="%d" />' % number, date, close=close)


_REASONS: Final = {200: "OK", 400: "Bad Request"}


def reply(model: Model, status: int, body: bytes, date: str, *, close: bool) -> bytes:
    """What `startMedia` and `stopMedia` are answered: the document with the status that XSI-4 names for it."""
    return _head(model, f"{status} {_REASONS[status]}", len(body), date, close=close) + body


def unauthorized(model: Model, date: str, *, close: bool, challenge: bool = False) -> bytes:
    """Missing or refused credentials: 401 from the old phones, error 4 from the others (CUAE SendExecute.cs).

    With `challenge` every phone says 401: to `startMedia` and `stopMedia` (XSI-4), and to a request for a protected
    page that has no credentials (the model's `page_challenge`).
    """
    if model.unauthorized == "error-4" and not challenge:
        return error(model, AUTHENTICATION_ERROR, date, close=close)
    more = f'WWW-Authenticate: Basic realm="{model.realm}"\r\n'
    return _head(model, "401 Unauthorized", 0, date, close=close, more=more)


def not_found(model: Model, date: str, *, close: bool) -> bytes:
    """404: a path that is no phone's, and a chunked push (CUIPP)."""
    return _head(model, "404 Not Found", 0, date, close=close)


def _attribute(text: str, *, ampersand: bool) -> str:
    quoted = escape(text, {'"': "&quot;"})
    # Old phones echo a bare ampersand (CUAE repairs exactly that).
    return quoted if ampersand else quoted.replace("&amp;", "&")


def _data(model: Model, item: Item) -> str:
    """Data of an item: what succeeded says it in the model's way, unless there is more to say (a chosen port)."""
    return model.response_data if item.data == SUCCESS[1] else item.data


def response(model: Model, items: list[Item], date: str, *, close: bool) -> bytes:
    """`CiscoIPPhoneResponse` for items in the order of their completion.

    The old phones' form is two XML declarations, always three items, CRLF and no end of line at the end (CUAE
    HttpMessageTest.cs); the later one is an item each (CAMELOT).
    """
    if model.response == "three-items":
        lines = ['<?xml version="1.0" encoding="iso-8859-1"?><?xml version="1.0"?>', "<CiscoIPPhoneResponse>"]
        for item in [*items, *[Item("", 0, "")] * (ITEMS - len(items))]:
            url = _attribute(item.url, ampersand=False)
            lines.append(f'<ResponseItem Status="{item.status}" Data="{_data(model, item)}" URL="{url}"/>')
        text = "\r\n".join([*lines, "</CiscoIPPhoneResponse>"])
        body = text.encode("latin-1", "xmlcharrefreplace")
    else:
        text = '<?xml version="1.0" encoding="utf-8"?>\n<CiscoIPPhoneResponse>\n'
        for item in items:
            url = _attribute(item.url, ampersand=True)
            text += f'<ResponseItem URL="{url}" Data="{_data(model, item)}" Status="{item.status}" />\n'
        body = (text + "</CiscoIPPhoneResponse>\n").encode()
    return whole(model, body, date, close=close)
