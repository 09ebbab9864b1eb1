"""Sources kept over a restart, asked on schedule in virtual time; what fails leaves the inventory alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from gateway.alarms import Alarms
from gateway.cisco import DeviceInformation
from gateway.inventory import Phonebook, Said, SourceError, Synchronisation, ZoneStore, synchronisation
from gateway.inventory.sources import read_source
from gateway.inventory.synchronisation import Known, is_due
from gateway.records import Records
from gateway.store import Cipher, Database

CSV = "device_name,address\nSEP001BD4000001,10.0.0.1\nSEP001BD4000002,10.0.0.2\n"


class Phones:
    """Phones at 10.0.0.1 to .3; nobody elsewhere."""

    async def read(self, address: str) -> Said:
        number = int(address.rpartition(".")[2])
        if number > 3:
            return Said(outcome="unreachable")
        mac = f"001BD40000{number:02X}"
        return Said(
            outcome="read",
            information=DeviceInformation(device_name="", mac=mac, directory_number="", model="CP-7960G"),
        )


def open_all(database: Database, cipher: Cipher) -> tuple[Synchronisation, Phonebook, Alarms]:
    alarms = Alarms()

    def allowed(address: str) -> bool:
        return address.startswith("10.")

    book = Phonebook(
        database,
        ZoneStore(database),
        reader=Phones(),
        concurrency=4,
        records=Records(None),
        alarms=alarms,
        allowed=allowed,
    )
    unit = Synchronisation(
        database,
        cipher,
        book,
        reader=Phones(),
        allowed=allowed,
        concurrency=4,
        alarms=alarms,
        clock=trio.current_time,
    )
    return unit, book, alarms


async def test_a_csv_file_and_a_range() -> None:
    with Database.open(None) as database:
        unit, book, _ = open_all(database, Cipher.ephemeral())
        await unit.put({"name": "site", "kind": "csv", "csv": CSV})
        assert await unit.synchronise("site") == {
            "listed": 2, "added": 2, "moved": 0, "missing": 0, "without_address": 0, "read_read": 2,
        }  # fmt: skip
        await unit.put({"name": "floor", "kind": "range", "networks": ["10.0.0.0/29"]})
        changed = await unit.synchronise("floor")
        assert (changed["listed"], changed["added"]) == (3, 1)
        assert [entry.source for entry in book.entries.values()] == ["floor"] * 3
        assert unit.known["floor"].last_result == "3 phones, 1 added"


async def test_only_the_phones_of_a_list_are_taken() -> None:
    with Database.open(None) as database:
        unit, book, _ = open_all(database, Cipher.ephemeral())
        only = "device_name,address\nSEP001BD4000003,10.9.9.9\n"
        await unit.put({"name": "floor", "kind": "range", "networks": ["10.0.0.0/29"], "only": only})
        await unit.synchronise("floor")
        assert [entry.address for entry in book.entries.values()] == ["10.0.0.3"]


async def test_what_fails_is_an_alarm_and_leaves_the_inventory_alone() -> None:
    with Database.open(None) as database:
        unit, book, alarms = open_all(database, Cipher.ephemeral())
        await unit.put({"name": "site", "kind": "csv", "csv": CSV})
        await unit.synchronise("site")
        await unit.put({"name": "site", "kind": "csv", "csv": CSV.replace("10.0.0.2", "127.0.0.1")})
        with pytest.raises(SourceError, match=r"127\.0\.0\.1 is outside"):
            await unit.synchronise("site")
        assert [entry.address for entry in book.entries.values()] == ["10.0.0.1", "10.0.0.2"]
        assert [alarm.name for alarm in alarms.active()] == ["synchronisation-failed:site"]
        await unit.put({"name": "site", "kind": "csv", "csv": CSV})
        await unit.synchronise("site")
        assert alarms.active() == ()


async def test_an_empty_list_makes_nobody_disappear() -> None:
    with Database.open(None) as database:
        unit, book, _ = open_all(database, Cipher.ephemeral())
        await unit.put({"name": "floor", "kind": "range", "networks": ["10.0.0.0/29"]})
        await unit.synchronise("floor")
        await unit.put({"name": "floor", "kind": "range", "networks": ["10.0.1.8/29"]})
        with pytest.raises(SourceError, match="no phone is in the list"):
            await unit.synchronise("floor")
        assert all(entry.listed for entry in book.entries.values())


async def test_passwords_are_kept_encrypted_and_an_empty_one_keeps_the_former(tmp_path: Path) -> None:
    cipher = Cipher.ephemeral()
    values = {"name": "ccm", "kind": "risport", "url": "https://10.0.0.5", "user": "u", "password": "canary-pass"}
    with Database.open(tmp_path) as database:
        unit, _, _ = open_all(database, cipher)
        await unit.put(values)
        await unit.put({**values, "password": "", "user": "other"})
    assert b"canary" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with Database.open(tmp_path) as database:
        unit, _, _ = open_all(database, cipher)
        assert (unit.known["ccm"].source.password, unit.known["ccm"].source.user) == ("canary-pass", "other")
    with Database.open(tmp_path) as database:
        unit, _, alarms = open_all(database, Cipher.ephemeral())
        assert unit.known["ccm"].source.password == ""
        assert [alarm.name for alarm in alarms.active()] == ["synchronisation-failed:ccm"]


def test_p10_when_a_source_is_due_also_after_the_clock_was_set_back() -> None:
    source = read_source({"name": "floor", "kind": "range", "networks": ["10.0.0.0/30"], "every_minutes": 60})
    assert is_due(Known(source=source), 0.0)
    known = Known(source=source, last_s=10_000.0)
    assert not is_due(known, 10_000.0 + 3599)
    assert is_due(known, 10_000.0 + 3600)
    assert is_due(known, 9_000.0)
    assert not is_due(Known(source=replace(source, every_minutes=None)), 10_000_000.0)


async def test_the_schedule_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    # In real time: the store works in threads, which a virtual clock does not wait for.
    monkeypatch.setattr(synchronisation, "LOOK_S", 0.01)
    with Database.open(None) as database, trio.fail_after(10):
        unit, book, _ = open_all(database, Cipher.ephemeral())
        await unit.put({"name": "floor", "kind": "range", "networks": ["10.0.0.0/30"], "every_minutes": 60})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(unit.run)
            while not unit.known["floor"].last_result:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert unit.known["floor"].last_result == "2 phones, 2 added"
        assert len(book.entries) == 2
