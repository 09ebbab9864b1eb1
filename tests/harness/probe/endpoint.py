"""A small authentication endpoint that is right, or wrong in exactly the ways that a test wants, on a real socket."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote_plus, unquote_to_bytes

import httptools
import trio

from harness.probe import ProbePlan, Target
from harness.probe.command import connector
from harness.probe.plan import Care
from harness.probe.question import Credentials

USER, PASSWORD = "agpush", "Ab3-9xYz+qK7 m"
CALLMANAGER = "http://10.20.128.20/CCMCIP/authenticate.asp"
PATH = b"/cisco_auth/authenticate.html"
GENTLE = Care(per_s=0, wrong_passwords=400, lockout_failures=24, connections=10, resets=20)
FREE = 10


@dataclass(kw_only=True)
class Wrong:
    """What is wrong; nothing where all is as it stands here."""

    compare: Callable[[bytes, bytes], bool] = lambda given, stored: given == stored
    any_user: bool = False
    body: bytes = b"AUTHORIZED"
    fields: bytes = b""
    location: Callable[[dict[bytes, bytes], bytes], bytes] = lambda _headers, _query: CALLMANAGER.encode()
    escape: Callable[[bytes], str] = quote_plus
    own_user: str = "redirect"
    locks_after: int = 0
    lock_resets: bool = False
    slow_failures: bool = False
    slows_right: bool = False
    leak_s: float = 0.0
    noise_s: float = 0.0
    methods: frozenset[bytes] = frozenset({b"GET", b"POST"})
    versions: frozenset[str] = frozenset({"1.0", "1.1"})
    needs_host: bool = True
    first_of_repeated: bool = False
    defaults: dict[bytes, bytes] = field(default_factory=dict)
    decode: Callable[[bytes], bytes] = field(default=lambda value: unquote_to_bytes(value.replace(b"+", b" ")))
    dies_of: bytes = b""
    upgrades: bool = False
    trusts_forwarded: bool = False
    request_s: float = 2.0
    serves: int = 10_000
    broken_by: bytes = b""
    changed: Callable[[bytes], bytes] = lambda answer: answer
    """Last hand on an answer's bytes."""
    says_yes_to: Callable[[bytes, bytes], bool] = lambda _query, _body: False
    """Questions that are authorised whatever they are."""
    late: bytes = b""
    """Comes behind a whole AUTHORIZED, in a packet of its own."""
    lives: int = 10_000
    """Answers until it dies."""
    hangs_after: int = 10_000
    """Answers until it hangs."""
    believes_bodies_of_get: bool = False
    lax: bool = False
    """AUTHORIZED for whatever ends with an empty line."""


