"""Zones and distribution lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from quart import Response

from gateway.accounts import Role
from gateway.administration import phone_actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call
from gateway.administration.routes import Route
from gateway.inventory import DistributionList, ZoneError


async def show(call: Call) -> Response:
    """All zones and lists."""
    return _page(call)


async def add_zone(call: Call) -> Response:
    """Add a zone."""
    name, text = call.form.get("name", "").strip(), call.form.get("description", "").strip()
    return await _done(call, lambda: phone_actions.add_zone(call, name, text), f"Zone {name} was added.")


async def change_zone(call: Call) -> Response:
    """Rename a zone or describe it otherwise."""
    name, text = call.form.get("name", "").strip(), call.form.get("description", "").strip()
    work = lambda: phone_actions.change_zone(call, call.path["name"], name, text)  # noqa: E731  one of several alike
    return await _done(call, work, f"Zone {name} was changed.")


async def remove_zone(call: Call) -> Response:
    """Remove a zone."""
    name = call.path["name"]
    return await _done(call, lambda: phone_actions.remove_zone(call, name), f"Zone {name} was removed.")


async def put_list(call: Call) -> Response:
    """Add a list, or change the one that the path names."""
    form = call.form
    made = DistributionList(
        name=form.get("name", "").strip(),
        description=form.get("description", "").strip(),
        phones=frozenset(form.get("phones", "").replace(",", " ").split()),
        zones=frozenset(call.choices.get("zones", ())),
    )
    unknown = [name for name in sorted(made.phones) if name not in call.desk.phonebook.entries]
    if unknown:
        return _page(call, errors=[f"not in the inventory: {', '.join(name[:40] for name in unknown[:10])}"])
    replaces = call.path.get("name")
    return await _done(
        call, lambda: phone_actions.put_list(call, made, replaces=replaces), f"List {made.name} is kept."
    )


async def remove_list(call: Call) -> Response:
    """Remove a list."""
    name = call.path["name"]
    return await _done(call, lambda: phone_actions.remove_list(call, name), f"List {name} was removed.")


async def _done(call: Call, work: Callable[[], Awaitable[None]], notice: str) -> Response:
    try:
        await work()
    except ZoneError as error:
        return _page(call, errors=[str(error)])
    return see_other("/zones?" + urlencode({"notice": notice}))


def _page(call: Call, *, errors: list[str] | None = None) -> Response:
    known, counts = call.desk.phonebook.zones.known, phone_actions.phones_by_zone(call)
    return rendered(
        call,
        "zones.html",
        status=400 if errors else 200,
        errors=errors or [],
        notice=call.query.get("notice", "")[:200],
        zones=[(name, text, counts[name]) for name, text in known.zones.items()],
        outside=counts[""],
        lists=list(known.lists.values()),
    )


VIEWER, _, ADMINISTRATOR = Role
ZONES_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/zones", handler=show, role=VIEWER, summary="Zones and distribution lists"),
    Route(method="POST", path="/zones", handler=add_zone, role=ADMINISTRATOR, summary="Add a zone"),
    Route(method="POST", path="/zones/{name}", handler=change_zone, role=ADMINISTRATOR, summary="Change a zone"),
    Route(method="POST", path="/zones/{name}/remove", handler=remove_zone, role=ADMINISTRATOR, summary="Remove a zone"),
    Route(method="POST", path="/lists", handler=put_list, role=ADMINISTRATOR, summary="Add a list"),
    Route(method="POST", path="/lists/{name}", handler=put_list, role=ADMINISTRATOR, summary="Change a list"),
    Route(method="POST", path="/lists/{name}/remove", handler=remove_list, role=ADMINISTRATOR, summary="Remove a list"),
)
