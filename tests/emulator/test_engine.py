"""The byte engine against raw sockets: exact bytes, limits, and peers that misbehave."""

import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
import trio

from emulator import engine
from emulator.engine import Answer, BindError, Limits, Request, deaf, listen, serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Served:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.sent: list[bool] = []
        self.close = False
        self.before: Callable[[], None] = lambda: None

    async def handle(self, request: Request) -> Answer:
        self.requests.append(request)
        self.before()
        return Answer(OK, self.close, self.sent.append)


@asynccontextmanager
async def serving(served: Served, limits: Limits | None = None) -> AsyncIterator[tuple[str, int]]:
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, [listener], served.handle, limits=limits))
        yield address
        nursery.cancel_scope.cancel()


async def talk(address: tuple[str, int], data: bytes, *, step: int = 0, shut: bool = True) -> bytes:
    stream = await trio.open_tcp_stream(*address)
    async with stream:
        for at in range(0, len(data), step or len(data)):
            await stream.send_all(data[at : at + (step or len(data))])
            if step:
                await trio.testing.wait_all_tasks_blocked()
        if shut:
            await stream.send_eof()
        answer = b""
        while more := await stream.receive_some():
            answer += more
        return answer


POST = b"POST /CGI/Execute?a=b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("step", [0, 1])
async def test_a_request_is_read_whole_and_answered_with_the_exact_bytes(step: int) -> None:
    served = Served()
    async with serving(served) as address:
        assert await talk(address, POST, step=step) == OK
    (request,) = served.requests
    assert (request.method, request.path, request.query, request.target) == (
        "POST", "/CGI/Execute", b"a=b", b"/CGI/Execute?a=b",
    )  # fmt: skip
    assert request.headers == {b"host": b"x", b"x-a": b"1, 2", b"content-length": b"5"}
    assert (request.body, request.http_version, request.connection_ordinal) == (b"hello", "1.1", 1)
    assert (request.local, request.peer[0], request.keep_alive) == (address, "127.0.0.1", True)
    assert served.sent == [True]
    assert "hello" not in repr(request)


async def test_pipelined_requests_are_answered_in_order_and_counted() -> None:
    served = Served()
    async with serving(served) as address:
        assert await talk(address, POST * 3) == OK * 3
    assert [request.connection_ordinal for request in served.requests] == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "keep"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
async def test_the_client_decides_whether_the_connection_is_kept(data: bytes, *, keep: bool) -> None:
    served = Served()
    async with serving(served) as address:
        assert await talk(address, data, shut=keep) == OK
    assert served.requests[0].keep_alive is keep


async def test_the_answer_may_end_the_connection() -> None:
    served = Served()
    served.close = True
    async with serving(served) as address:
        assert await talk(address, POST, shut=False) == OK


LIMITS = Limits(target_bytes=50, header_bytes=100, header_count=5, body_bytes=10, total_s=30, idle_s=15)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\nhello hello", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", 413),  # told before the body comes
        (b"GET /" + b"a" * 60 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 120 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 6 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A" * 200, 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
    ],
)
async def test_malformed_and_too_large_requests_are_answered_and_closed(data: bytes, status: int) -> None:
    served = Served()
    async with serving(served, LIMITS) as address:
        answer = await talk(address, data, shut=False)
        assert await talk(address, b"GET / HTTP/1.0\r\n\r\n") == OK
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert len(served.requests) == 1


@pytest.mark.parametrize("step", [0, 1])
async def test_some_targets_may_have_larger_bodies_and_the_next_request_not(step: int) -> None:
    served = Served()
    limits = replace(LIMITS, roomy_targets=(b"/big",), roomy_body_bytes=20)
    post = b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b"
    async with serving(served, limits) as address:
        assert await talk(address, post % (b"/big/x?y", 20, b"a" * 20), step=step) == OK
        assert b" 413 " in await talk(address, post % (b"/big", 21, b"a" * 21), step=step)
        two = post % (b"/big", 11, b"a" * 11) + post % (b"/", 11, b"a" * 11)
        answer = await talk(address, two, step=step)
    assert answer.startswith(OK)
    assert b" 413 " in answer.removeprefix(OK)
    assert [len(request.body) for request in served.requests] == [20, 11]


