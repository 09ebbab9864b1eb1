"""Scenario files as tests: each `NAME.pushlab.toml` is one test, which passes when its run ends as the file expects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from harness.plugin import wishes
from harness.plugin.runner import runner_of
from harness.plugin.running import RunError

SUFFIX: Final = ".pushlab.toml"
OUT: Final = Path("runs")
"""Where `pushlab run` puts run folders, too."""


class ScenarioFile(pytest.File):
    """A scenario file."""

    def collect(self) -> Iterator["ScenarioItem"]:
        """The one test that it is."""
        yield ScenarioItem.from_parent(self, name=self.path.name.removesuffix(SUFFIX))


class ScenarioItem(pytest.Item):
    """The run of a scenario file."""

    def runtest(self) -> None:
        """Run the scenario."""
        runner_of(self, wishes.out(self.config) or OUT.absolute())(self.path).assert_as_expected()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401 - pytest's own types
        """What went wrong, without our own traceback."""
        if isinstance(excinfo.value, AssertionError | RunError | pytest.UsageError | pytest.fail.Exception):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is and what it is called."""
        return self.path, None, f"scenario {self.name}"
