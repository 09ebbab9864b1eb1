"""Where a test keeps what it has run, for whoever reports the test."""

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from harness.plugin.result import RunResult

RUNS: Final = pytest.StashKey[list["RunResult"]]()
"""In an item's stash."""
PROPERTY: Final = "pushlab"
"""Property of a test's report, one for each run: so it reaches JUnit files, and the terminal under pytest-xdist."""
