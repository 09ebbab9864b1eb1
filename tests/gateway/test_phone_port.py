"""The phone port over real loopback sockets. Numbers such as A6 are rows of the list of faults.

"Alive": the port answers a phone's question afterwards.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio

from gateway import phone_port
from gateway.authentication import Authenticator, Decision, OwnUserMismatch, Request, answer_request
from gateway.phone_port import Network, PhonePort, open_listener

GOLDEN = Path(__file__).parents[1] / "golden" / "gateway"
AUTHORIZED = (GOLDEN / "authorized.http").read_bytes()
QUESTION = (
    b"GET /cisco_auth/authenticate.html?UserID=agpush&Password=secret&devicename=SEP001BD4000001 HTTP/1.1\r\n"
    b"Host: 10.20.128.10\r\nUser-Agent: Allegro-Software-WebClient/4.34\r\n\r\n"
)
ADDRESS = "127.20.128.10"


class Door:
    """A running phone port and what it told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[tuple[str, str]] = []
        self.failing = False
        self.authenticator = Authenticator(
            user="agpush",
            password="secret",
            callmanager_url="http://10.20.128.20/CCMCIP/authenticate.asp",
            own_user_mismatch=OwnUserMismatch.REDIRECT,
            key=b"k",
        )

    def respond(self, request: Request) -> Decision:
        if self.failing:
            raise RuntimeError("a defect with a secret in its text")
        return answer_request(request, self.authenticator)

    def observe(self, decision: Decision, *, connection: str, answer_ms: float) -> None:
        assert answer_ms >= 0
        self.answers.append((decision.answer, connection))

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(ADDRESS, self.port)

    async def ask(self, data: bytes = QUESTION, *, pieces: int = 1) -> bytes:
        """Send, and read until the port closes."""
        async with await self.connect() as stream:
            size = max(1, len(data) // pieces)
            for at in range(0, len(data), size):
                await stream.send_all(data[at : at + size])
                if pieces > 1:
                    await trio.lowlevel.checkpoint()
            return await read_all(stream)

    async def alive(self) -> bool:
        with trio.fail_after(5):
            return await self.ask() == AUTHORIZED


async def read_all(stream: trio.SocketStream) -> bytes:
    received = bytearray()
    try:
        while data := await stream.receive_some(65536):
            received += data
    except trio.BrokenResourceError:
        received += b"<reset>"
    return bytes(received)


@asynccontextmanager
async def door(networks: tuple[Network, ...] = (), listen: str = ADDRESS) -> AsyncIterator[Door]:
    with open_listener(listen, 0) as listener:
        unit = Door(listener.getsockname()[1])
        port = PhonePort(listener=listener, respond=unit.respond, observe=unit.observe, networks=lambda: networks)
        with trio.fail_after(15):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(port.serve)
                yield unit
                nursery.cancel_scope.cancel()


async def test_a_phone_is_authorised_with_the_golden_bytes() -> None:
    async with door() as unit:
        for pieces in (1, 3, len(QUESTION)):
            assert await unit.ask(pieces=pieces) == AUTHORIZED
        async with await unit.connect() as stream:
            host, port = stream.socket.getsockname()
            await stream.send_all(QUESTION.replace(b"secret", b"wrong"))
            assert (await read_all(stream)).startswith(b"HTTP/1.1 302 Found\r\n")
        assert unit.answers[-1] == ("redirected", f"{host}:{port}")
        assert [answer for answer, _ in unit.answers[:-1]] == ["authorized"] * 3


@pytest.mark.parametrize(
    ("row", "data", "status"),
    [
        (
            "A1",
            QUESTION[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: !\r\n\r\n",
            b"200",
        ),
        ("A2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b""),
        ("A4", QUESTION[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81", b"200"),
        ("A6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", b"400"),
        ("A7", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
        ("A8", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"400"),
        ("A9", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", b"501"),
        ("A10", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000, b"413"),
        ("A11", QUESTION.replace(b"\r\n", b"\n"), b"400"),
        ("A12", QUESTION.replace(b"Host:", b"Host :"), b"400"),
        ("A13", QUESTION.replace(b"Host: 10.20.128.10\r\n", b""), b"400"),
        ("A13", QUESTION.replace(b"Host: 10.20.128.10\r\n", b"").replace(b"HTTP/1.1", b"HTTP/1.0"), b"200"),
        ("A15", b"GET /\r\n\r\n", b"400"),
        ("A15", QUESTION.replace(b"HTTP/1.1", b"HTTP/3.7"), b"505"),
        ("A15", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, b"400"),
        ("A21", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
        ("A21", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
        ("A21", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
        ("A21", QUESTION.replace(b"GET /", b"GET http://evil.example/"), b"200"),
        ("B7", QUESTION.replace(b"secret", b"x").replace(b"10.20.128.10", b"evil.example"), b"302"),
    ],
)
async def test_faults_get_their_answer_and_the_port_lives_on(row: str, data: bytes, status: bytes) -> None:
    async with door() as unit:
        answer = await unit.ask(data)
        assert answer[:13].split(b" ")[1:2] == ([status] if status else []), row
        assert not answer.endswith(b"<reset>"), row
        assert b"evil" not in answer
        assert await unit.alive()


async def test_a22_resets_half_way() -> None:
    async with door() as unit:
        for _ in range(300):
            with socket.create_connection((ADDRESS, unit.port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.send(QUESTION[:50])
        assert await unit.alive()


async def test_a16_slow_connections_end_and_do_not_hold_up_a_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_port, "REQUEST_S", 0.3)
    async with door() as unit:
        slow = [await unit.connect() for _ in range(200)]
        for stream in slow:
            await stream.send_all(b"GET /")
        assert await unit.alive()
        with trio.fail_after(5):
            for stream in slow:
                assert await read_all(stream) == b""
                await stream.aclose()


async def test_a19_idle_connections_push_each_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_port, "MAX_WAITING", 20)
    async with door() as unit:
        idle = [await unit.connect() for _ in range(50)]
        assert await unit.alive()
        with trio.fail_after(5):
            for stream in idle[:29]:
                assert await read_all(stream) == b""
        await idle[-1].send_all(QUESTION)
        assert await read_all(idle[-1]) == AUTHORIZED
        for stream in idle:
            await stream.aclose()


async def test_a17_and_a23_a_body_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_port, "REQUEST_S", 0.2)
    async with door() as unit:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        assert await unit.ask(head + b"\r\nab") == b""
        assert await unit.ask(head + b"Expect: 100-continue\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert await unit.alive()


async def test_a_body_after_100_continue() -> None:
    async with door() as unit, await unit.connect() as stream:
        body = b"UserID=agpush&Password=secret&devicename=SEP001BD4000001"
        await stream.send_all(
            b"POST /cisco_auth/authenticate.html HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
            + str(len(body)).encode()
            + b"\r\n\r\n"
        )
        assert await stream.receive_some(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await stream.send_all(body)
        assert await read_all(stream) == AUTHORIZED


async def test_phones_from_elsewhere_are_not_looked_at() -> None:
    async with door((ip_network("10.20.0.0/17"), ip_network("fd00::/8"))) as unit:
        assert (await unit.ask()).startswith(b"HTTP/1.1 403 ")
        assert unit.answers == [("rejected", unit.answers[0][1])]
    async with door((ip_network("127.0.0.0/8"),)) as unit:
        assert await unit.alive()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no sockets for IPv4 and IPv6 together")
async def test_a_port_on_all_addresses_of_both_kinds_knows_phones_by_their_own() -> None:
    async with door((ip_network("127.0.0.0/8"),), listen="::") as unit:
        assert await unit.alive()
        (_, connection) = unit.answers[0]
        assert connection.startswith("127.0.0.1:")


async def test_a_defect_of_ours_is_an_answer_and_its_text_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as unit:
        unit.failing = True
        assert (await unit.ask()).startswith(b"HTTP/1.1 500 ")
        unit.failing = False
        assert await unit.alive()
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_p7_no_descriptors_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Exhausted(socket.socket):
        left = 3

        def accept(self) -> tuple[socket.socket, tuple[str, int]]:
            if Exhausted.left:
                Exhausted.left -= 1
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    monkeypatch.setattr(socket, "socket", Exhausted)
    async with door() as unit:
        assert await unit.alive()
    assert "EMFILE" in caplog.text


def test_an_address_that_is_taken_is_an_error() -> None:
    with open_listener(ADDRESS, 0) as first, pytest.raises(OSError, match="in use"):
        open_listener(ADDRESS, first.getsockname()[1])
