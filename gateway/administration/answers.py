"""Make answers: JSON, rendered pages, redirects; and the headers that every answer carries."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from quart import Response

from gateway.accounts import Role
from gateway.administration.desk import Call, Json

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline, in nobody's frame."""
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000"
"""A year of HTTPS for this host. Browsers heed it only where they trust the certificate."""
STATIC_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def json_answer(document: object, status: int = 200) -> Response:
    """A JSON document."""
    return Response(json.dumps(document), status=status, content_type="application/json")


def error_answer(status: int, errors: list[str]) -> Response:
    """What the JSON interface says when it refuses."""
    return json_answer({"error": "; ".join(errors), "errors": errors}, status)


def text_answer(text: str, content_type: str = "text/plain; charset=utf-8", status: int = 200) -> Response:
    """A text."""
    return Response(text, status=status, content_type=content_type)


def see_other(path: str) -> Response:
    """Go on to another page of ours."""
    return Response("", status=303, headers={"Location": path})


def rendered(call: Call, template: str, *, status: int = 200, **context: object) -> Response:
    """A page. Every value is escaped by the template engine."""
    principal = call.principal
    session = principal.session if principal is not None else None
    text = _environment.get_template(template).render(
        call=call,
        principal=principal,
        csrf=session.csrf if session is not None else "",
        may_operate=call.may(Role.OPERATOR),
        may_administer=call.may(Role.ADMINISTRATOR),
        alarms=call.desk.alarms.active() if principal is not None else (),
        static=static_path,
        version=call.desk.version,
        **context,
    )
    return Response(text, status=status, content_type="text/html; charset=utf-8")


def utc(seconds: float | None) -> str:
    """A moment as people read it. UTC, as the log is, and said so on the page."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def words(name: object) -> str:
    """`refused_busy` as words."""
    return str(name).replace("_", " ")


def number(value: object) -> str:
    """12345 as 12,345."""
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _read_static() -> dict[str, tuple[bytes, str]]:
    folder = resources.files("gateway.administration") / "static"
    return {
        file.name: (file.read_bytes(), STATIC_TYPES[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in STATIC_TYPES
    }


STATIC: Final = _read_static()
"""Name to content and type."""


def static_path(name: str) -> str:
    """Where a static file is; changes when its content does, so that browsers may keep it."""
    return f"/static/{name}?{sha256(STATIC[name][0]).hexdigest()[:12]}"


_environment = Environment(
    loader=PackageLoader("gateway.administration"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(utc=utc, words=words, number=number)
for _name in _environment.list_templates():
    _environment.get_template(_name)  # compiled before anybody waits: a tenth of a second each

__all__ = ["SECURITY_HEADERS", "STATIC", "Json", "error_answer", "json_answer", "rendered", "see_other", "text_answer"]
