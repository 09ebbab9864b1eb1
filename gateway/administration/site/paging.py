"""Overview, Send page, History and a running page."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from quart import Response

from gateway.accounts import Role
from gateway.administration import actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Route

RECENT: Final = 5
"""Pages on the overview."""


async def overview(call: Call) -> Response:
    """What an operator wants to know first."""
    desk, settings = call.desk, call.desk.settings.current
    pages = desk.service.pages()
    ip_phone = "/operation/voice-office/ip-phone"
    wanted = (
        (settings.push_user and settings.push_password, "Enter the push user and its password", ip_phone),
        (settings.callmanager_url, "Enter CallManager's authentication URL", ip_phone),
        (desk.phonebook.phones, "Enter phones", "/inventory"),
    )
    return rendered(
        call,
        "overview.html",
        phones=len(desk.phonebook.entries),
        counters=desk.service.status(),
        running=[(number, page) for number, page in pages if page.state != "ended"],
        recent=pages[:RECENT],
        missing=[(text, path) for there, text, path in wanted if not there],
    )


async def show_send(call: Call) -> Response:
    """The form."""
    return _form(call, {"audio": "", "to": "all", "phones": "", "start": "together"})


async def send(call: Call) -> Response:
    """Send, and go on to the running page. The form's key makes a second press of the button harmless."""
    form = call.form
    document = {
        "audio": form.get("audio", "").strip(),
        "phones": "all" if form.get("to") == "all" else form.get("phones", "").replace(",", " ").split(),
        "start": form.get("start", "together"),
    }
    try:
        number = await actions.send_page(replace(call, key=form.get("key") or None), document)
    except RequestError as error:
        values = {"to": "names", "start": "together", "audio": "", "phones": "", **form}
        return _form(call, values, errors=error.errors, status=error.status)
    return see_other(f"/pages/{number}")


def _form(call: Call, values: Mapping[str, object], *, errors: list[str] | None = None, status: int = 200) -> Response:
    return rendered(
        call,
        "send.html",
        status=status,
        values=values,
        errors=errors or [],
        key=secrets.token_urlsafe(16),
        phones=len(call.desk.phonebook.phones),
    )


async def show_history(call: Call) -> Response:
    """The pages that are kept."""
    return rendered(call, "history.html", pages=call.desk.service.pages())


async def show_page(call: Call) -> Response:
    """One page; while it runs the numbers move."""
    number, page = actions.known_page(call)
    return rendered(call, "page.html", number=number, page=page)


async def stop_page(call: Call) -> Response:
    """Stop it now."""
    number, _ = actions.stop_page(call)
    return see_other(f"/pages/{number}")


VIEWER, OPERATOR, _ = Role
PAGING_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/", handler=overview, role=VIEWER, summary="Overview"),
    Route(method="GET", path="/send", handler=show_send, role=OPERATOR, summary="Send page"),
    Route(method="POST", path="/send", handler=send, role=OPERATOR, summary="Send page"),
    Route(method="GET", path="/pages", handler=show_history, role=VIEWER, summary="History"),
    Route(method="GET", path="/pages/{number}", handler=show_page, role=VIEWER, summary="A page", background=True),
    Route(method="POST", path="/pages/{number}/stop", handler=stop_page, role=OPERATOR, summary="Stop a page"),
)
