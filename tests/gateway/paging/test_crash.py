"""The gateway as a process that is killed, starved of disk and pacer, and stopped: what phones and journal say then.

Phones are sockets that know whether they listen. Numbers such as P4 are rows of the list of faults.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

pytestmark = pytest.mark.real

GATEWAY = "127.20.128.12"
COUNT = 4
LIMIT_S = 30.0
RUN = "import sys; from gateway.command import main; sys.exit(main(sys.argv[1:]))"
# Kills itself around the k-th transaction of the journal: within it, or right after it.
# PUSHLAB_TEST_GATEWAY names another gateway to do so, module:class (tests/mutants).
DEADLY = """
import importlib, os, signal, sys
from gateway.command import main
deadly, within = int(sys.argv.pop(1)), sys.argv.pop(1) == "within"
module, _, name = os.environ.get("PUSHLAB_TEST_GATEWAY", "gateway.product:Gateway").partition(":")
Gateway = getattr(importlib.import_module(module), name)
class Deadly:
    writes = 0
    def write_batch(self, connection, batch):
        super().write_batch(connection, batch)
        self.writes += 1
        if within and self.writes == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
    async def _write(self):
        await super()._write()
        if self.writes == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
class Variant(Gateway):
    def make_journal(self):
        journal = super().make_journal()
        journal.__class__ = type("DeadlyJournal", (Deadly, type(journal)), {})
        return journal
