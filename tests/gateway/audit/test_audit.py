"""G11: every way to tamper with the audit trail is found; and a store that fails costs an alarm and nothing else."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.alarms import Alarms
from gateway.audit import AuditTrail, verify
from gateway.audit import trail as module
from gateway.audit.trail import append, fact
from gateway.store import Database, StoreError

KEY = b"k" * 32


def written(database: Database, count: int = 5) -> None:
    database.write_now(
        lambda connection: append(
            connection, KEY, [fact("ada", "settings.changed", "multicast", value=n) for n in range(count)]
        )
    )


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE audit SET who = 'eve' WHERE number = 3", "entry 3 was changed"),
        ("UPDATE audit SET detail = '{}' WHERE number = 1", "entry 1 was changed"),
        ("UPDATE audit SET at_s = at_s + 1 WHERE number = 5", "entry 5 was changed"),
        ("DELETE FROM audit WHERE number = 3", "entry 3 is missing"),
        ("DELETE FROM audit WHERE number = 1", "entry 1 is missing"),
        ("DELETE FROM audit WHERE number >= 4", "5 was sealed"),
        ("DELETE FROM audit", "5 was sealed"),
        ("DELETE FROM audit_end", "seal of the last entry is missing"),
        ("UPDATE audit_end SET number = 4", "5, and 4 was sealed"),
        ("UPDATE audit_end SET seal = zeroblob(32)", "does not fit"),
        ("INSERT INTO audit SELECT 6, at_s, who, address, action, subject, detail, code FROM audit WHERE number = 5",
         "entry 6 was changed"),
        ("UPDATE audit SET number = 6 - number + 100; UPDATE audit SET number = number - 100", "entry 1 was changed"),
    ],
)  # fmt: skip
def test_g11_a_break_is_found(tampering: str, found: str) -> None:
    with Database.open(None) as database:
        written(database)
        assert database.write_now(lambda connection: verify(connection, KEY)) == (5, None)
        for statement in tampering.split("; "):
            database.write_now(lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]
        _, broken = database.write_now(lambda connection: verify(connection, KEY))
        assert found in str(broken)


def test_g11_entries_after_a_cut_do_not_hide_it() -> None:
    with Database.open(None) as database:
        written(database)
        database.write_now(lambda connection: connection.execute("DELETE FROM audit WHERE number > 2"))
        written(database, 1)
        _, broken = database.write_now(lambda connection: verify(connection, KEY))
        assert broken == "entry 3 is missing: entry 6 follows entry 2"


def test_g11_the_chain_cannot_be_made_anew_without_the_key() -> None:
    with Database.open(None) as database:
        written(database)
        for table in ("audit", "audit_end"):
            database.write_now(lambda connection, table=table: connection.execute(f"DELETE FROM {table}"))  # type: ignore[misc] # noqa: S608
        database.write_now(lambda connection: append(connection, b"x" * 32, [fact("ada", "page.sent")]))
        _, broken = database.write_now(lambda connection: verify(connection, KEY))
        assert "entry 1 was changed" in str(broken)


def test_an_empty_trail_is_whole() -> None:
    with Database.open(None) as database:
        assert database.write_now(lambda connection: verify(connection, KEY)) == (0, None)


async def test_entries_are_written_in_order_and_read_the_newest_first() -> None:
    with Database.open(None) as database:
        unit = AuditTrail(database, KEY, Alarms(), clock=lambda: 1_700_000_000.1234)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(unit.run)
            for number in range(1, 8):
                unit.note("ada" if number % 2 else "otto", "10.0.0.1", "page.sent", str(number), phones=number)
            await unit.written()
            nursery.cancel_scope.cancel()
        entries = await unit.entries(before=None, limit=3)
        assert [entry.subject for entry in entries] == ["7", "6", "5"]
        assert [entry.number for entry in await unit.entries(before=3, limit=9)] == [2, 1]
        assert {entry.who for entry in await unit.entries(before=None, limit=9, who="otto")} == {"otto"}
        assert await unit.entries(before=None, limit=9, action="settings.") == []
        assert json.loads(entries[0].detail) == {"phones": 7}
        assert entries[0].at_s == 1_700_000_000.123
        assert await unit.verify() == (7, None)


async def test_what_is_noted_during_a_write_does_not_wait_for_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    with Database.open(None) as database:
        unit = AuditTrail(database, KEY, Alarms())
        real = database.write

        async def write(work: object) -> object:
            if len(unit._queue) == 1:
                unit.note("otto", "10.0.0.1", "page.stopped", "1")
            return await real(work)  # type: ignore[arg-type]

        monkeypatch.setattr(database, "write", write)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(unit.run)
            unit.note("ada", "10.0.0.1", "page.sent", "1")
            with trio.fail_after(1):
                while len(await unit.entries(before=None, limit=9)) < 2:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()


async def test_what_was_noted_is_on_one_line_and_short() -> None:
    with Database.open(None) as database:
        unit = AuditTrail(database, KEY, Alarms())
        unit.note("a\nb\x1b[2J", "10.0.0.1", "login.refused", "x" * 1000)
        await unit.finish()
        (entry,) = await unit.entries(before=None, limit=9)
        assert entry.who.isprintable()
        assert len(entry.subject) == module.MAX_TEXT


async def test_p4_a_store_that_takes_nothing_is_an_alarm_and_the_entries_wait(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)  # the store of this test is no thread: virtual time is safe
    with Database.open(None) as database:
        alarms = Alarms()
        unit = AuditTrail(database, KEY, alarms)
        broken = True
        real = database.write_now

        async def write(work: object) -> object:
            if broken:
                raise StoreError("database or disk is full")
            return real(work)  # type: ignore[arg-type]

        monkeypatch.setattr(database, "write", write)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(unit.run)
            before = trio.current_time()
            for number in range(5):
                unit.note("ada", "10.0.0.1", "page.sent", str(number))
            assert trio.current_time() == before  # nobody waits
            await unit.written()
            assert trio.current_time() == before + module.WAIT_S
            assert [alarm.name for alarm in alarms.active()] == ["audit-lost"]
            assert unit.lost == 2
            broken = False
            await trio.sleep(module.RETRY_S + 1)
            assert alarms.active() == ()
            nursery.cancel_scope.cancel()
        assert real(lambda connection: verify(connection, KEY)) == (3, None)


def test_the_trail_in_a_file_is_read_by_another_process_too(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        written(database)
        other = sqlite3.connect(tmp_path / "gateway.sqlite")
        try:
            assert verify(other, KEY) == (5, None)
        finally:
            other.close()
