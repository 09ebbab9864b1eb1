"""The stream of `pushlab run --json`: its lines, their members, and that nothing else is on standard output."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.event_stream import MEMBERS, SCHEMA, EventStream

PAGE = Path(__file__).parents[2] / "docs/reference/event-stream.md"


class Told:
    """A stream with a clock of its own."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.now = 100.0
        self.stream = EventStream(lambda line: self.lines.append(json.loads(line)), lambda: self.now)


def test_a_session_from_its_first_line_to_its_last(tmp_path: Path) -> None:
    told = Told()
    told.stream.session_started(["one"])
    told.now = 100.5
    told.stream.run_started(scenario="one", seed=7, phones=3, ground="netns", folder=tmp_path)
    told.stream.stage("paging", ends_at=12.0)
    told.stream.notice("gateway ended by itself")
    found = {"verdict": "pass", "as_expected": True, "unexpected": [], "outcomes": {"delivered": 3}, "blind": []}
    (tmp_path / "verdict.json").write_text(json.dumps(found | {"metrics": {}}))
    told.stream.run_ended("one", 0, tmp_path, "")
    told.stream.session_ended(0)
    assert told.lines == [
        {"event": "session.started", "t_s": 0.0, "schema": SCHEMA, "scenarios": ["one"]},
        {
            "event": "run.started",
            "t_s": 0.5,
            "scenario": "one",
            "seed": 7,
            "phones": 3,
            "ground": "netns",
            "folder": str(tmp_path),
        },
        {"event": "run.stage", "t_s": 0.5, "scenario": "one", "stage": "paging"},
        {"event": "run.notice", "t_s": 0.5, "scenario": "one", "text": "gateway ended by itself"},
        {
            "event": "run.ended",
            "t_s": 0.5,
            "scenario": "one",
            "exit_code": 0,
            **found,
            "folder": str(tmp_path),
            "report": str(tmp_path / "report.html"),
            "error": None,
        },
        {"event": "session.ended", "t_s": 0.5, "exit_code": 0, "suite": None},
    ]


def test_a_run_without_a_verdict_says_why_and_claims_nothing() -> None:
    told = Told()
    told.stream.run_ended("one", 5, None, "phones cannot be started")
    (line,) = told.lines
    assert line["error"] == "phones cannot be started"
    assert {name for name, value in line.items() if value is None} == {
        "verdict", "as_expected", "unexpected", "outcomes", "blind", "folder", "report",
    }  # fmt: skip


def test_counters_of_all_parts_once_a_second() -> None:
    told = Told()
    for quarter in range(9):
        told.stream.update("phones", {"listening": quarter}, 50 + quarter / 4)
        told.stream.update("capture", {"dropped": 0}, 50 + quarter / 4)
    counters = [line["counters"] for line in told.lines]
    assert counters == [
        {"phones": {"listening": 4}, "capture": {"dropped": 0}},
        {"phones": {"listening": 8}, "capture": {"dropped": 0}},
    ]


def test_every_event_and_member_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    documented = {
        name: tuple(re.findall(r"`(\w+)`", members.partition("<!--")[0]))
        for name, members in re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", page, re.MULTILINE)
    }
    assert documented == {name: tuple(members) for name, members in MEMBERS.items()}


def test_an_invalid_scenario_is_the_last_line_and_its_errors_are_not_on_standard_output() -> None:
    words = [sys.executable, "-m", "harness.cli", "run", "burst-offlod", "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 4
    (line,) = ended.stdout.splitlines()
    assert json.loads(line)["exit_code"] == 4
    assert "burst-offload" in ended.stderr
