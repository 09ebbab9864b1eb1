"""The process that runs a directory server: ready line, lifeline, signals, and what is left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.bed import parts
from harness.bed.directory.software import is_root, missing

ROOT = Path(__file__).parents[4]
ENDS_S = 15.0

pytestmark = pytest.mark.real
needs_slapd = pytest.mark.skipif(bool(missing("slapd")), reason=f"needs the Debian package {missing('slapd')}")
needs_samba = pytest.mark.skipif(
    bool(missing("samba")) or not is_root(), reason=f"needs root and the Debian packages {missing('samba')}"
)


def free_ports(count: int) -> list[int]:
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


def configured(folder: Path, **changes: object) -> Path:
    ldap, ldaps = free_ports(2)
    for name in ("manager", "user"):
        (folder / name).write_text(f"Geheim-{name}-1\n")
    table: dict[str, object] = {
        "kind": "slapd",
        "address": "127.0.0.1",
        "ldap_port": ldap,
        "ldaps_port": ldaps,
        "folder": str(folder / "directory"),
        "certificate": str(folder / "certificate.pem"),
        "key": str(folder / "key.pem"),
        "manager_password_file": str(folder / "manager"),
        "accounts": [{"name": "agpush", "password_file": str(folder / "user")}],
    } | changes
    parts.make_certificate(folder / "certificate.pem", folder / "key.pem", address=str(table["address"]))
    path = folder / "directory.json"
    path.write_text(json.dumps(table))
    return path


@contextmanager
def served(config: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "harness.bed.directory.server", "--config", str(config)]
    environment = os.environ | {"XDG_CACHE_HOME": str(config.parent / "cache")}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    said = json.loads(line)
    assert said["ready"] is True
    return dict(said["urls"])


def takes_connections(url: str) -> bool:
    host, _, port = url.rpartition("//")[2].rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def gone(url: str) -> bool:
    until = time.monotonic() + ENDS_S
    while time.monotonic() < until:
        if not takes_connections(url):
            return True
        time.sleep(0.02)
    return False


@needs_slapd
@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGINT"])
def test_it_is_ready_when_it_takes_connections_and_leaves_nothing(tmp_path: Path, end: str) -> None:
    with served(configured(tmp_path)) as process:
        urls = ready(process)
        assert set(urls) == {"ldap", "ldaps"}
        assert all(takes_connections(url) for url in urls.values())
        assert (tmp_path / "directory" / "slapd.conf").stat().st_mode & 0o077 == 0
        assert all("Geheim" not in path.read_text() for path in (tmp_path / "directory").glob("*.*"))
        if end != "stdin":
            process.send_signal(getattr(signal, end))
        _, log = process.communicate(timeout=ENDS_S)
        assert process.returncode == 0, log
        assert "Geheim" not in log
        assert gone(urls["ldap"])
        assert not (tmp_path / "directory").exists()


@needs_slapd
def test_the_server_dies_with_it_whatever_it_dies_of(tmp_path: Path) -> None:
    with served(configured(tmp_path)) as process:
        urls = ready(process)
        process.kill()
        assert gone(urls["ldap"])


@needs_slapd
def test_a_server_that_ends_by_itself_is_missed(tmp_path: Path) -> None:
    with served(configured(tmp_path)) as process:
        ready(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        [slapd] = [int(child) for child in children]
        os.kill(slapd, signal.SIGKILL)
        assert process.wait(ENDS_S) == 1
        assert process.stderr is not None
        assert "ended by itself" in process.stderr.read()


@needs_slapd
def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        with served(configured(tmp_path, ldaps_port=port)) as process:
            _, log = process.communicate(timeout=ENDS_S)
    assert process.returncode == 5
    assert f"127.0.0.1:{port} is taken already" in log
    assert not (tmp_path / "directory").exists()


@needs_samba
@pytest.mark.slow
def test_a_domain_controller_too(tmp_path: Path) -> None:
    config = configured(tmp_path, kind="samba", address="127.77.3.2", ldap_port=389, ldaps_port=636)
    for _ in range(2):  # the second time from the cache
        with served(config) as process:
            urls = ready(process)
            assert not takes_connections("ldap://127.77.3.3:389")
            _, log = process.communicate(timeout=ENDS_S)
            assert process.returncode == 0, log
            assert "Geheim" not in log
            assert gone(urls["ldap"])
            assert not (tmp_path / "directory").exists()
    assert len(list((tmp_path / "cache" / "pushlab").iterdir())) == 1


@needs_samba
@pytest.mark.slow
def test_an_account_that_samba_refuses_is_told(tmp_path: Path) -> None:
    accounts = [{"name": "agpush", "password_file": str(tmp_path / "user")}] * 2
    config = configured(tmp_path, kind="samba", address="127.77.3.2", ldap_port=389, ldaps_port=636, accounts=accounts)
    with served(config) as process:
        _, log = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "samba-tool user create failed" in log
    assert "agpush" in log
    assert "Geheim" not in log
