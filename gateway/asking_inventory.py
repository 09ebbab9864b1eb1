"""`pushlab gateway inventory`: the phones of a running gateway."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.client import Client, RefusedError
from gateway.configuration import ConfigurationError
from gateway.inventory.phone_list import PhoneListError, load_phone_list
from gateway.printing import counts_of, fail, print_counts, print_table, rows_of, running, show_table, tell

OK, FAILED = 0, 1


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add its parser."""
    parser = commands.add_parser("inventory", help="a running gateway's phones: print, read, synchronise, import")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = running(actions.add_parser("list", help="print phones"))
    listing.add_argument("text", nargs="?", metavar="TEXT", help="only with it in name, number, address or model")
    listing.add_argument("--zone", metavar="NAME", help="only of this zone")
    listing.add_argument("--state", metavar="STATE", help="only with this outcome of reading, or missing")
    running(actions.add_parser("read", help="ask all phones who they are, and count the outcomes"))
    sync = running(actions.add_parser("sync", help="ask sources which phones there are, and read those"))
    sync.add_argument("sources", nargs="*", metavar="SOURCE", help="names; all if nobody is named")
    importing = running(actions.add_parser("import", help="take the phones of a CSV file in, and read them"))
    importing.add_argument("file", type=Path, metavar="FILE", help="with the columns device_name and address")
    importing.add_argument("--name", default="Imported", metavar="NAME", help="the source's name (Imported)")
    importing.add_argument("--zone", metavar="NAME", help="put them into this zone, which is made if there is none")


def ask_about_phones(client: Client, arguments: argparse.Namespace) -> int:
    """Do what it says; the exit code.

    Raises:
        RefusedError: the gateway refused.
        ConfigurationError: a phone list that cannot be used.
    """
    match arguments.action:
        case "list":
            return _list_phones(client, arguments)
        case "read":
            answer = client.ask("POST", "/api/inventory/read", {})
            if arguments.json:
                tell(answer, arguments)
            else:
                print_counts("read", counts_of(answer))
            return OK if counts_of(answer).get("read") else FAILED
        case "sync":
            sources = arguments.sources or [
                str(each["name"]) for each in rows_of(client.ask("GET", "/api/inventory/sources"), "sources")
            ]
            return _synchronise(client, sources, arguments)
        case _:
            return _import(client, arguments)


def _list_phones(client: Client, arguments: argparse.Namespace) -> int:
    asked = {"q": arguments.text, "zone": arguments.zone, "state": arguments.state}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items() if value is not None)
    answer: dict[str, object] = {"phones": []}
    if query:
        phones: list[dict[str, Any]] = []
        while True:
            found = client.ask("GET", f"/api/inventory?{query}&limit=1000&offset={len(phones)}")
            some = rows_of(found, "phones")
            phones += some
            if not some or len(phones) >= int(str(found["total"])):
                break
        answer = {"phones": phones}
    else:
        answer = client.ask("GET", "/api/inventory")
    columns = ("directory_number", "phone", "address", "model", "zone", "outcome")
    rows = [tuple(phone.get(name) for name in columns) for phone in rows_of(answer, "phones")]
    show_table(answer, columns, rows, arguments)
    return OK


def _synchronise(client: Client, sources: Sequence[str], arguments: argparse.Namespace) -> int:
    results: dict[str, object] = {}
    failed = {}
    for name in sources:
        try:
            answer = client.ask("POST", f"/api/inventory/sources/{quote(name, safe='')}/synchronise")
            results[name] = answer["result"]
        except RefusedError as error:
            failed[name] = error
    if arguments.json:
        told = {name: {"errors": refusal.errors} for name, refusal in failed.items()}
        tell({"results": {**results, **told}}, arguments)
    else:
        for name, result in results.items():
            print_table(f"{name}:", result)
    for name, refusal in failed.items():
        fail(FAILED, *(f"{name}: {each}" for each in refusal.errors))
    return FAILED if failed or not sources else OK


def _import(client: Client, arguments: argparse.Namespace) -> int:
    try:
        phones = load_phone_list(arguments.file)
    except PhoneListError as error:
        raise ConfigurationError(list(error.errors)) from None
    text = arguments.file.read_text(encoding="utf-8-sig")
    client.ask("POST", "/api/inventory/sources", {"name": arguments.name, "kind": "csv", "csv": text})
    code = _synchronise(client, [arguments.name], arguments)
    if code == OK and arguments.zone is not None:
        zones = {str(each["name"]) for each in rows_of(client.ask("GET", "/api/zones"), "zones")}
        if arguments.zone not in zones:
            client.ask("POST", "/api/zones", {"name": arguments.zone})
        names = [phone.device_name for phone in phones]
        client.ask("POST", "/api/inventory/zone", {"phones": names, "zone": arguments.zone})
    return code
