"""Overview, Send page, History and a running page."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from quart import Response

from gateway.accounts import Role
from gateway.administration import actions, phone_actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call
from gateway.administration.documents import whole_number
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Route
from gateway.media import TONES
from gateway.paging.recordings import MAX_BYTES

RECENT: Final = 5
"""Pages on the overview."""
HISTORY_ROWS: Final = 50
SHOWN_PHONES: Final = 300
"""Phones on the page of a page; what is amiss comes first, and a choice of outcome shows others."""
MAX_FORM: Final = MAX_BYTES + 64 * 1024
_DEFAULTS: Final[Mapping[str, str]] = {
    "recording": "",
    "audio": "",
    "file_name": "Announcement",
    "to": "all",
    "phones": "",
    "start": "together",
    "delivery": "unicast",
    "priority": "normal",
    "busy": "",
    "tone": "none",
    "repeat": "1",
}


async def overview(call: Call) -> Response:
    """What an operator wants to know first."""
    desk, settings = call.desk, call.desk.settings.current
    ip_phone = "/operation/voice-office/ip-phone"
    wanted = (
        (settings.push_user and settings.push_password, "Enter the push user and its password", ip_phone),
        (settings.callmanager_url, "Enter CallManager's authentication URL", ip_phone),
        (desk.phonebook.phones, "Say where phones come from", "/inventory/sources"),
    )
    return rendered(
        call,
        "overview.html",
        phones=len(desk.phonebook.entries),
        counters=desk.counters(),
        running=desk.pages.running(),
        recent=await actions.history(call, None, RECENT),
        missing=[(text, path) for there, text, path in wanted if not there],
    )


async def show_send(call: Call) -> Response:
    """The form."""
    return await _form(call, _DEFAULTS, ())


async def send(call: Call) -> Response:
    """Send, and go on to the running page. The form's key makes a second press of the button harmless."""
    form = call.form
    try:
        if "file" in call.files:
            name = form.get("file_name", "").strip()
            await actions.keep_recording(call, name, call.files["file"])
            form = {**form, "recording": name, "audio": ""}
        number = await actions.send_page(replace(call, key=form.get("key") or None), _document(call, form))
    except RequestError as error:
        groups = (*call.choices.get("zones", ()), *call.choices.get("lists", ()))
        return await _form(call, {**_DEFAULTS, **form}, groups, errors=error.errors, status=error.status)
    return see_other(f"/pages/{number}")


def _document(call: Call, form: Mapping[str, str]) -> dict[str, object]:
    document: dict[str, object] = {
        name: form[name] for name in ("start", "delivery", "priority", "busy", "tone") if form.get(name)
    }
    if form.get("recording"):
        document["recording"] = form["recording"]
    elif form.get("audio", "").strip():
        document["audio"] = form["audio"].strip()
    else:
        raise RequestError(["choose a recording, or a WAV file"])
    repeat = form.get("repeat", "1").strip()
    document["repeat"] = int(repeat) if re.fullmatch("[0-9]{1,6}", repeat) else repeat
    match form.get("to"):
        case "groups":
            zones, lists = list(call.choices.get("zones", ())), list(call.choices.get("lists", ()))
            if not zones and not lists:
                raise RequestError(["choose a zone or a distribution list"])
            document |= {"zones": zones, "lists": lists}
        case "names":
            document["phones"] = form.get("phones", "").replace(",", " ").split()
        case _:
            document["phones"] = "all"
    return document


async def _form(
    call: Call,
    values: Mapping[str, str],
    groups: Sequence[str],
    *,
    errors: list[str] | None = None,
    status: int = 200,
) -> Response:
    return rendered(
        call,
        "send.html",
        status=status,
        values=values,
        groups=groups,
        errors=errors or [],
        key=secrets.token_urlsafe(16),
        **phone_actions.whom(call),
        recordings=await actions.recordings(call),
        stored=call.desk.configuration.store_folder is not None,
        tones=TONES,
        multicast=call.desk.settings.current.multicast,
    )


async def show_history(call: Call) -> Response:
    """The history."""
    before = whole_number(call.query.get("before"), "before", 0, 0, 10**15)
    records = await actions.history(call, before or None, HISTORY_ROWS + 1)
    shown = records[:HISTORY_ROWS]
    older = f"/pages?{urlencode({'before': shown[-1].number})}" if len(records) > HISTORY_ROWS else ""
    return rendered(call, "history.html", pages=shown, older=older)


async def show_page(call: Call) -> Response:
    """One page; while it runs the numbers move."""
    page, outcome = actions.known_page(call), call.query.get("outcome", "")[:40]
    results, total = await actions.phone_results(call, outcome, SHOWN_PHONES)
    return rendered(
        call,
        "page.html",
        number=page.number,
        page=page,
        outcome=outcome,
        results=results,
        total=total,
        shown=SHOWN_PHONES,
        awaited=actions.AWAITED,
    )


async def stop_page(call: Call) -> Response:
    """Stop it now."""
    return see_other(f"/pages/{actions.stop_page(call).number}")


VIEWER, OPERATOR, _ = Role
PAGING_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/", handler=overview, role=VIEWER, summary="Overview"),
    Route(method="GET", path="/send", handler=show_send, role=OPERATOR, summary="Send page"),
    Route(method="POST", path="/send", handler=send, role=OPERATOR, summary="Send page", max_body=MAX_FORM),
    Route(method="GET", path="/pages", handler=show_history, role=VIEWER, summary="History"),
    Route(method="GET", path="/pages/{number}", handler=show_page, role=VIEWER, summary="A page", background=True),
    Route(method="POST", path="/pages/{number}/stop", handler=stop_page, role=OPERATOR, summary="Stop a page"),
)
