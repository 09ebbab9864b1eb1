from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.administration import PageRequest, RequestError, parse_page_request
from gateway.push import Busy, Priority, Start


def errors(document: object) -> list[str]:
    with pytest.raises(RequestError) as caught:
        parse_page_request(document)
    return caught.value.errors


def test_defaults() -> None:
    assert parse_page_request({"audio": "/a.wav"}) == PageRequest(
        audio=Path("/a.wav"), phones=None, start=Start.TOGETHER, start_fraction=1.0, start_deadline_s=2.0
    )


def test_everything() -> None:
    assert parse_page_request(
        {
            "audio": "/a.wav",
            "phones": ["SEP001BD4000001"],
            "zones": ["Ward 1"],
            "lists": ["Fire brigade", "Board"],
            "delivery": "unicast",
            "priority": "emergency",
            "busy": "queue",
            "start": "each",
            "start_fraction": 0.5,
            "start_deadline_s": 0,
            "tone": "chime",
            "repeat": 3,
            "idempotency_key": "k-1",
        }
    ) == PageRequest(
        audio=Path("/a.wav"),
        phones=("SEP001BD4000001",),
        zones=("Ward 1",),
        lists=("Fire brigade", "Board"),
        priority=Priority.EMERGENCY,
        busy=Busy.QUEUE,
        start=Start.EACH,
        start_fraction=0.5,
        start_deadline_s=0.0,
        tone="chime",
        repeat=3,
        idempotency_key="k-1",
    )


def test_an_emergency_takes_busy_phones_unless_told_otherwise() -> None:
    assert parse_page_request({"audio": "/a.wav", "priority": "emergency"}).busy is Busy.NOW
    assert parse_page_request({"audio": "/a.wav", "priority": "emergency", "busy": "skip"}).busy is Busy.SKIP
    assert parse_page_request({"audio": "/a.wav"}).busy is Busy.SKIP


def test_a_recording_instead_of_a_file() -> None:
    assert parse_page_request({"recording": "Fire alarm", "tone": "none"}) == PageRequest(recording="Fire alarm")
    assert errors({"recording": "../etc", "zones": "all"}) == [
        "recording must be the name of one, up to 64 letters, digits, spaces, _ and -",
        "zones must be a list of at most 256 names",
    ]
    assert errors({"recording": "a", "audio": "/a.wav", "phones": "all", "zones": ["a", "a"]}) == [
        "audio and recording exclude each other",
        'phones "all" leaves nothing for zones and lists: leave one of them out',
        "zones has a name more than once",
    ]


def test_equal_wishes_have_equal_digests_whatever_their_key() -> None:
    first = parse_page_request({"audio": "/a.wav", "idempotency_key": "1"})
    assert first.digest() == parse_page_request({"audio": "/a.wav", "phones": "all", "repeat": 1}).digest()
    assert first.digest() != parse_page_request({"audio": "/a.wav", "repeat": 2}).digest()


def test_all_errors_at_once() -> None:
    found = errors(
        {
            "audoi": 1,
            "audio": "a.wav",
            "phones": ["a", "a"],
            "delivery": "broadcast",
            "priority": 1,
            "busy": "wait",
            "start": "now",
            "start_fraction": 0,
            "start_deadline_s": 61,
            "tone": "a.wav",
            "repeat": 0,
            "idempotency_key": "",
        }
    )
    assert found == [
        "unknown key 'audoi', did you mean audio?",
        "audio must be the absolute path of a WAV file on the gateway's machine",
        "phones names a phone more than once",
        'delivery must be "unicast" or "multicast"',
        'priority must be "emergency" or "normal"',
        'busy must be "now", "queue" or "skip"',
        'start must be "together" or "each"',
        "start_fraction must be above 0 and at most 1",
        "start_deadline_s must be from 0 to 60",
        'tone must be "none", "chime", "ring", "alert" or the absolute path of a WAV file on the gateway\'s machine',
        "repeat must be a whole number from 1 to 20",
        "idempotency_key must be 1 to 128 visible ASCII characters",
    ]
    assert errors({"audio": "/a.wav", "delivery": "multicast", "start": "each"}) == [
        'start "each" needs delivery "unicast": by multicast all phones hear one stream'
    ]


@pytest.mark.parametrize("phones", [[], "some", None, 3, ["a", 1], {}])
def test_phones_that_are_none(phones: object) -> None:
    assert len(errors({"audio": "/a", "phones": phones})) == 1


@pytest.mark.parametrize("number", [True, "1", None, float("nan"), float("inf"), 10**400, -1, []])
def test_numbers_that_are_none(number: object) -> None:
    assert len(errors({"audio": "/a", "start_fraction": number, "start_deadline_s": number})) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON | st.dictionaries(st.sampled_from(["audio", "phones", "start", "start_fraction", "delivery"]), JSON))
def test_any_document(document: object) -> None:
    found = errors_of(document)
    assert found is None or found


def errors_of(document: object) -> list[str] | None:
    try:
        parse_page_request(document)
    except RequestError as error:
        return error.errors
    return None
