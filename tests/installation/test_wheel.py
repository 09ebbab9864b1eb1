"""The wheel in an empty environment outside the clone: all that travels is there."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.net.namespace import available

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT = Path(__file__).parent.parent.parent
INSTALL_S = 300
RUN_S = 120


def _run(*argv: str | Path, cwd: Path, limit_s: int = INSTALL_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=limit_s, check=False)


def test_the_wheel_runs_a_bundled_scenario(
    tmp_path: Path, skip_if_held_up: Callable[[Path], None], in_the_machines_network: tuple[str, ...]
) -> None:
    found = available()
    if not found.possible:
        pytest.skip(f"namespaces: {found.why}; to allow them: {found.remedy}")
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".venv", ".git", "runs", "*cache*", "__pycache__"))

    def pip(python: str | Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return _run(*in_the_machines_network, python, "-m", "pip", *words, cwd=tmp_path)

    built = pip(sys.executable, "wheel", "--no-deps", "-w", tmp_path, source)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("pushlab-*.whl")
    place = tmp_path / "empty"
    place.mkdir()
    venv.create(place / "venv", with_pip=True)
    installed = pip(place / "venv/bin/python", "install", "-q", wheel)
    assert installed.returncode == 0, installed.stderr
    pushlab = place / "venv/bin/pushlab"
    listed = _run(pushlab, "scenarios", cwd=place, limit_s=RUN_S)
    assert "burst-offload" in listed.stdout
    ended = _run(pushlab, "run", "burst-offload", "--phones", "50", cwd=place, limit_s=RUN_S)
    skip_if_held_up(place / "runs/latest")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (place / "runs/latest/report.html").is_file()
    _judged_elsewhere_it_is_the_same(place / "runs/latest", place / "venv/bin/python", tmp_path / "moved")
    names = _run(place / "venv/bin/python", "-m", "zipfile", "-l", wheel, cwd=place).stdout
    for part in ("templates/association.html", "static/administration.css"):
        assert f"emulator/callmanager/administration/{part}" in names
    assert "tests/" not in names


def _judged_elsewhere_it_is_the_same(run: Path, python: Path, moved: Path) -> None:
    """Copied to another place, by the wheel and by the checkout: the same bytes, though the other's paths differ."""
    shutil.copytree(run.resolve(), moved)
    for judge in ((python, "-m", "harness.cli"), (sys.executable, "-m", "harness.cli")):
        again = _run(*judge, "judge", moved, cwd=Path("/") if judge[0] == python else ROOT, limit_s=RUN_S)
        assert again.returncode == 0, again.stdout + again.stderr
        for name in ("verdict.json", "ledger.csv"):
            assert (moved / name).read_bytes() == (run / name).read_bytes()
