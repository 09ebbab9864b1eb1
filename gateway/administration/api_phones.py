"""The JSON interface's routes of phones, zones, distribution lists and sources."""

from __future__ import annotations

from typing import Final

from quart import Response

from gateway.accounts import Role
from gateway.administration import phone_actions, schemas
from gateway.administration.answers import json_answer
from gateway.administration.desk import Call
from gateway.administration.documents import read_document, texts, whole_number
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Parameter, Route
from gateway.administration.schemas import answer, document, listed
from gateway.inventory import DistributionList
from gateway.inventory.phonebook import MAX_PHONES, MAX_ROWS, SORTS
from gateway.inventory.sources.source import KINDS, LEAST_MINUTES, MAX_CSV, MOST_MINUTES

MAX_SOURCE_BODY: Final = 4 * MAX_CSV
"""A CSV file as JSON text, escapes included, and a second one to filter by."""


async def show_inventory(call: Call) -> Response:
    """Phones, searched and sorted; all of them where no limit is given."""
    query = call.query
    limit = whole_number(query.get("limit"), "limit", 0, 1, MAX_ROWS) if "limit" in query else None
    if limit is None and not query:
        return json_answer({"phones": [dict(entry.as_json()) for entry in call.desk.phonebook.entries.values()]})
    found = call.desk.phonebook.search(
        query.get("q", ""),
        zone=query.get("zone"),
        state=query.get("state", ""),
        sort=_one_of(query.get("sort", "device_name"), "sort", SORTS),
        descending=query.get("descending") in ("1", "true"),
        offset=whole_number(query.get("offset"), "offset", 0, 0, MAX_PHONES * 2),
        limit=limit or MAX_ROWS,
    )
    return json_answer({"phones": [dict(entry.as_json()) for entry in found.entries], "total": found.total})


async def read_inventory(call: Call) -> Response:
    """Ask all phones, or some, who they are."""
    values = read_document(call.body, {}, {"phones": list})
    names = texts(values["phones"], "phones") if "phones" in values else None
    return json_answer({"outcomes": await phone_actions.read(call, names)})


async def assign_zone(call: Call) -> Response:
    """Put phones into a zone."""
    values = read_document(call.body, {"phones": list, "zone": str})
    count = await phone_actions.assign(call, texts(values["phones"], "phones"), str(values["zone"]))
    return json_answer({"phones": count})


async def remove_phones(call: Call) -> Response:
    """Forget phones."""
    values = read_document(call.body, {"phones": list})
    return json_answer({"phones": await phone_actions.remove(call, texts(values["phones"], "phones"))})


async def show_zones(call: Call) -> Response:
    """All zones."""
    counts = phone_actions.phones_by_zone(call)
    known = call.desk.phonebook.zones.known.zones
    return json_answer(
        {"zones": [{"name": name, "description": text, "phones": counts[name]} for name, text in known.items()]}
    )


async def add_zone(call: Call) -> Response:
    """Add a zone."""
    values = read_document(call.body, {"name": str}, {"description": str})
    await phone_actions.add_zone(call, str(values["name"]), str(values.get("description", "")))
    return json_answer({"name": values["name"]}, 201)


async def change_zone(call: Call) -> Response:
    """Rename a zone or describe it otherwise."""
    values, name = read_document(call.body, {}, {"name": str, "description": str}), _zone(call)
    new_name = str(values.get("name", name))
    described = str(values.get("description", call.desk.phonebook.zones.known.zones[name]))
    await phone_actions.change_zone(call, name, new_name, described)
    return json_answer({"name": new_name})


async def remove_zone(call: Call) -> Response:
    """Remove a zone."""
    name = _zone(call)
    await phone_actions.remove_zone(call, name)
    return json_answer({"name": name})


def _zone(call: Call) -> str:
    return _known(call.path["name"], call.desk.phonebook.zones.known.zones, "zone")


async def show_lists(call: Call) -> Response:
    """All distribution lists."""
    return json_answer({"lists": [_list_json(each) for each in call.desk.phonebook.zones.known.lists.values()]})


async def add_list(call: Call) -> Response:
    """Add a distribution list."""
    values = read_document(call.body, {"name": str}, {"description": str, "phones": list, "zones": list})
    made = DistributionList(
        name=str(values["name"]),
        description=str(values.get("description", "")),
        phones=frozenset(texts(values.get("phones", []), "phones")),
        zones=frozenset(texts(values.get("zones", []), "zones")),
    )
    await phone_actions.put_list(call, made)
    return json_answer(_list_json(made), 201)


