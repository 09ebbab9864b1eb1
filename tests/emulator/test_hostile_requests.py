"""Malformed and hostile requests to the phones' port and to CallManager's authentication port, on real sockets.

Each is answered clearly or the connection is closed; nothing is raised into the log, and an ordinary request is
answered within a second afterwards. The rows are those of faults.md A1 to A24 that ask for it.
"""

import logging
import random
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from emulator.callmanager.configuration import Configuration
from emulator.callmanager.service import Service, connection_limits
from emulator.callmanager.users import Users
from emulator.engine import listen, serve
from emulator.fleet.catalogue import load
from emulator.fleet.fleet import Fleet, Settings
from emulator.phone.phone import Phone
from emulator.records import Records

PHONE = "127.20.2.1"
CALLMANAGER = "127.20.130.20"
GOOD = {
    "phones": b"GET /DeviceInformationX HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "callmanager": b"GET /CCMCIP/authenticate.asp?UserID=a&Password=b&devicename=SEP001BD4000001 HTTP/1.1\r\n"
    b"Host: x\r\nConnection: close\r\n\r\n",
}
PUSH = b"XML=%3CCiscoIPPhoneExecute%3E%3CExecuteItem+URL%3D%22Init%3AServices%22%2F%3E%3C%2FCiscoIPPhoneExecute%3E"
QUESTION = b"UserID=a&Password=b&devicename=SEP001BD4000001"


@asynccontextmanager
async def serving(which: str, path: Path) -> AsyncIterator[tuple[str, int]]:
    """One of the two servers; yields where it listens."""
    records = Records(path / "events.jsonl", witness=which, clock=time.monotonic_ns)
    async with trio.open_nursery() as nursery:
        if which == "phones":
            phone = Phone(
                device_name="SEP001BD4000001",
                directory_number="2001",
                mac="001BD4000001",
                model=load().models["CP-8851"],
                address=PHONE,
                server=None,
            )
            urls = await nursery.start(Fleet([phone], Settings(port=0, rtp_port=0)).run, records)
            yield PHONE, int(urls["phones"].rpartition(":")[2])
        else:
            configuration = Configuration(service_p50_ms=1, service_p99_ms=1)
            service = Service(configuration, Users(), records)
            listener = listen(CALLMANAGER, 0)
            place = listener.getsockname()
            await nursery.start(partial(serve, [listener], service.handle, limits=connection_limits(configuration)))
            yield place
        nursery.cancel_scope.cancel()
    records.close()


async def talk(place: tuple[str, int], data: bytes, *, end: bool = True, wait_s: float = 3.0) -> bytes | None:
    """What is answered until the server closes; None where it did not within the time."""
    answer = b""
    with trio.move_on_after(wait_s) as scope:
        async with await trio.open_tcp_stream(*place) as stream:
            try:
                await stream.send_all(data)
                if end:
                    await stream.send_eof()
                while more := await stream.receive_some():
                    answer += more
            except trio.BrokenResourceError:
                pass  # a reset is a close
    return None if scope.cancelled_caught else answer


async def works(place: tuple[str, int], which: str) -> None:
    """An ordinary request is answered within a second."""
    with trio.fail_after(1):
        answer = await talk(place, GOOD[which])
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 200")


def request(
    *fields: bytes, method: bytes = b"POST", target: bytes = b"", version: bytes = b"1.1", body: bytes = b""
) -> bytes:
    """A request whose target stands for the server's own (`%`)."""
    head = method + b" " + (target or b"%") + b" HTTP/" + version
    return b"\r\n".join([head, b"Host: x", *fields, b"", b""]) + body


