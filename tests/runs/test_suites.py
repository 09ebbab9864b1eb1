"""Several scenarios by one command, for real: a merged result, and the bundled groups."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Final

import pytest

from harness.scenario.file import GROUPS, bundled
from tests.runs.conftest import UNHURRIED, command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runs.conftest import Pushlab

pytestmark = pytest.mark.real

CI_LIMIT_S: Final = 600
"""All of ci/ takes about three and a half minutes on two quiet cores."""


def test_every_bundled_scenario_is_valid(pushlab: Pushlab) -> None:
    ended = pushlab("check", *GROUPS)
    assert ended.code == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == len(bundled()) >= 20


@pytest.mark.usefixtures("netns")
def test_a_page_and_its_control_are_one_result(pushlab: Pushlab) -> None:
    words = [word for setting in UNHURRIED for word in ("--set", setting)]
    junit = pushlab.folder / "results.xml"
    ended = pushlab("run", "port-blocked", "port-blocked-strict", "--phones", "20", *words, "--junit", str(junit))
    for name in ("port-blocked", "port-blocked-strict"):
        pushlab.skip_if_held_up(pushlab.folder / "runs" / name / "latest")
    assert ended.code == 0, ended.stdout + ended.stderr
    folder = pushlab.folder / "runs" / "suite" / "latest"
    told = json.loads((folder / "verdict.json").read_text())
    assert (told["verdict"], told["as_expected"]) == ("pass", True)
    assert [(each["verdict"], each["expected"]) for each in told["scenarios"]] == [("pass", "pass"), ("fail", "fail")]
    assert all((folder / each["folder"] / "report.html").is_file() for each in told["scenarios"])
    root = ET.parse(junit).getroot()  # noqa: S314 - our own output
    assert (root.attrib["failures"], root.attrib["errors"]) == ("0", "0")
    assert "2 scenarios, all as expected" in ended.stdout
    # A folder of runs is compared as before.
    assert pushlab("compare", "runs/port-blocked", "runs/port-blocked").code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("netns")
def test_all_of_ci_ends_as_it_says(pushlab: Pushlab) -> None:
    words = [word for setting in UNHURRIED if setting.startswith("integrity.") for word in ("--set", setting)]
    ended = subprocess.run(
        command("run", "ci/", *words),
        cwd=pushlab.folder,
        capture_output=True,
        text=True,
        timeout=CI_LIMIT_S,
        check=False,
    )
    runs = pushlab.folder / "runs"
    told = json.loads((runs / "suite" / "latest" / "verdict.json").read_text())
    for each in told["scenarios"]:
        if not each["as_expected"]:
            pushlab.skip_if_held_up(runs / each["scenario"] / "latest")
    assert ended.returncode == 0, json.dumps(told["scenarios"], indent=1)
    assert told["counts"]["scenarios"] == len([one for one in bundled() if one.group == "ci"])


class TestNothingIsRun:
    def test_one_name_twice(self, pushlab: Pushlab, tmp_path: Path) -> None:
        for file in ("one.toml", "two.toml"):
            (tmp_path / file).write_text('name = "x"\npurpose = "x"\n')
        ended = pushlab("check", "one.toml", "two.toml", "alert", "ci/alert")
        assert ended.code == 4
        assert "two.toml: name 'x' is that of one.toml already" in ended.stderr
        assert "alert.toml: it is named twice in one command" in ended.stderr

    def test_every_error_of_every_file_at_once(self, pushlab: Pushlab, tmp_path: Path) -> None:
        (tmp_path / "one.toml").write_text('name = "one"\npurpose = "x"\n[fleets]\n')
        (tmp_path / "two.toml").write_text('name = "two"\npurpose = "x"\n[thresholds]\n"phones.displayed" = "> 0"\n')
        (tmp_path / "empty").mkdir()
        ended = pushlab("run", "one.toml", "two.toml", "empty", "nowhere/", "three.toml", "portblocked")
        assert ended.code == 4
        for part in (
            "one.toml:3: fleets: unknown key; did you mean 'fleet'?",
            "a page is audio and shows no text",
            "empty: a folder without scenario files",
            "nowhere: No such file or directory",
            "three.toml: No such file or directory",
            "did you mean 'port-blocked'?",
            "6 errors",
        ):
            assert part in ended.stderr
        assert not (tmp_path / "runs").exists()
