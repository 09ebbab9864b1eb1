"""The command as a process of its own, and the service on the real engine."""

import base64
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from emulator import engine
from emulator.callmanager.command import main
from emulator.callmanager.configuration import Configuration
from emulator.callmanager.service import Service
from emulator.callmanager.users import Devices, Users
from emulator.records import Records

SECRET = "Geheim-77+%"
ENCODED = "Geheim-77%2B%25"
PROGRAM = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
QUESTION = f"UserID=agpush&Password={ENCODED}&devicename=SEP001BD4000001"
ROOT = Path(__file__).parents[3]


def configuration(folder: Path, extra: str = "") -> Path:
    secret = folder / "agpush.password"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    (folder / "token").write_text("t0ken\n")
    (folder / "token").chmod(0o600)
    path = folder / "callmanager.toml"
    path.write_text(
        f"""listen = "127.0.0.1:0"
service_ms = {{ p50 = 2, p99 = 4 }}
{extra}
[[user]]
name = "agpush"
password_file = "agpush.password"
"""
    )
    return path


@contextlib.contextmanager
def running(*argv: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, *map(str, argv)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            assert ready["ready"] is True
            yield process, ready["urls"]
        finally:
            process.kill()


def asked(url: str, request: str) -> bytes:
    host, _, port = url.split("/")[2].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(request.encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


def records_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.real
@pytest.mark.parametrize("way", ["SIGTERM", "SIGINT", "lifeline"])
def test_a_whole_life(tmp_path: Path, way: str):
    events = tmp_path / "events.jsonl"
    arguments = ["--config", configuration(tmp_path), "--events", events, "--status-s", "0.1", "--stop-with-stdin"]
    with running(*arguments) as (process, urls):
        assert process.stdout is not None
        assert process.stdin is not None
        asp = asked(urls["authentication"], f"GET /CCMCIP/authenticate.asp?{QUESTION} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asp.startswith(b"HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/5.0\r\n")
        assert asp.endswith(b"\r\n\r\nAUTHORIZED")
        jsp = asked(urls["authentication_jsp"], "GET /ccmcip/authenticate.jsp HTTP/1.0\r\n\r\n")
        assert jsp.startswith(b"HTTP/1.1 200 \r\nX-Frame-Options: SAMEORIGIN\r\n")
        assert jsp.endswith(b"\r\n\r\nERROR")
        status: dict[str, Any] = {}
        while status.get("authentications") != 2:
            status = json.loads(process.stdout.readline())["status"]
        assert status == {"authentications": 2, "busy": 0, "queue": 0, "rejected": 0}
        if way == "lifeline":
            process.stdin.close()
            process.stdin = None
        else:
            process.send_signal(getattr(signal, way))
            process.wait(timeout=10)  # before the lifeline is let go: one way to stop at a time
        code, out, err = ended(process)
    assert (code, err) == (0, "")
    records = records_of(events)
    assert [(r["kind"], r.get("answer")) for r in records] == [
        ("authentication.answered", "authorized"),
        ("authentication.answered", "error"),
        ("schedule.lateness", None),
        ("callmanager.ended", None),
        ("part.ended", None),
    ]
    assert records[-1]["part"] == "callmanager"
    assert {r["witness"] for r in records} == {"callmanager"}
    assert records[2]["count"] == 2
    for text in (out, events.read_text()):
        assert "Geheim" not in text
        assert "UserID" not in text


@pytest.mark.real
def test_administration_changes_who_is_authorised(tmp_path: Path):
    extra = 'administration = "127.0.0.1:0"\nadministration_token_file = "token"'
    ask = f"GET /CCMCIP/authenticate.asp?{QUESTION} HTTP/1.1\r\nHost: a\r\n\r\n"
    with running("--config", configuration(tmp_path, extra), "--stop-with-stdin") as (process, urls):
        assert asked(urls["authentication"], ask).endswith(b"\r\n\r\nAUTHORIZED")
        head = "Host: a\r\nAuthorization: Bearer t0ken\r\nConnection: close\r\n"
        body = '{"cti": false}'
        change = f"PATCH /api/users/agpush HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
        answer = asked(urls["administration"], change)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert SECRET.encode() not in answer
        assert asked(urls["authentication"], ask).endswith(b"\r\n\r\nUN-AUTHORIZED")
        code, _, err = ended(process)
    assert (code, err) == (0, "")


@pytest.mark.real
def test_pages_of_the_administrator_and_users_from_a_file(tmp_path: Path):
    for name, text in (("admin.password", "Geheim-99"), ("users.csv", f"name,password\nsecond,{SECRET}\n")):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text)
    extra = (
        'administration = "127.0.0.1:0"\nusers_csv = "users.csv"\n'
        '[administrator]\nname = "ccm"\npassword_file = "admin.password"'
    )
    with running("--config", configuration(tmp_path, extra), "--stop-with-stdin") as (process, urls):
        question = QUESTION.replace("agpush", "second")
        ask = f"GET /CCMCIP/authenticate.asp?{question} HTTP/1.1\r\nHost: a\r\n\r\n"
        assert asked(urls["authentication"], ask).endswith(b"\r\n\r\nAUTHORIZED")
        basic = base64.b64encode(b"ccm:Geheim-99").decode()
        head = f"Host: a\r\nAuthorization: Basic {basic}\r\nConnection: close\r\n"
        page = asked(urls["administration_pages"], f"GET /ccmadmin/user/directory HTTP/1.1\r\n{head}\r\n")
        assert b">second</a>" in page
        start = asked(urls["administration_pages"], f"GET /ccmadmin/ HTTP/1.1\r\n{head}\r\n")
        assert urls["authentication"].encode() in start
        code, _, err = ended(process)
    assert (code, err) == (0, "")


def test_a_taken_port_is_named_and_ends_with_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["--listen", address, "--config", str(configuration(tmp_path))]) == 5
        assert capsys.readouterr().err == f"cannot listen on {address}: Address already in use (EADDRINUSE)\n"
        extra = f'administration = "{address}"\nadministration_token_file = "token"'
        assert main(["--config", str(configuration(tmp_path, extra))]) == 5
        assert address in capsys.readouterr().err


def test_configuration_errors_end_with_4_and_are_all_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = configuration(tmp_path, "worker = 3\nqueue = -1")
    assert main(["--config", str(path)]) == 4
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: worker: unknown key; did you mean workers?",
        f"{path}: queue: a whole number from 0 to 1000000 is needed",
    ]


