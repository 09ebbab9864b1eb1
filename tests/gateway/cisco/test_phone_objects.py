"""Objects for phones: exact bytes, escaping (M27), the limits of Cisco's schema."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.phone.screen import read_object
from gateway.cisco.phone_objects import EXIT, MenuItem, SoftKey, menu_object, object_response, text_object

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway"
URL = "http://10.20.128.10/alerts/AAAAAAAAAAAAAAAAAAAAAA"
# What XML 1.0 can hold; a carriage return is written as a reference, since readers turn a bare one into a line feed.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda c: c >= " " or c in "\t\n\r"))  # fmt: skip


def test_an_alert_is_these_bytes() -> None:
    document = text_object(
        title="Alarm & more",
        prompt="Ward 'A'",
        text='Fire in <B&C>: "leave" € jetzt für alle',
        keys=[SoftKey("Acknowledge", f"{URL}/1"), SoftKey("Exit", EXIT)],
    )
    assert object_response(document, refresh_s=3600) == (GOLDEN / "alert.http").read_bytes()


def test_a_list_is_these_bytes() -> None:
    document = menu_object(
        title="Alerts", prompt="", items=[MenuItem("Alarm: Fire", URL)], keys=[SoftKey("Select", "SoftKey:Select")]
    )
    assert object_response(document) == (GOLDEN / "alert-list.http").read_bytes()


@given(TEXT.filter(lambda text: len(text) <= 4000), TEXT.map(lambda text: text[:32]))
def test_m27_whatever_the_text_it_arrives(text: str, title: str) -> None:
    document = text_object(title=title, prompt=title, text=text, keys=[SoftKey(title, URL)])
    root = ET.fromstring(document)  # noqa: S314  our own
    assert (root.findtext("Text"), root.findtext("Title")) == (text, title)
    screen = read_object(document)
    assert screen is not None
    assert screen.fields["Text"] == text.strip()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"title": "t" * 33}, "Title has at most 32 characters, got 33"),
        ({"prompt": "t" * 33}, "Prompt has at most 32"),
        ({"text": "t" * 4001}, "Text has at most 4000"),
        ({"text": "a\0"}, "Text has a character that XML cannot hold"),
        ({"text": "\ud800"}, "Text has a character that XML cannot hold"),
        ({"keys": [SoftKey("a", "u")] * 9}, "an object has at most 8 soft keys"),
        ({"keys": [SoftKey("a", "u" * 257)]}, "URL has at most 256"),
        ({"keys": [SoftKey("a" * 33, "u")]}, "Name has at most 32"),
    ],
)
def test_beyond_the_schema_nothing_is_written(fields: dict[str, object], words: str) -> None:
    values = {"title": "", "prompt": "", "text": "", "keys": [], **fields}
    with pytest.raises(ValueError, match=words):
        text_object(**values)  # type: ignore[arg-type]


def test_a_menu_has_its_limits() -> None:
    with pytest.raises(ValueError, match="at most 100 items"):
        menu_object(title="", prompt="", items=[MenuItem("a", "u")] * 101, keys=[])
    with pytest.raises(ValueError, match="Name has at most 64"):
        menu_object(title="", prompt="", items=[MenuItem("a" * 65, "u")], keys=[])
