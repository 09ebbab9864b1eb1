"""`--json`, `--prometheus` and the lifeline, with whole runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.event_stream import MEMBERS

if TYPE_CHECKING:
    from tests.runs.conftest import Pushlab

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.usefixtures("netns")]

WITHIN_S = 120


def events(text: str) -> list[dict[str, Any]]:
    """Every line of standard output: each must be an event."""
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        assert tuple(event) == ("event", "t_s", *MEMBERS[event["event"]])
    return found


def start(pushlab: Pushlab, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness.cli", "run", "multicast-page", "--phones", "3", "--json", *words]
    return subprocess.Popen(
        [*command, "--set", f"page.audio={pushlab.audio}"],
        cwd=pushlab.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_command_in_the_lab_tells_of_itself_and_nothing_else_is_on_standard_output(pushlab: Pushlab) -> None:
    ended = pushlab(
        *("exec", "burst-direct", "--phones", "3", "--json", "--prometheus", "pushlab.prom"),
        *("--set", f"page.audio={pushlab.audio}", "--", "sh", "-c", "echo heard; sleep 1.5"),
    )
    told = events(ended.stdout)
    names = [event["event"] for event in told]
    assert (names[0], names[1], names[-2:]) == ("session.started", "run.started", ["run.ended", "session.ended"])
    stages = [event["stage"] for event in told if event["event"] == "run.stage"]
    assert stages[-1].startswith("judging")
    counted = [event["counters"] for event in told if event["event"] == "run.counters"]
    assert counted[-1].keys() == {"phones", "callmanager", "capture"}
    last = told[-2]
    assert last["exit_code"] == told[-1]["exit_code"] == ended.code
    assert {name: last[name] for name in ("verdict", "as_expected", "outcomes", "blind")} == {
        name: ended.verdict[name] for name in ("verdict", "as_expected", "outcomes", "blind")
    }
    assert "run.notice" not in names
    assert "heard" not in ended.stdout
    assert (ended.folder / "gateway.log").read_text() == "heard\n"
    metrics = (pushlab.folder / "pushlab.prom").read_text()
    assert metrics == (ended.folder / "metrics.prom").read_text()
    families = {family.name for family in text_string_to_metric_families(metrics)}
    assert {"pushlab_run_verdict", "pushlab_callmanager_authentications", "pushlab_capture_received"} <= families


def test_a_command_that_ends_badly_is_told(pushlab: Pushlab) -> None:
    ended = pushlab(
        *("exec", "burst-direct", "--phones", "1", "--json", "--set", f"page.audio={pushlab.audio}"),
        *("--", "./no-such-pager"),
    )
    [notice] = [event["text"] for event in events(ended.stdout) if event["event"] == "run.notice"]
    assert notice == "the command in the gateway's place ended with exit status 127"
    assert f"burst-direct: {notice}" in ended.stderr


def test_a_reader_that_goes_away_changes_nothing_about_the_run(pushlab: Pushlab) -> None:
    with start(pushlab) as run:
        assert run.stdout is not None
        assert json.loads(run.stdout.readline())["event"] == "session.started"
        run.stdout.close()
        code = run.wait(WITHIN_S)
    folder = pushlab.folder / "runs" / "latest"
    verdict = json.loads((folder / "verdict.json").read_text())["verdict"]
    assert code == {"pass": 0, "inconclusive": 3}[verdict]


def test_a_run_ends_in_order_when_its_lifeline_does(pushlab: Pushlab) -> None:
    with start(pushlab, "--stop-with-stdin") as run:
        assert run.stdout is not None
        assert run.stdin is not None
        told = []
        for line in run.stdout:
            told += events(line)
            if told[-1].get("stage") == "starting the parts":
                run.stdin.close()
        code = run.wait(WITHIN_S)
    assert code == 130
    assert told[-2]["error"] == "interrupted; the parts were stopped"
    assert told[-2]["verdict"] is None
    assert told[-1]["exit_code"] == 130
    assert (pushlab.folder / "runs" / "latest" / "events.jsonl.gz").is_file()
