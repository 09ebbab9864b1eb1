"""The reference page lists every bundled scenario as it is, and names one for each row of the modelled system."""

from __future__ import annotations

import re

from harness.scenario.file import bundled, load
from tests.docs.scenario_list import PAGE, list_of, seconds_of, written


def test_the_list_is_that_of_the_files() -> None:
    text = written()
    seconds = seconds_of(text)
    here = {one.name for one in bundled() if load(one.name).ground != "lab"}
    assert set(seconds) == here, "python -m tests.docs.scenario_list SUITE writes it anew"
    assert text.strip() == list_of(seconds).strip(), "python -m tests.docs.scenario_list writes it anew"


def test_every_row_has_a_scenario_and_a_control_that_are_bundled() -> None:
    names = {one.name for one in bundled()}
    rows = re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|([^|]*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(row) for row, _, _ in rows] == list(range(1, 11))
    for row, scenario, control in rows:
        for cell in (scenario, control):
            found = re.findall(r"`([a-z0-9-]+)`", cell)
            assert found, row
            assert set(found) <= names, row
