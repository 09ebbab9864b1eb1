"""The files for other people's builds: they are what they say, and their commands do it."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from harness.scenario.file import GROUPS

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "docs" / "examples" / "ci"
ONE_OF_THE_GROUP: Final = "ci/inventory"
"""The whole group is run by a test of its own."""


def github_steps() -> list[dict[str, Any]]:
    (job,) = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())["jobs"].values()
    return list(job["steps"])


def gitlab_job() -> dict[str, Any]:
    job: dict[str, Any] = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["paging"]
    return job


def pushlab_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("pushlab ")]


def test_both_run_the_group_and_keep_what_it_leaves() -> None:
    (github,) = pushlab_lines([str(step.get("run", "")) for step in github_steps()])
    (gitlab,) = pushlab_lines(gitlab_job()["script"])
    assert github.replace("$GITHUB_STEP_SUMMARY", "pushlab.md").replace('"', "") == gitlab
    assert "ci" in GROUPS
    kept = next(step["with"]["path"] for step in github_steps() if "upload-artifact" in str(step.get("uses")))
    assert set(kept.split()) == {"runs/", "pushlab.xml"}
    artifacts = gitlab_job()["artifacts"]
    assert {*artifacts["paths"], artifacts["reports"]["junit"]} == {"runs/", "pushlab.md", "pushlab.xml"}
    assert artifacts["when"] == "always", "evidence is kept of what failed"


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("lines", [[str(step.get("run", "")) for step in github_steps()], gitlab_job()["script"]])
def test_their_commands_leave_what_they_keep(
    lines: list[str], tmp_path: Path, skip_if_held_up: Callable[[Path], None]
) -> None:
    (line,) = pushlab_lines(lines)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "pushlab.md"),
    }
    command = ["bash", "-euo", "pipefail", "-c", line.replace(" ci/ ", f" {ONE_OF_THE_GROUP} ")]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    for name in ("pushlab.xml", "pushlab.md", "runs"):
        assert (tmp_path / name).exists(), ended.stderr
    if ended.returncode:
        skip_if_held_up(tmp_path / "runs" / "latest")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_container_gets_all_that_the_wheel_is_made_of() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    copied = {
        name.removeprefix("./")
        for line in lines
        if line.startswith("COPY ") and not line.startswith("COPY --from")
        for name in line.split()[1:-1]
    }
    assert all((ROOT / name).exists() for name in copied)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = pyproject["project"]
    assert copied >= {*wheel["packages"], *wheel["force-include"], project["readme"], *project["license-files"]}
