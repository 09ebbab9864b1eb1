from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.administration import PageRequest, RequestError, parse_page_request
from gateway.push import Start


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
            "delivery": "unicast",
            "start": "each",
            "start_fraction": 0.5,
            "start_deadline_s": 0,
        }
    ) == PageRequest(
        audio=Path("/a.wav"), phones=("SEP001BD4000001",), start=Start.EACH, start_fraction=0.5, start_deadline_s=0.0
    )


def test_all_errors_at_once() -> None:
    found = errors(
        {
            "audoi": 1,
            "audio": "a.wav",
            "phones": ["a", "a"],
            "delivery": "multicast",
            "start": "now",
            "start_fraction": 0,
            "start_deadline_s": 61,
        }
    )
    assert found == [
        "unknown key 'audoi', did you mean audio?",
        "audio must be the absolute path of a WAV file on the gateway's machine",
        "phones names a phone more than once",
        'delivery must be "unicast"',
        'start must be "together" or "each"',
        "start_fraction must be above 0 and at most 1",
        "start_deadline_s must be from 0 to 60",
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
