"""The commands for who has the machine, on a real data folder, beside a real gateway and without one."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.accounts import Role
from gateway.accounts.tables import accounts
from gateway.store import Database

pytestmark = pytest.mark.real

GATEWAY = "127.20.128.13"
RUN = "import sys; from gateway.command import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).parents[2]
LIMIT_S = 30
PASSWORD = "correct horse battery\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with socket.create_server((GATEWAY, 0)) as one, socket.create_server((GATEWAY, 0)) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "g.toml").write_text(
        f'[phone_port]\nlisten = "{GATEWAY}:{ports[0]}"\n[administration]\nlisten = "{GATEWAY}:{ports[1]}"\n'
        '[store]\nfolder = "data"\nkey_file = "keys/key"\n'
    )
    return tmp_path


def run(folder: Path, *arguments: str, typed: str = "") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=ROOT,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def command(folder: Path, *words: str, typed: str = "") -> tuple[int, str]:
    return run(folder, *words, "--config", str(folder / "g.toml"), typed=typed)


@pytest.fixture
def started(folder: Path) -> Iterator[Path]:
    """A gateway runs on the folder; not at a terminal."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "serve", "--config", str(folder / "g.toml")],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["ready"]
        yield folder
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_g1_the_console_is_never_locked(started: Path) -> None:
    """And a token is printed by the command alone where standard output is no terminal: it may be a log file."""
    status, printed = command(started, "account", "set-up")
    assert status == 0
    token = printed.split(": ")[1].split("\n")[0]
    assert len(token) == 24
    log = (started / "log").read_text()
    assert "pushlab gateway account set-up" in log
    assert token not in log
    assert command(started, "account", "add", "ada", "--role", "administrator", typed=PASSWORD)[0] == 0
    assert command(started, "account", "add", "ada", typed=PASSWORD) == (1, "there is an account ada already\n")
    assert command(started, "account", "add", "a b", typed=PASSWORD)[0] == 1
    assert "at least 12" in command(started, "account", "reset-password", "ada", typed="short\n")[1]
    assert command(started, "account", "reset-password", "ada", typed="another long password\n")[0] == 0
    assert command(started, "account", "reset-password", "nobody", typed=PASSWORD)[0] == 1
    assert command(started, "account", "list")[1].split() == ["ada", "administrator"]
    assert command(started, "audit", "verify") == (0, "audit trail whole: 3 entries\n")


def test_g11_the_console_finds_a_break(folder: Path) -> None:
    assert "start the gateway once" in command(folder, "audit", "verify")[1]
    with Database.open(folder / "data"):
        pass
    for name in ("ada", "otto"):
        assert command(folder, "account", "add", name, typed=PASSWORD)[0] == 0
    connection = sqlite3.connect(folder / "data" / "gateway.sqlite")
    with connection:
        connection.execute("UPDATE audit SET subject = 'eve' WHERE number = 1")
    connection.close()
    status, printed = command(folder, "audit", "verify")
    assert (status, "entry 1 was changed" in printed) == (1, True)


def test_backup_while_it_runs_and_restore_when_it_does_not(started: Path) -> None:
    assert command(started, "account", "add", "ada", "--role", "administrator", typed=PASSWORD)[0] == 0
    out = started / "b.backup"
    status, printed = run(started, "backup", "--config", str(started / "g.toml"), str(out))
    assert (status, "the key file is not in it" in printed) == (0, True)
    status, printed = run(started, "restore", "--config", str(started / "g.toml"), str(out))
    assert (status, "a gateway is using it" in printed) == (1, True)
    other = started / "other"
    other.mkdir()
    (other / "g.toml").write_text((started / "g.toml").read_text())
    status, printed = run(other, "restore", "--config", str(other / "g.toml"), str(out))
    assert (status, "is missing: put back its copy" in printed) == (0, True)
    with Database.open(other / "data") as database:
        found = database.write_now(accounts)
    assert found["ada"].role is Role.ADMINISTRATOR


def test_the_certificate_of_the_first_start(started: Path) -> None:
    data = started / "data"
    assert (data / "administration.key").stat().st_mode & 0o777 == 0o600
    found = (started / "g.toml").read_text().split('[administration]\nlisten = "')[1].split('"')[0]
    context = ssl.create_default_context(cafile=data / "administration.crt")
    with urllib.request.urlopen(f"https://{found}/health", timeout=LIMIT_S, context=context) as answer:
        assert json.load(answer) == {"status": "ok", "alarms": []}


def test_commands_reach_a_gateway_by_https(started: Path) -> None:
    token = started / "mine"
    status, printed = command(started, "inventory", "list")
    assert (status, "--token-file" in printed) == (4, True)
    token.write_text("wrong")
    token.chmod(0o600)
    assert command(started, "inventory", "list", "--token-file", str(token))[0] == 1
    connection = sqlite3.connect(started / "data" / "gateway.sqlite")
    with connection:
        digest = hashlib.sha256(b"wrong").digest()
        connection.execute("INSERT INTO api_token VALUES ('mine', ?, 'operator', 'ada', 0, NULL)", (digest,))
    connection.close()
    for _ in range(20):  # the gateway looks every two seconds
        status, printed = command(started, "inventory", "list", "--token-file", str(token))
        if status == 0:
            break
    assert (status, printed.split()[:2]) == (0, ["directory_number", "phone"])
    status, printed = run(
        started, "page", "--config", str(started / "g.toml"), "--token-file", str(token), str(started / "no.wav")
    )
    assert (status, "inventory is empty" in printed) == (4, True)


def test_no_gateway_answers(folder: Path) -> None:
    (folder / "g.toml").write_text((folder / "g.toml").read_text().replace("[store]", 'token_file = "token"\n[store]'))
    status, printed = command(folder, "inventory", "list")
    assert (status, "was the gateway started?" in printed) == (4, True)


def test_the_first_start_at_a_terminal_prints_the_token_once(folder: Path) -> None:
    master, slave = pty.openpty()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "serve", "--config", str(folder / "g.toml")], stdout=slave, stderr=log, cwd=ROOT
        )
    os.close(slave)
    shown = b""
    try:
        while b"good once" not in shown or not shown.rstrip(b" ").endswith(b"\n"):
            shown += os.read(master, 4096)
        token = shown.decode().split("for an hour: ")[1].split()[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    kept = (folder / "log").read_bytes() + b"".join(p.read_bytes() for p in (folder / "data").iterdir())
    assert token.encode() not in kept
    assert token.replace("-", "").encode() not in kept
