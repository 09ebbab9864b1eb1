"""The inventory in memory and in the store; choosing phones by name, zone and list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.alarms import Alarms
from gateway.cisco import DeviceInformation
from gateway.inventory import (
    DistributionList,
    Listed,
    Listing,
    Phonebook,
    Said,
    SelectionError,
    ZoneError,
    ZoneStore,
)
from gateway.inventory.zones import MAX_LISTS
from gateway.records import Records
from gateway.store import Database

NAMES = [f"SEP001BD40000{number:02X}" for number in range(1, 6)]


class Phones:
    """Says who is at an address: 10.0.0.N is phone N; what is above 3 is away."""

    async def read(self, address: str) -> Said:
        number = int(address.rpartition(".")[2])
        if number > 3:
            return Said(outcome="unreachable", detail="no connection")
        name = NAMES[number - 1]
        return Said(
            outcome="read",
            information=DeviceInformation(
                device_name=name, mac=name[3:], directory_number=str(2000 + number % 2), model="CP-7960G"
            ),
            authentication_url="http://10.20.128.10/cisco_auth/authenticate.html",
            answer_ms=1.0,
        )


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Phonebook]:
    with Database.open(tmp_path) as database:
        unit = open_book(database)
        await unit.take(listing())
        yield unit


def open_book(database: Database, allowed: Callable[[str], bool] = lambda _: True) -> Phonebook:
    return Phonebook(
        database,
        ZoneStore(database),
        reader=Phones(),
        concurrency=2,
        records=Records(None),
        alarms=Alarms(),
        allowed=allowed,
        clock=lambda: 1000.0,
    )


def listing(count: int = 5) -> Listing:
    phones = [Listed(device_name=name, address=f"10.0.0.{at}") for at, name in enumerate(NAMES[:count], 1)]
    return Listing(source="list", phones=phones)


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        unit = open_book(database)
        assert await unit.take(listing()) == {"added": 5, "moved": 0, "missing": 0, "without_address": 0}
        assert await unit.read() == {"read": 3, "unreachable": 2}
        await unit.zones.add_zone("East wing")
        await unit.assign(NAMES[:2], "East wing")
        nurses = DistributionList(name="Nurses", phones=frozenset(NAMES[4:]), zones=frozenset(["East wing"]))
        await unit.zones.put_list(nurses)
        before = dict(unit.entries)
    with Database.open(tmp_path) as database:
        again = open_book(database)
        assert again.entries == before
        assert list(again.entries) == NAMES
        assert again.entries[NAMES[0]].seen_s == 1000.0
        assert [phone.device_name for phone in again.select(lists=["Nurses"]).phones] == [NAMES[0], NAMES[1], NAMES[4]]


async def test_phones_are_chosen_by_name_zone_and_list_each_once(book: Phonebook) -> None:
    await book.zones.add_zone("East")
    await book.zones.add_zone("West")
    await book.assign(NAMES[:2], "East")
    await book.zones.put_list(DistributionList(name="L", phones=frozenset([NAMES[3]]), zones=frozenset(["East"])))

    def names(**choice: list[str]) -> list[str]:
        return [phone.device_name for phone in book.select(**choice).phones]

    assert names() == NAMES
    assert names(zones=["East"]) == NAMES[:2]
    assert names(phones=[NAMES[4], NAMES[0]]) == [NAMES[0], NAMES[4]]
    assert names(phones=[NAMES[0]], zones=["East"], lists=["L"]) == [NAMES[0], NAMES[1], NAMES[3]]
    with pytest.raises(SelectionError) as caught:
        book.select(phones=["SEP000000000000"], zones=["North"], lists=["M"])
    assert len(caught.value.errors) == 3
    with pytest.raises(SelectionError, match="no such phone"):
        book.select(zones=["West"])


async def test_a_phone_that_cannot_be_paged_is_left_out_with_the_reason(book: Phonebook) -> None:
    await book.take(listing(4))
    await book.take(Listing(source="other", phones=[Listed(device_name="SEP0000000000FF", address="10.0.0.4")]))
    selection = book.select(phones=NAMES)
    assert [phone.device_name for phone in selection.phones] == NAMES[:3]
    assert selection.left_out == {NAMES[3]: "10.0.0.4 is now SEP0000000000FF", NAMES[4]: "no list has it any longer"}


async def test_a_renamed_zone_takes_its_phones_and_lists_along(book: Phonebook) -> None:
    await book.zones.add_zone("East")
    await book.assign(NAMES[:2], "East")
    await book.zones.put_list(DistributionList(name="L", zones=frozenset(["East"])))
    await book.zones.change_zone("East", new_name="Ost", description="")
    book.zone_renamed("East", "Ost")
    assert [phone.device_name for phone in book.select(lists=["L"]).phones] == NAMES[:2]
    await book.zones.remove_zone("Ost")
    book.zone_renamed("Ost", "")
    assert book.zones.known.lists["L"].zones == frozenset()
    assert {entry.zone for entry in book.entries.values()} == {""}


async def test_searching_sorting_and_paging(book: Phonebook) -> None:
    await book.read()
    assert [entry.device_name for entry in book.search("2001").entries] == [NAMES[0], NAMES[2]]
    assert book.search(state="unreachable").total == 2
    assert [entry.address for entry in book.search(sort="address", descending=True, limit=2).entries] == [
        "10.0.0.5",
        "10.0.0.4",
    ]
    by_number = [entry.directory_number for entry in book.search(sort="directory_number").entries]
    assert by_number == ["2000", "2001", "2001", "", ""]
    assert book.search(offset=4).entries[0].device_name == NAMES[4]
    assert book.shared_numbers() == {"2001": 2}


async def test_c24_addresses_outside_of_the_networks_are_refused(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        unit = open_book(database, allowed=lambda address: address.startswith("10."))
        for address in ("127.0.0.1", "169.254.169.254", "192.0.2.1"):
            with pytest.raises(SelectionError, match="outside the networks"):
                await unit.take(Listing(source="list", phones=[Listed(device_name=NAMES[0], address=address)]))
        assert unit.entries == {}


async def test_a_store_that_cannot_be_written_costs_survival_and_not_the_change(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        unit = open_book(database)
        database._writer.execute("PRAGMA query_only = ON")
        await unit.take(listing())
        assert len(unit.phones) == 5
        assert [alarm.name for alarm in unit._alarms.active()] == ["inventory-not-kept"]
        database._writer.execute("PRAGMA query_only = OFF")
        await unit.read()
        assert unit._alarms.active() == ()


async def test_what_zones_and_lists_cannot_be(book: Phonebook) -> None:
    zones = book.zones
    await zones.add_zone("East")
    for name in ("", " East", "a\nb", "x" * 65, "East"):
        with pytest.raises(ZoneError):
            await zones.add_zone(name)
    with pytest.raises(ZoneError, match="no such zone: West"):
        await zones.put_list(DistributionList(name="L", zones=frozenset(["West"])))
    with pytest.raises(ZoneError, match="no zone 'West'"):
        await zones.remove_zone("West")
    for number in range(MAX_LISTS):
        await zones.put_list(DistributionList(name=f"L{number}"))
    with pytest.raises(ZoneError, match="at most 256"):
        await zones.put_list(DistributionList(name="one more"))


async def test_ten_thousand_rows_are_searched_at_once(book: Phonebook) -> None:
    phones = [Listed(device_name=f"SEP{at:012X}", address=f"10.1.{at // 250}.{at % 250}") for at in range(10_000)]
    await book.take(Listing(source="many", phones=phones))
    assert book.search("10.1.39.249").total == 1
    assert len(book.search(sort="address", limit=100).entries) == 100
