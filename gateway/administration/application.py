"""The application: from the table of routes to answers, with everything that has to be right before a handler runs.

Who asks is found first, also for paths that do not exist: a bearer token, or a session's cookie. Then the role is
compared with the route's. What may change something and comes with a cookie needs the session's own token and must
come from a page of ours (faults.md, G3): a cookie alone is sent by browsers for anybody.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from gateway.accounts import AccountError, BusyError, Principal, Role
from gateway.administration import answers
from gateway.administration.desk import Call, Desk
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Route
from gateway.administration.session_cookie import COOKIE
from gateway.alerts import AlertError
from gateway.inventory import SelectionError, SourceError, ZoneError
from gateway.settings import SettingsError
from gateway.store import StoreError
from gateway.store.watch import STORE_ALARM

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a request's body: 200,000 device names."""
BODY_S: Final = 10
"""Seconds for a request's body."""
MAX_FIELDS: Final = 1000
CSRF_HEADER: Final = "X-CSRF-Token"
_log = logging.getLogger("gateway.administration")


class RefusedError(Exception):
    """The request is not for this caller: 401 or 403, with a text for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Application(QuartTrio):
    def log_exception(self, exception_info: object) -> None:
        """Types and places alone: a text might quote what was sent."""
        assert isinstance(exception_info, tuple)
        _log.error("a request failed: %s", _where(exception_info[1]))


def create_application(desk: Desk, routes: tuple[Route, ...] | None = None) -> QuartTrio:
    """The application with all routes (`gateway.administration.table.ROUTES`, unless others are given)."""
    if routes is None:
        from gateway.administration.table import ROUTES  # noqa: PLC0415  the table's handlers use this module's names

        routes = ROUTES
    application = _Application("gateway.administration", static_folder=None)
    application.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    application.config["BODY_TIMEOUT"] = BODY_S
    application.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    application.config["MAX_FORM_PARTS"] = MAX_FIELDS
    by_endpoint = {route.endpoint: route for route in routes}

    async def view(**path: str) -> Response:
        assert request.endpoint is not None
        route = by_endpoint[request.endpoint]
        principal = _principal(desk, route)
        form, choices, files, body = await _content(route)
        if route.changes and (principal is None or principal.kind == "session"):
            _check_origin()
            if principal is not None and not principal.owns(form.get("csrf") or request.headers.get(CSRF_HEADER, "")):
                raise RefusedError(403, "the form is from another session: open the page again")
        call = Call(
            desk=desk,
            principal=principal,
            address=_address(),
            query=request.args,
            path=path,
            key=request.headers.get("Idempotency-Key"),
            form=form,
            choices=choices,
            files=files,
            body=body,
        )
        return await route.handler(call)

    for route in routes:
        application.add_url_rule(
            route.rule, route.endpoint, view, methods=[route.method], provide_automatic_options=False
        )

    @application.before_request
    async def authorize() -> None:
        route = by_endpoint.get(request.endpoint or "")
        if route is not None and route.max_body is not None:
            request.max_content_length = route.max_body
        if route is not None and route.role is None:
            return
        principal = _principal(desk, route)
        if principal is None:
            raise RefusedError(401, "log in first, or bring a token")
        if route is not None and route.role is not None and not principal.role.may(route.role):
            raise RefusedError(403, f"this needs the role {route.role}; {principal.name} is {principal.role}")

    @application.after_request
    async def secure(response: Response) -> Response:
        for name, value in answers.SECURITY_HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        if desk.configuration.administration_tls:
            response.headers["Strict-Transport-Security"] = answers.STRICT_TRANSPORT_SECURITY
        return response

    def refusal(status: int, errors: list[str]) -> Response:
        if _wants_json():
            answer = answers.error_answer(status, errors)
        else:
            answer = answers.rendered(
                _bare_call(desk), _template(status, desk), status=status, **_about(status, errors)
            )
        if status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @application.errorhandler(RefusedError)
    async def refuse(error: RefusedError) -> Response:
        return refusal(error.status, [str(error)])

    @application.errorhandler(RequestError)
    async def explain_request(error: RequestError) -> Response:
        return refusal(error.status, error.errors)

    @application.errorhandler(AlertError)
    async def explain_alert(error: AlertError) -> Response:
        return refusal(error.status, error.errors)

    @application.errorhandler(SettingsError)
    async def explain_setting(error: SettingsError) -> Response:
        return refusal(400, [f"{name}: {text}" for name, text in error.errors.items()])

    @application.errorhandler(AccountError)
    async def explain_account(error: AccountError) -> Response:
        return refusal(400, [f"{error.field}: {error}"])

    @application.errorhandler(SelectionError)
    async def explain_selection(error: SelectionError) -> Response:
        return refusal(400, error.errors)

    @application.errorhandler(ZoneError)
    @application.errorhandler(SourceError)
    async def explain_phones(error: Exception) -> Response:
        return refusal(400, str(error).split("; "))

    @application.errorhandler(BusyError)
    async def explain_busy(_error: BusyError) -> Response:
        answer = refusal(503, ["too many passwords are being checked: try again in a moment"])
        answer.headers["Retry-After"] = "1"
        return answer

    @application.errorhandler(StoreError)
    async def explain_store(error: StoreError) -> Response:
        desk.alarms.sound(STORE_ALARM, f"the store does not work: {error}")
        return refusal(503, [f"the store does not work now: {error}. Nothing was changed. Pages still go out"])

    @application.errorhandler(HTTPException)
    async def explain(error: HTTPException) -> Response:
        return refusal(error.code or 500, [error.name])

    @application.errorhandler(Exception)
    async def defect(error: Exception) -> Response:
        application.log_exception((type(error), error, error.__traceback__))
        return refusal(500, ["the gateway made a mistake; its log says where"])

    return application


def _where(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}"


def _principal(desk: Desk, route: Route | None) -> Principal | None:
    """Who asks. A wrong token is nobody, also beside a right cookie."""
    given = request.headers.get("Authorization")
    if given is not None:
        scheme, _, token = given.partition(" ")
        return desk.accounts.by_token(token.strip()) if scheme.lower() == "bearer" else None
    if route is not None and route.path == "/metrics" and _is_inside(desk, _address()):
        return Principal(name="metrics network", role=Role.VIEWER, kind="token")
    secret = request.cookies.get(COOKIE)
    return desk.accounts.by_session(secret, touch=route is None or not route.background) if secret else None


def _is_inside(desk: Desk, address: str) -> bool:
    networks = desk.configuration.metrics_networks
    return address != "unknown" and any(ip_address(address) in network for network in networks)


def _check_origin() -> None:
    """The request must come from a page of this host. Browsers say so; what says nothing is no browser of today."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site not in ("same-origin", "none"):
        raise RefusedError(403, "this came from a page of another site")
    if origin is not None and (origin == "null" or urlsplit(origin).netloc.lower() != request.host.lower()):
        raise RefusedError(403, "this came from a page of another site")
    if site is None and origin is None:
        raise RefusedError(403, "this came from nowhere: programs use a token")


