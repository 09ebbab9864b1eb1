"""The self-test of the push user against the mock CallManager, a process over a real socket (row D3)."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alarms import Alarms
from gateway.callmanager_check import ALARM, check_push_user

pytestmark = pytest.mark.real

PASSWORD = "canary&pass"
PHONE = "SEP001BD4000001"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text(PASSWORD)
    (tmp_path / "phones.csv").write_text(f"device_name,directory_number,address\n{PHONE},2001,10.1.0.1\n")
    (tmp_path / "callmanager.toml").write_text(
        'listen = "127.0.0.1:0"\ndevices_csv = "phones.csv"\n'
        '[[user]]\nname = "agpush"\npassword_file = "secret"\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "callmanager", "--config", "callmanager.toml", "--stop-with-stdin"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["urls"]["authentication"]
    finally:
        process.communicate(timeout=30)


async def test_d3_a_push_user_that_callmanager_has_locked_is_found(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    alarms = Alarms()
    assert "authorises the push user" in await check_push_user(url, "agpush", PASSWORD, PHONE, alarms)
    assert alarms.active() == ()
    for _ in range(3):
        assert "refuses the push user" in await check_push_user(url, "agpush", "wrong", PHONE, alarms)
    # The right password no longer helps: the account is locked.
    assert "refuses the push user" in await check_push_user(url, "agpush", PASSWORD, PHONE, alarms)
    assert [alarm.name for alarm in alarms.active()] == [ALARM]
    assert "canary" not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://[", "ftp://a/b", "http://127.0.0.1:1/x?y=1"])
async def test_d1_a_callmanager_that_is_not_there_is_no_alarm(url: str, caplog: pytest.LogCaptureFixture) -> None:
    alarms = Alarms()
    said = await check_push_user(url, "agpush", PASSWORD, PHONE, alarms)
    assert "could not be asked" in said
    assert alarms.active() == ()
    assert "canary" not in said + caplog.text
