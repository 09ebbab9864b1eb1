"""What a run came to, as a test asks about it."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from harness.plugin.running import Ended
from harness.plugin.showing import describe
from harness.report.result import Check, Result, read_result
from harness.run_folder import EVENTS, REPORT


class RunResult:
    """A judged run.

    It is true where the verdict is `pass`, false where it is `fail` or `error`. Of an inconclusive run neither is
    known: asked for its truth, it fails, skips or xfails the test with the reason (`--pushlab-inconclusive`).

    Attributes:
        folder: of the run (docs/reference/run-folder.md).
        exit_code: of `pushlab run` (docs/reference/exit-codes.md).
        events: the lines of `--json` (docs/reference/event-stream.md).
    """

    def __init__(self, ended: Ended, inconclusive: Callable[[str], NoReturn]) -> None:
        self.folder = ended.folder
        self.exit_code = ended.exit_code
        self.events = ended.events
        self._result: Result = read_result(ended.folder)
        self._inconclusive = inconclusive

    def __repr__(self) -> str:
        return f"<run of {self.scenario}: {self.verdict}; {self._result.outcome_text()}>"

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        if self.verdict == "inconclusive":
            self._inconclusive(f"inconclusive: {self.why}")
        return self.verdict == "pass"

    @property
    def scenario(self) -> str:
        """The scenario's name."""
        return self._result.scenario

    @property
    def verdict(self) -> str:
        """`pass`, `inconclusive`, `fail` or `error`."""
        return self._result.verdict

    @property
    def as_expected(self) -> bool:
        """Whether it ended as the scenario's `[expect]` says, by exactly the checks named there."""
        return self._result.as_expected

    @property
    def why(self) -> str:
        """The reason of the verdict, in a line."""
        return self._result.why

    @property
    def outcomes(self) -> Mapping[str, int]:
        """End state → how many phones (docs/reference/end-states.md)."""
        return self._result.outcomes

    @property
    def metrics(self) -> Mapping[str, float]:
        """Metric → value, of those that were measured (docs/reference/metrics.md)."""
        return self._result.metrics

    @property
    def ledger(self) -> tuple[Mapping[str, str], ...]:
        """One row a phone: `phone`, `address`, `state`, `why` and times, all as text."""
        return self._result.ledger

    @property
    def missed(self) -> tuple[Mapping[str, str], ...]:
        """Rows of the phones that did not get it, or got it late."""
        return self._result.missed

    @property
    def checks(self) -> Mapping[str, Check]:
        """Laws, thresholds and controls by name, with `verdict`, `observed`, `expected` and `why`."""
        return {check.name: check for check in self._result.checks}

    @property
    def blind(self) -> tuple[str, ...]:
        """Who did not see, and why; a sentence each."""
        return self._result.blind

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.folder / REPORT

    @property
    def gateway_log(self) -> str:
        """What the gateway, or the command in its place, printed."""
        log = self.folder / "gateway.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""

    @property
    def command_status(self) -> int | None:
        """Exit status of the command in the gateway's place, negative for a signal; None where there was none."""
        ended = self.records("command.ended")
        return int(ended[-1]["exit_status"]) if ended else None

    def records(self, kind: str | None = None, *, phone: str | None = None) -> list[dict[str, Any]]:
        """What the witnesses recorded, in order of time (docs/reference/events.md)."""
        return [
            record
            for record in self._all_records()
            if kind in {None, record["kind"]} and phone in {None, record.get("phone")}
        ]

    def assert_pass(self) -> None:
        """Fail unless the verdict is pass, and say why."""
        __tracebackhide__ = True
        if not self:
            raise AssertionError(f"{self.scenario}: {self.verdict}: {self.why}")

    def assert_as_expected(self) -> None:
        """Fail unless the run ended as its scenario expects, and say what was otherwise."""
        __tracebackhide__ = True
        if self.as_expected:
            return
        if self.verdict == "inconclusive":
            self._inconclusive(f"inconclusive: {self.why}")
        reasons = "; ".join(self._result.unexpected) or self.why
        raise AssertionError(f"{self.scenario}: {self.verdict}, not as expected: {reasons}")

    def describe(self) -> str:
        """The run in words: phones that missed it, checks that do not hold, what was blind, where the report is."""
        return describe(self._result, self.command_status, self.gateway_log)

    def _all_records(self) -> Iterator[dict[str, Any]]:
        if not (self.folder / EVENTS).is_file():
            return  # removed by the test: what it shows of itself afterwards must not end pytest
        with gzip.open(self.folder / EVENTS, "rt", encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)
