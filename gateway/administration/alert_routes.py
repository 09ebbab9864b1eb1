"""Alerts in the JSON interface."""

from __future__ import annotations

import json

from quart import Response, request
from quart_trio import QuartTrio

from gateway.alerts import AlertError, AlertService, parse_alert_request
from gateway.store import StoreError

Json = dict[str, object]


def add_alert_routes(application: QuartTrio, alerts: AlertService) -> None:
    """Add them to an application that checks who asks."""

    @application.errorhandler(AlertError)
    async def refuse(error: AlertError) -> Response:
        return _answer(error.status, {"error": str(error), "errors": error.errors})

    @application.errorhandler(StoreError)
    async def explain(error: StoreError) -> Response:
        return _answer(503, {"error": f"the store cannot be read now: {error}"})

    @application.post("/api/alerts")
    async def send_alert() -> Response:
        try:
            document: object = json.loads(await request.get_data())
        except (ValueError, RecursionError):
            raise AlertError(["the body must be a JSON object"]) from None
        key = request.headers.get("Idempotency-Key")
        return _answer(202, {"alert": await alerts.send(parse_alert_request(document), key=key)})

    @application.get("/api/alerts")
    async def list_alerts() -> Response:
        views = await alerts.history(before=request.args.get("before"))
        return _answer(200, {"alerts": [view.as_json(phones=False) for view in views]})

    @application.get("/api/alerts/<number>")
    async def show_alert(number: str) -> Response:
        view = await alerts.get(number)
        if view is None:
            raise AlertError(["there is no such alert"], status=404)
        return _answer(200, view.as_json(phones=True))

    @application.post("/api/alerts/<number>/withdraw")
    async def withdraw_alert(number: str) -> Response:
        view = await alerts.withdraw(number)
        return _answer(202, view.as_json(phones=False))


def _answer(status: int, document: Json) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json")