CLOSED = b""
"""No answer, the connection is closed."""
ROWS: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "A1 h2c upgrade with a bad HTTP2-Settings": (
        request(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: \xff%%%", method=b"GET"),
        (b"200", b"404"),
    ),
    "A2 HTTP/2 preface": (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\xff" * 18,
        (b"400", b"505"),
    ),
    "A3 target with bytes beyond ASCII": (request(method=b"GET", target=b"/\xff\xfe?\xc3\x28"), (b"400", b"404")),
    "A4 WebSocket upgrade with a trailing byte": (
        request(
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            b"Sec-WebSocket-Version: 13",
            method=b"GET",
            body=b"x",
        ),
        (b"200", b"404"),
    ),
    "A6 Content-Length and Transfer-Encoding": (
        request(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        (b"400",),
    ),
    "A7 two Content-Length": (request(b"Content-Length: 4", b"Content-Length: 5", body=b"abcde"), (b"400",)),
    "A7 two equal Content-Length": (request(b"Content-Length: 4", b"Content-Length: 4", body=b"abcd"), (b"400",)),
    "A8 Content-Length -1": (request(b"Content-Length: -1"), (b"400",)),
    "A8 Content-Length +4": (request(b"Content-Length: +4", body=b"abcd"), (b"400",)),
    "A8 Content-Length 10^26": (request(b"Content-Length: 100000000000000000000000000"), (b"400", b"413")),
    "A8 Content-Length 1 GiB": (request(b"Content-Length: 1073741824", body=b"x" * 200_000), (b"413",)),
    "A9 Transfer-Encoding xchunked": (request(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), (b"400", b"501")),
    "A10 chunk size that is none": (request(b"Transfer-Encoding: chunked", body=b"zz\r\n"), (b"400",)),
    "A10 chunk size beyond 64 bits": (request(b"Transfer-Encoding: chunked", body=b"f" * 40 + b"\r\n"), (b"400",)),
    "A11 lines end with LF alone": (b"GET % HTTP/1.1\nHost: x\n\n", (b"200", b"400", b"404")),
    "A11 folded field": (request(b"X-A: b\r\n c", method=b"GET"), (b"200", b"400", b"404")),
    "A12 blank before the colon": (request(b"X-A : b", method=b"GET"), (b"400",)),
    "A12 NUL in a value": (request(b"X-A: b\x00c", method=b"GET"), (b"400",)),
    "A12 NUL in the target": (request(method=b"GET", target=b"/\x00"), (b"400",)),
    "A13 no Host in 1.1": (b"GET % HTTP/1.1\r\nConnection: close\r\n\r\n", (b"200", b"400", b"404")),
    "A13 no Host in 1.0": (b"GET % HTTP/1.0\r\n\r\n", (b"200", b"404")),
    "A14 target of 60 kB": (request(method=b"GET", target=b"/" + b"a" * 60_000), (b"414",)),
    "A14 field of 60 kB": (request(b"X-A: " + b"a" * 60_000, method=b"GET"), (b"431",)),
    "A14 name of 60 kB": (request(b"a" * 60_000 + b": b", method=b"GET"), (b"431",)),
    "A14 a thousand fields": (request(*[b"X-%d: a" % n for n in range(1000)], method=b"GET"), (b"431",)),
    "A15 HTTP/0.9": (b"GET %\r\n\r\n", (b"400", b"505")),
    "A15 HTTP/3.7": (request(method=b"GET", version=b"3.7"), (b"400", b"505")),
    "A15 TLS hello": (b"", (b"400",)),  # the bytes are made by a real client below
    "A15 another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", (b"400",)),
    "A15 nothing at all": (b"", (CLOSED,)),
    "A15 blank lines only": (b"\r\n\r\n\r\n", (CLOSED, b"400")),
    "A21 TRACE": (request(method=b"TRACE"), (b"404", b"405")),
    "A21 CONNECT": (request(method=b"CONNECT", target=b"127.0.0.1:22"), (b"400", b"404", b"405")),
    "A21 OPTIONS *": (request(method=b"OPTIONS", target=b"*"), (b"404", b"405")),
    "A21 absolute form": (request(method=b"GET", target=b"http://other.example/nothing"), (b"404",)),
    "A21 a method that is none": (request(method=b"BREW"), (b"400",)),
    "A24 pipelined rubbish after a request": (request(method=b"GET") + b"\x00\x01\x02", (b"200", b"404")),
}  # fmt: skip


def hello() -> bytes:
    """A real client's first TLS record."""
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="x.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