class Endpoint:
    def __init__(self, wrong: Wrong) -> None:
        self.wrong = wrong
        self.failures = 0
        self.in_a_row = 0
        self.open = 0
        self.wrong_passwords: list[bytes] = []
        self.asked = 0
        self.dead = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        if self.open >= self.wrong.serves:
            await trio.sleep(3)
        self.open += 1
        try:
            with trio.move_on_after(self.wrong.request_s):
                await self._converse(stream)
        except (trio.BrokenResourceError, OSError):
            pass
        finally:
            self.open -= 1
            await trio.aclose_forcefully(stream)

    async def _converse(self, stream: trio.SocketStream) -> None:
        reader = _Reader()
        while not reader.whole:
            data = await stream.receive_some(65536)
            if not data:
                return
            reader.received += data
            if self.wrong.dies_of and self.wrong.dies_of in reader.received:
                self.dead.set()
                return
            if self.wrong.lax:
                reader.whole = b"\r\n\r\n" in reader.received
                continue
            try:
                reader.parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                if self.wrong.upgrades:
                    await stream.send_all(
                        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
                    )
                    return
                reader.whole = True
            except httptools.HttpParserError:
                await stream.send_all(_status(400))
                return
        answer = self.wrong.changed(await self.answer(reader))
        if self.asked > self.wrong.lives:
            self.dead.set()
        elif self.asked > self.wrong.hangs_after:
            await trio.sleep_forever()
        else:
            await stream.send_all(answer)
        if self.wrong.late and answer.endswith(b"AUTHORIZED"):
            await trio.sleep(0.005)
            await stream.send_all(self.wrong.late)

    async def answer(self, reader: _Reader) -> bytes:
        self.asked += 1
        if self.wrong.lax:
            return _answer(200, self.wrong.body)
        if reader.parser.get_http_version() not in self.wrong.versions:
            return _status(505)
        method = reader.parser.get_method()
        if method not in self.wrong.methods:
            return _status(405)
        if self.wrong.needs_host and reader.parser.get_http_version() == "1.1" and b"host" not in reader.headers:
            return _status(400)
        if reader.headers.get(b"transfer-encoding", b"chunked") != b"chunked":
            return _status(501)
        if self.wrong.trusts_forwarded and b"x-forwarded-for" in reader.headers:
            return _status(403)
        target = re.sub(rb"^http://[^/]*", b"", reader.target)
        path, _, query = target.partition(b"?")
        if path != PATH:
            return _status(404)
        if self.wrong.broken_by and self.wrong.broken_by in query + reader.body:
            return _status(500)
        return await self._decide(reader, query)

    async def _decide(self, reader: _Reader, query: bytes) -> bytes:
        if self.wrong.believes_bodies_of_get and reader.body and reader.parser.get_method() == b"GET":
            query = b""
        if self.wrong.says_yes_to(query, reader.body):
            return _answer(200, b"AUTHORIZED")
        values: dict[bytes, bytes] = {}
        for part in b"&".join(filter(None, (query, reader.body))).split(b"&"):
            name, _, value = part.partition(b"=")
            if name in values and not self.wrong.first_of_repeated:
                return _answer(400, b"ERROR")
            values.setdefault(name, self.wrong.decode(value))
        for name, value in self.wrong.defaults.items():
            values[name] = values.get(name) or value
        names = (b"UserID", b"Password", b"devicename")
        if any(not values.get(name) for name in names):
            return _answer(400, b"ERROR")
        user = self.wrong.any_user or values[b"UserID"] == USER.encode()
        right = self._same(values[b"Password"], PASSWORD.encode())
        if user and right and not self._locked():
            if self.wrong.lock_resets:
                self.failures = 0
            self.in_a_row = 0
            if self.wrong.slows_right and self.failures > FREE:
                await trio.sleep(1.5)
            return _answer(200, self.wrong.body, self.wrong.fields)
        self.failures += user
        self.in_a_row += 1
        if user:
            self.wrong_passwords.append(values[b"Password"])
        if self.wrong.slow_failures and self.in_a_row > FREE:
            await trio.sleep(0.06)
        if user and self.wrong.own_user == "refuse":
            return _answer(200, b"UN-AUTHORIZED")
        location = self.wrong.location(reader.headers, query)
        question = "&".join(f"{name.decode()}={self.wrong.escape(values[name])}" for name in names)
        return b"HTTP/1.1 302 Found\r\nLocation: " + location + f"?{question}\r\nContent-Length: 0\r\n\r\n".encode()

    def _same(self, given: bytes, stored: bytes) -> bool:
        if self.wrong.leak_s:
            same = next(
                (n for n, pair in enumerate(zip(given, stored, strict=False)) if pair[0] != pair[1]), len(given)
            )
            time.sleep(same * self.wrong.leak_s)
        if self.wrong.noise_s:
            # Not random: the odd ones out are what a median has to bear.
            time.sleep(self.wrong.noise_s * (self.asked * 7 % 11) / 11)
        return self.wrong.compare(given, stored)

    def _locked(self) -> bool:
        return 0 < self.wrong.locks_after <= self.failures


class _Reader:
    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.received = b""
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.whole = False

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.whole = True


def _status(status: int) -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def _answer(status: int, body: bytes, fields: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + fields + b"Connection: close\r\n\r\n" + body


@asynccontextmanager
async def running(wrong: Wrong) -> AsyncIterator[tuple[Endpoint, str]]:
    """A running endpoint and its URL."""
    endpoint = Endpoint(wrong)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]

        async def live() -> None:
            async with trio.open_nursery() as life:
                life.start_soon(trio.serve_listeners, endpoint.serve, listeners)
                await endpoint.dead.wait()
                life.cancel_scope.cancel()

        nursery.start_soon(live)
        yield endpoint, f"http://127.0.0.1:{port}{PATH.decode()}"
        nursery.cancel_scope.cancel()


def plan_for(url: str, **changes: object) -> ProbePlan:
    """A plan that allows everything."""
    target = Target.parse(url)
    values: dict[str, object] = {
        "target": target,
        "credentials": Credentials(user=USER, password=PASSWORD),
        "connect": connector(trio.socket.AF_INET, (target.host, target.port)),
        "consent": True,
        "care": GENTLE,
        "callmanager_url": CALLMANAGER,
        "own_user_mismatch": "redirect",
    }
    return ProbePlan(**(values | changes))  # type: ignore[arg-type]
