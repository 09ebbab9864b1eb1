"""Inventory, and where its phones come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from quart import Response

from gateway.accounts import Role
from gateway.administration import phone_actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call
from gateway.administration.documents import whole_number
from gateway.administration.routes import Route
from gateway.inventory import SelectionError, SourceError
from gateway.inventory.phonebook import MAX_PHONES, SORTS
from gateway.inventory.sources.source import KINDS, MAX_CSV

ROWS: Final = 100
"""Phones on one page."""
COLUMNS: Final = (
    ("directory_number", "Number"),
    ("device_name", "Device"),
    ("mac", "MAC address"),
    ("model", "Model"),
    ("zone", "Zone"),
    ("address", "Address"),
    ("outcome", "Web access"),
    ("authentication_url", "Authentication URL on the phone"),
    ("seen_s", "Last seen (UTC)"),
)
STATES: Final = (
    ("", "In any state"),
    ("read", "Web server reads well"),
    ("unreachable", "Unreachable"),
    ("timed_out", "Timed out"),
    ("garbled", "Garbled"),
    ("another", "Another phone answers"),
    ("missing", "No longer listed"),
)
KIND_WORDS: Final = {
    "csv": "CSV file",
    "range": "Network range",
    "devicelistx": "CallManager's DeviceListX report",
    "risport": "CallManager's RisPort70 service",
}
MAX_SOURCE_FORM: Final = 2 * MAX_CSV + 64 * 1024
_SOURCES: Final = "/inventory/sources"


async def show_inventory(call: Call) -> Response:
    """Phones, searched and sorted, a hundred at a time."""
    return await _inventory(call)


async def _inventory(call: Call, *, errors: list[str] | None = None) -> Response:
    query, phonebook = call.query, call.desk.phonebook
    text, sort = query.get("q", "").strip()[:100], query.get("sort", "device_name")
    sort = sort if sort in SORTS else "device_name"
    descending, state, zone = query.get("descending") == "1", query.get("state", ""), query.get("zone")
    zone = None if zone in (None, "*") else zone
    offset = whole_number(query.get("offset"), "offset", 0, 0, 2 * MAX_PHONES)

    found = phonebook.search(text, zone=zone, state=state, sort=sort, descending=descending, offset=offset, limit=ROWS)
    asked: Mapping[str, object] = {
        "q": text,
        "zone": "*" if zone is None else zone,
        "state": state,
        "sort": sort,
        "descending": 1 if descending else "",
    }

    def link(**changes: object) -> str:
        wanted = {**asked, **changes}
        return "/inventory?" + urlencode(
            {name: value for name, value in wanted.items() if value != "" or name == "zone"}
        )

    return rendered(
        call,
        "inventory.html",
        status=400 if errors else 200,
        errors=errors or [],
        notice=query.get("notice", "")[:200],
        text=text,
        sort=sort,
        descending=descending,
        zone="*" if zone is None else zone,
        zones=sorted(phonebook.zones.known.zones),
        state=state,
        states=STATES,
        offset=offset,
        limit=ROWS,
        found=found,
        total=len(phonebook.entries),
        columns=COLUMNS,
        sortable=SORTS,
        shared=phonebook.shared_numbers(),
        own_url=call.desk.authentication_url,
        link=link,
    )


async def change_inventory(call: Call) -> Response:
    """Put the chosen phones into a zone, read them, or forget them."""
    names = list(call.choices.get("phone", ()))
    if call.form.get("all_found"):
        found = call.desk.phonebook.search(
            call.form.get("q", ""),
            zone=None if call.form.get("in_zone", "*") == "*" else call.form["in_zone"],
            state=call.form.get("state", ""),
            limit=MAX_PHONES,
        )
        names = [entry.device_name for entry in found.entries]
    if not names:
        return await _inventory(call, errors=["Choose at least one phone."])
    try:
        match call.form.get("do"):
            case "zone":
                count = await phone_actions.assign(call, names, call.form.get("zone", ""))
                notice = f"{count} phones are in {call.form.get('zone') or 'no zone'} now."
            case "remove":
                notice = f"{await phone_actions.remove(call, names)} phones are forgotten."
            case _:
                outcomes = await phone_actions.read(call, names)
                notice = "Read: " + (", ".join(f"{n} {o.replace('_', ' ')}" for o, n in outcomes.items()) or "none")
    except SelectionError as error:
        return await _inventory(call, errors=error.errors)
    return see_other("/inventory?" + urlencode({"notice": notice}))


async def read_inventory(call: Call) -> Response:
    """Ask all phones now."""
    outcomes = await phone_actions.read(call, None)
    counts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in outcomes.items())
    return see_other("/inventory?" + urlencode({"notice": f"All phones were asked: {counts or 'none answered'}."}))


async def show_sources(call: Call) -> Response:
    """Where phones are found."""
    return _sources(call, {"kind": "csv", "verify": "on"})


async def put_source(call: Call) -> Response:
    """Add a source, or replace the one of the same name, and ask it at once."""
    form = call.form
    values: dict[str, object] = {
        "name": form.get("name", "").strip(),
        "kind": form.get("kind", ""),
        "every_minutes": _minutes(form.get("every_minutes", "")),
    }
    kind = form.get("kind")
    if kind == "range":
        values["networks"] = form.get("networks", "").replace(",", " ").split()
    if kind == "csv":
        values["csv"] = _text(call.files.get("csv", b""))
    if kind in ("devicelistx", "risport"):
        values |= {name: form.get(name, "").strip() for name in ("url", "user", "ca_file")}
        values |= {"password": form.get("password", ""), "verify": "verify" in form}
    if "only" in call.files:
        values["only"] = _text(call.files["only"])
    try:
        name = await phone_actions.put_source(call, values)
        result = await phone_actions.synchronise(call, name)
    except SourceError as error:
        return _sources(call, form, errors=str(error).split("; "))
    return see_other(f"{_SOURCES}?" + urlencode({"notice": f"{name}: {_in_words(result)}."}))


async def synchronise(call: Call) -> Response:
    """Ask a source now."""
    name = call.path["name"]
    try:
        result = await phone_actions.synchronise(call, name)
    except SourceError as error:
        return _sources(call, {"kind": "csv", "verify": "on"}, errors=[str(error)])
    return see_other(f"{_SOURCES}?" + urlencode({"notice": f"{name}: {_in_words(result)}."}))


async def remove_source(call: Call) -> Response:
    """Remove a source; its phones stay."""
    try:
        await phone_actions.remove_source(call, call.path["name"])
    except SourceError as error:
        return _sources(call, {"kind": "csv", "verify": "on"}, errors=[str(error)])
    return see_other(f"{_SOURCES}?notice=Removed.")


def _sources(call: Call, values: Mapping[str, str], *, errors: list[str] | None = None) -> Response:
    shown = {"name": "", "url": "", "user": "", "ca_file": "", "networks": "", "every_minutes": "", **values}
    return rendered(
        call,
        "sources.html",
        status=400 if errors else 200,
        errors=errors or [],
        notice=call.query.get("notice", "")[:300],
        values=shown,
        verify="verify" in values,
        sources=[phone_actions.source_json(each) for each in call.desk.synchronisation.known.values()],
        kinds=[(kind, KIND_WORDS[kind]) for kind in KINDS],
        kind_words=KIND_WORDS,
    )


def _in_words(result: Mapping[str, int]) -> str:
    words = {"read_read": "read well", "read_another": "answered as another phone"}
    told = [
        f"{count} {words.get(name, name.removeprefix('read_').replace('_', ' '))}"
        for name, count in result.items()
        if count
    ]
    return ", ".join(told) or "no phones"


def _minutes(text: str) -> object:
    text = text.strip()
    return (int(text) if text.isascii() and text.isdigit() and len(text) < 8 else text) if text else None


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"the file is not UTF-8 text (byte {error.start})") from None


VIEWER, OPERATOR, ADMINISTRATOR = Role
PHONES_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/inventory", handler=show_inventory, role=VIEWER, summary="Inventory"),
    Route(method="POST", path="/inventory", handler=change_inventory, role=ADMINISTRATOR, summary="Change phones"),
    Route(method="POST", path="/inventory/read", handler=read_inventory, role=OPERATOR, summary="Ask all phones"),
    Route(method="GET", path=_SOURCES, handler=show_sources, role=ADMINISTRATOR, summary="Sources of phones"),
    Route(
        method="POST", path=_SOURCES, handler=put_source, role=ADMINISTRATOR, summary="Set a source",
        max_body=MAX_SOURCE_FORM,
    ),
    Route(
        method="POST", path=_SOURCES + "/{name}/synchronise", handler=synchronise, role=ADMINISTRATOR,
        summary="Ask a source",
    ),
    Route(
        method="POST", path=_SOURCES + "/{name}/remove", handler=remove_source, role=ADMINISTRATOR,
        summary="Remove a source",
    ),
)  # fmt: skip
