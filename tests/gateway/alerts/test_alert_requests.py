"""Reading a request for an alert: strict, all errors at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts import AlertError, AlertRequest, Priority, parse_alert_request
from gateway.cisco.phone_objects import SoftKey, text_object


def errors(document: object) -> list[str]:
    with pytest.raises(AlertError) as refused:
        parse_alert_request(document)
    assert refused.value.status == 400
    return refused.value.errors


def test_what_is_not_said_is_as_documented() -> None:
    assert parse_alert_request({"text": "Fire"}) == AlertRequest(
        text="Fire", title="Alert", prompt="", priority=Priority.NORMAL, softkeys=("Acknowledge",), expires_s=3600.0,
        phones=None, zones=(), lists=(), page=None,
    )  # fmt: skip


def test_everything_can_be_said() -> None:
    document = {
        "text": "a\r\nb", "title": "T", "prompt": "P", "priority": "emergency", "softkeys": ["Coming", "Cannot"],
        "expires_s": 60, "phones": ["SEP001BD4000001"], "zones": ["West"], "lists": ["Doctors"], "page": "7",
    }  # fmt: skip
    assert parse_alert_request(document) == AlertRequest(
        text="a\nb", title="T", prompt="P", priority=Priority.EMERGENCY, softkeys=("Coming", "Cannot"), expires_s=60.0,
        phones=("SEP001BD4000001",), zones=("West",), lists=("Doctors",), page="7",
    )  # fmt: skip


def test_all_errors_come_at_once() -> None:
    found = errors(
        {
            "text": "x" * 257, "title": "t" * 33, "prompt": 5, "priority": "loud", "softkeys": ["a", "b", "c"],
            "expires_s": 9, "phones": [], "zoens": [], "page": 7,
        }
    )  # fmt: skip
    assert found == [
        "unknown key 'zoens', did you mean zones?",
        'priority must be "emergency", "normal" or "background"',
        "page must be the number of a page, as text",
        "prompt must be text",
        "text has at most 256 characters, got 257",
        "title has at most 32 characters, got 33",
        "softkeys: an alert has at most 2 of its own, got 3",
        "expires_s must be from 10 to 604800",
        "phones is empty: nobody would be alerted",
    ]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "the body must be a JSON object"),
        ({}, "text is missing"),
        ({"text": " \n"}, "text is empty: nothing would be shown"),
        ({"text": "a\0b"}, "text has a control character, or one that cannot be written in XML"),
        ({"text": "\ud800"}, "text has a control character, or one that cannot be written in XML"),
        ({"text": "\uffff"}, "text has a control character, or one that cannot be written in XML"),
        ({"text": "a", "title": "a\nb"}, "title has a control character, or one that cannot be written in XML"),
        ({"text": "a", "softkeys": ["A", "A"]}, "softkeys: two keys have the same name"),
        ({"text": "a", "softkeys": [""]}, "softkeys: a key has a name"),
        ({"text": "a", "softkeys": "A"}, "softkeys must be a list of names"),
        ({"text": "a", "phones": "some"}, 'phones must be a list of device names, or "all"'),
        ({"text": "a", "phones": "all", "zones": ["W"]}, 'phones is "all": zones and lists would mean nothing'),
        ({"text": "a", "zones": ["W", "W"]}, "zones has a name more than once"),
        ({"text": "a", "expires_s": True}, "expires_s must be a number of seconds"),
        ({"text": "a", "expires_s": 10**400}, "expires_s must be a number of seconds"),
        ({"text": "a", "expires_s": float("nan")}, "expires_s must be a number of seconds"),
    ],
)
def test_one_error(document: object, words: str) -> None:
    assert words in errors(document)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["text", "title", "prompt", "priority", "softkeys", "expires_s", "phones", "zones", "lists", "page"]
)


@given(st.dictionaries(KEYS, VALUES))
def test_whatever_comes_is_an_alert_or_an_error(document: dict[str, Any]) -> None:
    try:
        request = parse_alert_request(document)
    except AlertError:
        assert errors(document)
    else:
        assert request.check() == []


@given(st.text(max_size=260), st.text(max_size=33))
def test_what_is_accepted_can_be_written(text: str, title: str) -> None:
    request = AlertRequest(text=text, title=title)
    if not request.check():
        text_object(title=title, prompt="", text=text, keys=[SoftKey(name, "x") for name in request.softkeys])