sys.exit(main(sys.argv[1:], Variant))
"""
GOOD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n<CiscoIPPhoneResponse>"
    b'<ResponseItem Status="0" Data="Success" URL=""/></CiscoIPPhoneResponse>'
)


class Phones:
    """Phones at 127.20.1.1, .2 ... on one port. The last one is slow."""

    def __init__(self, count: int) -> None:
        first = socket.create_server(("127.20.1.1", 0))
        self.port = first.getsockname()[1]
        self.listeners = [first, *(socket.create_server((f"127.20.1.{n}", self.port)) for n in range(2, count + 1))]
        self.names = [f"SEP00000000{number:04X}" for number in range(1, count + 1)]
        self.listening = dict.fromkeys(self.names, False)
        self.pushes: list[tuple[str, str]] = []
        self.hang = threading.Event()
        for name, listener in zip(self.names, self.listeners, strict=True):
            threading.Thread(target=self._serve, args=(name, listener), daemon=True).start()

    def _serve(self, name: str, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(LIMIT_S)
                data = b""
                while b"CiscoIPPhoneExecute%3E" not in data[-60:]:
                    piece = connection.recv(4096)
                    if not piece:
                        break
                    data += piece
                else:
                    self._execute(name, data, connection)

    def _execute(self, name: str, data: bytes, connection: socket.socket) -> None:
        action = "stop" if b"RTPRx%3AStop" in data else "start"
        self.pushes.append((name, action))
        if self.hang.is_set():
            while self.hang.is_set():
                time.sleep(0.01)
            return
        if name == self.names[-1]:
            time.sleep(0.15)
        self.listening[name] = action == "start"
        with suppress(OSError):  # the gateway was killed
            connection.sendall(GOOD)

    def count(self, action: str) -> dict[str, int]:
        return {name: self.pushes.count((name, action)) for name in self.names}

    def close(self) -> None:
        self.hang.clear()
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


@pytest.fixture
def phones() -> Iterator[Phones]:
    unit = Phones(COUNT)
    yield unit
    unit.close()


def configure(folder: Path, phones: Phones, *, store: Path | None = None, audio_s: float = 0.6) -> None:
    for name, text in (("token", "t0ken"), ("password", "canary&pass")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    lines = [f"{name},127.20.1.{number}" for number, name in enumerate(phones.names, 1)]
    (folder / "roster.csv").write_text("\n".join(["device_name,address", *lines]) + "\n")
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x10\x20" * int(8000 * audio_s))
    (folder / "g.toml").write_text(
        f'[phone_port]\nlisten = "{GATEWAY}:0"\n'
        f'[administration]\nlisten = "{GATEWAY}:0"\ntoken_file = "token"\ntls = "off"\n'
        '[push_user]\nname = "agpush"\npassword_file = "password"\n'
        '[authentication]\ncallmanager_url = "http://127.20.128.20:18080/CCMCIP/authenticate.asp"\n'
        f'[push]\nsource = "{GATEWAY}"\nconnect_s = 1\ntotal_s = 2\n'
        f'[store]\nfolder = "{store or folder / "data"}"\nkey_file = "key"\n'
        f'[phones]\ncsv = "roster.csv"\nport = {phones.port}\n'
    )


class Process:
    """`gateway serve`. To be closed, which kills it where it still runs."""

    def __init__(self, folder: Path, *code: str, prefix: tuple[str, ...] = ()) -> None:
        self.log = folder / "log"
        self.events = folder / "events.jsonl"
        serve = ["serve", "--config", str(folder / "g.toml"), "--events", str(self.events)]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", *(code or (RUN,)), *serve],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        # Not into a file: a limit on the size of files would end the log as well.
        self.reader = threading.Thread(target=self._keep_log)
        self.reader.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.url = json.loads(line)["urls"]["administration"]

    def _keep_log(self) -> None:
        assert self.process.stderr is not None
        with self.log.open("ab", buffering=0) as log:
            for line in self.process.stderr:
                log.write(line)

    def page(self, folder: Path, **wish: object) -> str:
        return str(self.ask("/api/pages", {"audio": str(folder / "a.wav"), **wish})["page"])

    def ask(self, path: str, document: object = None) -> dict[str, object]:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(  # noqa: S310  our own
            self.url + path, data=body, headers={"Authorization": "Bearer t0ken"}
        )
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310  our own
            result: dict[str, object] = json.load(answer)
            return result

    def wait_for(self, number: str, state: str) -> dict[str, object]:
        return eventually(lambda: (page := self.ask(f"/api/pages/{number}"))["state"] == state and page)

    def records(self, kind: str) -> list[dict[str, object]]:
        found = [json.loads(line) for line in self.events.read_text().splitlines()]
        return [each for each in found if each["kind"] == kind]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def eventually(look: Callable[[], object]) -> dict[str, object]:
    until = time.monotonic() + LIMIT_S
    while not (seen := look()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return seen if isinstance(seen, dict) else {}


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "gateway.sqlite", timeout=5)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def crash_at(folder: Path, phones: Phones, write: int, where: str) -> bool:
    """One page that is killed at a write of its journal, and the restart; False where it ended before that write."""
    configure(folder, phones)
    with Process(folder, DEADLY, str(write), where) as unit:
        with suppress(OSError, http.client.HTTPException):  # killed while it answered
            number = unit.page(folder)
            unit.wait_for(number, "ended")
        try:
            assert unit.process.wait(1) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False
    shutil.copytree(folder / "data", folder / "copy")
    known = dict(rows(folder / "copy", "SELECT phone, stop FROM page_phone"))
    pages = rows(folder / "copy", "SELECT state FROM page")
    if not pages:
        assert phones.pushes == [], "nothing was pushed before it was written"
    before = phones.count("stop")
    with Process(folder) as unit:
        eventually(lambda: rows(folder / "data", "SELECT count(*) FROM page WHERE state <> 'ended'") == [(0,)])
        outcomes = dict(rows(folder / "data", "SELECT phone, outcome FROM page_phone"))
        if pages:
            assert set(outcomes) == set(phones.names)
            assert None not in outcomes.values(), "every phone in exactly one state"
            page = unit.ask("/api/pages/1")
            assert (page["state"], page["phones"]) == ("ended", COUNT)
            assert sum(page["outcomes"].values()) == COUNT  # type: ignore[attr-defined]
            if pages != [("ended",)]:
                assert page["reason"] == "interrupted"
                assert "alarm page-interrupted:1" in unit.log.read_text()
        assert not any(phones.listening.values()), "phones that listened are stopped"
        after = phones.count("stop")
        for name in phones.names:
            if known.get(name) == "executed":
                assert after[name] == before[name], "nothing is pushed twice after a recorded success"
        assert max(phones.count("start").values()) <= 1, "no page is resumed"
        assert unit.page(folder) == ("2" if pages else "1"), "numbers go on"
        unit.wait_for("2" if pages else "1", "ended")
        assert unit.end() == 0
    return True


@pytest.mark.parametrize(("write", "where"), [(1, "within"), (1, "after"), (2, "within"), (3, "after")])
def test_p3_killed_at_a_write_of_the_journal(tmp_path: Path, phones: Phones, write: int, where: str) -> None:
    assert crash_at(tmp_path, phones, write, where)


@pytest.mark.slow
def test_p3_killed_at_every_write_of_the_journal(tmp_path: Path) -> None:
    deaths = 0
    for where in ("within", "after"):
        for write in range(1, 20):
            folder = tmp_path / f"{where}-{write}"
            folder.mkdir()
            phones = Phones(COUNT)
            try:
                if not crash_at(folder, phones, write, where):
                    break
            finally:
                phones.close()
            deaths += 1
    assert deaths >= 8


def test_p4_a_disk_that_takes_nothing_costs_an_alarm_and_not_the_page(tmp_path: Path, phones: Phones) -> None:
    """By the limit on the size of files, which needs no right: writes fail with EFBIG."""
    configure(tmp_path, phones)
    with Process(tmp_path) as unit:
        _, hard = resource.prlimit(unit.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(unit.process.pid, resource.RLIMIT_FSIZE, (0, hard))
        began = time.monotonic()
        number = unit.page(tmp_path)
        assert unit.wait_for(number, "ended")["outcomes"] == {"executed": COUNT}
        assert time.monotonic() - began < 15
        eventually(lambda: "alarm journal-lost: pages go out" in unit.log.read_text())
        resource.prlimit(unit.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        eventually(lambda: "alarm journal-lost: over" in unit.log.read_text())
        assert rows(tmp_path / "data", "SELECT state, reason FROM page") == [("ended", "completed")]
        assert unit.end() == 0


def can_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


def test_p4_a_full_file_system_of_one_megabyte(tmp_path: Path, phones: Phones) -> None:
    if not can_mount():
        pytest.skip("mounting a file system needs root and mount namespaces (the test above needs neither)")
    store = tmp_path / "small"
    store.mkdir()
    configure(tmp_path, phones, store=store / "data")
    mount = f'mount -t tmpfs -o size=1m tmpfs "{store}" && exec "$@"'
    with Process(tmp_path, prefix=("unshare", "-m", "sh", "-c", mount, "sh")) as unit:
        inside = Path(f"/proc/{unit.process.pid}/root{store}")
        with (inside / "fill").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        for number in ("1", "2"):
            assert unit.page(tmp_path) == number
            assert unit.wait_for(number, "ended")["outcomes"] == {"executed": COUNT}
        eventually(lambda: "alarm journal-lost: pages go out" in unit.log.read_text())
        (inside / "fill").unlink()
        eventually(lambda: "alarm journal-lost: over" in unit.log.read_text())
        unit.page(tmp_path)
        unit.wait_for("3", "ended")
        time.sleep(1)
        shutil.copytree(inside / "data", tmp_path / "copy")  # SQLite follows no path through another's root
        assert rows(tmp_path / "copy", "SELECT count(*) FROM page WHERE state = 'ended'") == [(3,)]
        assert unit.end() == 0


def test_e8_the_pacer_is_killed_and_the_page_goes_on(tmp_path: Path, phones: Phones) -> None:
    configure(tmp_path, phones, audio_s=4)
    with Process(tmp_path) as unit:
        number = unit.page(tmp_path)
        unit.wait_for(number, "playing")
        eventually(lambda: len(unit.records("stream.started")) == COUNT)
        tasks = Path(f"/proc/{unit.process.pid}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        (pacer,) = [int(child) for child in children if "pacer_process" in Path(f"/proc/{child}/cmdline").read_text()]
        os.kill(pacer, signal.SIGKILL)
        page = unit.wait_for(number, "ended")
        assert (page["reason"], page["outcomes"]) == ("completed", {"executed": COUNT})
        assert not any(phones.listening.values())
        again = unit.page(tmp_path)
        assert unit.wait_for(again, "ended")["reason"] == "completed"
        assert unit.end() == 0
        frames = {record["first_frame"] == 0 for record in unit.records("stream.started")}
        assert frames == {True, False}, "streams began, and went on later in the audio"
    log = unit.log.read_text()
    assert "alarm pacer: the pacer process has ended" in log
    assert "alarm pacer: over" in log


def test_p2_sigterm_ends_in_time_whatever_phones_and_clients_do(tmp_path: Path, phones: Phones) -> None:
    code = "import gateway.push.page; gateway.push.page.STOP_S = 3.0\n" + RUN
    configure(tmp_path, phones, audio_s=60)
    with Process(tmp_path, code) as unit:
        number = unit.page(tmp_path)
        unit.wait_for(number, "playing")
        phones.hang.set()
        host, port = unit.url.removeprefix("http://").split(":")
        clients = [socket.create_connection((host, int(port))) for _ in range(5)]
        for client in clients[1:]:  # one says nothing, the others ask and never read
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.sendall(b"GET /api/inventory HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer t0ken\r\n\r\n" * 50)
        began = time.monotonic()
        assert unit.end() == 0
        assert time.monotonic() - began < 3.0 + 5.0
        for client in clients:
            client.close()
    assert rows(tmp_path / "data", "SELECT state, reason FROM page") == [("ended", "interrupted")]
    (ended,) = unit.records("page.ended")
    assert (ended["reason"], ended["outcomes"]) == ("interrupted", {"executed": COUNT})


def test_p11_a_gateway_that_sleeps_in_a_page_wakes_up_in_order(tmp_path: Path, phones: Phones) -> None:
    configure(tmp_path, phones, audio_s=3)
    with Process(tmp_path) as unit:
        number = unit.page(tmp_path)
        unit.wait_for(number, "playing")
        unit.process.send_signal(signal.SIGSTOP)
        time.sleep(4)  # longer than the audio and than any push may take
        unit.process.send_signal(signal.SIGCONT)
        page = unit.wait_for(number, "ended")
        assert (page["reason"], page["outcomes"]) == ("completed", {"executed": COUNT})
        assert phones.count("start") == phones.count("stop") == dict.fromkeys(phones.names, 1)
        assert unit.end() == 0


def test_p17_the_same_key_is_the_same_page_also_after_a_restart(tmp_path: Path, phones: Phones) -> None:
    configure(tmp_path, phones)
    with Process(tmp_path) as unit:
        first = unit.page(tmp_path, idempotency_key="fire-1")
        assert unit.page(tmp_path, idempotency_key="fire-1") == first
        unit.wait_for(first, "ended")
        assert unit.page(tmp_path, idempotency_key="fire-1") == first
        with pytest.raises(urllib.error.HTTPError) as caught:
            unit.page(tmp_path, idempotency_key="fire-1", repeat=2)
        with caught.value as answer:
            assert answer.code == 409
        assert unit.end() == 0
    with Process(tmp_path) as unit:
        assert unit.page(tmp_path, idempotency_key="fire-1") == first
        assert unit.page(tmp_path, idempotency_key="fire-2") == str(int(first) + 1)
        unit.wait_for(str(int(first) + 1), "ended")
        assert unit.end() == 0
    assert phones.count("start") == dict.fromkeys(phones.names, 2)


def test_p18_a_full_log_and_a_reader_that_left_cost_no_page(tmp_path: Path, phones: Phones) -> None:
    configure(tmp_path, phones)
    arguments = ["serve", "--config", str(tmp_path / "g.toml"), "--events", "/dev/full", "--status-s", "0.05"]
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            stdout=subprocess.PIPE,
            stderr=full,
            cwd=Path(__file__).parents[3],
        )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["urls"]["administration"]
        process.stdout.close()
        unit = object.__new__(Process)
        unit.url = url
        assert unit.wait_for(unit.page(tmp_path), "ended")["outcomes"] == {"executed": COUNT}
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()
