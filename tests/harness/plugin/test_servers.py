"""Phones and a CallManager beside a test: real processes on loopback, on ports that were free."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness.plugin.callmanager import CallManager
from harness.plugin.phones import Phones
from harness.plugin.servers import ServerError

pytestmark = pytest.mark.real


def push(phones: Phones, address: str, url: str, callmanager: CallManager) -> None:
    xml = f'<CiscoIPPhoneExecute><ExecuteItem Priority="0" URL="{url}"/></CiscoIPPhoneExecute>'
    where = f"http://{address}:{phones.port}/CGI/Execute"
    httpx.post(where, data={"XML": xml}, auth=(callmanager.user, callmanager.password), timeout=20).raise_for_status()


@pytest.fixture(scope="module")
def callmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CallManager]:
    with CallManager(tmp_path_factory.mktemp("callmanager")) as running:
        yield running


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory, callmanager: CallManager) -> Iterator[Phones]:
    with Phones(tmp_path_factory.mktemp("phones"), count=3, authentication_url=callmanager.url) as running:
        yield running


def test_a_push_is_in_the_diary_and_at_callmanager(phones: Phones, callmanager: CallManager) -> None:
    phone = phones.phones[1]
    push(phones, phone.address, "RTPRx:127.0.0.1:20480", callmanager)
    (executed,) = phones.wait("push.executed", phone=phone.device_name, within_s=20)
    assert executed["action"] == "RTPRx"
    assert [record["kind"] for record in phones.diary(phone)][:2] == ["push.received", "authentication.asked"]
    assert phones.state(phone)["listening"]["port"] == 20480
    (asked,) = callmanager.authentications
    assert (asked["phone"], asked["user"], asked["answer"]) == (phone.device_name, "agpush", "authorized")
    assert phones.diary(phones.phones[0]) == []


def test_phones_ring_and_refuse_what_they_cannot(phones: Phones) -> None:
    assert phones.control(phones.phones[0], "ring")["state"] == "ringing"
    phones.control(phones.phones[0], "hang-up")
    with pytest.raises(ValueError, match="hold"):
        phones.control(phones.phones[0], "hold")


def test_programs_find_all_of_it_by_the_names_of_the_lab(phones: Phones, callmanager: CallManager) -> None:
    assert phones.environment["PUSHLAB_PHONE"] == "127.20.0.1"
    rows = phones.csv.read_text(encoding="utf-8").splitlines()
    assert rows[1].startswith("SEP001BD4000001,2001,001BD4000001,CP-79")
    assert len(rows) == 4
    password = Path(callmanager.environment["PUSHLAB_PASSWORD_FILE"])
    assert password.stat().st_mode & 0o777 == 0o600
    assert callmanager.password not in f"{callmanager!r}{phones!r}"


def test_what_was_waited_for_in_vain_says_what_there_was(phones: Phones) -> None:
    with pytest.raises(AssertionError, match=r"expected 1 stream.heard .* got 0; phones recorded.*: nothing"):
        phones.wait("stream.heard", phone="SEP000000000000", within_s=0.05)


def test_several_fleets_stand_side_by_side(phones: Phones, tmp_path: Path) -> None:
    with Phones(tmp_path, count=1) as other:
        assert other.address == phones.address
        assert {other.port, other.rtp_port}.isdisjoint({phones.port, phones.rtp_port})


def test_a_project_with_packages_of_our_names_does_not_hide_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("harness", "gateway", "emulator"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the package of somebody else')")
    monkeypatch.chdir(tmp_path)
    with Phones(tmp_path, count=1) as running:
        assert len(running.phones) == 1


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"phones ended before it was ready:\n.*CP-7960X"):
        Phones(tmp_path, count=1, models="CP-7960X")


def test_users_settings_and_their_errors(tmp_path: Path) -> None:
    users = {"agpush": {"password": "secret", "cti": False, "devices": ["SEP001BD4000001"]}, "other": "word"}
    with CallManager(tmp_path, users=users, workers=2) as running:
        assert (running.user, running.password) == ("agpush", "secret")
    (tmp_path / "wrong").mkdir()
    with pytest.raises(ServerError, match="workers"):
        CallManager(tmp_path / "wrong", worker=2)


def test_a_part_that_died_is_an_error_at_the_end(tmp_path: Path) -> None:
    running = Phones(tmp_path, count=1)
    running._process.kill()
    running._process.wait()
    with pytest.raises(ServerError, match="phones ended by itself"):
        running.stop()
    running.stop()


def test_nothing_outlives_a_test_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from harness.plugin.phones import Phones\n"
        "phones = Phones(Path(sys.argv[1]), count=1); print(phones.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
