"""Several scenarios of one command: one that cannot be run is no reason to leave out the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.bed import session
from harness.bed.choice import Choice
from harness.bed.errors import BedError
from harness.bed.ground import LOOPBACK, Ground
from harness.event_stream import EventStream
from harness.run_folder import RunFolder
from harness.scenario.file import parse
from harness.scenario.model import Scenario

Play = Callable[[Scenario, RunFolder], int]


def scenario(name: str, more: str = "") -> Scenario:
    return parse(f'name = "{name}"\npurpose = "What {name} shows."\n{more}', Path(f"{name}.toml"), files=False)


def verdict_of(name: str, verdict: str = "pass") -> dict[str, object]:
    check = {"name": "every-start-stopped", "kind": "law", "verdict": verdict, "observed": 0, "why": "seen"}
    return {
        "schema": 1,
        "verdict": verdict,
        "as_expected": verdict == "pass",
        "unexpected": [] if verdict == "pass" else [f"every-start-stopped: {verdict}, expected pass"],
        "scenario": name,
        "seed": 1,
        "phones": 10,
        "ground": "loopback",
        "outcomes": {"delivered": 10},
        "metrics": {},
        "checks": [check],
        "blind": [],
    }


HERE = Choice(ground="loopback", notice="")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[Play], None]:
    """Puts a made-up play in the place of the bed and the judge."""

    def put(play: Play) -> None:
        def run_and_judge(chosen: Scenario, ground: Ground, folder: RunFolder, **_: object) -> int:
            return play(chosen, folder)

        @contextmanager
        def stand(*_: object, **__: object) -> Iterator[Ground]:
            yield Ground(name="loopback", addresses=LOOPBACK, lab=None)

        monkeypatch.setattr(session, "check_room", lambda *_: None)
        monkeypatch.setattr(session, "stand", stand)
        monkeypatch.setattr(session, "_run_and_judge", run_and_judge)

    return put


def passes(chosen: Scenario, folder: RunFolder) -> int:
    folder.file("verdict.json").write_text(json.dumps(verdict_of(chosen.name)))
    return 0


def run_all(out: Path, *scenarios: Scenario, junit: Path | None = None) -> int:
    return session.run_all(scenarios, [HERE] * len(scenarios), out=out, quiet=True, junit=junit)


def suite(out: Path) -> dict[str, object]:
    return dict(json.loads((out / "suite" / "latest" / "verdict.json").read_text()))


def verdicts(out: Path) -> list[str]:
    told = json.loads((out / "suite" / "latest" / "verdict.json").read_text())
    return [each["verdict"] for each in told["scenarios"]]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BedError("gateway: port 80 is taken"), 5),
        (OSError(28, "No space left on device"), 5),
        (ZeroDivisionError("ours"), 70),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_bed_that_does_not_start_costs_its_own_scenario(
    tmp_path: Path, played: Callable[[Play], None], capfd: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def play(chosen: Scenario, folder: RunFolder) -> int:
        if chosen.name == "second":
            raise error
        return passes(chosen, folder)

    played(play)
    junit = tmp_path / "there" / "results.xml"
    assert run_all(tmp_path, scenario("first"), scenario("second"), scenario("third"), junit=junit) == code
    assert verdicts(tmp_path) == ["pass", "error", "pass"]
    told = suite(tmp_path)
    assert (told["verdict"], told["as_expected"]) == ("error", False)
    assert str(error) in str(told["scenarios"])
    assert str(error) in junit.read_text()
    assert {file.name for file in (tmp_path / "suite" / "latest").iterdir()} == {
        "verdict.json",
        "junit.xml",
        "summary.md",
        "index.html",
    }
    assert "second: " in capfd.readouterr().err


def test_a_ground_that_is_not_possible_costs_its_own_scenario(tmp_path: Path, played: Callable[[Play], None]) -> None:
    played(passes)
    choices = [BedError("ground netns is not possible here"), HERE]
    scenarios = [scenario("first", 'ground = "netns"'), scenario("second")]
    assert session.run_all(scenarios, choices, out=tmp_path, quiet=True) == 5
    assert verdicts(tmp_path) == ["error", "pass"]


def test_after_an_interruption_nothing_more_is_begun(tmp_path: Path, played: Callable[[Play], None]) -> None:
    def play(chosen: Scenario, folder: RunFolder) -> int:
        if chosen.name == "second":
            raise KeyboardInterrupt
        return passes(chosen, folder)

    played(play)
    assert run_all(tmp_path, scenario("first"), scenario("second"), scenario("third")) == 130
    assert verdicts(tmp_path) == ["pass", "error", "none"]
    assert suite(tmp_path)["verdict"] == "error"


def test_the_worst_exit_code_counts_and_the_links_lead_to_the_last(
    tmp_path: Path, played: Callable[[Play], None]
) -> None:
    def play(chosen: Scenario, folder: RunFolder) -> int:
        if chosen.name == "first":
            folder.file("verdict.json").write_text(json.dumps(verdict_of("first", "fail")))
            return 1
        return passes(chosen, folder)

    played(play)
    assert run_all(tmp_path, scenario("first"), scenario("second")) == 1
    assert verdicts(tmp_path) == ["fail", "pass"]
    assert (tmp_path / "latest").resolve().parent.name == "second"
    assert (tmp_path / "first" / "latest" / "verdict.json").is_file()


def test_one_scenario_is_no_suite_and_has_its_junit_all_the_same(
    tmp_path: Path, played: Callable[[Play], None]
) -> None:
    played(passes)
    assert run_all(tmp_path, scenario("first"), junit=tmp_path / "results.xml") == 0
    assert not (tmp_path / "suite").exists()
    assert 'failures="0"' in (tmp_path / "results.xml").read_text()


def test_results_that_cannot_be_written_are_told(
    tmp_path: Path, played: Callable[[Play], None], capfd: pytest.CaptureFixture[str]
) -> None:
    played(passes)
    (tmp_path / "file").touch()
    assert run_all(tmp_path, scenario("first"), junit=tmp_path / "file" / "results.xml") == 5
    assert "cannot be written" in capfd.readouterr().err


def test_the_stream_and_the_metrics_tell_of_each_scenario(
    tmp_path: Path, played: Callable[[Play], None], capfd: pytest.CaptureFixture[str]
) -> None:
    def play(chosen: Scenario, folder: RunFolder) -> int:
        if chosen.name == "second":
            raise BedError("gateway: port 80 is taken")
        return passes(chosen, folder)

    played(play)
    lines: list[dict[str, object]] = []
    code = session.run_all(
        [scenario("first"), scenario("second")],
        [HERE, HERE],
        out=tmp_path,
        quiet=False,
        prometheus=tmp_path / "pushlab.prom",
        stream=EventStream(lambda line: lines.append(json.loads(line)), lambda: 0.0),
    )
    assert [line["event"] for line in lines] == [
        "session.started",
        *("run.started", "run.ended") * 2,
        "session.ended",
    ]
    assert [(line["verdict"], line["error"]) for line in lines if line["event"] == "run.ended"] == [
        ("pass", None),
        (None, "gateway: port 80 is taken"),
    ]
    assert lines[-1]["exit_code"] == code == 5
    assert Path(str(lines[-1]["suite"])).parent.name == "suite"
    metrics = (tmp_path / "pushlab.prom").read_text()
    assert 'pushlab_run_as_expected{scenario="first"} 1' in metrics
    assert 'pushlab_run_judged{scenario="second"} 0' in metrics
    assert capfd.readouterr().out == ""
