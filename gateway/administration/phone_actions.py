"""What pages and JSON interface do with phones, zones, lists and sources: each action once, with its audit entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from gateway.administration.desk import Call, Json
from gateway.inventory import DistributionList
from gateway.inventory.synchronisation import Known


async def read(call: Call, names: Sequence[str] | None) -> dict[str, int]:
    """Ask phones who they are; outcome to count."""
    call.note("inventory.read", "all" if names is None else f"{len(names)} phones")
    return await call.desk.phonebook.read(names)


async def assign(call: Call, names: Sequence[str], zone: str) -> int:
    """Put phones into a zone; how many. Raises SelectionError."""
    count = await call.desk.phonebook.assign(names, zone)
    call.note("inventory.zone-assigned", zone or "no zone", phones=count, first=list(names[:10]))
    return count


async def remove(call: Call, names: Sequence[str]) -> int:
    """Forget phones; how many."""
    count = await call.desk.phonebook.remove(names)
    call.note("inventory.phones-removed", "", phones=count, first=list(names[:10]))
    return count


def phones_by_zone(call: Call) -> Counter[str]:
    """Zone to number of phones."""
    return Counter(entry.zone for entry in call.desk.phonebook.entries.values())


async def add_zone(call: Call, name: str, description: str) -> None:
    """Add a zone. Raises ZoneError, StoreError."""
    await call.desk.phonebook.zones.add_zone(name, description)
    call.note("zone.added", name)


async def change_zone(call: Call, name: str, new_name: str, description: str) -> None:
    """Rename a zone or describe it otherwise. Raises ZoneError, StoreError."""
    await call.desk.phonebook.zones.change_zone(name, new_name=new_name, description=description)
    call.desk.phonebook.zone_renamed(name, new_name)
    call.note("zone.changed", name, name=new_name, description=description)


async def remove_zone(call: Call, name: str) -> None:
    """Remove a zone. Raises ZoneError, StoreError."""
    await call.desk.phonebook.zones.remove_zone(name)
    call.desk.phonebook.zone_renamed(name, "")
    call.note("zone.removed", name)


async def put_list(call: Call, made: DistributionList, replaces: str | None = None) -> None:
    """Add or replace a distribution list. Raises ZoneError, StoreError."""
    await call.desk.phonebook.zones.put_list(made, replaces=replaces)
    action = "zone.list-added" if replaces is None else "zone.list-changed"
    call.note(action, made.name, phones=len(made.phones), zones=sorted(made.zones)[:20])


async def remove_list(call: Call, name: str) -> None:
    """Remove a distribution list. Raises ZoneError, StoreError."""
    await call.desk.phonebook.zones.remove_list(name)
    call.note("zone.list-removed", name)


async def put_source(call: Call, values: Mapping[str, object]) -> str:
    """Add or replace a source; its name. Raises SourceError, StoreError."""
    source = await call.desk.synchronisation.put(values)
    call.note("inventory.source-set", source.name, kind=source.kind, url=source.url, every_minutes=source.every_minutes)
    await call.desk.audit.written()
    return source.name


async def remove_source(call: Call, name: str) -> None:
    """Remove a source. Raises SourceError, StoreError."""
    await call.desk.synchronisation.remove(name)
    call.note("inventory.source-removed", name)


async def synchronise(call: Call, name: str) -> dict[str, int]:
    """Ask a source now. Raises SourceError."""
    call.note("inventory.synchronised", name)
    return await call.desk.synchronisation.synchronise(name)


def source_json(known: Known) -> Json:
    """A source without its password and files."""
    source = known.source
    return {
        "name": source.name,
        "kind": source.kind,
        "url": source.url,
        "user": source.user,
        "password_set": bool(source.password),
        "ca_file": source.ca_file,
        "verify": source.verify,
        "networks": list(source.networks),
        "every_minutes": source.every_minutes,
        "last_s": known.last_s,
        "last_result": known.last_result,
    }


def whom(call: Call) -> dict[str, object]:
    """What the choice of whom a page or an alert goes to is shown from: phones in all, zones and lists with theirs."""
    known, counts = call.desk.phonebook.zones.known, phones_by_zone(call)
    return {
        "phones": len(call.desk.phonebook.phones),
        "zones": [(name, counts[name]) for name in known.zones],
        "lists": [(each.name, len(each.phones), sorted(each.zones)) for each in known.lists.values()],
    }
