"""From a request to a response: the one path of the phone port, its methods, and what everything else gets."""

from __future__ import annotations

from gateway.authentication.decision import Authenticator, Decision
from gateway.authentication.request import Request

AUTHENTICATION_PATH = b"/cisco_auth/authenticate.html"
"""Row 9 of the modelled system. Case-sensitive, as phones repeat what is configured."""

_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}


def status_response(status: int) -> bytes:
    """A minimal response without a body."""
    allow = "Allow: GET, POST\r\n" if status == 405 else ""
    return f"HTTP/1.1 {status} {_REASONS[status]}\r\n{allow}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()


def rejection(status: int) -> Decision:
    """The decision for a request that is no question."""
    return Decision(answer="rejected", own_user=False, device_name=None, response=status_response(status))


def answer_request(request: Request, authenticator: Authenticator) -> Decision:
    """Answer one request. Neither Host nor an absolute target's host has any influence."""
    if request.method not in (b"GET", b"POST"):
        return rejection(405)
    path, _, query = _origin_form(request.target).partition(b"?")
    if path != AUTHENTICATION_PATH:
        return rejection(404)
    return authenticator.decide(query, request.body if request.method == b"POST" else b"")


def _origin_form(target: bytes) -> bytes:
    """Path and query of a target; the authority of an absolute one is dropped."""
    if target[:7].lower() == b"http://":
        slash = target.find(b"/", 7)
        return target[slash:] if slash >= 0 else b"/"
    return target
