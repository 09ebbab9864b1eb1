import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from harness.report.figures import ABSENT
from harness.report.terminal import print_result


def printed(folder: Path, width: int = 80, *, colour: bool = False) -> str:
    out = io.StringIO()
    system: Literal["standard"] | None = "standard" if colour else None
    print_result(folder, Console(file=out, width=width, force_terminal=colour, color_system=system))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def test_passing_run_at_a_glance(make_run: Callable[..., Path]) -> None:
    folder = make_run("offload")
    text = printed(folder)
    assert "PASS  burst-offload · 1,000 phones · seed 1 · netns\nall 16 checks hold\n" in text
    for label, figure in (
        ("Phones that got it in time", "1,000 of 1,000"),
        ("Pushes per second", "1,955/s"),
        ("Authentications, gateway", "2,000"),
        ("Authentications, CallManager", "0"),
        ("CallManager answers, median", ABSENT),
    ):
        line = next(line for line in text.splitlines() if line.startswith(label))
        assert line.removeprefix(label).strip().startswith(figure)
    assert f"Folder  {folder}\n" in text
    assert "Repeat  pushlab run burst-offload --phones 1000 --seed 1 --ground netns\n" in text
    assert "not pass" not in text


@pytest.mark.parametrize("kind", ["offload", "direct", "failing", "blind"])
def test_fits_80_columns_without_colour(make_run: Callable[..., Path], kind: str) -> None:
    lines = printed(make_run(kind)).splitlines()
    copied_whole = ("Report  ", "Folder  ", "Repeat  ")
    assert all(len(line) <= 80 for line in lines if not line.startswith(copied_whole))
    assert not any("\x1b" in line for line in lines)


def test_failing_check_with_observed_expected_witnesses(make_run: Callable[..., Path]) -> None:
    text = printed(make_run("direct"))
    assert text.lstrip().startswith("FAIL (as the scenario expects)  burst-direct")
    assert "Checks that are not pass (2 of 16)" in text
    assert "observed 2,000, expected == 0; seen by callmanager, phones, wire" in text
    assert "its log, the diaries and the wire agree" in text


def test_ten_phones_are_named_and_the_rest_counted(make_run: Callable[..., Path]) -> None:
    text = printed(make_run("failing"))
    assert text.count("no_audio  ") == 10
    assert "SEP001BD4000050  10.20.0.80   no_audio  listened on 32674" in text
    assert "and 2 more in ledger.csv" in text


def test_few_phones_are_all_named(make_run: Callable[..., Path]) -> None:
    text = printed(make_run("failing", phones=200))
    assert text.count("no_audio  ") == 2
    assert "more in" not in text


def test_blindness_is_told(make_run: Callable[..., Path]) -> None:
    text = printed(make_run("blind"))
    assert "What was blind\n  wire: capture.dropped is 41, expected 0" in text
    assert "INCONCLUSIVE" in text


def test_words_from_outside_are_neither_markup_nor_escapes(make_run: Callable[..., Path]) -> None:
    check = {"name": "x", "kind": "law", "verdict": "fail", "why": "[red]said[/red] \x1b]0;owned\x07"}
    text = printed(make_run(phones=3, verdict="fail", checks=[check]))
    assert "[red]said[/red] �]0;owned�" in text


def test_colour_changes_no_word(make_run: Callable[..., Path]) -> None:
    folder = make_run("failing", phones=200)
    coloured = printed(folder, colour=True)
    assert "\x1b[" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == printed(folder).splitlines()


def test_unexpected_checks_are_listed(make_run: Callable[..., Path]) -> None:
    text = printed(make_run("direct", phones=60, as_expected=False, unexpected=["x: pass, expected fail"]))
    assert text.lstrip().startswith("FAIL (not what the scenario expects)")
    assert "Not as the scenario expects\n  x: pass, expected fail\n" in text


def test_where_the_phones_stories_are(make_run: Callable[..., Path]) -> None:
    folder = make_run("failing", phones=100)
    assert "Phones  " not in printed(folder)
    (folder / "evidence").mkdir()
    assert f"Phones  {folder}/evidence\n" in printed(folder)
