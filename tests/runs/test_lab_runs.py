"""Ground `lab`: runs in a customer's network made of namespaces; what is checked is in customer_lan.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.runs.conftest import Pushlab

CHECKS = Path(__file__).with_name("customer_lan.py")
NAMES = re.findall(r'^    "(\w+)": ', CHECKS.read_text(encoding="utf-8").partition("CHECKS = {")[2], re.MULTILINE)


def test_every_check_is_known() -> None:
    assert len(NAMES) == 6


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.usefixtures("netns")
@pytest.mark.parametrize("name", NAMES)
def test_on_the_lab(name: str, pushlab: Pushlab) -> None:
    enter = "import sys; from harness.net.namespace import enter_lab; enter_lab(sys.argv[1:])"
    command = [sys.executable, "-c", enter, sys.executable, str(CHECKS), name, str(pushlab.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    pushlab.skip_if_held_up(pushlab.folder / "runs" / "latest")
    assert done.returncode == 0, done.stdout + done.stderr
