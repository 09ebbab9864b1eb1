"""One line an event, whatever its text holds (B15)."""

from __future__ import annotations

import io
import json
import logging

import pytest

from gateway.log import FORMATS, Format, begin_log, escaped


@pytest.fixture(autouse=True)
def _restored() -> object:
    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    yield
    root.handlers, logging.raiseExceptions = before, raising
    root.setLevel(level)


@pytest.mark.parametrize("kind", FORMATS)
def test_b15_a_text_from_outside_begins_no_line(kind: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    begin_log(kind)
    logging.getLogger("gateway").error("bad %s", "a\nFAKE \x1b[31m\u2028\x85\x00")
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        logging.getLogger("gateway").exception("failed")
    lines = written.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[2] == ""
    for line in lines[:2]:
        assert line.isprintable()
    if kind == "json":
        first, second = (json.loads(line) for line in lines[:2])
        assert set(first) == {"time", "level", "logger", "event"}
        assert first["event"] == "bad a\nFAKE \x1b[31m\u2028\x85\x00"
        assert "ValueError" in second["exception"]


def test_texts_that_are_fine_stay() -> None:
    assert escaped("page 1: Grüße") == "page 1: Grüße"
    assert escaped("a\r\nb") == "a\\r\\nb"


def test_p18_a_standard_error_that_is_full_costs_lines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    begin_log("console")
    logging.getLogger("gateway").error("goes on")
