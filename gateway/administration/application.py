"""The routes of the JSON interface (docs/design/parts.md)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from gateway.administration.page_request import PageRequest, RequestError, parse_page_request

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body: 200,000 device names."""
BODY_S = 10
"""Seconds for a request's body."""
_DIGEST_KEY = b"pushlab administration token"

Json = dict[str, object]


class PageStatus(Protocol):
    """A page, as far as it is shown."""

    @property
    def state(self) -> str:
        """waiting, starting, playing, stopping or ended."""

    @property
    def reason(self) -> str | None:
        """Once it has ended: completed, interrupted or failed."""

    @property
    def outcomes(self) -> dict[str, int]:
        """Outcome to count."""

    @property
    def size(self) -> int:
        """Number of phones."""

    @property
    def priority(self) -> str:
        """Emergency or normal."""

    @property
    def delivery(self) -> str:
        """Unicast or multicast."""

    @property
    def note(self) -> str | None:
        """What an operator should know of how it went out."""

    def interrupt(self) -> None:
        """End it now."""


class PageService(Protocol):
    """What the interface controls."""

    async def request_page(self, wish: PageRequest) -> str:
        """Begin a page and return its number. Raises RequestError."""

    def page(self, number: str) -> PageStatus | None:
        """A page by number."""

    async def read_inventory(self) -> dict[str, int]:
        """Ask all phones who they are; outcome to count."""

    def inventory(self) -> Sequence[Json]:
        """One object for each phone."""


def create_application(service: PageService, token: str) -> QuartTrio:
    """The application, open to those who bring the bearer ``token`` and to nobody else."""
    application = QuartTrio("gateway.administration")
    application.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    application.config["BODY_TIMEOUT"] = BODY_S
    expected = _digest(f"Bearer {token}".encode())

    @application.before_request
    async def authorize() -> Response | None:
        given = request.headers.get("Authorization", "")
        if hmac.compare_digest(_digest(given.encode("utf-8", "surrogateescape")), expected):
            return None
        answer = _answer(401, {"error": "a bearer token is needed"})
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @application.errorhandler(RequestError)
    async def refuse(error: RequestError) -> Response:
        return _answer(error.status, {"error": str(error), "errors": error.errors})

    @application.errorhandler(HTTPException)
    async def explain(error: HTTPException) -> Response:
        return _answer(error.code or 500, {"error": error.name})

    @application.post("/api/inventory/read")
    async def read_inventory() -> Response:
        return _answer(200, {"outcomes": await service.read_inventory()})

    @application.get("/api/inventory")
    async def show_inventory() -> Response:
        return _answer(200, {"phones": service.inventory()})

    @application.post("/api/pages")
    async def begin_page() -> Response:
        try:
            document: object = json.loads(await request.get_data())
        except (ValueError, RecursionError):
            raise RequestError(["the body must be a JSON object"]) from None
        return _answer(202, {"page": await service.request_page(parse_page_request(document))})

    @application.get("/api/pages/<number>")
    async def show_page(number: str) -> Response:
        return _answer(200, _page_json(number, _known(number)))

    @application.post("/api/pages/<number>/stop")
    async def stop_page(number: str) -> Response:
        page = _known(number)
        page.interrupt()
        return _answer(202, _page_json(number, page))

    def _known(number: str) -> PageStatus:
        page = service.page(number)
        if page is None:
            raise RequestError(["there is no such page"], status=404)
        return page

    return application


def _page_json(number: str, page: PageStatus) -> Json:
    return {
        "page": number,
        "state": page.state,
        "reason": page.reason,
        "outcomes": page.outcomes,
        "phones": page.size,
        "priority": page.priority,
        "delivery": page.delivery,
        "note": page.note,
    }


def _answer(status: int, document: Json) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json")


def _digest(value: bytes) -> bytes:
    """Of equal length whatever came, so that comparing takes the same time."""
    return blake2b(value, key=_DIGEST_KEY, digest_size=32).digest()
