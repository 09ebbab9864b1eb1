"""The JSON interface's routes of alerts."""

from __future__ import annotations

from typing import Final

from quart import Response

from gateway.accounts import Role
from gateway.administration import actions, schemas
from gateway.administration.answers import json_answer
from gateway.administration.desk import Call
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Parameter, Route
from gateway.administration.schemas import answer, document, listed
from gateway.alerts import AlertView, parse_alert_request
from gateway.alerts.request import MAX_EXPIRES_S, MAX_KEYS, MAX_TEXT, MAX_TITLE, MIN_EXPIRES_S, Priority


async def send(call: Call, body: object) -> str:
    """Begin an alert; its number. Raises AlertError, RequestError."""
    request = parse_alert_request(body)
    key = actions.own_key(call.who.name, call.key) if call.key is not None else None
    number = await call.desk.alerts.send(request, key=key)
    call.note("alert.sent", number, priority=str(request.priority), text=request.text)
    return number


async def known_alert(call: Call) -> AlertView:
    """The alert that the path names. Raises RequestError, StoreError."""
    view = await call.desk.alerts.get(call.path["number"])
    if view is None:
        raise RequestError(["there is no such alert"], status=404)
    return view


async def withdraw(call: Call) -> AlertView:
    """Withdraw the alert that the path names. Raises AlertError, StoreError."""
    view = await call.desk.alerts.withdraw(call.path["number"])
    call.note("alert.withdrawn", view.number)
    return view


async def send_alert(call: Call) -> Response:
    """Send an alert."""
    return json_answer({"alert": await send(call, call.body)}, 202)


async def show_alerts(call: Call) -> Response:
    """The history of alerts."""
    views = await call.desk.alerts.history(before=call.query.get("before"))
    return json_answer({"alerts": [view.as_json(phones=False) for view in views]})


async def show_alert(call: Call) -> Response:
    """One alert."""
    return json_answer((await known_alert(call)).as_json(phones=True))


async def withdraw_alert(call: Call) -> Response:
    """Withdraw an alert."""
    return json_answer((await withdraw(call)).as_json(phones=False), 202)


VIEWER, OPERATOR, _ = Role
_ALERT = answer(
    alert=schemas.TEXT,
    state=schemas.TEXT,
    sending=schemas.TRUTH,
    text=schemas.TEXT,
    priority=schemas.TEXT,
    outcomes=schemas.COUNTS,
)
ALERT_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="POST", path="/api/alerts", handler=send_alert, role=OPERATOR, status=202,
        summary="Send an alert: a text to screens, with keys to answer", parameters=(schemas.IDEMPOTENCY_KEY,),
        body=document(
            {"text": {"type": "string", "maxLength": MAX_TEXT}},
            {
                "title": {"type": "string", "maxLength": MAX_TITLE},
                "prompt": {"type": "string", "maxLength": MAX_TITLE},
                "priority": {"type": "string", "enum": [str(each) for each in Priority]},
                "softkeys": listed(schemas.TEXT, maxItems=MAX_KEYS),
                "expires_s": {"type": "number", "minimum": MIN_EXPIRES_S, "maximum": MAX_EXPIRES_S},
                "phones": {"anyOf": [{"const": "all"}, listed(schemas.TEXT)]},
                "zones": listed(schemas.TEXT),
                "lists": listed(schemas.TEXT),
                "page": {"type": "string", "description": "number of a page that is heard beside it; only noted"},
            },
        ),
        answer=answer(alert=schemas.TEXT),
        refusals={
            409: "the Idempotency-Key was used for another alert",
            429: "too many alerts are active already",
            503: "the gateway is ending",
        },
    ),
    Route(
        method="GET", path="/api/alerts", handler=show_alerts, role=VIEWER, background=True,
        summary="The history of alerts, the newest first, a hundred at a time", answer=answer(alerts=listed(_ALERT)),
        parameters=(Parameter(name="before", description="only alerts with a smaller number"),),
        refusals={503: "the store cannot be read"},
    ),
    Route(
        method="GET", path="/api/alerts/{number}", handler=show_alert, role=VIEWER, background=True,
        summary="One alert with every phone: shown when, answered how, in words", answer=_ALERT,
        refusals={404: "no such alert", 503: "the store cannot be read"},
    ),
    Route(
        method="POST", path="/api/alerts/{number}/withdraw", handler=withdraw_alert, role=OPERATOR, status=202,
        summary="End an alert now; screens that show it are told", answer=_ALERT,
        refusals={404: "no such alert", 409: "it is over already"},
    ),
)  # fmt: skip