async def change_list(call: Call) -> Response:
    """Change a distribution list; what is not given stays."""
    values = read_document(call.body, {}, {"name": str, "description": str, "phones": list, "zones": list})
    name = _known(call.path["name"], call.desk.phonebook.zones.known.lists, "list")
    before = call.desk.phonebook.zones.known.lists[name]
    made = DistributionList(
        name=str(values.get("name", before.name)),
        description=str(values.get("description", before.description)),
        phones=frozenset(texts(values["phones"], "phones")) if "phones" in values else before.phones,
        zones=frozenset(texts(values["zones"], "zones")) if "zones" in values else before.zones,
    )
    await phone_actions.put_list(call, made, replaces=name)
    return json_answer(_list_json(made))


async def remove_list(call: Call) -> Response:
    """Remove a distribution list."""
    name = _known(call.path["name"], call.desk.phonebook.zones.known.lists, "list")
    await phone_actions.remove_list(call, name)
    return json_answer({"name": name})


def _list_json(each: DistributionList) -> dict[str, object]:
    return {
        "name": each.name,
        "description": each.description,
        "phones": sorted(each.phones),
        "zones": sorted(each.zones),
    }


async def show_sources(call: Call) -> Response:
    """Where phones are found, without passwords."""
    return json_answer(
        {"sources": [phone_actions.source_json(each) for each in call.desk.synchronisation.known.values()]}
    )


async def put_source(call: Call) -> Response:
    """Add a source, or put it in the place of the one of the same name."""
    if not isinstance(call.body, dict):
        raise RequestError(["the body must be a JSON object"])
    return json_answer({"name": await phone_actions.put_source(call, call.body)}, 201)


async def remove_source(call: Call) -> Response:
    """Remove a source; its phones stay."""
    name = _known(call.path["name"], call.desk.synchronisation.known, "source")
    await phone_actions.remove_source(call, name)
    return json_answer({"name": name})


async def synchronise(call: Call) -> Response:
    """Ask a source now."""
    name = _known(call.path["name"], call.desk.synchronisation.known, "source")
    return json_answer({"result": await phone_actions.synchronise(call, name)})


def _known(name: str, known: object, what: str) -> str:
    assert isinstance(known, dict)
    if name not in known:
        raise RequestError([f"there is no {what} {name[:64]!r}"], status=404)
    return name


