"""The lab in namespaces of its own; what is checked inside is in lab_checks.py."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.net import namespace

CHECKS = Path(__file__).with_name("lab_checks.py")
NAMES = re.findall(r"^        (\w+),$", CHECKS.read_text(encoding="utf-8").partition("CHECKS = ")[2], re.MULTILINE)


@functools.cache
def _available() -> namespace.Availability:
    return namespace.available()


def run_inside(*argv: str) -> subprocess.CompletedProcess[str]:
    enter = "import sys; from harness.net.namespace import enter_lab; enter_lab(sys.argv[1:])"
    return subprocess.run([sys.executable, "-c", enter, *argv], capture_output=True, text=True, timeout=30, check=False)


def test_every_check_is_known() -> None:
    assert len(NAMES) == 13


@pytest.mark.real
@pytest.mark.parametrize("name", NAMES)
def test_inside(name: str) -> None:
    if not _available().possible:
        pytest.skip(f"{_available().why}; to allow it: {_available().remedy}")
    done = run_inside(sys.executable, "-W", "error", str(CHECKS), name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
