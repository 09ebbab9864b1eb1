"""The sample project of docs/how-to/test-with-pytest.md: a pager that is not ours, tested as its authors would."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = ROOT / "docs/examples/pytest-project"
HOW_TO: Final = ROOT / "docs/how-to/test-with-pytest.md"
LIMIT_S: Final = 180

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest in a copy of the project, as its authors do."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__", ".*"))

    def pytest_in_it(*words: str) -> str:
        command = [sys.executable, "-m", "pytest", "--basetemp", str(tmp_path / "base"), *words]
        ended = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return ended.stdout + ended.stderr

    return pytest_in_it


def test_its_tests_pass(run: Run) -> None:
    said = run()
    # Lateness alone is the machine's: any other blindness would be a defect of the bed or of the pager.
    if skipped := re.search(r"SKIPPED.*inconclusive: .*(held up|lateness\.).*", said):
        pytest.skip(f"this machine was too busy for a verdict: {skipped[0]}")
    assert re.search(r"^=+ 3 passed in", said, re.MULTILINE), said
    assert re.search(r"^pass +lab  /.*/report\.html$", said, re.MULTILINE), said


def test_its_broken_pager_fails_as_the_how_to_shows(run: Run) -> None:
    said = run("broken.py")
    shown = HOW_TO.read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0].splitlines()
    # Folders and times are of one run; a busy machine adds checks that are inconclusive.
    firm = [line for line in shown if not line.startswith(("report:", "again:", "checks that", "----"))]
    assert len(firm) == 6
    for line in firm:
        assert line in said, said
    assert "1 failed" in said


def test_the_how_to_quotes_the_project() -> None:
    project = "\n".join(path.read_text(encoding="utf-8") for path in PROJECT.glob("*.py"))
    blocks = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    quoted = [
        block for block in blocks if block.lstrip("@").startswith(("def test_a_phone", "pytest.mark.pushlab(phones=6)"))
    ]
    assert len(quoted) == 2
    for block in quoted:
        assert block in project
