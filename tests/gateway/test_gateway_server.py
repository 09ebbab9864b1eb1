"""The gateway as a process of its own, on loopback: manners of docs/design/parts.md, and one whole page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

GATEWAY, PHONE, OTHER = "127.20.128.11", "127.20.0.11", "127.20.0.12"
RUN = "import sys; from gateway.command import main; sys.exit(main(sys.argv[1:]))"
GOOD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n<CiscoIPPhoneResponse>"
    b'<ResponseItem Status="0" Data="Success" URL=""/></CiscoIPPhoneResponse>'
)
LIMIT_S = 20


class PhoneThread:
    """A phone that executes everything, and its ear on the RTP port. Of a stop it may wait for `may_stop` first."""

    def __init__(self) -> None:
        self.may_stop = threading.Event()
        self.may_stop.set()
        self.listener = socket.create_server((PHONE, 0))
        self.port = self.listener.getsockname()[1]
        self.pushes: list[bytes] = []
        self.ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ear.bind((PHONE, 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(LIMIT_S)
                data = b""
                while b"CiscoIPPhoneExecute%3E" not in data[-60:]:
                    data += connection.recv(4096)
                self.pushes.append(data)
                if b"RTPRx%3AStop" in data:
                    assert self.may_stop.wait(LIMIT_S)
                connection.sendall(GOOD)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.ear.close()


@pytest.fixture
def phone() -> Iterator[PhoneThread]:
    unit = PhoneThread()
    yield unit
    unit.close()


class Process:
    """`gateway serve`, started and ended."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.events = folder / "events.jsonl"
        arguments = ["serve", "--config", str(folder / "g.toml"), "--events", str(self.events), *options]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def line(self) -> dict[str, dict[str, str]]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "log").read_text()
        result: dict[str, dict[str, str]] = json.loads(line)
        return result

    def end(self, number: int | None = None) -> int:
        if number is not None:
            self.process.send_signal(number)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            if number is None:
                self.process.stdin.close()
            return self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.events.read_text().splitlines()]


def configure(folder: Path, phone_port: int, *, listen: str = f"{GATEWAY}:0") -> Path:
    for name, text in (("token", "t0ken"), ("password", "canary&pass")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "roster.csv").write_text(f"device_name,address\nSEP001BD4000001,{PHONE}\nSEP001BD4000002,{OTHER}\n")
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x10\x20" * 4000)
    path = folder / "g.toml"
    path.write_text(
        f'[phone_port]\nlisten = "{listen}"\n'
        f'[administration]\nlisten = "{GATEWAY}:0"\ntoken_file = "token"\ntls = "off"\n'
        '[push_user]\nname = "agpush"\npassword_file = "password"\n'
        '[authentication]\ncallmanager_url = "http://127.20.128.20:18080/CCMCIP/authenticate.asp"\n'
        f'[push]\nsource = "{GATEWAY}"\nconnect_s = 1\ntotal_s = 2\n'
        f'[phones]\ncsv = "roster.csv"\nport = {phone_port}\n'
    )
    return path


def ask(url: str, document: object = None) -> dict[str, object]:
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data=body, headers={"Authorization": "Bearer t0ken"})  # noqa: S310  our own
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310  our own
        result: dict[str, object] = json.load(answer)
        return result


def wait_for(url: str, state: str) -> dict[str, object]:
    until = time.monotonic() + LIMIT_S
    while (page := ask(url))["state"] != state:
        assert time.monotonic() < until, page
        time.sleep(0.02)
    return page


def test_a_whole_page(tmp_path: Path, phone: PhoneThread) -> None:
    configure(tmp_path, phone.port)
    unit = Process(tmp_path, "--status-s", "0.1", "--stop-with-stdin")
    ready = unit.line()
    urls = ready["urls"]
    assert ready["ready"] is True
    question = "?UserID=agpush&Password=canary%26pass&devicename=SEP001BD4000001"
    with urllib.request.urlopen(urls["authentication"] + question, timeout=LIMIT_S) as answer:  # noqa: S310  our own
        assert answer.read() == b"AUTHORIZED"
    number = ask(urls["administration"] + "/api/pages", {"audio": str(tmp_path / "a.wav")})["page"]
    page = wait_for(f"{urls['administration']}/api/pages/{number}", "ended")
    assert page["outcomes"] == {"executed": 1, "unreachable": 1}
    assert page["reason"] == "completed"
    status = unit.line()["status"]
    assert set(status) == {"pushes_answered", "authentications", "redirected", "streams", "packets"}
    assert unit.end() == 0
    assert [b"RTPRx%3AStop" in push for push in phone.pushes] == [False, True]
    assert f"RTPRx%3A{GATEWAY}%3A32674".encode() in phone.pushes[0]
    kinds = [str(record["kind"]) for record in unit.records()]
    assert kinds[0] == "gateway.started"
    for kind in ("page.started", "stream.started", "stream.stopped", "page.ended", "schedule.lateness"):
        assert kinds.count(kind) == 1
    assert kinds.count("push.sent") == 2
    assert kinds.count("push.ended") == 3
    by_kind = {str(record["kind"]): record for record in unit.records()}
    assert by_kind["stream.stopped"]["packets"] == by_kind["page.started"]["audio_frames"] == 25
    assert by_kind["stream.started"]["destination"] == f"{PHONE}:32674"
    parts = [record["part"] for record in unit.records() if record["kind"] == "part.ended"]
    assert sorted(map(str, parts)) == ["gateway", "pacer"]
    everything = unit.events.read_text() + (tmp_path / "log").read_text()
    for form in ("canary", "Y2FuYXJ5", "YWdwdXNoOm", "t0ken"):
        assert form not in everything


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_p2_a_signal_in_the_middle_of_a_page_stops_the_phones(tmp_path: Path, phone: PhoneThread, number: int) -> None:
    configure(tmp_path, phone.port)
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * 60)
    unit = Process(tmp_path)
    administration = unit.line()["urls"]["administration"]
    wish = {"audio": str(tmp_path / "long.wav"), "phones": ["SEP001BD4000001"]}
    page = ask(f"{administration}/api/pages", wish)["page"]
    wait_for(f"{administration}/api/pages/{page}", "playing")
    assert unit.end(number) == 0
    assert len(phone.pushes) == 2
    assert b"RTPRx%3AStop" in phone.pushes[1]
    (ended,) = [record for record in unit.records() if record["kind"] == "page.ended"]
    assert (ended["reason"], ended["outcomes"]) == ("interrupted", {"executed": 1})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_p2_a_second_signal_ends_nothing_early(tmp_path: Path, phone: PhoneThread, number: int) -> None:
    path = configure(tmp_path, phone.port)
    path.write_text(path.read_text().replace("total_s = 2", "total_s = 20"))
    unit = Process(tmp_path)
    administration = unit.line()["urls"]["administration"]
    phone.may_stop.clear()
    page = ask(f"{administration}/api/pages", {"audio": str(tmp_path / "a.wav"), "phones": ["SEP001BD4000001"]})["page"]
    wait_for(f"{administration}/api/pages/{page}", "stopping")
    log = tmp_path / "log"
    until = time.monotonic() + LIMIT_S
    for wanted in ("stopping: ", "stopping already"):
        unit.process.send_signal(number)
        while wanted not in log.read_text():
            assert unit.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
    phone.may_stop.set()
    assert unit.end() == 0
    assert "Traceback" not in log.read_text()
    assert [record["reason"] for record in unit.records() if record["kind"] == "page.ended"] == ["completed"]


