"""`pushlab phones` as a process: ready line, status, stops, exit codes."""

import contextlib
import json
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from emulator.fleet.command import main

pytestmark = pytest.mark.real
CODE = "import sys; from emulator.fleet.command import main; sys.exit(main(sys.argv[1:]))"


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@contextmanager
def phones(
    *arguments: str, port: int | None = None, descriptors: int = 0, hard: int = 0
) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable, "-c", CODE, "--port", str(port or free_port(socket.SOCK_STREAM)),
        "--rtp-port", str(free_port(socket.SOCK_DGRAM)), *arguments,
    ]  # fmt: skip
    if descriptors:
        limit = f"ulimit -Sn {descriptors}; ulimit -Hn {hard or descriptors}; exec"
        command = ["bash", "-c", f'{limit} "$@"', "-", *command]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> dict[str, dict[str, str]]:
    assert process.stdout is not None
    read: dict[str, dict[str, str]] = json.loads(process.stdout.readline())
    return read


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "stdin"])
def test_ready_serve_stop(tmp_path: Path, how: str) -> None:
    events = tmp_path / "events.jsonl"
    options = ["--count", "3", "--events", str(events), "--status-s", "0.05", "--stop-with-stdin"]
    with phones(*options) as process:
        ready = line(process)
        assert ready["ready"] is True
        with urlopen(ready["urls"]["phones"] + "/DeviceInformationX") as page:  # noqa: S310 - our own address
            assert b"<HostName>SEP001BD4000001</HostName>" in page.read()
        assert line(process) == {"status": {"pushes": 0, "authentications": 0, "listening": 0, "packets": 0}}
        if how == "stdin":
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(getattr(signal, how))
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "3 phones have no authentication URL: they accept every push without asking\n"
    ended = json.loads(events.read_text().splitlines()[-1])
    assert (ended["kind"], ended["part"], ended["dropped"]) == ("part.ended", "phones", 0)
    assert ended["cpu_s"] > 0
    assert ended["rss_bytes"] > 0
    assert "count" in ended["loop_lag_ms"]


def test_a_second_fleet_on_the_same_port_ends_with_5() -> None:
    port = free_port(socket.SOCK_STREAM)
    with phones("--count", "1", port=port) as first:
        assert line(first)["ready"]
        with phones("--count", "1", port=port) as second:
            assert second.wait(10) == 5
            assert second.stderr is not None
            assert f"cannot listen on 0.0.0.0:{port}: Address already in use" in second.stderr.read()


