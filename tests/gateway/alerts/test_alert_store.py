"""Alerts in the store: what goes in comes out, the oldest go."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts import Alert, AlertRequest, Priority, Recipient, archive
from gateway.alerts.archive import Change
from gateway.alerts.service import steady_clock
from gateway.cisco import Outcome
from gateway.store import Database

TIMES = st.none() | st.floats(0, 2e9)
RECIPIENTS = st.builds(
    Recipient,
    device_name=st.from_regex("SEP[0-9A-F]{12}", fullmatch=True),
    address=st.sampled_from(["", "10.20.0.1"]),
    token=st.text("abc", max_size=22),
    directory_number=st.text("0123", max_size=4),
    left_out=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    outcome=st.none() | st.sampled_from(Outcome),
    detail=st.none() | st.just("why"),
    pushed_s=TIMES,
    displayed_s=TIMES,
    acknowledged_s=TIMES,
    response=st.none() | st.just("Coming"),
).map(lambda each: each if each.outcome is None or each.pushed_s is not None else replace(each, pushed_s=1.0))
REQUESTS = st.builds(
    AlertRequest,
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    priority=st.sampled_from(Priority),
    softkeys=st.lists(st.text("ab", max_size=3), max_size=2).map(tuple),
    expires_s=st.floats(10, 604800),
    phones=st.none() | st.lists(st.text("S1", max_size=3), max_size=3).map(tuple),
    zones=st.lists(st.text("W", max_size=3), max_size=2).map(tuple),
    page=st.none() | st.just("7"),
)


def alert(number: int = 1, *, ended_s: float | None = None) -> Alert:
    phone = Recipient(device_name="SEP001BD4000001", address="10.20.0.1", token="t")
    return Alert(
        number=number,
        request=AlertRequest(text="Fire"),
        created_s=1000.0 + number,
        recipients={phone.device_name: phone},
        key=f"key {number}",
        ended_s=ended_s,
        ending=None if ended_s is None else "withdrawn",
    )


def kept(database: Database, *alerts: Alert) -> None:
    database.write_now(archive.keep([Change.of(each, list(each.recipients), 1000.0) for each in alerts]))


@given(REQUESTS, st.lists(RECIPIENTS, max_size=4, unique_by=lambda each: each.device_name), TIMES)
def test_what_is_kept_comes_back(request: AlertRequest, phones: list[Recipient], ended_s: float | None) -> None:
    unit = alert(ended_s=ended_s)
    unit.request = request
    unit.recipients = {phone.device_name: phone for phone in sorted(phones, key=lambda each: each.device_name)}
    with Database.open(None) as database:
        kept(database, unit)
        assert database.write_now(archive.load(1)) == unit
        assert database.write_now(archive.load(2)) is None


def test_a_change_of_one_phone_leaves_the_others() -> None:
    unit = alert()
    other = Recipient(device_name="SEP001BD4000002", address="10.20.0.2", token="u")
    unit.recipients[other.device_name] = other
    with Database.open(None) as database:
        kept(database, unit)
        other.acknowledged("Coming", 5.0)
        database.write_now(archive.keep([Change.of(unit, [other.device_name], 1000.0)]))
        unit.end("withdrawn", 9.0)
        database.write_now(archive.keep([Change.of(unit, [], 1000.0)]))
        assert database.write_now(archive.load(1)) == unit
        ((bare, counts),) = database.write_now(archive.load_history(None, 10))
        assert (bare.number, bare.recipients, counts) == (1, {}, {"acknowledged": 1, "not_sent": 1})


def test_recent_ones_their_keys_and_history_are_found() -> None:
    with Database.open(None) as database:
        kept(database, alert(1, ended_s=2000), alert(2, ended_s=3000), alert(3))
        found, last = database.write_now(archive.load_recent(2500))
        assert ([each.number for each in found], last) == ([2, 3], 3)
        assert [key for key, _, _ in database.write_now(archive.load_keys(1001.5))] == ["key 2", "key 3"]
        assert [each.number for each, _ in database.write_now(archive.load_history(3, 1))] == [2]


def test_the_oldest_that_are_over_are_pruned_and_never_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT_ALERTS", 3)
    with Database.open(None) as database:
        kept(database, *(alert(number, ended_s=2000.0 * number) for number in range(1, 6)), alert(6))
        database.write_now(archive.prune(2000.0))
        assert [each.number for each, _ in database.write_now(archive.load_history(None, 10))] == [6, 5, 4]
        database.write_now(archive.prune(archive.KEPT_S + 9000))
        assert [each.number for each, _ in database.write_now(archive.load_history(None, 10))] == [6, 5]
        ((left,),) = database.write_now(lambda c: c.execute("SELECT count(DISTINCT alert) FROM alert_phone").fetchall())
        assert left == 2


def test_damaged_values_of_a_later_release_are_refused_by_the_schema(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database, pytest.raises(Exception, match="CHECK constraint failed"):
        database.write_now(lambda c: c.execute("INSERT INTO alert VALUES (1, 1.0, '{}', NULL, 2.0, 'lost', '{}')"))


def test_p10_a_step_of_the_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = steady_clock()
    before = clock()
    assert abs(before - time.time()) < 1
    monkeypatch.setattr(time, "time", lambda: before + 3600)
    assert abs(clock() - before) < 10