async def test_an_upgrade_is_ignored() -> None:
    served = Served()
    async with serving(served) as address:
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: !!!\r\n\r\nrest"
        assert await talk(address, request, shut=False) == OK
        assert await talk(address, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", shut=False) == OK


async def test_a_bug_in_the_handler_costs_one_request(caplog: pytest.LogCaptureFixture) -> None:
    served = Served()

    def fail() -> None:
        raise ValueError("the password is s3cr3t")

    served.before = fail
    async with serving(served) as address:
        assert (await talk(address, POST, shut=False)).startswith(b"HTTP/1.1 500 ")
        served.before = lambda: None
        assert await talk(address, POST) == OK
    assert "ValueError" in caplog.text
    assert "s3cr3t" not in caplog.text


async def test_a_client_that_left_is_reported() -> None:
    served = Served()
    async with serving(served) as address:
        client = socket.create_connection(address)

        def leave() -> None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            client.close()

        served.before = leave
        client.send(POST)
        while not served.sent:
            await trio.lowlevel.checkpoint()
    assert served.sent == [False]


async def test_a_slow_request_is_cut_at_the_total_deadline(autojump_clock: trio.testing.MockClock) -> None:
    served = Served()
    async with serving(served, LIMITS) as address:
        begun = trio.current_time()
        assert await talk(address, POST[:20], shut=False) == b""
        assert trio.current_time() - begun == LIMITS.total_s
        begun = trio.current_time()
        assert await talk(address, POST, shut=False) == OK
        assert trio.current_time() - begun == LIMITS.idle_s


async def test_connections_beyond_the_limit_wait_for_room() -> None:
    served = Served()
    async with serving(served, Limits(connections=2)) as address:
        first = await trio.open_tcp_stream(*address)
        second = await trio.open_tcp_stream(*address)
        third = await trio.open_tcp_stream(*address)
        async with first, second, third:
            await third.send_all(POST)
            await trio.testing.wait_all_tasks_blocked()
            assert served.requests == []
            await first.aclose()
            assert await third.receive_some() == OK


async def test_running_out_of_descriptors_pauses_accepting(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    served = Served()
    accept = socket.socket.accept
    failures = [errno.EMFILE, errno.ECONNABORTED]

    def accept_or_fail(sock: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise OSError(failures.pop(0), "planted")
        return accept(sock)

    monkeypatch.setattr(socket.socket, "accept", accept_or_fail)
    async with serving(served) as address:
        assert await talk(address, POST) == OK
    assert failures == []


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=rf"127\.0\.0\.1:{port}: Address already in use \(EADDRINUSE\)"):
            listen("127.0.0.1", port)
    assert BindError.exit_code == 5


@pytest.mark.parametrize("filters", [True, False])
def test_a_deaf_listener_sees_no_connection_with_the_right_to_filter_and_without(
    monkeypatch: pytest.MonkeyPatch, *, filters: bool
) -> None:
    def refused(_: socket.socket) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not filters:
        # As Linux 6.18 answers an ordinary user, and root in a container without CAP_NET_ADMIN.
        monkeypatch.setattr(engine, "_hear_nothing", refused)
    with listen("0.0.0.0", 0, backlog=5, reuse_port=True) as shared:
        port = shared.getsockname()[1]
        deafness = deaf("127.0.0.9", port)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                socket.create_connection(("127.0.0.9", port), timeout=0.2)
        socket.create_connection(("127.0.0.10", port), timeout=5).close()
        for sock in deafness:
            sock.close()
        socket.create_connection(("127.0.0.9", port), timeout=5).close()
