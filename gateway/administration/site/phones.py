"""Inventory and zones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import trio
from quart import Response

from gateway.accounts import Role
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call, Json
from gateway.administration.documents import whole_number
from gateway.administration.routes import Route

ROWS: Final = 100
"""Phones on one page."""
COLUMNS: Final = (
    ("directory_number", "Number"),
    ("phone", "Device"),
    ("mac", "MAC address"),
    ("model", "Model"),
    ("address", "Address"),
    ("outcome", "Web server"),
)


async def show_inventory(call: Call) -> Response:
    """Phones, searched and sorted, a hundred at a time."""
    text, sort = call.query.get("q", "").strip()[:100], call.query.get("sort", "phone")
    sort = sort if sort in dict(COLUMNS) else "phone"
    descending = call.query.get("descending") == "1"
    offset = whole_number(call.query.get("offset"), "offset", 0, 0, 10**9)
    phones = call.desk.service.inventory()
    # In a thread: sorting 10,000 phones takes tens of milliseconds, and a page may be going out.
    rows, total = await trio.to_thread.run_sync(_search, phones, text, sort, descending, offset)
    asked = {"q": text, "sort": sort, "descending": 1 if descending else ""}

    def link(**changes: object) -> str:
        return "/inventory?" + urlencode({key: value for key, value in {**asked, **changes}.items() if value != ""})

    return rendered(
        call,
        "inventory.html",
        notice="All phones were asked." if call.query.get("read") else "",
        text=text,
        sort=sort,
        descending=descending,
        offset=offset,
        limit=ROWS,
        rows=rows,
        total=total,
        columns=COLUMNS,
        link=link,
    )


def _search(
    phones: Sequence[Json],
    text: str,
    sort: str,
    descending: bool,  # noqa: FBT001  called by a thread
    offset: int,
) -> tuple[list[Json], int]:
    wanted = text.lower()
    found = [
        phone
        for phone in phones
        if not wanted or any(wanted in str(phone.get(key) or "").lower() for key, _ in COLUMNS)
    ]
    found.sort(key=lambda phone: _sort_key(sort, phone.get(sort)), reverse=descending)
    return found[offset : offset + ROWS], len(found)


def _sort_key(column: str, value: object) -> tuple[int, Sequence[int], str]:
    text = "" if value is None else str(value)
    parts = text.split(".") if column == "address" else [text]
    if all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
        return 0, [int(part) for part in parts], ""
    return (1 if text else 2), [], text


async def read_inventory(call: Call) -> Response:
    """Ask all phones now."""
    call.note("inventory.read")
    await call.desk.service.read_inventory()
    return see_other("/inventory?read=1")


async def show_zones(call: Call) -> Response:
    """Zones and distribution lists."""
    return rendered(call, "zones.html")


PHONES_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/inventory", handler=show_inventory, role=Role.VIEWER, summary="Inventory"),
    Route(method="POST", path="/inventory/read", handler=read_inventory, role=Role.OPERATOR, summary="Ask all phones"),
    Route(method="GET", path="/zones", handler=show_zones, role=Role.VIEWER, summary="Zones and distribution lists"),
)
