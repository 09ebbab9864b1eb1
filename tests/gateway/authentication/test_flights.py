from __future__ import annotations

from gateway.authentication import flights
from gateway.authentication.flights import Flights

PHONE = "SEP001BD4000001"


def test_a_phone_is_expected_while_a_push_flies_and_for_a_while_after() -> None:
    unit = Flights()
    assert not unit.expects(PHONE, 0.0, within_s=30)
    unit.begun(PHONE)
    unit.begun(PHONE)
    unit.ended(PHONE, 1.0)
    assert unit.expects(PHONE, 1000.0, within_s=0)
    unit.ended(PHONE, 1001.0)
    assert unit.expects(PHONE, 1031.0, within_s=30)
    assert not unit.expects(PHONE, 1031.1, within_s=30)
    assert not unit.expects("SEP001BD4000002", 1001.0, within_s=30)
    assert not unit.expects(None, 1001.0, within_s=30)


def test_memory_is_bounded(monkeypatch: object) -> None:
    unit = Flights()
    for number in range(flights.REMEMBERED + 10):
        unit.begun(str(number))
        unit.ended(str(number), float(number))
    assert len(unit._ended) == flights.REMEMBERED
    assert not unit._flying


def test_b20_a_push_that_ends_without_a_question_is_told() -> None:
    flights = Flights()
    flights.asked("a")  # before there was a push: somebody's replay
    flights.asked(None)
    flights.begun("a")
    flights.begun("b")
    flights.asked("b")
    assert not flights.ended("a", 1.0)
    assert flights.ended("b", 1.0)
    flights.begun("b")
    assert not flights.ended("b", 2.0)
