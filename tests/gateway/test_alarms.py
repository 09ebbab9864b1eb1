from __future__ import annotations

import logging

import pytest

from gateway.alarms import Alarms


def test_an_alarm_is_logged_once_and_keeps_its_beginning(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([1.0, 2.0, 3.0])
    alarms = Alarms(clock=lambda: next(times))
    with caplog.at_level(logging.WARNING):
        alarms.sound("journal-lost", "the disk is full")
        alarms.sound("journal-lost", "the disk is full")
        (alarm,) = alarms.active()
        alarms.clear("journal-lost")
        alarms.clear("journal-lost")
    assert (alarm.name, alarm.text, alarm.since_s) == ("journal-lost", "the disk is full", 1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "alarm journal-lost: the disk is full",
        "alarm journal-lost: over",
    ]
    assert alarms.active() == ()


def test_only_what_does_not_end_by_itself_is_acknowledged() -> None:
    alarms = Alarms()
    alarms.sound("page-interrupted:7", "page 7 was interrupted", stays=True)
    alarms.sound("journal-lost", "the disk is full")
    assert alarms.acknowledge("page-interrupted:7")
    assert not alarms.acknowledge("page-interrupted:7")
    assert not alarms.acknowledge("journal-lost")
    assert [alarm.name for alarm in alarms.active()] == ["journal-lost"]
