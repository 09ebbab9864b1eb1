import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.capacity.command import PHONES, RATE
from harness.capacity.search import Answer
from harness.capacity.trial import TrialError, read_trial, run_trial


def test_what_a_run_came_to(judged: Callable[..., Path]) -> None:
    folder = judged("a", "pass", push__per_s=1200.0)
    trial = read_trial(50, 1, folder)
    assert (trial.answer, trial.why, trial.gave_way, trial.metrics) == (Answer.HOLDS, "", (), {"push.per_s": 1200.0})
    trial = read_trial(50, 1, judged("b", "fail", check="push.answer_ms.p99 < 60", why="it is 111", blind="it slept"))
    assert (trial.answer, trial.why) == (Answer.BREAKS, "push.answer_ms.p99 < 60: it is 111")
    assert trial.gave_way == ("push.answer_ms.p99 < 60",)
    trial = read_trial(50, 1, judged("c", "inconclusive", check="x == 0", why="nobody saw", blind="it was held up"))
    assert (trial.answer, trial.why) == (Answer.UNKNOWN, "gateway is blind: it was held up")
    assert read_trial(50, 1, judged("d", "error", check="readers", why="they differ")).answer is Answer.UNKNOWN


def test_what_is_set_for_a_value() -> None:
    assert PHONES.settings(50) == ["fleet.phones=50"]
    assert RATE.settings(7) == ["load.pages_per_s=0.35"]
    assert (RATE.plural, PHONES.plural) == ("pages a second", "phones")


def planted(monkeypatch: pytest.MonkeyPatch, code: int, said: str, leave: Callable[[Path], None] | None = None) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if leave is not None:
            leave(Path(command[command.index("--out") + 1]))
        return subprocess.CompletedProcess(command, code, "", said)

    monkeypatch.setattr(subprocess, "run", run)


def test_a_bed_that_cannot_start_says_nothing_of_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, 5, "burst-offload: fleet: 40000 phones; 10.20.0.0/17 has room for 32252\nand more")
    trial = run_trial("x", PHONES, 40_000, seed=1, out=tmp_path, options=[])
    assert trial.answer is Answer.UNKNOWN
    assert trial.why.endswith("has room for 32252")


def test_a_value_that_the_scenario_cannot_have_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, 4, "a.toml: load.pages_per_s: no group is free again\nnothing was run")
    trial = run_trial("x", RATE, 900, seed=1, out=tmp_path, options=[])
    assert (trial.answer, trial.why) == (Answer.BREAKS, "a.toml: load.pages_per_s: no group is free again")


def test_a_run_without_a_verdict_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, 70, "this is a defect of pushlab itself")
    with pytest.raises(TrialError, match="defect"):
        run_trial("x", PHONES, 5, seed=1, out=tmp_path, options=[])
    planted(monkeypatch, 1, "")
    with pytest.raises(TrialError, match="exit code 1 and said nothing"):
        run_trial("x", PHONES, 5, seed=1, out=tmp_path, options=[])


def test_an_earlier_runs_verdict_is_not_taken_for_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged: Callable[..., Path]
) -> None:
    (tmp_path / "latest").symlink_to(judged("old", "pass"))
    planted(monkeypatch, 70, "it broke")
    with pytest.raises(TrialError):
        run_trial("x", PHONES, 5, seed=1, out=tmp_path, options=[])

    def leave(out: Path) -> None:
        (out / "latest").symlink_to(judged("new", "fail", check="a == 0", why="it is 1"))

    planted(monkeypatch, 1, "", leave)
    trial = run_trial("x", PHONES, 5, seed=1, out=tmp_path, options=["--ground", "loopback"])
    assert (trial.answer, trial.folder) == (Answer.BREAKS, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "verdict.json").read_text())["verdict"] == "fail"