def _one_of(value: str, name: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise RequestError([f"{name} must be one of {', '.join(known)}"])
    return value


VIEWER, OPERATOR, ADMINISTRATOR = Role
_NAME = answer(name=schemas.TEXT)
_NAMES = listed(schemas.TEXT, maxItems=MAX_PHONES)
_LIST = answer(name=schemas.TEXT, description=schemas.TEXT, phones=listed(schemas.TEXT), zones=listed(schemas.TEXT))
_LIST_PARTS = {"description": schemas.TEXT, "phones": _NAMES, "zones": listed(schemas.TEXT)}
_SOURCE_PARTS = {
    "url": schemas.TEXT,
    "user": schemas.TEXT,
    "password": {"type": "string", "writeOnly": True},
    "ca_file": schemas.TEXT,
    "verify": schemas.TRUTH,
    "networks": listed(schemas.TEXT),
    "csv": schemas.TEXT,
    "only": schemas.TEXT,
    "every_minutes": schemas.nullable({"type": "integer", "minimum": LEAST_MINUTES, "maximum": MOST_MINUTES}),
}
PHONE_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET", path="/api/inventory", handler=show_inventory, role=VIEWER,
        summary="Phones, searched and sorted; all of them where nothing is asked for",
        parameters=(
            Parameter(name="q", description="text in name, number, address, model or description"),
            Parameter(name="zone", description="only of this zone; empty: only those in none"),
            Parameter(name="state", description="only with this outcome of reading, or `missing`"),
            Parameter(name="sort", description="column", schema={"type": "string", "enum": list(SORTS)}),
            Parameter(name="descending", description="`1`: the other way round"),
            Parameter(name="offset", description="phones to skip", schema={"type": "integer", "minimum": 0}),
            Parameter(
                name="limit", description="at most", schema={"type": "integer", "minimum": 1, "maximum": MAX_ROWS}
            ),
        ),
        answer=answer(phones=listed(schemas.PHONE)),
    ),
    Route(
        method="POST", path="/api/inventory/read", handler=read_inventory, role=OPERATOR, body_may_be_missing=True,
        summary="Ask phones who they are; answered when all have answered or run out of time",
        body=document({}, {"phones": _NAMES}), answer=answer(outcomes=schemas.COUNTS),
    ),
    Route(
        method="POST", path="/api/inventory/zone", handler=assign_zone, role=ADMINISTRATOR,
        summary="Put phones into a zone; an empty name takes them out of theirs",
        body=document({"phones": _NAMES, "zone": schemas.TEXT}), answer=answer(phones=schemas.WHOLE),
    ),
    Route(
        method="POST", path="/api/inventory/remove", handler=remove_phones, role=ADMINISTRATOR,
        summary="Forget phones; a source that still has them brings them back",
        body=document({"phones": _NAMES}), answer=answer(phones=schemas.WHOLE),
    ),
    Route(
        method="GET", path="/api/inventory/sources", handler=show_sources, role=ADMINISTRATOR,
        summary="Where phones are found, without passwords", answer=answer(sources=listed({"type": "object"})),
    ),
    Route(
        method="POST", path="/api/inventory/sources", handler=put_source, role=ADMINISTRATOR, status=201,
        summary="Add a source, or replace the one of the same name; without a password it keeps its former one",
        body=document({"name": schemas.TEXT, "kind": {"type": "string", "enum": list(KINDS)}}, _SOURCE_PARTS),
        answer=_NAME, max_body=MAX_SOURCE_BODY,
    ),
    Route(
        method="DELETE", path="/api/inventory/sources/{name}", handler=remove_source, role=ADMINISTRATOR,
        summary="Remove a source; its phones stay", answer=_NAME, refusals={404: "no such source"},
    ),
    Route(
        method="POST", path="/api/inventory/sources/{name}/synchronise", handler=synchronise, role=ADMINISTRATOR,
        summary="Ask a source now, take its phones in and read them", answer=answer(result=schemas.COUNTS),
        refusals={404: "no such source"},
    ),
    Route(
        method="GET", path="/api/zones", handler=show_zones, role=VIEWER, summary="All zones",
        answer=answer(zones=listed(answer(name=schemas.TEXT, description=schemas.TEXT, phones=schemas.WHOLE))),
    ),
    Route(
        method="POST", path="/api/zones", handler=add_zone, role=ADMINISTRATOR, summary="Add a zone", status=201,
        body=document({"name": schemas.TEXT}, {"description": schemas.TEXT}), answer=_NAME,
    ),
    Route(
        method="PATCH", path="/api/zones/{name}", handler=change_zone, role=ADMINISTRATOR,
        summary="Rename a zone or describe it otherwise; its phones and lists follow",
        body=document({}, {"name": schemas.TEXT, "description": schemas.TEXT}), answer=_NAME,
        refusals={404: "no such zone"},
    ),
    Route(
        method="DELETE", path="/api/zones/{name}", handler=remove_zone, role=ADMINISTRATOR,
        summary="Remove a zone; its phones are in none then", answer=_NAME, refusals={404: "no such zone"},
    ),
    Route(
        method="GET", path="/api/lists", handler=show_lists, role=VIEWER, summary="All distribution lists",
        answer=answer(lists=listed(_LIST)),
    ),
    Route(
        method="POST", path="/api/lists", handler=add_list, role=ADMINISTRATOR, status=201,
        summary="Add a distribution list", body=document({"name": schemas.TEXT}, _LIST_PARTS), answer=_LIST,
    ),
    Route(
        method="PATCH", path="/api/lists/{name}", handler=change_list, role=ADMINISTRATOR,
        summary="Change a distribution list; what is not given stays",
        body=document({}, {"name": schemas.TEXT, **_LIST_PARTS}), answer=_LIST, refusals={404: "no such list"},
    ),
    Route(
        method="DELETE", path="/api/lists/{name}", handler=remove_list, role=ADMINISTRATOR,
        summary="Remove a distribution list; its phones and zones stay", answer=_NAME, refusals={404: "no such list"},
    ),
)  # fmt: skip