@pytest.mark.parametrize("argv", [["--listen", "nowhere"], ["--status-s", "0"], ["--what"]])
def test_wrong_usage_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith("usage: pushlab callmanager ")


@pytest.mark.real
def test_without_users_it_starts_and_says_so():
    with running("--listen", "127.0.0.1:0", "--stop-with-stdin") as (process, urls):
        ask = f"GET /CCMCIP/authenticate.asp?{QUESTION} HTTP/1.1\r\nHost: a\r\n\r\n"
        assert asked(urls["authentication"], ask).endswith(b"\r\n\r\nUN-AUTHORIZED")
        code, _, err = ended(process)
    assert code == 0
    assert err.startswith("pushlab callmanager: there is no user, so nobody can be authorised; add [[user]] ")


@pytest.mark.real
def test_web_framework_is_loaded_only_where_administration_is_asked_for():
    program = "import sys, emulator.callmanager.command; print({'quart', 'hypercorn', 'h11'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        f"GET /ccmcip/authenticate.jsp?{QUESTION} HTTP/1.1\r\nHost: a\r\nAccept-Language: de\r\n\r\n",
        f"POST /CCMCIP/authenticate.asp HTTP/1.1\r\nHost: a\r\nContent-Length: {len(QUESTION)}\r\n\r\n{QUESTION}",
        f"POST /ccmcip/authenticate.jsp HTTP/1.0\r\nContent-Length: {len(QUESTION)}\r\n\r\n{QUESTION}",
    ],
)
async def test_one_byte_at_a_time_over_a_real_socket(tmp_path: Path, request_bytes: str):
    users = Users()
    users.add(name="agpush", password=SECRET, cti=True, devices=Devices(everything=True))
    records = Records(tmp_path / "events.jsonl", witness="callmanager", clock=lambda: 0)
    service = Service(Configuration(service_p50_ms=1, service_p99_ms=1), users, records)
    door = engine.listen("127.0.0.1", 0)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.serve, [door], service.handle)
            async with await trio.open_tcp_stream(*door.getsockname()) as stream:
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                own = "{}:{}".format(*stream.socket.getsockname())
                for byte in request_bytes.encode():
                    await stream.send_all(bytes([byte]))
                answer = b"".join([chunk async for chunk in stream])
            nursery.cancel_scope.cancel()
    assert answer.endswith(b"\r\n\r\nAUTHORIZED")
    records.close()
    [record] = records_of(tmp_path / "events.jsonl")
    assert (record["answer"], record["connection"]) == ("authorized", own)


