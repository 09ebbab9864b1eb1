"""A gateway and a fleet of emulated phones in one loop, on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import trio
import trio.testing

from emulator.fleet.catalogue import load
from emulator.fleet.faults import by_share
from emulator.fleet.fleet import Fleet
from emulator.fleet.fleet import Settings as FleetSettings
from emulator.phone.authentication import read_url
from emulator.phone.phone import Phone
from emulator.records import Records as FleetRecords
from gateway.alerts import AlertRequest, AlertView, Priority
from gateway.configuration import Configuration, Endpoint
from gateway.inventory import Listed, Listing
from gateway.phone_port import open_listener
from gateway.product import Gateway
from gateway.records import Records
from gateway.store import Database

GATEWAY = "127.20.128.31"
CALLMANAGER = "http://127.20.128.20/CCMCIP/authenticate.asp"
LIMIT_S = 20


def name(number: int) -> str:
    return f"SEP001BD4{number:06X}"


def address(number: int) -> str:
    return f"127.20.3.{number}"


@dataclass
class Bed:
    """What a test works with."""

    folder: Path
    gateway: Gateway
    fleet: Fleet
    port: int
    fleet_records: FleetRecords
    records: Records
    screens: dict[str, Any] = field(default_factory=dict)

    def phone(self, number: int) -> Phone:
        found = self.fleet.find(name(number))
        assert found is not None
        return found

    async def send(self, text: str = "Fire in <B&C>", *, key: str | None = None, **fields: object) -> str:
        return await self.gateway.alerts.send(
            AlertRequest(text=text, **{"priority": Priority.EMERGENCY, **fields}),  # type: ignore[arg-type]
            key=key,
        )

    async def view(self, number: str) -> AlertView:
        view = await self.gateway.alerts.get(number)
        assert view is not None
        return view

    async def outcomes(self, number: str, wanted: Mapping[str, int]) -> AlertView:
        """Wait until an alert has come to this."""
        view = await self.view(number)
        with trio.move_on_after(LIMIT_S):
            while dict((view := await self.view(number)).outcomes) != dict(wanted):
                await trio.sleep(0.005)
        assert dict(view.outcomes) == dict(wanted), [each.words for each in view.phones]
        return view

    async def until(self, what: Callable[[], object]) -> None:
        with trio.fail_after(LIMIT_S):
            while not what():
                await trio.sleep(0.005)

    async def press(self, number: int, key: str) -> None:
        """Press a key once the phone shows it: it draws a moment after it fetched."""
        await self.until(lambda: self.fleet.press(self.phone(number), key))

    async def get(self, path: str, *, source: str = address(1), method: str = "GET") -> bytes:
        """A request as a phone makes it, from its own address."""
        with trio.socket.socket() as sock:
            await sock.bind((source, 0))
            await sock.connect((GATEWAY, self.port))
            await sock.send(f"{method} {path} HTTP/1.1\r\nHost: {GATEWAY}\r\n\r\n".encode())
            received = b""
            while part := await sock.recv(65536):
                received += part
            return received

    def diary(self, kind: str) -> list[dict[str, Any]]:
        """Records of both parts."""
        self.fleet_records.close()
        self.records.flush()
        found = []
        for file in ("gateway.jsonl", "phones.jsonl"):
            found += [json.loads(line) for line in (self.folder / file).read_text().splitlines()]
        return [entry for entry in found if entry["kind"] == kind]


def configuration(port: int, *, total_s: float = 5.0, store: Path | None = None) -> Configuration:
    return Configuration(
        phone_port=Endpoint(host=GATEWAY, port=0),
        secured_phone_port=None,
        certificate=None,
        certificate_key=None,
        administration=None,
        token=None,
        accepted_password=None,
        store_folder=store,
        key_file=None,
        fixed={
            "push_user": "agpush",
            "push_password": "secret",
            "callmanager_url": CALLMANAGER,
            "phone_networks": (IPv4Network("127.20.0.0/16"),),
            "authorise": "in-flight",
        },
        source=GATEWAY,
        concurrency=40,
        connect_s=1.0,
        total_s=total_s,
        phones_csv=None,
        phones_port=port,
        rtp_port=32674,
    )


@asynccontextmanager
async def running(
    folder: Path,
    *,
    phones: int = 3,
    misbehaviours: Sequence[str] = (),
    absent: int = 0,
    total_s: float = 5.0,
    database: Database | None = None,
    model: str = "CP-7961G",
) -> AsyncIterator[Bed]:
    """Both up; phones ask the gateway about each push.

    Args:
        folder: for records.
        phones: number of phones.
        misbehaviours: `NAME=SHARE` of the phones, as `pushlab phones` takes them.
        absent: phones in the inventory that do not exist; the fleet resets their connections.
        total_s: limit of a push.
        database: kept over a restart; in memory if absent.
        model: of all phones.
    """
    with (
        (nullcontext(database) if database is not None else Database.open(None)) as store,
        Records(folder / "gateway.jsonl") as records,
        open_listener(GATEWAY, 0) as listener,
    ):
        port = listener.getsockname()[1]
        server = read_url(f"http://{GATEWAY}:{port}/cisco_auth/authenticate.html")
        models = load().models
        members = [
            Phone(
                device_name=name(number),
                directory_number=str(2000 + number),
                mac=name(number)[3:],
                model=models[model],
                address=address(number),
                server=server,
            )
            for number in range(1, phones + 1)
        ]
        faults = by_share(members, misbehaviours, (), seed=1)
        fleet = Fleet(members, FleetSettings(port=0, rtp_port=0, reset_s=0.0, faults=faults))
        fleet_records = FleetRecords(folder / "phones.jsonl", witness="phones", clock=time.monotonic_ns)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                urls = await nursery.start(fleet.run, fleet_records)
                fleet_port = int(urls["phones"].rpartition(":")[2])
                gateway = Gateway(configuration(fleet_port, total_s=total_s), (), records, store)
                listed = [Listed(device_name=name(n), address=address(n)) for n in range(1, phones + absent + 1)]
                await gateway.phonebook.take(Listing(source="test", phones=listed))
                nursery.start_soon(gateway.make_phone_port(listener).serve)
                async with trio.open_nursery() as inner:
                    inner.start_soon(gateway.alerts.run)
                    await trio.testing.wait_all_tasks_blocked()
                    yield Bed(folder, gateway, fleet, port, fleet_records, records)
                    gateway.alerts.close()
                nursery.cancel_scope.cancel()
