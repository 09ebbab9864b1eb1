"""Patterns against regular expressions, which know the same and are slow where these are not."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.callmanager.finding.pattern import PATTERN_CHARACTERS_MAX, Pattern


@given(st.text("ab%_*", max_size=10), st.text("abAB_%*", max_size=10))
def test_percent_and_underscore_are_as_in_sql(text: str, value: str):
    expression = "".join({"%": ".*", "_": "."}.get(character, re.escape(character)) for character in text)
    expected = re.fullmatch(expression, value, re.IGNORECASE) is not None
    assert Pattern(text, any_run="%", any_one="_").matches(value) == expected


@given(st.text("ab*_", max_size=10), st.text("abAB_*", max_size=10))
def test_an_asterisk_is_any_run(text: str, value: str):
    expression = ".*".join(map(re.escape, text.split("*")))
    assert Pattern(text, any_run="*").matches(value) == (re.fullmatch(expression, value, re.IGNORECASE) is not None)


def test_without_wildcards_every_character_is_itself():
    assert Pattern("SEP*", any_run="").matches("sep*")
    assert not Pattern("SEP*", any_run="").matches("SEP1")
    assert Pattern("SEP*", any_run="").literal


def test_no_pattern_takes_long():
    pattern = Pattern("*a" * 100 + "*b", any_run="*")
    began = time.process_time()
    assert not pattern.matches("a" * 128)
    assert time.process_time() - began < 1  # a backtracking matcher would never end


def test_a_long_pattern_is_refused():
    with pytest.raises(ValueError, match="at most 256 characters"):
        Pattern("a" * (PATTERN_CHARACTERS_MAX + 1), any_run="*")
