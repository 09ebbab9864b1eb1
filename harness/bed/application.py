"""Another application that pushes to phones with its own CallManager user: `[[application]]` and the positive control.

A client of its own, apart from the gateway's: a control that shared the gateway's code would share its mistakes.
"""

import base64
import re
import socket
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote_plus
from xml.sax.saxutils import quoteattr

import trio

from harness.bed.ground import Host

Outcome = Literal[
    "executed",
    "unreachable",
    "refused_authentication",
    "refused_busy",
    "refused",
    "garbled",
    "timed_out",
    "indeterminate",
]

HARMLESS_URI: Final = "Key:Services"
"""Authenticated like any push, and without effect on a stream (XSI-5, Key)."""
CONNECT_S: Final = 3.0
TOTAL_S: Final = 40.0
"""A phone asks for up to 10 s (assumed), twice after a redirect; CallManager's queue may be long on purpose."""
ANSWER_LIMIT_BYTES: Final = 64 * 1024
"""A real answer has 300 bytes (CUAE in tests/golden/SOURCES.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What became of one push.

    Attributes:
        push: the client's end of the connection, `address:port`, as records name it; empty if no connection was tried.
        outcome: as in docs/reference/events.md.
        http_status: of the answer; None without one.
        error_number: of a CiscoIPPhoneError; None without one.
        detail: one line for a log.
    """

    push: str
    outcome: Outcome
    http_status: int | None
    error_number: int | None
    detail: str


async def push(
    host: Host,
    *,
    phone_address: str,
    port: int,
    source: str,
    user: str,
    password: str,
    uri: str = HARMLESS_URI,
    total_s: float = TOTAL_S,
) -> PushResult:
    """Push one URI to one phone and wait for its answer.

    Args:
        host: where the application stands.
        phone_address: the phone.
        port: its web server's.
        source: the address to leave from, one of the host's.
        user: the application's CallManager user.
        password: goes into the request's Authorization header and nowhere else.
        uri: what to execute.
        total_s: limit for the whole exchange.
    """
    request = compose(address=phone_address, port=port, user=user, password=password, uri=uri)
    client = trio.socket.from_stdlib_socket(host.socket(socket.SOCK_STREAM, source))
    name = ""
    answer = bytearray()
    with client:
        try:
            with trio.fail_after(CONNECT_S):
                await client.connect((phone_address, port))
        except (OSError, trio.TooSlowError) as error:
            return _without_answer("", "unreachable", f"no connection to {phone_address}:{port}: {_reason(error)}")
        own = client.getsockname()
        name = f"{own[0]}:{own[1]}"
        try:
            with trio.fail_after(total_s):
                await trio.SocketStream(client).send_all(request)
                while len(answer) <= ANSWER_LIMIT_BYTES and (data := await client.recv(16384)):
                    answer += data
        except trio.TooSlowError:
            return _without_answer(name, "timed_out", f"no whole answer within {total_s:g} s")
        except OSError as error:
            return _without_answer(name, "indeterminate", f"the connection was lost: {_reason(error)}")
    return read_answer(name, bytes(answer))


def compose(*, address: str, port: int, user: str, password: str, uri: str) -> bytes:
    """The request's bytes (Cisco Unified IP Phone Services Application Development Notes: HTTP push)."""
    page = f'<CiscoIPPhoneExecute><ExecuteItem Priority="0" URL={quoteattr(uri)}/></CiscoIPPhoneExecute>'
    body = f"XML={quote_plus(page)}".encode("ascii")
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    host = address if port == 80 else f"{address}:{port}"
    head = (
        "POST /CGI/Execute HTTP/1.1\r\n"
        f"Host: {host}\r\n"
        f"Authorization: Basic {credentials}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r\n]")
_ERROR: Final = re.compile(rb"<CiscoIPPhoneError\s[^>]*?Number=[\"']([0-9]{1,5})[\"']")
_RESPONSE: Final = re.compile(rb"<CiscoIPPhoneResponse[\s>]")
_ITEM_STATUS: Final = re.compile(rb"<ResponseItem\s[^>]*?Status=[\"'](-?[0-9]{1,5})[\"']")


def read_answer(push_name: str, answer: bytes) -> PushResult:
    """Read a phone's whole answer, as far as its outcome goes.

    By patterns and not as XML: old phones declare it twice and leave `&` bare (CUAE in tests/golden/SOURCES.md).
    """
    status_line = _STATUS_LINE.match(answer)
    if not answer:
        return _without_answer(push_name, "indeterminate", "the connection ended without an answer")
    if status_line is None or len(answer) > ANSWER_LIMIT_BYTES:
        return _without_answer(push_name, "garbled", f"no HTTP answer, or one beyond {ANSWER_LIMIT_BYTES} bytes")
    status = int(status_line[1])
    number: int | None = None
    outcome: Outcome
    if error := _ERROR.search(answer):
        number = int(error[1])
        outcome = {4: "refused_authentication", 1: "refused_busy"}.get(number, "refused")  # type: ignore[assignment]
        detail = f"CiscoIPPhoneError {number}"
    elif status == 401:
        outcome, detail = "refused_authentication", "401"
    elif status == 200 and _RESPONSE.search(answer) and (items := _ITEM_STATUS.findall(answer)):
        outcome = "executed" if all(int(item) == 0 for item in items) else "refused"
        detail = f"ResponseItem {', '.join(item.decode() for item in items)}"
    else:
        outcome, detail = "garbled", f"status {status}, and no answer of a phone in it"
    return PushResult(push=push_name, outcome=outcome, http_status=status, error_number=number, detail=detail)


def _without_answer(push_name: str, outcome: Outcome, detail: str) -> PushResult:
    return PushResult(push=push_name, outcome=outcome, http_status=None, error_number=None, detail=detail)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"not within {CONNECT_S:g} s"