@pytest.mark.parametrize("which", ["phones", "callmanager"])
async def test_each_is_answered_clearly_or_closed(which: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = b"/CGI/Execute" if which == "phones" else b"/CCMCIP/authenticate.asp"
    wrong = []
    async with serving(which, tmp_path) as place:
        for name, (data, statuses) in ROWS.items():
            sent = (
                hello()
                if name == "A15 TLS hello"
                else data.replace(b" % ", b" " + own + b" ").replace(b" %\r", b" " + own + b"\r")
            )
            answer = await talk(place, sent)
            if answer is None or not any(answer[9:12] == status if status else not answer for status in statuses):
                wrong.append((name, None if answer is None else answer[:40]))
            await works(place, which)
    assert wrong == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("which", ["phones", "callmanager"])
async def test_mutated_requests_for_two_seconds(which: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A5: seeded, so a failure can be had again; how many there are depends on the machine."""
    body = PUSH if which == "phones" else QUESTION
    own = b"/CGI/Execute" if which == "phones" else b"/ccmcip/authenticate.jsp"
    basis = (
        request(b"Content-Length: %d" % len(body), b"Authorization: Basic YTpi", target=own, body=body),
        request(b"Transfer-Encoding: chunked", target=own, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
        GOOD[which],
    )
    numbers = random.Random(20260101)
    end = time.monotonic() + 2
    async with serving(which, tmp_path) as place:
        while time.monotonic() < end:
            data = bytearray(numbers.choice(basis))
            for _ in range(numbers.randint(1, 8)):
                at = numbers.randrange(len(data))
                match numbers.randrange(4):
                    case 0:
                        data[at] = numbers.randrange(256)
                    case 1:
                        del data[at : at + numbers.randint(1, 20)]
                    case 2:
                        data[at:at] = numbers.randbytes(numbers.randint(1, 20))
                    case _:
                        data[at:at] = data[at : at + numbers.randint(1, 40)]
                if not data:
                    data += b"\r"
            answer = await talk(place, bytes(data))
            assert answer is not None, bytes(data)
            assert not answer or answer.startswith(b"HTTP/1."), bytes(data)
            assert not answer.startswith(b"HTTP/1.1 500"), bytes(data)
        await works(place, which)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("which", ["phones", "callmanager"])
async def test_clients_that_stall_hold_up_nobody(which: str, tmp_path: Path) -> None:
    """A16, A17, A19, A23: half a head, half a body, nothing, and a 100-continue that nothing follows; 500 of them."""
    stalling = (
        b"GET / HTTP/1.1\r\nHost:",
        request(b"Content-Length: 100", target=b"/CGI/Execute", body=b"XML="),
        b"",
        request(b"Content-Length: 100", b"Expect: 100-continue", target=b"/CGI/Execute"),
    )
    async with serving(which, tmp_path) as place:
        held = []
        for number in range(500):
            stream = await trio.open_tcp_stream(*place)
            held.append(stream)
            if data := stalling[number % len(stalling)]:
                await stream.send_all(data)
        begun = trio.current_time()
        await works(place, which)
        assert trio.current_time() - begun < 0.5
        for stream in held:
            await stream.aclose()


@pytest.mark.parametrize("which", ["phones", "callmanager"])
async def test_connections_that_are_reset_half_way_leave_nothing(
    which: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A22, A24: three hundred resets, and two thousand connections at once that nobody uses."""
    async with serving(which, tmp_path) as place:
        for number in range(300):
            with socket.create_connection(place) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.send(GOOD[which][: number % len(GOOD[which])])
            if number % 50 == 0:
                await trio.lowlevel.checkpoint()
        await works(place, which)
        burst = [socket.socket() for _ in range(2000)]
        for sock in burst:
            sock.setblocking(False)
            sock.connect_ex(place)
        for sock in burst:
            sock.close()
        await works(place, which)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("which", ["phones", "callmanager"])
async def test_an_answer_that_nobody_reads_does_not_hold_up_the_end(which: str, tmp_path: Path) -> None:
    """A18: requests are pipelined and no answer is read; stopping must not wait for that client."""
    async with trio.open_nursery() as nursery:
        async with serving(which, tmp_path) as place:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(place)
            sock.setblocking(False)
            nursery.start_soon(partial(_flood, sock, GOOD[which].replace(b"Connection: close\r\n", b"")))
            await trio.sleep(0.2)
            await works(place, which)
            begun = trio.current_time()
        assert trio.current_time() - begun < 1
        nursery.cancel_scope.cancel()
    sock.close()


async def _flood(sock: socket.socket, data: bytes) -> None:
    for _ in range(5000):
        try:
            sock.send(data)
        except BlockingIOError:
            await trio.sleep(0.01)
        except OSError:
            return
