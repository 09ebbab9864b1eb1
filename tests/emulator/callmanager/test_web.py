"""The guarded hypercorn over a real socket on 127.0.0.1: no request ends the server."""

import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from emulator.callmanager import web
from emulator.callmanager.administration import application
from emulator.callmanager.administration.actions import Actions
from emulator.callmanager.cluster import Cluster
from emulator.callmanager.users import Users
from emulator.engine import listen

TOKEN = "t0ken-of-the-tests"
HOST = "Host: 127.0.0.1\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
# HEADERS frame of stream 1 whose :path is b"/\xff", as literals without indexing (RFC 7541, 6.2.2).
HEADERS_BLOCK = b"\x82\x86\x04\x02/\xff\x01\x01a"
HEADERS = len(HEADERS_BLOCK).to_bytes(3) + b"\x01\x05\x00\x00\x00\x01" + HEADERS_BLOCK


def websocket(key: str = "dGhlIHNhbXBsZSBub25jZQ==") -> bytes:
    return (
        f"GET / HTTP/1.1\r\n{HOST}Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


@contextlib.asynccontextmanager
async def served(users: Users | None = None) -> AsyncIterator[int]:
    door = listen("127.0.0.1", 0)
    port = door.getsockname()[1]
    app = application(Cluster(users=users if users is not None else Users()), token=TOKEN)
    async with trio.open_nursery() as nursery:
        await nursery.start(web.serve, app, door)
        with trio.fail_after(20):
            yield port
        nursery.cancel_scope.cancel()


async def said(port: int, data: bytes, *, end: bool = True) -> bytes:
    """Send, and read until the server closes or has nothing more to say; a reset ends the answer."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        received = b""
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(data)
            if end:
                await stream.send_eof()
        with contextlib.suppress(trio.BrokenResourceError):
            async for chunk in stream:
                received += chunk
        return received


async def asked(port: int, method: str, path: str, body: object = None, token: str = TOKEN) -> tuple[int, Any]:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\n{HOST}Authorization: Bearer {token}\r\n"
        f"Connection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    head_bytes, _, answer = (await said(port, head.encode() + data, end=False)).partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), json.loads(answer) if answer else None


async def assert_alive(port: int) -> None:
    status, body = await asked(port, "GET", "/api/users")
    assert (status, body) == (200, {"users": []})


@pytest.mark.parametrize(
    "data",
    [
        f"GET / HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: !\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMAAABk\r\n\r\n".encode(),
        PREFACE + SETTINGS + HEADERS,
        PREFACE,
        websocket() + b"x",
        websocket(),
        websocket(key="?"),
        f"CONNECT a:1 HTTP/1.1\r\n{HOST}\r\n".encode(),
        f"POST /api/users HTTP/1.1\r\n{HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        f"GET / HTTP/3.7\r\n{HOST}\r\n".encode(),
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET ?name=a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"GET " + b"/" * 60_000,
    ],
    ids=[
        "h2c-bad-settings",
        "h2c-no-settings",
        "h2c",
        "h2-path-not-ascii",
        "h2-preface",
        "websocket-trailing-byte",
        "websocket",
        "websocket-bad-key",
        "connect",
        "two-lengths",
        "http-3.7",
        "target-8-bit",
        "target-half-an-address",
        "target-without-a-path",
        "tls-hello",
        "long-target",
    ],
)
@pytest.mark.parametrize("end", [True, False])
async def test_what_ends_a_bare_hypercorn_is_answered_400_and_the_server_lives(data: bytes, end: bool):  # noqa: FBT001
    async with served() as port:
        answer = await said(port, data, end=end)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")), answer
        assert b"101" not in answer
        await assert_alive(port)


async def test_mutated_requests_end_nothing():
    source = random.Random(1)
    seeds = [websocket(), PREFACE + SETTINGS + HEADERS, f"PATCH /api/users/a HTTP/1.1\r\n{HOST}\r\n".encode()]
    async with served() as port:
        for _ in range(150):
            data = bytearray(source.choice(seeds))
            for _ in range(source.randint(1, 6)):
                data[source.randrange(len(data))] = source.randrange(256)
            await said(port, bytes(data))
        await assert_alive(port)


async def test_resets_half_way_end_nothing():
    async with served() as port:
        for count in range(60):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            await stream.send_all(websocket()[: count * 2])
            await stream.aclose()
        await assert_alive(port)


async def test_a_defect_of_the_application_costs_one_connection_and_shows_no_text(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    async def fails(*_: object) -> None:
        raise RuntimeError("Geheim-77")

    async with served() as port:
        with monkeypatch.context() as patched:
            patched.setattr(web._PlainProtocol, "_create_stream", fails)
            await said(port, f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
        await assert_alive(port)
    assert "RuntimeError" in caplog.text
    assert "Geheim-77" not in caplog.text


async def test_slow_body_and_silence_are_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "READ_S", 0.2)
    async with served() as port:
        began = trio.current_time()
        head = f"POST /api/users HTTP/1.1\r\n{HOST}Authorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n{{"
        await said(port, head.encode(), end=False)
        await said(port, b"", end=False)
        assert trio.current_time() - began < web.KEEP_ALIVE_S
        await assert_alive(port)


async def test_a_connection_has_an_end_however_busy_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "CONNECTION_S", 0.3)
    async with served() as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:

            async def drip() -> None:
                while True:
                    await stream.send_all(b"G")
                    await trio.sleep(0.02)

            with pytest.raises(trio.BrokenResourceError):
                await drip()
        await assert_alive(port)


async def test_further_connections_are_closed_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "CONNECTIONS_MAX", 2)
    async with served() as port:
        async with await trio.open_tcp_stream("127.0.0.1", port), await trio.open_tcp_stream("127.0.0.1", port):
            assert await said(port, b"", end=False) == b""
        with trio.fail_after(5):
            while (await said(port, f"GET / HTTP/1.0\r\n{HOST}\r\n".encode(), end=False)) == b"":
                await trio.lowlevel.checkpoint()


async def test_a_client_that_does_not_read_does_not_hold_up_the_stop(monkeypatch: pytest.MonkeyPatch):
    users = Users()
    monkeypatch.setattr(Actions, "users", lambda _: [None] * 100_000)
    monkeypatch.setattr(Actions, "locked", lambda *_: False)
    monkeypatch.setattr("emulator.callmanager.administration.api.shown_user", lambda *_, **__: "y" * 80)
    with trio.fail_after(10):
        async with served(users) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(f"GET /api/users HTTP/1.1\r\n{HOST}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
            assert await stream.receive_some(1000)
    await stream.aclose()
