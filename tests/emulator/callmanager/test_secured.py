"""The secured page over real sockets: the same bytes as on the plain port, and nothing that a client sends ends it."""

import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from emulator import engine
from emulator.callmanager import secured
from emulator.callmanager.certificate import ensure_certificate, server_context
from emulator.callmanager.configuration import Configuration
from emulator.callmanager.service import Service
from emulator.callmanager.users import Devices, Users
from emulator.engine import Answer, Limits, Request
from emulator.records import Records

SECRET = "Geheim-77"
QUESTION = f"UserID=agpush&Password={SECRET}&devicename=SEP001BD4000001"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    ensure_certificate(folder / "c.pem", folder / "k.pem", address="127.0.0.1")
    return folder / "c.pem", folder / "k.pem"


class Door:
    def __init__(self, listener: socket.socket, plain: socket.socket, ca_file: Path) -> None:
        self.address = listener.getsockname()
        self._plain = plain.getsockname()
        self._context = ssl.create_default_context(cafile=ca_file)

    async def tls(self) -> "trio.SSLStream[trio.SocketStream]":
        stream = await trio.open_tcp_stream(*self.address)
        return trio.SSLStream(stream, self._context, server_hostname="127.0.0.1", https_compatible=True)

    async def ask(self, data: str, *, at_a_time: int = 65536) -> bytes:
        return await _conversation(await self.tls(), data.encode(), at_a_time)

    async def ask_plainly(self, data: str) -> bytes:
        return await _conversation(await trio.open_tcp_stream(*self._plain), data.encode(), 65536)


async def _conversation(stream: trio.abc.Stream, data: bytes, at_a_time: int) -> bytes:
    async with stream:
        for start in range(0, len(data), at_a_time):
            await stream.send_all(data[start : start + at_a_time])
        return b"".join([bytes(chunk) async for chunk in stream])


@contextlib.asynccontextmanager
async def running(
    handle: engine.Handler, certificate: tuple[Path, Path], limits: Limits | None = None
) -> AsyncIterator[Door]:
    listener, plain = engine.listen("127.0.0.1", 0), engine.listen("127.0.0.1", 0)
    door = Door(listener, plain, certificate[0])
    context = server_context(*certificate)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:

            async def serve(*, task_status: trio.TaskStatus[None]) -> None:
                await secured.serve(listener, context, handle, limits=limits or Limits(), task_status=task_status)

            await nursery.start(serve)
            await nursery.start(engine.serve, [plain], handle)
            yield door
            nursery.cancel_scope.cancel()


def service(records: Records) -> Service:
    users = Users()
    users.add(name="agpush", password=SECRET, cti=True, devices=Devices(everything=True))
    return Service(Configuration(service_p50_ms=1, service_p99_ms=1), users, records, unix_s=lambda: 1653653459.0)


def same_for_all(answer: bytes) -> bytes:
    return re.sub(rb"JSESSIONID=[0-9A-F]{32}", b"JSESSIONID=x", answer)


@pytest.mark.parametrize("at_a_time", [65536, 1])
@pytest.mark.parametrize(
    "request_text",
    [
        f"GET /ccmcip/authenticate.jsp?{QUESTION} HTTP/1.1\r\nHost: a\r\n\r\n",
        f"POST /ccmcip/authenticate.jsp HTTP/1.1\r\nHost: a\r\nContent-Length: {len(QUESTION)}\r\n\r\n{QUESTION}",
        "GET /CCMCIP/authenticate.asp?UserID=a HTTP/1.0\r\n\r\n",
        "GET /other HTTP/1.1\r\nHost: a\r\n\r\n",
        "no http at all\r\n\r\n",
        f"GET /{'a' * 9000} HTTP/1.1\r\n\r\n",
    ],
)
async def test_byte_for_byte_as_on_the_plain_port(
    tmp_path: Path, certificate: tuple[Path, Path], request_text: str, at_a_time: int
):
    records = Records(tmp_path / "events.jsonl", witness="callmanager", clock=lambda: 0)
    async with running(service(records).handle, certificate) as door:
        plain = await door.ask_plainly(request_text)
        assert plain.startswith(b"HTTP/1.1 ")
        # Where an error ends it in the middle, the client cannot say the rest.
        whole = plain.startswith((b"HTTP/1.1 400", b"HTTP/1.1 414"))
        answer = await door.ask(request_text, at_a_time=65536 if whole else at_a_time)
    assert same_for_all(answer) == same_for_all(plain)
    records.close()
    assert SECRET not in (tmp_path / "events.jsonl").read_text()


async def test_what_is_no_tls_ends_that_connection_alone(tmp_path: Path, certificate: tuple[Path, Path]):
    records = Records(None, witness="callmanager", clock=lambda: 0)
    async with running(service(records).handle, certificate) as door:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"", b"\x16\x03\x01\xff\xff" + bytes(300)):
            async with await trio.open_tcp_stream(*door.address) as stream:
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_all(data)
                    await stream.send_eof()
                    assert b"HTTP" not in b"".join([bytes(chunk) async for chunk in stream])
        reset = await trio.open_tcp_stream(*door.address)
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        await reset.aclose()
        answer = await door.ask(f"GET /ccmcip/authenticate.jsp?{QUESTION} HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nAUTHORIZED")


async def test_connections_beyond_their_number_are_closed(certificate: tuple[Path, Path]):
    records = Records(None, witness="callmanager", clock=lambda: 0)
    async with running(service(records).handle, certificate, Limits(connections=1)) as door:
        first = await door.tls()
        await first.do_handshake()
        second = await door.tls()
        with pytest.raises(trio.BrokenResourceError):
            await second.do_handshake()
        await trio.aclose_forcefully(first)
        await trio.aclose_forcefully(second)


async def test_who_leaves_before_the_answer_is_seen(certificate: tuple[Path, Path]):
    told: list[bool] = []
    arrived, gone = trio.Event(), trio.Event()

    async def handle(request: Request) -> Answer:
        arrived.set()
        await gone.wait()
        return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", on_sent=told.append)

    async with running(handle, certificate) as door:
        stream = await door.tls()
        await stream.send_all(b"GET / HTTP/1.0\r\n\r\n")
        await arrived.wait()
        stream.transport_stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        await trio.aclose_forcefully(stream)
        gone.set()
        while not told:
            await trio.lowlevel.checkpoint()
    assert told == [False]


async def test_a_defect_of_a_handler_is_answered_and_tells_nothing(
    certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
):
    async def handle(request: Request) -> Answer:
        raise ValueError(SECRET)

    async with running(handle, certificate) as door:
        assert (await door.ask("GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
    assert SECRET not in caplog.text
    assert "handler failed: ValueError" in caplog.text


async def test_a_silent_client_is_let_go(certificate: tuple[Path, Path]):
    never: Any = None
    async with running(never, certificate, Limits(total_s=0.05)) as door:
        stream = await trio.open_tcp_stream(*door.address)
        assert await stream.receive_some(1) == b""
        await stream.aclose()
