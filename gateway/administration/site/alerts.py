"""Send alert, alerts, and one alert live."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from quart import Response

from gateway.accounts import Role
from gateway.administration import api_alerts, phone_actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Route
from gateway.alerts import AlertError
from gateway.alerts.request import DEFAULT_KEYS, DEFAULT_TITLE, MAX_TEXT, MAX_TITLE

HISTORY_ROWS: Final = 100
SHOWN_PHONES: Final = 300
OVER: Final = ("expired", "withdrawn")
_DEFAULTS: Final[Mapping[str, str]] = {
    "text": "",
    "title": DEFAULT_TITLE,
    "prompt": "",
    "priority": "normal",
    "softkeys": ", ".join(DEFAULT_KEYS),
    "minutes": "60",
    "to": "all",
    "phones": "",
}
_ORDER: Final = {"acknowledged": 2, "displayed": 1}


async def show_send(call: Call) -> Response:
    """The form."""
    return _form(call, _DEFAULTS, ())


async def send(call: Call) -> Response:
    """Send, and go on to the alert. The form's key makes a second press of the button harmless."""
    try:
        number = await api_alerts.send(replace(call, key=call.form.get("key") or None), _document(call))
    except (AlertError, RequestError) as error:
        groups = (*call.choices.get("zones", ()), *call.choices.get("lists", ()))
        return _form(call, {**_DEFAULTS, **call.form}, groups, errors=error.errors, status=error.status)
    return see_other(f"/alerts/{number}")


def _document(call: Call) -> dict[str, object]:
    form = {**_DEFAULTS, **call.form}
    try:
        expires_s = float(form["minutes"]) * 60
    except ValueError:
        raise RequestError(["the time until it ends must be a number of minutes"]) from None
    document: dict[str, object] = {name: form[name] for name in ("text", "title", "prompt", "priority")}
    document["expires_s"] = expires_s
    document["softkeys"] = [name.strip() for name in form["softkeys"].split(",") if name.strip()]
    match form["to"]:
        case "groups":
            document["phones"] = []
            document |= {name: list(call.choices.get(name, ())) for name in ("zones", "lists")}
        case "names":
            document["phones"] = form["phones"].replace(",", " ").split()
    return document


def _form(
    call: Call,
    values: Mapping[str, str],
    groups: Sequence[str],
    *,
    errors: list[str] | None = None,
    status: int = 200,
) -> Response:
    return rendered(
        call,
        "send_alert.html",
        status=status,
        values=values,
        groups=groups,
        errors=errors or [],
        key=secrets.token_urlsafe(16),
        **phone_actions.whom(call),
        max_text=MAX_TEXT,
        max_title=MAX_TITLE,
    )


async def show_alerts(call: Call) -> Response:
    """The history."""
    views = await call.desk.alerts.history(before=call.query.get("before"), limit=HISTORY_ROWS)
    older = f"/alerts?{urlencode({'before': views[-1].number})}" if len(views) == HISTORY_ROWS else ""
    return rendered(call, "alerts.html", alerts=views, older=older)


async def show_alert(call: Call) -> Response:
    """One alert; while it is active the numbers move."""
    alert = await api_alerts.known_alert(call)
    phones = sorted(alert.phones, key=lambda each: (_ORDER.get(str(each.state), 0), each.phone))
    return rendered(
        call,
        "alert.html",
        alert=alert,
        phones=phones[:SHOWN_PHONES],
        total=sum(alert.outcomes.values()),
        over=alert.state in OVER,
    )


async def withdraw(call: Call) -> Response:
    """End it now."""
    try:
        view = await api_alerts.withdraw(call)
    except AlertError as error:
        raise RequestError(error.errors, status=error.status) from None
    return see_other(f"/alerts/{view.number}")


VIEWER, OPERATOR, _ = Role
ALERTS_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/alerts/send", handler=show_send, role=OPERATOR, summary="Send alert"),
    Route(method="POST", path="/alerts/send", handler=send, role=OPERATOR, summary="Send alert"),
    Route(method="GET", path="/alerts", handler=show_alerts, role=VIEWER, summary="Alerts"),
    Route(method="GET", path="/alerts/{number}", handler=show_alert, role=VIEWER, summary="An alert", background=True),
    Route(method="POST", path="/alerts/{number}/withdraw", handler=withdraw, role=OPERATOR, summary="Withdraw"),
)
