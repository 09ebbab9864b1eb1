"""`pushlab twin`: nobody rings unasked, both runs follow each other, and the exit code is of both.

The two runs are made up here; tests/runs/test_twins.py has real ones.
"""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main
from harness.twin import command

SITE = Path(__file__).parents[2] / "golden" / "site" / "site.csv"
PILOT = ["SEP001BD4A00001", "SEP001BD4A00004"]
Runs = Callable[..., list[list[str]]]


def _run_folder(out: Path, phones: list[str], state: str) -> None:
    folder = out / "x" / "1"
    folder.mkdir(parents=True)
    (out / "latest").symlink_to(folder.relative_to(out))
    verdict = {
        "schema": 1, "verdict": "pass", "as_expected": True, "scenario": "x", "seed": 1, "phones": len(phones),
        "ground": "netns", "outcomes": {state: len(phones)}, "metrics": {}, "checks": [], "blind": [],
    }  # fmt: skip
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["phone", "state", "gateway_says", "model", "directory_number", "address", "zone"])
    writer.writerows([name, state, "executed", "CP-7961G", "1", "10.1.1.1", ""] for name in phones)
    (folder / "ledger.csv").write_text(text.getvalue(), encoding="utf-8")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Takes the two exit codes; returns the words of the runs that were made."""

    def prepare(*codes: int) -> list[list[str]]:
        made: list[list[str]] = []

        def run(out: Path, *words: str, quiet: bool) -> int:
            code = codes[len(made)]
            made.append([out.name, *words])
            if code in command.JUDGED:
                _run_folder(out, PILOT, "delivered" if out.name == "twin" else "indeterminate")
            return code

        monkeypatch.setattr(command, "_run", run)
        return made

    return prepare


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    lab = tmp_path / "lab.toml"
    lab.write_text(
        '[lab]\ninterface = "eth0"\nharness = "10.9.0.20"\ngateway = "10.9.0.20"\ncallmanager = "10.9.0.20"\n',
        encoding="utf-8",
    )
    return [
        *("twin", "burst-offload", "--csv", str(SITE), "--pilot", ",".join(PILOT)),
        *("--lab", str(lab), "--out", str(tmp_path / "runs")),
    ]


def test_nobody_rings_where_nobody_can_be_asked(
    runs: Runs, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = runs(0, 0)
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert main(words) == 2
    assert "add --yes" in capsys.readouterr().err
    assert made == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("answer", "code", "runs_made"), [("yes\n", 0, 2), ("y\n", 130, 1), ("", 130, 1)])
def test_asked_after_the_twin_has_said_what_it_predicts(
    runs: Runs,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    code: int,
    runs_made: int,
) -> None:
    made = runs(0, 0)
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    assert main(words) == code
    assert len(made) == runs_made
    said = capsys.readouterr().out
    assert "Now 2 real phones ring, with the recording announcement:" in said
    assert "SEP001BD4A00004  4201    10.30.5.17       CP-8851 in Ward B; the twin: delivered" in said


@pytest.mark.parametrize(
    ("codes", "code", "runs_made"),
    [((0, 0), 0, 2), ((1, 0), 1, 2), ((0, 3), 3, 2), ((3, 1), 1, 2), ((5,), 5, 1), ((6,), 6, 1), ((0, 5), 5, 2)],
)
def test_the_exit_code_is_of_both_and_without_a_verdict_of_the_twin_nobody_rings(
    runs: Runs, words: list[str], codes: tuple[int, ...], code: int, runs_made: int
) -> None:
    made = runs(*codes)
    assert main([*words, "--yes"]) == code
    assert len(made) == runs_made


def test_what_is_run_and_left(runs: Runs, words: list[str], tmp_path: Path) -> None:
    made = runs(0, 0)
    summary = ("--summary", str(tmp_path / "summary"))
    assert main([*words, "--yes", "--seed", "7", "--set", "gateway.concurrency=50", *summary]) == 0
    (folder,) = (tmp_path / "runs" / "twin").iterdir()
    assert made == [
        ["twin", "burst-offload", "--csv", str(SITE), "--seed", "7", "--set", "gateway.concurrency=50", "--ground",
         "netns"],
        ["pilot", str(folder / "pilot.toml"), "--seed", "7"],
    ]  # fmt: skip
    text = (folder / "pilot.toml").read_text(encoding="utf-8")
    assert "concurrency = 50" in text
    assert 'kind = "real"' in text
    assert [line[:15] for line in (folder / "pilot.csv").read_text(encoding="utf-8").splitlines()[1:]] == PILOT
    assert "The twin predicted what 2 pilot phones did" in (folder / "twin.html").read_text(encoding="utf-8")
    assert 'href="pilot/x/1/report.html"' in (folder / "twin.html").read_text(encoding="utf-8")
    text = (tmp_path / "summary").read_text(encoding="utf-8")
    assert f"| [Pilot]({folder}/pilot/x/1/report.html) | pass | 2 |" in text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("--pilot", "SEP001BD4A00009"), "--pilot: SEP001BD4A00009 is not on the site's list"),
        (("--pilot", "absent.csv"), "--pilot: absent.csv: cannot be read"),
        (("--lab", "absent.toml"), "--lab: absent.toml: cannot be read"),
        (("--csv", "absent.csv"), "fleet.csv: absent.csv: cannot be read"),
        (("--set", "gateway.concurrency=0"), "gateway.concurrency: expected a whole number"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str], change: tuple[str, str], error: str
) -> None:
    made = runs(0, 0)
    assert main([*words, "--yes", *change]) == 4
    assert error in capsys.readouterr().err
    assert made == []


def test_a_pilot_that_cannot_be_is_told_before_the_twin_runs(
    runs: Runs, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = runs(0, 0)
    (tmp_path / "lab.toml").write_text('[lab]\ninterface = "eth0"\n', encoding="utf-8")
    assert main([*words, "--yes"]) == 4
    assert "lab.harness: missing" in capsys.readouterr().err
    assert made == []
