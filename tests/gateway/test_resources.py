"""Few descriptors, little memory (rows P7 and P12 of the list of faults): real processes on loopback."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

GATEWAY = "127.20.128.14"
PHONES = 60
LIMIT_S = 30
RUN = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


class Bed:
    """Phones that ask before they answer, and a gateway with so many descriptors."""

    def __init__(self, folder: Path, descriptors: int | None = None, phones: int = PHONES) -> None:
        self.folder = folder
        self.count = phones
        port, self.questions, self.api = free_port("127.20.2.1"), free_port(GATEWAY), free_port(GATEWAY)
        with wave.open(str(folder / "a.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes(8000))
        for name in ("token", "password"):
            (folder / name).write_text("a-secret")
            (folder / name).chmod(0o600)
        names = "".join(
            f"SEP{0x001BD4000001 + at:012X},127.20.{2 + at // 250}.{at % 250 + 1}\n" for at in range(phones)
        )
        (folder / "phones.csv").write_text(f"device_name,address\n{names}")
        (folder / "g.toml").write_text(
            f'[phone_port]\nlisten = "{GATEWAY}:{self.questions}"\n[administration]\nlisten = "{GATEWAY}:{self.api}"\n'
            f'token_file = "token"\ntls = "off"\n[push]\nsource = "{GATEWAY}"\n[phones]\nport = {port}\n'
            'csv = "phones.csv"\nnetworks = ["127.20.0.0/17"]\n'
            '[push_user]\nname = "agpush"\npassword_file = "password"\n'
            '[authentication]\ncallmanager_url = "http://127.20.128.20:18080/CCMCIP/authenticate.asp"\n'
            '[store]\nfolder = "data"\nkey_file = "keys/key"\n'
        )
        url = f"http://{GATEWAY}:{self.questions}/cisco_auth/authenticate.html"
        fleet = ["phones", "--csv", "phones.csv", "--port", str(port), "--auth-url", url]
        self.fleet = self._start(fleet, None)
        self.gateway = self._start(["gateway", "serve", "--config", "g.toml"], descriptors)

    def _start(self, arguments: list[str], descriptors: int | None) -> subprocess.Popen[bytes]:
        def before() -> None:
            if descriptors is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", RUN, *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                preexec_fn=before,  # noqa: PLW1509  nothing has threads here
            )
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"], (self.folder / "log").read_text()
        return process

    def ask(self, path: str, document: object = None) -> dict[str, object]:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            f"http://{GATEWAY}:{self.api}{path}", data, {"Authorization": "Bearer a-secret"}
        )
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310  our own http URL
            found: dict[str, object] = json.loads(answer.read())
            return found

    def page(self) -> dict[str, object]:
        number = self.ask("/api/pages", {"audio": str(self.folder / "a.wav")})["page"]
        until = time.monotonic() + LIMIT_S
        while (page := self.ask(f"/api/pages/{number}"))["state"] != "ended":
            assert time.monotonic() < until, page
            time.sleep(0.05)
        return page

    def memory_mb(self) -> float:
        """The most that the gateway and its pacer had resident, each at its worst."""
        tasks = Path(f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children").read_text().split()
        found = 0
        for process in (str(self.gateway.pid), *tasks):
            status = Path(f"/proc/{process}/status").read_text()
            found += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return found / 1024

    def close(self) -> None:
        for process in (self.gateway, self.fleet):
            process.terminate()
            process.wait(LIMIT_S)
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture(params=[64, 256])
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path, request.param)
    try:
        yield made
    finally:
        made.close()


def test_p7_a_page_reaches_every_phone_and_a_flood_of_connections_is_survived(bed: Bed) -> None:
    assert bed.page()["outcomes"] == {"executed": PHONES}
    alarms = bed.ask("/api/status")["alarms"]
    assert "descriptors-few" in str(alarms)
    flood = []
    for _ in range(300):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((GATEWAY, bed.questions))
        flood.append(connection)
    time.sleep(0.3)
    for connection in flood:
        connection.close()
    began = time.monotonic()
    assert bed.ask("/api/status")["version"]
    assert time.monotonic() - began < 2
    assert bed.page()["outcomes"] == {"executed": PHONES}


@pytest.mark.slow
def test_p12_5000_phones_fit_into_256_megabytes(tmp_path: Path) -> None:
    bed = Bed(tmp_path, phones=5000)
    try:
        for _ in range(3):
            assert bed.page()["outcomes"] == {"executed": 5000}
        # Measured 156 MB: gateway 94, pacer 61.
        assert 50 < bed.memory_mb() < 256
    finally:
        bed.close()
