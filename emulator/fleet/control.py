"""The control API: what a test does to phones beside pushing (design: contract, "control API").

    GET  /phones?first=0&count=100      a page of phones, JSON
    GET  /phones/SEP001BD4000001        one phone
    POST /phones/SEP001BD4000001/ring   or call, hold, resume, hang-up, reset
    POST /phones/SEP001BD4000001/softkey?name=Exit   a soft key of the object that it shows

It has an address that is no phone's, and no password: who reaches it may use it, so it belongs on loopback or inside a
lab. A request that a browser sends on behalf of some page (it carries `Origin`) is refused.
"""

from __future__ import annotations

import json
import re
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol, cast
from urllib.parse import parse_qsl

import trio

from emulator.engine import Answer, Limits, Request, claim, listen, serve
from emulator.phone.phone import TRANSITIONS, Event, Phone

PAGE: Final = 1000
"""Phones in one answer at the most."""
_PATH: Final = re.compile(r"/phones/(SEP[0-9A-F]{12})(?:/([a-z-]+))?")
_NUMBER: Final = re.compile("[0-9]{1,7}")
_LIMITS: Final = Limits(body_bytes=4096, connections=64)


class Controlled(Protocol):
    """The fleet as seen from here."""

    @property
    def phones(self) -> list[Phone]:
        """All phones in their order."""

    def find(self, device_name: str) -> Phone | None:
        """The phone of that name."""

    def away(self, phone: Phone) -> bool:
        """Whether it is starting again."""

    def happen(self, phone: Phone, event: Event) -> bool:
        """Let that happen; False where it is not possible now."""

    def press(self, phone: Phone, name: str) -> bool:
        """Press a soft key of the object that it shows; False where there is none of that name."""


async def serve_control(
    fleet: Controlled, address: str, port: int, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled; starts with the URL.

    Raises:
        BindError: the address or the port cannot be had.
    """
    # The fleet's listener takes the wildcard address of this port: a socket of one address goes before it.
    with claim("phones-control", address, port):
        listener = listen(address, port, reuse_port=True)

        async def handle(request: Request) -> Answer:
            await trio.lowlevel.checkpoint()
            status, document = respond(fleet, request)
            return _answer(status, document)

        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, [listener], handle, limits=_LIMITS))
            task_status.started(f"http://{address}:{listener.getsockname()[1]}")


def respond(fleet: Controlled, request: Request) -> tuple[HTTPStatus, dict[str, Any]]:
    """Status and JSON document of the answer to one request."""
    if b"origin" in request.headers:
        return HTTPStatus.FORBIDDEN, {"error": "not from a browser's page"}
    if request.path == "/phones":
        if request.method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, {"error": "expected GET"}
        return _page(fleet, request.query)
    match = _PATH.fullmatch(request.path)
    phone = fleet.find(match.group(1)) if match is not None else None
    if match is None or phone is None:
        return HTTPStatus.NOT_FOUND, {"error": f"no such phone or path; see /phones and /phones/SEP…/{_events()}"}
    event = match.group(2)
    if event is None:
        if request.method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, {"error": "expected GET"}
        return HTTPStatus.OK, describe(fleet, phone)
    if event == "softkey":
        return _press(fleet, phone, request)
    if event not in TRANSITIONS:
        return HTTPStatus.NOT_FOUND, {"error": f"expected one of {_events()}"}
    if request.method != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED, {"error": "expected POST"}
    if not fleet.happen(phone, cast("Event", event)):
        state = "starting" if fleet.away(phone) else phone.state
        return HTTPStatus.CONFLICT, {"error": f"{event} is not possible: the phone is {state}", "state": state}
    return HTTPStatus.OK, describe(fleet, phone)


def _press(fleet: Controlled, phone: Phone, request: Request) -> tuple[HTTPStatus, dict[str, Any]]:
    if request.method != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED, {"error": "expected POST"}
    fields = _fields(request.query)
    if set(fields) != {"name"}:
        return HTTPStatus.BAD_REQUEST, {"error": "expected name=<the key's name>"}
    if not fleet.press(phone, fields["name"]):
        return HTTPStatus.CONFLICT, {"error": "the phone shows no such key, or one that this emulator cannot press"}
    return HTTPStatus.OK, describe(fleet, phone)


def _events() -> str:
    return ", ".join((*TRANSITIONS, "softkey"))


def _fields(query: bytes) -> dict[str, str]:
    """Fields of a query; of one that has a field twice, or more than anybody needs, a field that nobody knows."""
    try:
        fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=2)
    except ValueError:
        return {"": ""}
    return dict(fields) if len(dict(fields)) == len(fields) else {"": ""}


def _page(fleet: Controlled, query: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
    numbers = {"first": 0, "count": 100}
    for name, value in _fields(query).items():
        if name not in numbers or not _NUMBER.fullmatch(value):
            return HTTPStatus.BAD_REQUEST, {"error": "expected first=<number> and count=<number>"}
        numbers[name] = int(value)
    if not 1 <= numbers["count"] <= PAGE:
        return HTTPStatus.BAD_REQUEST, {"error": f"count: expected 1 to {PAGE}"}
    phones = fleet.phones
    end = numbers["first"] + numbers["count"]
    return HTTPStatus.OK, {
        "total": len(phones),
        "first": numbers["first"],
        "next": end if end < len(phones) else None,
        "phones": [describe(fleet, phone) for phone in phones[numbers["first"] : end]],
    }


def describe(fleet: Controlled, phone: Phone) -> dict[str, Any]:
    """What is to be said of a phone."""
    period, transmission, screen = phone.period, phone.transmission, phone.screen
    return {
        "device_name": phone.device_name,
        "directory_number": phone.directory_number,
        "model": phone.model.model,
        "address": phone.address,
        "web_access": phone.web_access,
        "state": "starting" if fleet.away(phone) else phone.state,
        "listening": None
        if period is None
        else {
            "source": period.source,
            "port": period.port,
            "multicast": period.multicast,
            "mixed": period.mixed,
            "volume": period.volume,
            "packets": sum(stream.packets for stream in period.streams.values()),
        },
        "sending": None
        if transmission is None
        else {
            "destination": f"{transmission.destination}:{transmission.port}",
            "packets": transmission.packets,
        },
        "screen": None
        if screen is None
        else {
            "object": screen.kind,
            **dict(screen.fields),
            "items": [{"element": name, **dict(fields)} for name, fields in screen.items],
        },
    }


def _answer(status: HTTPStatus, document: dict[str, Any]) -> Answer:
    body = json.dumps(document).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return Answer(head.encode() + body)