def test_running_out_of_descriptors_costs_requests_and_not_the_fleet() -> None:
    """Questions, fetches and groups each want a descriptor when there is none."""
    server = socket.create_server(("127.20.128.10", 0), backlog=128)  # accepts and never answers
    url = f"http://127.20.128.10:{server.getsockname()[1]}/x"

    def push(number: int, address: str) -> bytes:
        urls = f'<ExecuteItem URL="{url}"/><ExecuteItem URL="RTPMRx:239.1.1.{number + 1}:{20480 + 2 * number}"/>'
        body = f"XML=<CiscoIPPhoneExecute>{urls}</CiscoIPPhoneExecute>".encode()
        with socket.create_connection((address, port), timeout=1) as sock:
            sock.sendall(b"POST /CGI/Execute HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            with contextlib.suppress(TimeoutError):  # not accepted while there is none to accept it with
                return sock.recv(4096)[:12]
        return b""

    with server, phones("--count", "60", "--model", "7961", descriptors=48) as process:
        port = int(line(process)["urls"]["phones"].rpartition(":")[2])
        with ThreadPoolExecutor(60) as pool:
            answers = list(pool.map(push, range(60), (f"127.20.0.{number}" for number in range(1, 61))))
        assert set(answers) == {b"HTTP/1.1 200", b""}
        assert process.poll() is None
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "handler failed" not in said
    assert "Traceback" not in said
    assert "Too many open files" in said  # or it would show nothing


def test_the_soft_limit_of_descriptors_is_raised() -> None:
    with phones("--count", "1", descriptors=256, hard=4096) as process:
        assert line(process)["ready"]
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (4096, 4096)


def test_a_second_control_api_on_the_same_address_ends_with_5() -> None:
    """Both would be reached by turns."""
    control = f"127.20.128.10:{free_port(socket.SOCK_STREAM)}"
    with phones("--count", "1", "--control", control) as first:
        assert line(first)["ready"]
        with phones("--count", "1", "--control", control) as second:
            assert second.wait(10) == 5
            assert second.stderr is not None
            assert control in second.stderr.read()


def test_a_taken_port_ends_with_5() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken, phones("--count", "1", port=taken.getsockname()[1]) as process:
        assert process.wait(10) == 5


def test_wrong_configuration_ends_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "0", "--auth-url", "https://x/"]) == 4
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "--auth-url: expected http:// or https:// and an IPv4 address",
        "0 phones: expected 1 to 32766 in 127.20.0.0/17",
    ]
    assert main(["--csv", "/nowhere/roster.csv"]) == 4
    assert main(["--count", "1", "--events", "/nowhere/events.jsonl"]) == 4


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["--count", "1", "--port", "x"]) == 2
    assert main(["--help"]) == 0
    assert "pushlab phones" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--boot", "fetch"), "--boot fetch: --callmanager URL is needed"),
        (("--callmanager", "https://10.0.0.1"), "--callmanager https://10.0.0.1: expected http://ADDRESS[:6970]"),
        (
            ("--callmanager", "http://10.0.0.1", "--auth-url", "http://10.0.0.1/"),
            "--auth-url: phones that fetch take it from CallManager (or --boot instant)",
        ),
        (("--trust", "/nowhere.pem"), "--trust /nowhere.pem: cannot be read: No such file or directory"),
    ],
)
def test_options_of_booting_that_cannot_be(
    options: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--count", "1", *options]) == 4
    assert line in capsys.readouterr().err.splitlines()


def test_instant_asks_nobody_though_callmanager_is_named() -> None:
    options = ["--count", "1", "--callmanager", "http://127.20.128.99:9", "--boot", "instant", "--stop-with-stdin"]
    with phones(*options) as process:
        ready = line(process)
        with urlopen(ready["urls"]["phones"] + "/DeviceInformationX") as page:  # noqa: S310 - our own address
            assert page.status == 200
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0
def test_https_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs the Debian package openssl")
    certificate = tmp_path / "phones.pem"
    port = free_port(socket.SOCK_STREAM)
    options = ["--count", "2", "--model", "CP-8851=0.5,CP-7960G=0.5", "--network", "127.20.98.0/24"]
    with phones(*options, "--https-port", str(port), "--certificate", str(certificate)) as process:
        urls = line(process)["urls"]
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False  # one certificate for all phones
        page = b""
        with (
            socket.create_connection((urls["phones_secured"].split("/")[2].split(":")[0], port), 5) as plain,
            context.wrap_socket(plain) as sock,
        ):
            sock.sendall(b"GET /DeviceInformationX HTTP/1.0\r\n\r\n")
            while more := sock.recv(65536):
                page += more
        assert b"<modelNumber>CP-8851" in page
        old = {"127.20.98.1", "127.20.98.2"} - {urls["phones_secured"].split("/")[2].split(":")[0]}
        with socket.create_connection((old.pop(), port), 5) as plain:  # a 7960 has no HTTPS
            assert plain.recv(1) == b""
    assert certificate.with_suffix(".key").stat().st_mode & 0o777 == 0o600


def test_https_needs_both_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--count", "1", "--https-port", "8443"]) == 4
    assert main(["--count", "1", "--certificate", str(tmp_path / "a.pem")]) == 4
    assert capsys.readouterr().err.count("--certificate: expected together with --https-port") == 2


def test_callmanager_and_phones_share_a_port_of_one_host_and_two_callmanagers_do_not() -> None:
    port = free_port(socket.SOCK_STREAM)
    code = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--listen", f"127.20.130.31:{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as callmanager:
        try:
            assert line(callmanager)["ready"]
            with phones("--count", "1", "--network", "127.20.97.0/24", port=port) as process:
                assert line(process)["ready"]
                question = "UserID=a&Password=b&devicename=SEP001BD4000001"
                url = f"http://127.20.130.31:{port}/CCMCIP/authenticate.asp?{question}"
                with urlopen(url) as answer:
                    assert answer.read() == b"UN-AUTHORIZED"
                with urlopen(f"http://127.20.97.1:{port}/DeviceInformationX") as page:
                    assert b"<MACAddress>" in page.read()
            second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            assert (second.returncode, "Address already in use" in second.stderr) == (5, True)
        finally:
            callmanager.kill()