async def test_a_client_that_left_is_seen_on_a_real_socket(tmp_path: Path):
    records = Records(tmp_path / "events.jsonl", witness="callmanager", clock=lambda: 0)
    service = Service(Configuration(service_p50_ms=50, service_p99_ms=50), Users(), records)
    door = engine.listen("127.0.0.1", 0)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.serve, [door], service.handle)
            stream = await trio.open_tcp_stream(*door.getsockname())
            await stream.send_all(b"GET /CCMCIP/authenticate.asp HTTP/1.1\r\nHost: a\r\n\r\n")
            while service.status()["busy"] == 0:
                await trio.lowlevel.checkpoint()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            await stream.aclose()
            while not records._waiting:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    records.close()
    [record] = records_of(tmp_path / "events.jsonl")
    assert record["answer"] == "abandoned"


@pytest.mark.real
def test_phones_get_their_configuration_at_the_doors_that_the_ready_line_names(tmp_path: Path):
    (tmp_path / "devices.csv").write_text("device_name\nSEP001BD4000001\n")
    extra = """configuration_listen = "127.0.0.1:0"
tftp_listen = "127.0.0.1:0"
secured_listen = "127.0.0.1:0"
devices_csv = "devices.csv"
[enterprise]
url_authentication = "http://10.0.0.1/a"
"""
    with running("--config", configuration(tmp_path, extra)) as (process, urls):
        file = asked(urls["configuration"], "GET /SEP001BD4000001.cnf.xml HTTP/1.0\r\n\r\n")
        assert b"<authenticationURL>http://10.0.0.1/a</authenticationURL>" in file
        listed = asked(urls["configuration"], "GET /trust-list.pem HTTP/1.0\r\n\r\n")
        assert listed.endswith((tmp_path / "callmanager-certificate.pem").read_bytes())
        assert b"PRIVATE" not in listed
        host, _, port = urls["tftp"].removeprefix("tftp://").rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.sendto(b"\0\1SEP001BD4000001.cnf.xml\0octet\0", (host, int(port)))
            assert sock.recv(600)[:5] == b"\0\3\0\1<"
        process.send_signal(signal.SIGTERM)
        code, _, err = ended(process)
    assert (code, err) == (0, "")


@pytest.mark.real
def test_phones_are_given_callmanagers_own_page_until_somebody_says_another(tmp_path: Path):
    (tmp_path / "devices.csv").write_text("device_name\nSEP001BD4000001\n")
    extra = 'configuration_listen = "127.0.0.1:0"\ndevices_csv = "devices.csv"\n'
    with running("--config", configuration(tmp_path, extra)) as (process, urls):
        file = asked(urls["configuration"], "GET /SEP001BD4000001.cnf.xml HTTP/1.0\r\n\r\n")
        process.send_signal(signal.SIGTERM)
        ended(process)
    assert f"<authenticationURL>{urls['authentication']}</authenticationURL>".encode() in file


def test_a_door_of_tftp_that_is_taken_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["--config", str(configuration(tmp_path, f'tftp_listen = "{place}"'))]) == 5
    assert f"cannot listen on {place}: Address already in use" in capfd.readouterr().err
