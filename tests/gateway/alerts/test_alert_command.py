"""`pushlab gateway alert` and the JSON interface, with the gateway and emulated phones as processes of their own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

GATEWAY = "127.20.128.33"
CONTROL = "127.20.128.34"
LIMIT_S = 30
PHONES = "import sys; from emulator.fleet.command import main; sys.exit(main(sys.argv[1:]))"
RUN = "import sys; from gateway.command import main; sys.exit(main(sys.argv[1:]))"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((GATEWAY, 0))
        port: int = probe.getsockname()[1]
        return port


class Bed:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.phone_port, self.administration, self.fleet = free_port(), free_port(), free_port()
        for name, text in (("token", "t0ken"), ("password", "canary-pass")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        (folder / "roster.csv").write_text(
            "device_name,address\n" + "".join(f"SEP001BD400000{n},127.20.4.{n}\n" for n in (1, 2, 3))
        )
        (folder / "g.toml").write_text(
            f'[phone_port]\nlisten = "0.0.0.0:{self.phone_port}"\n'
            f'[administration]\nlisten = "{GATEWAY}:{self.administration}"\ntoken_file = "token"\ntls = "off"\n'
            '[push_user]\nname = "agpush"\npassword_file = "password"\n'
            '[authentication]\ncallmanager_url = "http://127.20.128.20:18080/CCMCIP/authenticate.asp"\n'
            f'[phones]\ncsv = "roster.csv"\nport = {self.fleet}\n[store]\nfolder = "store"\nkey_file = "key"\n'
        )
        url = f"http://{GATEWAY}:{self.phone_port}/cisco_auth/authenticate.html"
        roster = folder / "fleet.csv"
        roster.write_text("device_name,address,model,directory_number\n" + "".join(
            f"SEP001BD400000{n},127.20.4.{n},CP-7961G,200{n}\n" for n in (1, 2, 3)))  # fmt: skip
        self.phones = self.start(
            PHONES, "--csv", str(roster), "--port", str(self.fleet), "--auth-url", url, "--control", f"{CONTROL}:0",
            "--rtp-port", "0",
        )  # fmt: skip
        self.control = self.ready(self.phones)["control"]
        self.gateway = self.serve()

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=log, text=True,
                cwd=Path(__file__).parents[3],
            )  # fmt: skip

    def serve(self) -> subprocess.Popen[str]:
        arguments = ["serve", "--config", str(self.folder / "g.toml"), "--events", str(self.folder / "events")]
        process = self.start(RUN, *arguments)
        self.ready(process)
        return process

    def ready(self, process: subprocess.Popen[str]) -> dict[str, str]:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (self.folder / "log").read_text()
        urls: dict[str, str] = json.loads(line)["urls"]
        return urls

    def alert(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", RUN, "alert", "--config", str(self.folder / "g.toml"), *arguments],
            capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def api(self, method: str, path: str, document: object = None, **headers: str) -> tuple[int, dict[str, object]]:
        body = None if document is None else json.dumps(document).encode()
        fields = {"Authorization": "Bearer t0ken", **headers}
        url = f"http://{GATEWAY}:{self.administration}{path}"
        request = urllib.request.Request(url, data=body, headers=fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310  our own
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def phone(self, number: int, event: str = "") -> dict[str, object]:
        method = "POST" if event else "GET"
        url = f"{self.control}/phones/SEP001BD400000{number}{event}"
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=LIMIT_S) as answer:  # noqa: S310
            result: dict[str, object] = json.load(answer)
            return result

    def stop(self, process: subprocess.Popen[str]) -> None:
        process.terminate()
        assert process.wait(LIMIT_S) == 0
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    unit = Bed(tmp_path)
    yield unit
    unit.stop(unit.gateway)
    unit.stop(unit.phones)


def test_an_alert_from_the_command_to_the_key(bed: Bed) -> None:
    code, said = bed.alert(
        "Code blue, ward 3", "--priority", "emergency", "--title", "Code blue", "--keys", "Coming", "No"
    )
    assert (code, said.splitlines()) == (0, ["alert 1: active", "  displayed       3", "  phones          3"])
    until = time.monotonic() + LIMIT_S
    while not all(bed.phone(number)["screen"] for number in (1, 2)):  # drawn a moment after it was fetched
        assert time.monotonic() < until
    screen = bed.phone(2)["screen"]
    assert isinstance(screen, dict)
    assert (screen["Title"], screen["Text"]) == ("Code blue", "Code blue, ward 3")
    assert [item["Name"] for item in screen["items"]] == ["Coming", "No", "Exit"]
    bed.phone(2, "/softkey?name=No")
    while (view := bed.api("GET", "/api/alerts/1")[1])["outcomes"] != {"displayed": 2, "acknowledged": 1}:
        assert time.monotonic() < until, view
        time.sleep(0.02)
    phones = view["phones"]
    assert isinstance(phones, list)
    (pressed,) = [each for each in phones if each["state"] == "acknowledged"]
    assert (pressed["phone"], pressed["response"]) == ("SEP001BD4000002", "No")
    # After a restart it is all still there, and the key still works.
    bed.stop(bed.gateway)
    bed.gateway = bed.serve()
    assert bed.api("GET", "/api/alerts/1")[1]["outcomes"] == {"displayed": 2, "acknowledged": 1}
    bed.phone(1, "/softkey?name=Coming")
    while bed.api("GET", "/api/alerts")[1]["alerts"][0]["outcomes"] != {"displayed": 1, "acknowledged": 2}:  # type: ignore[index]
        assert time.monotonic() < until
        time.sleep(0.02)
    status, view = bed.api("POST", "/api/alerts/1/withdraw")
    assert (status, view["state"]) == (202, "withdrawn")
    assert bed.api("POST", "/api/alerts/1/withdraw")[0] == 409
    everything = (bed.folder / "events").read_text() + (bed.folder / "log").read_text()
    for form in ("canary", "Y2FuYXJ5", "YWdwdXNoOm", "t0ken"):
        assert form not in everything


def test_the_interface_says_what_is_wrong(bed: Bed) -> None:
    status, answer = bed.api("POST", "/api/alerts", {"text": "x" * 257, "zones": ["Nowhere"], "sof": 1})
    assert status == 400
    assert len(answer["errors"]) == 2  # type: ignore[arg-type]
    assert bed.api("POST", "/api/alerts", {"text": "x", "zones": ["Nowhere"], "phones": []})[1]["errors"] == [
        "there is no zone 'Nowhere'"
    ]
    first = bed.api("POST", "/api/alerts", {"text": "x"}, **{"Idempotency-Key": "k"})
    assert first == bed.api("POST", "/api/alerts", {"text": "x"}, **{"Idempotency-Key": "k"}) == (202, {"alert": "1"})
    assert bed.api("POST", "/api/alerts", {"text": "y"}, **{"Idempotency-Key": "k"})[0] == 409
    for method, path in (("GET", "/api/alerts/9"), ("GET", "/api/alerts/x"), ("POST", "/api/alerts/9/withdraw"),
                         ("GET", "/api/alerts/" + "9" * 400)):  # fmt: skip
        assert bed.api(method, path)[0] == 404
    assert bed.api("POST", "/api/alerts", {"text": "x"}, Authorization="Bearer wrong")[0] == 401
    code, said = bed.alert("x", "--zones", "Nowhere")
    assert (code, said) == (4, "there is no zone 'Nowhere'\n")
