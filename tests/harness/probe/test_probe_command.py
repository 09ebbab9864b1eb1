"""`pushlab probe` against servers that run as processes of their own: our gateway, the mock CallManager, nginx."""

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from probe_endpoint import CALLMANAGER, GENTLE, Wrong, plan_for, running

from harness.probe import Result, probe
from harness.probe.checks import NAMES
from harness.probe.command import _reachable, main
from harness.probe.question import Credentials

PASSWORD = "Ab3-9xYz+qK7%m"
DEVICE = "SEP001BD4000001"
NO_PATIENCE = ("timing", "slow-client-closed")
"""Checks of seconds, which have tests of their own."""


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "harness.cli", *map(str, words)]


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(PASSWORD + "\n")
    return path


@contextmanager
def server(*words: object) -> Iterator[dict[str, str]]:
    """A server of pushlab; its URLs."""
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["urls"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


@pytest.fixture
def gateway(tmp_path: Path, password_file: Path) -> Iterator[str]:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("a token of twenty characters\n")
    config = tmp_path / "gateway.toml"
    config.write_text(f"""
[phone_port]
listen = "127.0.0.1:0"
[administration]
listen = "127.0.0.1:0"
token_file = "{token}"
[push_user]
name = "agpush"
password_file = "{password_file}"
[authentication]
callmanager_url = "{CALLMANAGER}"
[push]
source = "127.0.0.1"
""")
    with server("gateway", "serve", "--config", config) as urls:
        yield urls["authentication"]


@pytest.fixture
def callmanager(tmp_path: Path, password_file: Path) -> Iterator[str]:
    config = tmp_path / "callmanager.toml"
    config.write_text(f"""
listen = "127.0.0.1:0"
service_ms = {{ p50 = 2, p99 = 4 }}
[[user]]
name = "agpush"
password_file = "{password_file}"
""")
    with server("callmanager", "--config", config) as urls:
        yield next(url for url in urls.values() if url.startswith("http:")).split("/CCMCIP")[0].rstrip("/")


def run_command(folder: Path, *words: object, stdin: int = subprocess.DEVNULL) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("probe", *words), cwd=folder, stdin=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def by_verdict(results: Sequence[Result], verdict: str) -> set[str]:
    return {result.check.name for result in results if result.finding.verdict == verdict}


def checks(verdict: dict[str, Any], word: str) -> set[str]:
    return {check["name"] for check in verdict["checks"] if check["verdict"] == word}


@pytest.mark.real
@pytest.mark.slow
def test_our_gateway_is_known_and_asked_everything(tmp_path: Path, gateway: str, password_file: Path) -> None:
    ended = run_command(
        tmp_path, gateway, "--password-file", password_file, "--callmanager-url", CALLMANAGER,
        "--own-user-mismatch", "redirect", "--json",
    )  # fmt: skip
    verdict = json.loads(ended.stdout)
    assert checks(verdict, "fail") == set()
    # A machine that is busy with other things is too noisy for the timing.
    assert checks(verdict, "inconclusive") <= {"timing"}
    assert ended.returncode == (3 if checks(verdict, "inconclusive") else 0)
    assert checks(verdict, "none") == {"blank-as-plus", "beyond-ascii"}
    assert {check["kind"] for check in verdict["checks"]} == {"probe"}
    folder = tmp_path / "runs" / "latest"
    assert {file.name for file in folder.iterdir()} == {"verdict.json", "junit.xml", "report.html"}
    assert json.loads((folder / "verdict.json").read_text()) == verdict
    assert "pushlab probe http://127.0.0.1" in (folder / "junit.xml").read_text()
    everything = ended.stdout + ended.stderr + "".join(file.read_text() for file in folder.iterdir())
    assert PASSWORD not in everything
    assert "Ab3-9xYz%2BqK7%25m" not in everything


@pytest.mark.real
def test_a_foreign_endpoint_is_not_sent_wrong_passwords_unasked(
    tmp_path: Path, callmanager: str, password_file: Path
) -> None:
    url = f"{callmanager}/CCMCIP/authenticate.asp"
    words = ("--password-file", password_file, "--device", DEVICE, "--leave-out", "slow-client-closed")
    ended = run_command(tmp_path, url, *words)
    assert ended.returncode == 1  # the mock answers HTTP/1.1 without Host
    assert "--yes-send-wrong-passwords" in ended.stderr
    verdict = json.loads((tmp_path / "runs" / "latest" / "verdict.json").read_text())
    assert checks(verdict, "fail") <= {"missing-host"}
    assert {"wrong-password", "lockout", "timing"} <= checks(verdict, "inconclusive")
    assert "FAIL" in ended.stdout
    assert "answer-headers-69xx" in checks(verdict, "pass")


@pytest.mark.real
async def test_callmanager_locks_and_its_newer_face_cannot_be_read_by_a_69xx(callmanager: str) -> None:
    plan = plan_for(
        f"{callmanager}/ccmcip/authenticate.jsp",
        credentials=Credentials(user="agpush", password=PASSWORD, device=DEVICE),
        callmanager_url="",
        own_user_mismatch="",
        leave_out=frozenset(NO_PATIENCE),
    )
    results = await probe(plan)
    found = by_verdict(results, "fail")
    assert {"lockout", "answer-headers-69xx"} <= found <= {"lockout", "answer-headers-69xx", "missing-host"}
    assert {"redirect-target", "redirect-parameters"} <= by_verdict(results, "none")
    assert {"wrong-password", "right-prefix", "null-byte", "answer-body"} <= by_verdict(results, "pass")


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """nginx with a file that says AUTHORIZED to everybody."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port = probe_socket.getsockname()[1]
    page = folder / "cisco_auth" / "authenticate.html"
    page.parent.mkdir()
    page.write_bytes(b"AUTHORIZED")
    folder.chmod(0o755)
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(f"""
{user} daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{ {temporary} access_log off; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}
""")
    process = subprocess.Popen(["nginx", "-c", str(config), "-e", str(folder / "error.log")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as client:
                client.settimeout(0.1)
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
            assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}/cisco_auth/authenticate.html"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.real
async def test_a_static_file_that_says_yes_to_everybody(tmp_path: Path) -> None:
    with nginx(tmp_path) as url:
        results = await probe(plan_for(url, leave_out=frozenset(NO_PATIENCE)))
    assert {"right-credentials", "answer-body", "trace", "reset-storm"} <= by_verdict(results, "pass")
    failed = by_verdict(results, "fail")
    assert {"wrong-password", "other-user", "right-prefix", "missing-parameter", "right-by-post"} <= failed
    assert "answer-headers-69xx" in failed  # Last-Modified, ETag, Accept-Ranges


async def test_a_certificate_that_is_not_trusted_is_inconclusive_and_says_so(tmp_path: Path) -> None:
    import ssl

    from emulator.callmanager.certificate import ensure_certificate, server_context

    ensure_certificate(tmp_path / "c.pem", tmp_path / "k.pem", address="127.0.0.1")
    context = server_context(tmp_path / "c.pem", tmp_path / "k.pem")
    async with running(Wrong()) as (endpoint, _), trio.open_nursery() as nursery:

        async def serve(stream: trio.SocketStream) -> None:
            try:
                await endpoint.serve(trio.SSLStream(stream, context, server_side=True, https_compatible=True))
            except (trio.BrokenResourceError, ssl.SSLError):
                await trio.aclose_forcefully(stream)

        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        url = f"https://127.0.0.1:{listeners[0].socket.getsockname()[1]}/cisco_auth/authenticate.html"
        trusting = await probe(plan_for(
            url, tls=ssl.create_default_context(cafile=tmp_path / "c.pem"), leave_out=frozenset(NO_PATIENCE),
            care=type(GENTLE)(per_s=0, wrong_passwords=100, lockout_failures=6, connections=3, resets=5),
        ))  # fmt: skip
        distrusting = await probe(plan_for(url, tls=ssl.create_default_context()))
        nursery.cancel_scope.cancel()
    assert by_verdict(trusting, "fail") == set()
    assert len(by_verdict(trusting, "pass")) > 40
    assert by_verdict(distrusting, "inconclusive") == {result.check.name for result in distrusting}
    assert "--ca-file" in distrusting[0].finding.why


@pytest.mark.real
@pytest.mark.parametrize(("said", "sent"), [("y\n", True), ("\n", False), ("no\n", False)])
def test_somebody_at_the_terminal_is_asked(
    said: str, *, sent: bool, tmp_path: Path, callmanager: str, password_file: Path
) -> None:
    terminal, own = pty.openpty()
    os.write(terminal, said.encode())
    left = [word for name in sorted(NAMES - {"wrong-password", "right-credentials"}) for word in ("--leave-out", name)]
    url = f"{callmanager}/CCMCIP/authenticate.asp"
    ended = run_command(tmp_path, url, "--password-file", password_file, "--device", DEVICE, "--json", *left, stdin=own)
    os.close(own)
    os.close(terminal)
    assert "locks an account after 3" in ended.stderr
    assert "[y/N]" in ended.stderr
    verdict = json.loads(ended.stdout)
    assert "wrong-password" in checks(verdict, "pass" if sent else "inconclusive")
    assert ended.returncode == (0 if sent else 3)


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_it(tmp_path: Path, callmanager: str, password_file: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command("probe", f"{callmanager}/CCMCIP/authenticate.asp", "--password-file", password_file),
        cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("probing"):
            break
    time.sleep(0.5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["10.1.1.5"], "expected a URL"),
            (["http://127.0.0.1/x", "--leave-out", "tracee"], "no check 'tracee'"),
            (["http://127.0.0.1/x", "--models", "7961,9999"], "no model '9999'"),
            (["http://127.0.0.1/x", "--most-s", "0"], "--most-s"),
            (["http://127.0.0.1/x", "--callmanager-url", "10.1.1.5"], "--callmanager-url: expected a URL"),
            (["http://127.0.0.1/x", "--user", ""], "--user: expected a name"),
            (["http://127.0.0.1/x", "--lockout-failures", "-1"], "from 0 to 1000"),
        ],
    )
    def test_wrong_usage(self, words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
        assert told in capsys.readouterr().err

    def test_a_password_file_that_others_may_read(
        self, password_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        password_file.chmod(0o644)
        assert main(["http://127.0.0.1/x", "--password-file", str(password_file)]) == 4
        assert "chmod 600" in capsys.readouterr().err

    def test_nobody_to_ask_for_the_password(self, tmp_path: Path) -> None:
        ended = run_command(tmp_path, "http://127.0.0.1/x")
        assert ended.returncode == 4
        assert "--password-file" in ended.stderr

    def test_a_file_without_certificates(self, password_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["https://127.0.0.1/x", "--password-file", str(password_file), "--ca-file", str(password_file)]
        assert main(words) == 4
        assert "--ca-file" in capsys.readouterr().err
        assert PASSWORD not in capsys.readouterr().err

    def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(
        self, tmp_path: Path, password_file: Path
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
            ended = run_command(tmp_path, url, "--password-file", password_file, "--out", password_file)
            with pytest.raises(BlockingIOError):
                listener.accept()
        assert ended.returncode == 5
        assert "nothing was probed" in ended.stderr

    def test_a_name_of_two_addresses_is_tried_at_both(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            addresses = [(socket.AF_INET, ("127.0.0.2", port)), (socket.AF_INET, ("127.0.0.1", port))]
            assert trio.run(_reachable, addresses) == addresses[1]
            assert trio.run(_reachable, addresses[:1]) == addresses[0]

    def test_nobody_answers(self, tmp_path: Path, password_file: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
            ended = run_command(tmp_path, url, "--password-file", password_file)
        assert ended.returncode == 3
        assert "INCONCLUSIVE" in ended.stdout
        assert "Connection refused" in ended.stdout
