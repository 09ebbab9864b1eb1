"""Whole preflights against real phones' processes behind a bridge."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.net.namespace import available

LAB = Path(__file__).with_name("lab.py")
PASSWORD = "Kr9-geheim+7"
GATEWAY_URL = "http://10.20.128.20/CCMCIP/authenticate.asp"
"""What answers here as the wanted URL is the mock CallManager: a preflight needs an answer, not a gateway."""
CALLMANAGER = f"""
devices_csv = "phones.csv"
service_ms = {{ p50 = 1, p99 = 2 }}
[[user]]
name = "agpush"
password = "{PASSWORD}"
"""


def row(index: int, **values: str) -> dict[str, str]:
    """A phone of a fleet's roster."""
    mac = f"001BD4{index:06X}"
    return {
        "device_name": f"SEP{mac}",
        "directory_number": str(2000 + index),
        "mac": mac,
        "model": ("CP-7960G", "CP-7961G", "CP-8851", "CP-7905G", "CP-6941")[index % 5],
        "address": f"10.20.{index // 250}.{index % 250 + 1}",
        "authentication_url": GATEWAY_URL,
        "web_access": "true",
    } | values


def name(index: int) -> str:
    return f"SEP001BD4{index:06X}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout))

    def faults(self) -> set[tuple[str, str, str]]:
        """Check, cause and subject of each fault and remark."""
        return {
            (result["check"], result["cause"], result["subject"])
            for result in self.document["results"]
            if result["result"] in {"fault", "remark"}
        }

    def to_do(self, check: str, cause: str) -> dict[str, Any]:
        (found,) = (task for task in self.document["to_do"] if (task["check"], task["cause"]) == (check, cause))
        return dict(found)

    def needed(self) -> set[tuple[str, str]]:
        return {(point["check"], point["why"]) for point in self.document["not_checked"] if point["needed"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    work: Path

    def site(self, phones: Sequence[dict[str, str]], name: str = "site.csv") -> str:
        """Write a list of phones; its name."""
        columns = ("device_name", "directory_number", "model", "address")
        lines = [",".join(columns), *(",".join(phone[column] for column in columns) for phone in phones)]
        (self.work / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return name

    def __call__(self, preflight: Sequence[Sequence[str]], **wanted: object) -> list[Ended]:
        document = wanted | {"preflight": [list(words) for words in preflight]}
        (self.work / "lab.json").write_text(json.dumps(document), encoding="utf-8")
        enter = "import sys; from harness.net.namespace import enter_lab; enter_lab(sys.argv[1:])"
        ended = subprocess.run(
            [sys.executable, "-c", enter, sys.executable, "-W", "error", str(LAB), str(self.work)],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert ended.returncode == 0, ended.stderr[-4000:]
        return [Ended(**one) for one in json.loads(ended.stdout.splitlines()[-1])]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    found = available()
    if not found.possible:
        pytest.skip(f"namespaces: {found.why}; to allow them: {found.remedy}")
    password = tmp_path / "agpush.password"
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    password.chmod(0o600)
    return Lab(work=tmp_path)


Run = Callable[..., list[Ended]]