def test_bad_wishes_are_refused_before_anything_is_sent(tmp_path: Path, phone: PhoneThread) -> None:
    configure(tmp_path, phone.port)
    (tmp_path / "text.wav").write_text("not audio")
    unit = Process(tmp_path)
    url = unit.line()["urls"]["administration"] + "/api/pages"
    for wish, error in (
        ({"audio": str(tmp_path / "nowhere.wav")}, "cannot be read"),
        ({"audio": str(tmp_path / "text.wav")}, "not a WAV file"),
        ({"audio": str(tmp_path / "a.wav"), "phones": ["SEP001BD4000009"]}, "not in the inventory: SEP001BD4000009"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(url, wish)
        with caught.value as answer:
            assert answer.code == 400
            assert error in json.load(answer)["error"]
    assert unit.end(signal.SIGTERM) == 0
    assert phone.pushes == []


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": ""},
    )


def test_p8_an_address_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server((GATEWAY, 0)) as taken:
        listen = f"{GATEWAY}:{taken.getsockname()[1]}"
        result = run(tmp_path, "serve", "--config", str(configure(tmp_path, 80, listen=listen)))
    assert (result.returncode, result.stdout) == (5, "")
    assert result.stderr == f"cannot listen on {listen}: Address already in use (EADDRINUSE)\n"


def test_a_source_that_is_not_ours(tmp_path: Path) -> None:
    path = configure(tmp_path, 80)
    path.write_text(path.read_text().replace(f'source = "{GATEWAY}"', 'source = "192.0.2.1"'))
    result = run(tmp_path, "serve", "--config", str(path))
    assert (result.returncode, result.stdout) == (5, "")
    assert "192.0.2.1" in result.stderr
    assert "Traceback" not in result.stderr


def test_configuration_errors_all_at_once(tmp_path: Path) -> None:
    path = configure(tmp_path, 80)
    path.write_text(path.read_text().replace("[push]", "[push]\nconcurency = 3").replace("total_s = 2", "total_s = 0"))
    result = run(tmp_path, "serve", "--config", str(path))
    assert (result.returncode, result.stdout) == (4, "")
    assert len(result.stderr.splitlines()) == 2
    assert "did you mean concurrency?" in result.stderr


def test_a_phone_list_with_duplicates(tmp_path: Path) -> None:
    path = configure(tmp_path, 80)
    (tmp_path / "roster.csv").write_text(f"device_name,address\nSEP001BD4000001,{PHONE}\nSEP001BD4000001,{PHONE}\n")
    result = run(tmp_path, "serve", "--config", str(path))
    assert (result.returncode, result.stdout) == (4, "")
    assert len(result.stderr.splitlines()) == 2


def test_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "serve").returncode == 2
    assert run(tmp_path).returncode == 2


def test_page_command(tmp_path: Path, phone: PhoneThread) -> None:
    path = configure(tmp_path, phone.port)
    with socket.create_server((GATEWAY, 0)) as free:
        port = free.getsockname()[1]
    path.write_text(
        path.read_text().replace(
            f'[administration]\nlisten = "{GATEWAY}:0"', f'[administration]\nlisten = "{GATEWAY}:{port}"'
        )
    )
    assert run(tmp_path, "page", "--config", str(path), str(tmp_path / "a.wav")).returncode == 5
    unit = Process(tmp_path)
    unit.line()
    done = run(tmp_path, "page", "--config", str(path), str(tmp_path / "a.wav"), "--phones", "SEP001BD4000001")
    refused = run(tmp_path, "page", "--config", str(path), str(path))
    assert unit.end(signal.SIGTERM) == 0
    assert (done.returncode, done.stdout.split()) == (0, ["page", "1:", "completed", "executed", "1", "phones", "1"])
    assert refused.returncode == 4
    assert "not a WAV file" in refused.stderr
