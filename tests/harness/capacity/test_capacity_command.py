"""The whole command over runs that are made up; one test runs the bed."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.capacity import command
from harness.capacity.search import Answer
from harness.capacity.trial import Axis, Trial, TrialError, read_trial, run_trial
from harness.cli import main


@pytest.fixture
def breaks_above(monkeypatch: pytest.MonkeyPatch, judged: Callable[..., Path]) -> Callable[[int, int], list[int]]:
    """Makes runs hold up to a fleet, and the bed unable to tell beyond another."""

    def plant(limit: int, bed: int = 10**9) -> list[int]:
        asked: list[int] = []

        def trial(scenario: str, axis: Axis, value: int, *, seed: int, out: Path, options: Sequence[str]) -> Trial:
            assert Path(scenario).name == "burst-offload.toml"
            assert axis.key == "fleet.phones"
            asked.append(value)
            name = f"{value}-{len(asked)}"
            if value > bed:
                folder = judged(name, "inconclusive", blind="it was held up", push__answer_ms__p99=9.0)
            elif value > limit:
                folder = judged(
                    name,
                    "fail",
                    check="push.answer_ms.p99 < 2000",
                    why=f"it is {value}",
                    push__answer_ms__p99=4.0 * value,
                )
            else:
                folder = judged(name, "pass", push__answer_ms__p99=1.5 * value, phones__delivered_fraction=1.0)
            return read_trial(value, seed, folder)

        monkeypatch.setattr(command, "run_trial", trial)
        return asked

    return plant


def capacity(*words: str, out: Path) -> int:
    return main(["capacity", "burst-offload", "--out", str(out), *words])


def test_the_card_says_what_held_and_what_gave_way(
    tmp_path: Path, breaks_above: Callable[[int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = breaks_above(730)
    assert capacity("--confirm", "2", out=tmp_path) == 0
    said, shown = capsys.readouterr()
    assert "Largest fleet: 700 phones held in 2 runs, 750 phones did not" in said
    assert "gave way: push.answer_ms.p99 < 2000" in said
    assert "750 phones  breaks" in shown
    (folder,) = (tmp_path / "burst-offload").iterdir()
    card = json.loads((folder / "card.json").read_text())
    (axis,) = card["axes"]
    assert (card["found"], axis["largest"], axis["breaks_at"], axis["confirmed"]) == (True, 700, 750, True)
    assert [trial["value"] for trial in axis["trials"]] == asked
    page = (folder / "card.html").read_text()
    assert "700 phones" in page
    assert page.count("<figure") == 1, "a chart for the one threshold whose figure moves"
    assert "http" not in page.replace("http-equiv", "")


def test_seeds_differ_where_a_value_is_run_again(
    tmp_path: Path, breaks_above: Callable[[int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    breaks_above(10**6)
    assert capacity("--to", "60", "--confirm", "3", "--json", out=tmp_path) == 0
    card = json.loads(capsys.readouterr().out)
    assert [(t["value"], t["seed"]) for t in card["axes"][0]["trials"]] == [(50, 1), (60, 1), (60, 2), (60, 3)]


def test_where_the_machine_could_not_tell_nothing_is_found(
    tmp_path: Path, breaks_above: Callable[[int, int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    breaks_above(10**6, 100)
    assert capacity("--confirm", "1", out=tmp_path) == 3
    assert (
        "Largest fleet: 100 phones held in 1 run, of 106 phones this machine could not tell" in capsys.readouterr().out
    )


def test_nothing_holds(
    tmp_path: Path, breaks_above: Callable[[int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    breaks_above(0)
    assert capacity(out=tmp_path) == 1
    assert "not even 1 phone held" in capsys.readouterr().out


def test_a_search_has_an_end(
    tmp_path: Path, breaks_above: Callable[[int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    breaks_above(730)
    assert capacity("--runs-max", "3", out=tmp_path) == 3
    assert "not searched to the end: after 3 runs (--runs-max)" in capsys.readouterr().out


def test_a_run_that_left_nothing_keeps_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([read_trial(50, 1, judged("a", "pass"))])

    def trial(*_: object, **__: object) -> Trial:
        try:
            return next(answers)
        except StopIteration:
            raise TrialError("it broke") from None

    monkeypatch.setattr(command, "run_trial", trial)
    assert capacity(out=tmp_path) == 3
    assert "50 phones held in 1 run" in capsys.readouterr().out
    assert capacity(out=tmp_path / "b") == 5


def test_a_load_has_a_rate_to_be_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def trial(_: str, axis: Axis, value: int, *, seed: int, **__: object) -> Trial:
        asked.append(f"{axis.key}={axis.text(value)}")
        limit = 40 if axis is command.RATE else 10**6
        return read_trial(
            value, seed, judged(f"run-{len(asked)}", "pass" if value <= limit else "fail", check="a == 0")
        )

    monkeypatch.setattr(command, "run_trial", trial)
    words = ("--to", "100", "--confirm", "1", "--json", "--out", str(tmp_path))
    assert main(["capacity", "pages-at-rate", *words]) == 0
    fleet, rate = json.loads(capsys.readouterr().out)["axes"]
    assert (fleet["largest"], rate["largest"], rate["unit"]) == (100, 2.0, "page a second")
    assert asked[2:5] == ["load.pages_per_s=0.5", "load.pages_per_s=1", "load.pages_per_s=2"]
    assert capacity("--of", "rate", out=tmp_path) == 4
    assert 'expected [load] shape = "rate"' in capsys.readouterr().err


def test_every_wrong_option_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--from", "9", "--to", "3", "--confirm", "0", "--resolution", "2", "--set", "fleet.phones=3")
    assert capacity(*words, out=tmp_path) == 4
    said = capsys.readouterr().err
    for part in ("--from 9 --to 3: expected 1 <=", "--resolution 2", "--confirm 0", "--set fleet.phones=3"):
        assert part in said
    assert capacity("--set", "fleet.fones=3", out=tmp_path) == 4
    assert "did you mean 'phones'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "nothing half-started"


@pytest.mark.slow
@pytest.mark.real
def test_a_real_run_is_a_trial(tmp_path: Path) -> None:
    options = ["--ground", "loopback", "--set", 'witnesses=["gateway", "phones", "callmanager"]']
    trial = run_trial("burst-offload", command.PHONES, 3, seed=1, out=tmp_path, options=options)
    assert trial.answer is not Answer.BREAKS, trial.why
    assert sum(trial.outcomes.values()) == 3
    assert trial.folder is not None
