"""What is on disk when, what a crash leaves, and what a disk that takes nothing costs: an alarm, never a page."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from gateway.alarms import Alarms
from gateway.cisco import Outcome
from gateway.inventory import Phone
from gateway.paging import journal as module
from gateway.paging.journal import Journal, PageRecord
from gateway.push import Unheard
from gateway.store import Database, StoreError

PHONES = [Phone(device_name=f"SEP00000000000{number}", address=f"10.0.0.{number}") for number in range(6)]
NAMES = [phone.device_name for phone in PHONES]


def record(number: int, phones: int = len(PHONES), requested_s: float = 1000.0) -> PageRecord:
    return PageRecord(
        number=number,
        requested_s=requested_s,
        audio="fire",
        phones=phones,
        priority="emergency",
        delivery="unicast",
        wish={"phones": None},
        idempotency_key=f"key-{number}",
    )


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "gateway.sqlite") as connection:
        result = connection.execute(query).fetchall()
    connection.close()
    return result


@asynccontextmanager
async def written(database: Database, alarms: Alarms | None = None) -> AsyncIterator[Journal]:
    journal = Journal(database, alarms or Alarms(), clock=lambda: 2000.0)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
            yield journal
            await journal.close()


async def test_a_page_is_on_disk_before_it_begins_and_its_outcomes_soon_after(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        async with written(database) as journal:
            await journal.begin(record(1), PHONES)
            assert rows(tmp_path, "SELECT number, state, phones FROM page") == [(1, "running", 6)]
            assert rows(tmp_path, "SELECT count(*) FROM page_phone WHERE outcome IS NULL") == [(6,)]
            began = time.monotonic()
            journal.note_outcome("1", NAMES[0], Outcome.EXECUTED, None)
            journal.note_outcome("1", NAMES[1], Outcome.REFUSED, "Not now")
            journal.note_stop("1", NAMES[0], Outcome.EXECUTED)
            while rows(tmp_path, "SELECT count(*) FROM page_phone WHERE outcome IS NOT NULL") != [(2,)]:
                await trio.sleep(0.01)
            assert time.monotonic() - began < 2  # 0.1 s on a disk and a machine of one's own
            journal.end("1", reason="completed", note="a note", delivery="unicast", outcomes={"executed": 1})
        async with written(database) as journal:
            (page,) = await journal.pages()
            assert (page.state, page.reason, page.note, page.outcomes) == (
                "ended",
                "completed",
                "a note",
                {"executed": 1},
            )
            results = await journal.results(1)
            assert [(each.outcome, each.detail, each.stop) for each in results[:3]] == [
                ("executed", None, "executed"),
                ("refused", "Not now", None),
                (None, None, None),
            ]
            assert results[1].words == "It refused the page. (Not now)"
            assert await journal.pages(before=1) == []
            assert journal.recover()[1] == []


async def test_p3_a_crash_leaves_every_phone_in_one_state_and_says_whom_to_stop(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        async with written(database) as journal:
            await journal.begin(record(1), PHONES)
            for name, outcome in zip(
                NAMES, (Outcome.EXECUTED, Outcome.EXECUTED, Outcome.TIMED_OUT, Outcome.REFUSED), strict=False
            ):
                journal.note_outcome("1", name, outcome, None)
            journal.note_outcome("1", NAMES[4], Unheard.PREEMPTED, "page 2")
            journal.note_stop("1", NAMES[0], Outcome.EXECUTED)
    with Database.open(tmp_path) as database:
        kept, (unfinished,) = Journal(database, Alarms(), clock=lambda: 10**9).recover()
        assert [(page.number, page.state, page.reason) for page in kept] == [(1, "recovering", "interrupted")]
        assert kept[0].outcomes == {
            "executed": 2,
            "timed_out": 1,
            "refused": 1,
            "preempted": 1,
            "indeterminate": 1,
        }
        # Not the one that was stopped, nor those that never listened, nor the one that another page has.
        assert [result.phone for result in unfinished.to_stop] == [NAMES[1], NAMES[2], NAMES[5]]
        assert (unfinished.number, unfinished.phones) == ("1", 6)
    with Database.open(tmp_path) as database:  # a second crash, before the phones were stopped
        async with written(database) as journal:
            _, (again,) = journal.recover()
            assert again == unfinished
            for name in (NAMES[1], NAMES[2], NAMES[5]):
                journal.note_stop("1", name, Outcome.EXECUTED)
            journal.recovered("1")
        _, nothing = Journal(database, Alarms()).recover()
        assert nothing == []
        assert rows(tmp_path, "SELECT state, reason, ended_s FROM page") == [("ended", "interrupted", 10**9)]


class Failing(Database):
    """A disk that takes nothing while it is told so."""

    failing: Exception | None = None
    slow_s = 0.0

    async def write(self, work: Callable[[sqlite3.Connection], object], *, abandon: bool = False) -> object:  # type: ignore[override]
        await trio.sleep(self.slow_s)
        if self.failing is not None:
            raise self.failing
        return await super().write(work, abandon=abandon)


async def test_p4_a_full_disk_costs_an_alarm_and_everything_is_written_when_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTENT_S", 0.2)
    monkeypatch.setattr(module, "RETRY_S", 0.1)
    alarms = Alarms()
    with Failing.open(tmp_path) as database:
        database.failing = StoreError("database or disk is full")
        async with written(database, alarms) as journal:
            began = time.monotonic()
            await journal.begin(record(1), PHONES)
            assert time.monotonic() - began < 5
            journal.note_outcome("1", NAMES[0], Outcome.EXECUTED, None)
            await trio.sleep(0.3)
            assert [alarm.name for alarm in alarms.active()] == ["journal-lost"]
            assert "disk is full" in alarms.active()[0].text or "too long" in alarms.active()[0].text
            database.failing = None
            while alarms.active():
                await trio.sleep(0.02)
            assert rows(tmp_path, "SELECT outcome FROM page_phone WHERE outcome IS NOT NULL") == [("executed",)]


async def test_p4_a_disk_that_hangs_holds_a_page_up_for_a_moment_and_the_end_not_at_all(
    tmp_path: Path, autojump_clock: object
) -> None:
    alarms = Alarms()
    with Failing.open(tmp_path) as database:
        database.slow_s = 3600.0
        journal = Journal(database, alarms)
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
            began = trio.current_time()
            await journal.begin(record(1), PHONES)
            assert trio.current_time() - began == module.INTENT_S
            assert [alarm.name for alarm in alarms.active()] == ["journal-lost"]
            await journal.close()
            assert trio.current_time() - began == module.INTENT_S + module.CLOSE_S
            nursery.cancel_scope.cancel()


async def test_p4_a_store_that_can_only_be_read_at_the_start_stops_phones_all_the_same(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        async with written(database) as journal:
            await journal.begin(record(7), PHONES)
            journal.note_outcome("7", NAMES[0], Outcome.REFUSED, None)
    alarms = Alarms()
    with Database.open(tmp_path) as database:
        database.write_now(lambda connection: connection.execute("PRAGMA query_only = ON"))
        kept, (unfinished,) = Journal(database, alarms).recover()
        assert [page.number for page in kept] == [7]
        assert [result.phone for result in unfinished.to_stop] == NAMES[1:]
    assert [alarm.name for alarm in alarms.active()] == ["journal-lost"]


async def test_p4_a_disk_that_takes_nothing_holds_no_page_up(tmp_path: Path, autojump_clock: object) -> None:
    with Failing.open(tmp_path) as database:
        database.failing = StoreError("database or disk is full")
        async with written(database) as journal:
            for number in (1, 2):
                began = trio.current_time()
                await journal.begin(record(number), PHONES)
                assert trio.current_time() - began < module.INTENT_S
            database.failing = None


async def test_p4_a_page_that_could_not_be_closed_at_the_start_is_closed_when_there_is_room(tmp_path: Path) -> None:
    with Failing.open(tmp_path) as database:
        async with written(database) as journal:
            await journal.begin(record(7), PHONES)
            journal.note_outcome("7", NAMES[0], Outcome.REFUSED, None)
        database.failing = StoreError("database or disk is full")
        journal = Journal(database, Alarms(), clock=lambda: 3000.0)
        journal.recover()
        database.failing = None
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
            journal.recovered("7")
            await journal.close()
        (page,) = await journal.pages()
        assert (page.state, page.reason, page.outcomes) == (
            "ended", "interrupted", {"refused": 1, "indeterminate": 5},
        )  # fmt: skip
        assert {each.outcome for each in await journal.results(7)} == {"refused", "indeterminate"}


async def test_what_cannot_be_kept_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 2)
    with Database.open(tmp_path) as database:
        journal = Journal(database, Alarms())
        for name in NAMES:
            journal.note_outcome("1", name, Outcome.EXECUTED, None)
        assert journal.lost == 4


@pytest.mark.parametrize(
    ("limits", "pages", "phones"),
    [
        ({"KEPT_PAGES": 3}, [3, 4, 5], {3, 4, 5}),
        ({"KEPT_DAYS": 1}, [3, 4, 5], {3, 4, 5}),
        ({"KEPT_PHONES": 12}, [1, 2, 3, 4, 5], {4, 5}),
    ],
)
async def test_the_history_is_pruned(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
    pages: Sequence[int],
    phones: set[int],
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(module, name, value)
    with Database.open(tmp_path) as database:
        journal = Journal(database, Alarms(), clock=lambda: 5 * 40_000.0)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(journal.run)
                for number in range(1, 6):
                    await journal.begin(record(number, requested_s=number * 40_000.0 - 60), PHONES)
                    journal.end(str(number), reason="completed", note=None, delivery="unicast", outcomes={})
                await journal.close()
        assert [page.number for page in reversed(await journal.pages())] == pages
        assert {number for (number,) in rows(tmp_path, "SELECT page FROM page_phone")} == phones


async def test_p5_a_torn_tail_of_the_log_loses_the_tail_only(tmp_path: Path) -> None:
    with Database.open(tmp_path / "a") as database:
        async with written(database) as journal:
            await journal.begin(record(1), PHONES)
            for name in NAMES:
                journal.note_outcome("1", name, Outcome.EXECUTED, None)
                await trio.sleep(0.15)  # a transaction of its own
            files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    log = files["gateway.sqlite-wal"]
    assert len(log) > 10_000
    states = set()
    for number, length in enumerate(range(0, len(log) + 1, max(1, len(log) // 60))):
        for bad in (log[:length], log[:length] + bytes([log[length % len(log)] ^ 0xFF]) + log[length + 1 :]):
            folder = tmp_path / f"{number}-{len(bad)}"
            folder.mkdir()
            (folder / "gateway.sqlite").write_bytes(files["gateway.sqlite"])
            (folder / "gateway.sqlite-wal").write_bytes(bad)
            with Database.open(folder) as database:
                kept, unfinished = Journal(database, Alarms()).recover()
                for page in unfinished:
                    assert sum(kept[0].outcomes.values()) == 6, "every phone in one state, whatever was lost"
                    states.add(kept[0].outcomes.get("executed", 0))
                    assert {result.phone for result in page.to_stop} == set(NAMES)
    assert len(states) > 3, "more of the log, more of the story"


async def test_p3_a_page_that_waited_for_its_turn_is_told_and_stops_nobody(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        async with written(database) as journal:
            await journal.begin(replace(record(1), state="waiting"), PHONES)
            await journal.begin(replace(record(2), state="waiting"), PHONES)
            await journal.started("2")
            assert rows(tmp_path, "SELECT state FROM page") == [("waiting",), ("running",)]
            assert [len(page.to_stop) for page in _left_open(database)] == [0, 6]
        kept, (waited, began) = Journal(database, Alarms()).recover()
        assert [page.reason for page in kept] == ["interrupted"] * 2
        assert [page.outcomes for page in kept] == [{"not_sent": 6}, {"indeterminate": 6}]
        assert (len(waited.to_stop), len(began.to_stop)) == (0, 6)


async def test_p3_a_stop_that_was_lost_before_the_crash_is_sent_again(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        async with written(database) as journal:
            await journal.begin(record(1), PHONES)
            for name, stop in zip(NAMES, (Outcome.EXECUTED, Outcome.UNREACHABLE, Outcome.TIMED_OUT), strict=False):
                journal.note_outcome("1", name, Outcome.EXECUTED, None)
                journal.note_stop("1", name, stop)
        _, (page,) = Journal(database, Alarms()).recover()
        assert [result.phone for result in page.to_stop] == [NAMES[1], *NAMES[3:]]


def _left_open(database: Database) -> list[module.Unfinished]:
    return database.read_now(module._left_open)[1]
