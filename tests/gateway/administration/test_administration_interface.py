"""The JSON interface over a real socket, and the requests that end an unguarded hypercorn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from gateway.administration import PageRequest, RequestError
from gateway.administration import listener as module
from gateway.administration.application import create_application
from gateway.administration.listener import serve_administration
from gateway.phone_port import open_listener

ADDRESS = "127.20.128.10"
TOKEN = "a-token"


class KnownPage:
    state = "playing"
    reason = None
    size = 2
    priority = "normal"
    delivery = "unicast"
    note = None

    def __init__(self) -> None:
        self.outcomes = {"executed": 1}
        self.interrupted = False

    def interrupt(self) -> None:
        self.interrupted = True


class Service:
    def __init__(self) -> None:
        self.wishes: list[PageRequest] = []
        self.pages = {"1": KnownPage()}
        self.reading_s = 0.0

    async def request_page(self, wish: PageRequest) -> str:
        if wish.phones is not None:
            raise RequestError([f"not in the phone list: {wish.phones[0]}"])
        if wish.audio.name == "defect":
            raise RuntimeError("a defect")
        self.wishes.append(wish)
        return "1"

    def page(self, number: str) -> KnownPage | None:
        return self.pages.get(number)

    async def read_inventory(self) -> dict[str, int]:
        await trio.sleep(self.reading_s)
        return {"read": 3}

    def inventory(self) -> Sequence[dict[str, object]]:
        return [{"phone": "SEP001BD4000001"}]


class Interface:
    def __init__(self, port: int, service: Service) -> None:
        self.port = port
        self.service = service

    async def send(self, data: bytes) -> bytes:
        """Raw bytes out, everything that comes until the end."""
        stream = await trio.open_tcp_stream(ADDRESS, self.port)
        async with stream:
            received = bytearray()
            try:
                await stream.send_all(data)
                while piece := await stream.receive_some(65536):
                    received += piece
            except trio.BrokenResourceError:
                pass
            return bytes(received)

    async def ask(
        self, method: str, path: str, body: bytes = b"", token: str | None = f"Bearer {TOKEN}"
    ) -> tuple[int, dict[str, object]]:
        head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        head += f"Authorization: {token}\r\n" if token is not None else ""
        answer = await self.send(head.encode() + b"\r\n" + body)
        top, _, content = answer.partition(b"\r\n\r\n")
        assert b"server:" not in top.lower()
        return int(top.split(b" ")[1]), json.loads(content)

    async def alive(self) -> bool:
        with trio.fail_after(5):
            return await self.ask("GET", "/api/inventory") == (200, {"phones": [{"phone": "SEP001BD4000001"}]})


@asynccontextmanager
async def interface() -> AsyncIterator[Interface]:
    listener = open_listener(ADDRESS, 0)
    unit = Interface(listener.getsockname()[1], Service())
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_administration, create_application(unit.service, TOKEN), listener)
            yield unit
            nursery.cancel_scope.cancel()


async def test_the_routes() -> None:
    async with interface() as unit:
        assert await unit.alive()
        assert await unit.ask("POST", "/api/inventory/read") == (200, {"outcomes": {"read": 3}})
        assert await unit.ask("POST", "/api/pages", b'{"audio": "/a.wav", "start": "each"}') == (202, {"page": "1"})
        assert unit.service.wishes[0].start == "each"
        shown = {"page": "1", "state": "playing", "reason": None, "outcomes": {"executed": 1}, "phones": 2}
        shown |= {"priority": "normal", "delivery": "unicast", "note": None}
        assert await unit.ask("GET", "/api/pages/1") == (200, shown)
        assert await unit.ask("POST", "/api/pages/1/stop") == (202, shown)
        assert unit.service.pages["1"].interrupted
        assert (await unit.ask("GET", "/api/pages/2"))[0] == 404
        assert (await unit.ask("GET", "/nowhere"))[0] == 404
        assert (await unit.ask("DELETE", "/api/pages/1"))[0] == 405


async def test_wrong_requests_are_explained() -> None:
    async with interface() as unit:
        status, answer = await unit.ask("POST", "/api/pages", b'{"audio": "/a.wav", "phones": ["SEP0"]}')
        assert (status, answer["errors"]) == (400, ["not in the phone list: SEP0"])
        for body in (b"", b"[", b"\xff", b"[]", b"[" * 100_000, b'{"audio": 3}'):
            assert (await unit.ask("POST", "/api/pages", body))[0] == 400
        assert (await unit.ask("POST", "/api/pages", b'{"audio": "/defect"}'))[0] == 500
        assert await unit.alive()


@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer ", "Bearer a-toke", "Bearer a-token2", "Basic a-token", "Bearer \xe9"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/api/inventory"), ("POST", "/api/pages"), ("GET", "/nowhere")])
async def test_g8_nobody_comes_in_without_the_token(token: str | None, method: str, path: str) -> None:
    async with interface() as unit:
        assert (await unit.ask(method, path, token=token))[0] == 401


H2C = (
    b"GET /api/inventory HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: %s\r\n\r\n"
)
WEBSOCKET = (
    b"GET /api/inventory HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
# HEADERS, end of stream and headers; GET, http, authority indexed as needed, :path as given literally without Huffman.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS


def h2_request(path: bytes) -> bytes:
    block = b"\x82\x86\x04" + bytes([len(path)]) + path + b"\x01\x01a"
    return PREFACE + len(block).to_bytes(3, "big") + b"\x01\x05\0\0\0\1" + block


@pytest.mark.parametrize(
    "data",
    [
        H2C % b"!!!",
        H2C % b"AAMAAABkAAQAAP__",
        H2C % b"\xff",
        PREFACE,
        h2_request(b"/\xff\xfe"),
        h2_request(b"/x?\xff\xfe"),
        b"PRI * HTTP/2.0\r\n\r\n",
        WEBSOCKET,
        WEBSOCKET + b"\x81",
        WEBSOCKET + b"\xff" * 100,
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/3.7\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000,
        b"\x16\x03\x01\x02\x00\x01\x00",
        (
            b"GET /api/inventory HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-token\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
        ),
        b"POST /api/pages HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\nConnection: close\r\n\r\nabc",
    ],
)
async def test_no_request_ends_the_process(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.3)
    monkeypatch.setattr(module, "READ_S", 1)
    async with interface() as unit:
        answer = await unit.send(data)
        assert b" 101 " not in answer[:20]
        assert not answer.startswith(b"HTTP/1.1 200")
        assert await unit.alive()


async def test_an_answer_may_take_longer_than_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_S", 0.1)
    monkeypatch.setattr(module, "HEAD_S", 0.1)
    async with interface() as unit:
        unit.service.reading_s = 0.5
        assert await unit.ask("POST", "/api/inventory/read") == (200, {"outcomes": {"read": 3}})
        assert await unit.ask("POST", "/api/inventory/read", b"{}") == (200, {"outcomes": {"read": 3}})


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"\x00\r\n\r\n"])
async def test_a_connection_that_has_ended_keeps_no_place(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    async with interface() as unit:
        for _ in range(10):
            async with await trio.open_tcp_stream(ADDRESS, unit.port) as stream:
                await stream.send_all(data)
                await stream.send_eof()
                while await stream.receive_some(1000):
                    pass
            assert await unit.alive()


async def test_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(module, "HEAD_S", 0.3)
    async with interface() as unit:
        idle = [await trio.open_tcp_stream(ADDRESS, unit.port) for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert await unit.send(b"GET / HTTP/1.1\r\n\r\n") == b""
        for stream in idle:
            assert await stream.receive_some(10) == b""
            await stream.aclose()
        assert await unit.alive()