async def _content(
    route: Route,
) -> tuple[Mapping[str, str], Mapping[str, Sequence[str]], Mapping[str, bytes], object]:
    """Fields of a form, those given several times, its files; or the JSON document."""
    if not route.changes:
        return {}, {}, {}, None
    if not route.is_api:
        form, files = await request.form, await request.files
        return (
            dict(form.items()),
            dict(form.lists()),
            {name: file.read() for name, file in files.items() if file.filename},
            None,
        )
    if route.takes_bytes:
        return {}, {}, {"": bytes(await request.body)}, None
    data = await request.get_data()
    if route.body is None or (route.body_may_be_missing and not data):
        return {}, {}, {}, {}
    try:
        return {}, {}, {}, json.loads(data)
    except (ValueError, RecursionError):
        raise RequestError(["the body must be a JSON object"]) from None


def _address() -> str:
    """Of the connection itself: nobody's forwarded-for header counts here."""
    return (request.remote_addr or "").removeprefix("::ffff:") or "unknown"


def _wants_json() -> bool:
    # What is asked by a program, or by our own script, is answered to it.
    return request.path.startswith("/api/") or "Authorization" in request.headers


def _bare_call(desk: Desk) -> Call:
    return Call(
        desk=desk, principal=_principal(desk, None), address=_address(), query={}, path={}, key=None, form={}, body=None
    )


def _template(status: int, desk: Desk) -> str:
    if status != 401:
        return "refusal.html"
    return "first_start.html" if desk.accounts.nobody_yet else "login.html"


def _about(status: int, errors: list[str]) -> dict[str, object]:
    if status == 401:
        # After logging in the browser goes on where it wanted to go.
        wanted = request.full_path.rstrip("?") if request.method == "GET" else "/"
        return {"error": "", "name": "", "wanted": wanted, "token": ""}
    return {"code": status, "errors": errors}
