"""A gateway with a store, emulated phones, and commands that ask it: processes of their own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GATEWAY = "127.20.128.35"
LIMIT_S = 30
PHONES = "import sys; from emulator.fleet.command import main; sys.exit(main(sys.argv[1:]))"
RUN = "import sys; from gateway.command import main; sys.exit(main(sys.argv[1:]))"
NAMES = [f"SEP001BD400000{n}" for n in (1, 2, 3)]


def free_port() -> int:
    with socket.create_server((GATEWAY, 0)) as probe:
        return int(probe.getsockname()[1])


class Bed:
    """A gateway with a store and no phones yet, and three phones that it does not know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.phone_port, administration, fleet = free_port(), free_port(), free_port()
        self.url = f"https://{GATEWAY}:{administration}"
        for name, text in (("token", "t0ken"), ("password", "canary-pass")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        with wave.open(str(folder / "a.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(b"\x10\x20" * 8000)
        rows = [f"{name},127.20.5.{at},CP-7961G,200{at}\n" for at, name in enumerate(NAMES, 1)]
        (folder / "phones.csv").write_text("device_name,address,model,directory_number\n" + "".join(rows))
        (folder / "g.toml").write_text(
            f'[phone_port]\nlisten = "{GATEWAY}:{self.phone_port}"\n'
            f'[administration]\nlisten = "{GATEWAY}:{administration}"\ntoken_file = "token"\n'
            '[push_user]\nname = "agpush"\npassword_file = "password"\n'
            '[authentication]\ncallmanager_url = "http://127.20.128.20:18080/CCMCIP/authenticate.asp"\n'
            f'[phones]\nport = {fleet}\nnetworks = ["127.20.0.0/17"]\n[push]\nsource = "{GATEWAY}"\n'
            '[store]\nfolder = "store"\nkey_file = "keys/key"\n'
        )
        url = f"http://{GATEWAY}:{self.phone_port}/cisco_auth/authenticate.html"
        roster = str(folder / "phones.csv")
        phones = ("--csv", roster, "--port", str(fleet), "--auth-url", url, "--rtp-port", "0")
        phones += ("--record", str(folder / "heard"))
        self.processes = [self.start(PHONES, *phones), self.start(RUN, "serve", "--config", str(folder / "g.toml"))]

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        return process

    def end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            assert process.wait(LIMIT_S) == 0
            assert process.stdout is not None
            process.stdout.close()

    def command(self, *words: str) -> list[str]:
        at = 2 if words[0] == "inventory" else 1
        return [sys.executable, "-c", RUN, *words[:at], "--config", str(self.folder / "g.toml"), *words[at:]]

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.begin(*words)
        out, errors = process.communicate(timeout=LIMIT_S)
        assert "Traceback" not in errors
        return process.returncode, out + errors

    def imported(self) -> Bed:
        """The gateway knows the phones, in the zone East wing."""
        status, out = self.run("inventory", "import", str(self.folder / "phones.csv"), "--zone", "East wing")
        assert status == 0, out
        return self

    def json(self, *words: str) -> Any:  # noqa: ANN401  a document
        status, out = self.run(*words, "--json")
        assert status == 0, out
        return json.loads(out)


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    try:
        yield made
        made.end()
    finally:
        for process in made.processes:
            process.kill()
            process.wait()
