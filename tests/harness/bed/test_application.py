"""Another application's push, against a listener on loopback that answers what real phones answer."""

import base64
from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from harness.bed.application import ANSWER_LIMIT_BYTES, PushResult, compose, push, read_answer
from harness.bed.ground import LOOPBACK, Ground

PHONE = "127.20.0.9"
PASSWORD = "pa:ss wörd"
OLD_PHONE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 273\r\n\r\n"
    b'<?xml version="1.0" encoding="iso-8859-1"?><?xml version="1.0"?>\r\n<CiscoIPPhoneResponse>\r\n'
    b'<ResponseItem Status="0" Data="" URL="http://10.20.128.10/test.xml"/>\r\n'
    b'<ResponseItem Status="0" Data="" URL=""/>\r\n<ResponseItem Status="0" Data="" URL=""/>\r\n'
    b"</CiscoIPPhoneResponse>"
)
"""The shape of an old phone's answer: CUAE in tests/golden/SOURCES.md."""
NEW_PHONE = (
    b'HTTP/1.1 200 OK\r\n\r\n<CiscoIPPhoneResponse><ResponseItem URL="RTPRx:Stop" Data="Success" Status="0" />'
    b"</CiscoIPPhoneResponse>"
)


def _error(number: int) -> bytes:
    return f'HTTP/1.1 200 OK\r\n\r\n<CiscoIPPhoneError Number="{number}" />'.encode()


@pytest.mark.parametrize(
    ("answer", "outcome", "status", "number"),
    [
        (OLD_PHONE, "executed", 200, None),
        (NEW_PHONE, "executed", 200, None),
        (NEW_PHONE.replace(b'Status="0"', b'Status="6"'), "refused", 200, None),
        (_error(4), "refused_authentication", 200, 4),
        (_error(1), "refused_busy", 200, 1),
        (_error(3), "refused", 200, 3),
        (b"HTTP/1.0 401 Unauthorized\r\n\r\n", "refused_authentication", 401, None),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>hello</html>", "garbled", 200, None),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "garbled", 500, None),
        (b"HTTP/1.1 500 Oops\r\n\r\n" + NEW_PHONE, "garbled", 500, None),
        (b"SSH-2.0-dropbear\r\n", "garbled", None, None),
        (NEW_PHONE + b" " * ANSWER_LIMIT_BYTES, "garbled", None, None),
        (b"", "indeterminate", None, None),
    ],
)
def test_answers(answer: bytes, outcome: str, status: int | None, number: int | None) -> None:
    result = read_answer("127.20.128.40:5", answer)
    assert (result.outcome, result.http_status, result.error_number) == (outcome, status, number)
    assert result.push == "127.20.128.40:5"


@given(st.binary(max_size=300))
def test_any_bytes_are_an_outcome_and_no_success(answer: bytes) -> None:
    for whole in (answer, b"HTTP/1.1 200 OK\r\n\r\n" + answer):
        assert read_answer("p", whole).outcome in {"garbled", "indeterminate"}


def test_request_bytes() -> None:
    assert compose(address="10.20.0.5", port=80, user="app", password="secret", uri="RTPRx:Stop") == (
        b"POST /CGI/Execute HTTP/1.1\r\nHost: 10.20.0.5\r\nAuthorization: Basic YXBwOnNlY3JldA==\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 121\r\nConnection: close\r\n\r\n"
        b"XML=%3CCiscoIPPhoneExecute%3E%3CExecuteItem+Priority%3D%220%22+URL%3D%22RTPRx%3AStop%22%2F%3E"
        b"%3C%2FCiscoIPPhoneExecute%3E"
    )


Behave = Callable[[trio.SocketStream], Awaitable[None]]


async def _push_to(behave: Behave, total_s: float = 40.0) -> tuple[PushResult, list[bytes], list[tuple[str, int]]]:
    """Push to a listener that reads the request and then does `behave`; what it received, and from where."""
    received: list[bytes] = []
    peers: list[tuple[str, int]] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            peers.append(stream.socket.getpeername())
            request = b""
            while not request.endswith(b"Execute%3E"):
                request += await stream.receive_some()
            received.append(request)
            await behave(stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host=PHONE)
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        host = Ground(name="loopback", addresses=LOOPBACK, lab=None).host("harness")
        result = await push(
            host,
            phone_address=PHONE,
            port=port,
            source=LOOPBACK.harness,
            user="app",
            password=PASSWORD,
            total_s=total_s,
        )
        nursery.cancel_scope.cancel()
    return result, received, peers


async def test_executed_and_named_as_the_phone_names_it() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        for index in range(len(NEW_PHONE)):
            await stream.send_all(NEW_PHONE[index : index + 1])

    result, received, peers = await _push_to(answer)
    assert result.outcome == "executed"
    assert result.push == f"{peers[0][0]}:{peers[0][1]}"
    assert peers[0][0] == "127.20.128.40"
    credentials = base64.b64encode(f"app:{PASSWORD}".encode())
    assert b"Authorization: Basic " + credentials in received[0]
    assert PASSWORD not in repr(result)
    assert credentials.decode() not in repr(result)


async def test_closed_without_an_answer() -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.aclose()

    result, _, _ = await _push_to(hang_up)
    assert result.outcome == "indeterminate"
    assert result.push


async def test_hanging_phone(autojump_clock: trio.testing.MockClock) -> None:
    async def hang(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    result, _, _ = await _push_to(hang)
    assert (result.outcome, result.detail) == ("timed_out", "no whole answer within 40 s")


async def test_endless_answer_is_cut() -> None:
    async def talk(stream: trio.SocketStream) -> None:
        try:
            while True:
                await stream.send_all(b"x" * 10_000)
        except trio.BrokenResourceError:
            pass

    result, _, _ = await _push_to(talk)
    assert result.outcome == "garbled"


async def test_nobody_there() -> None:
    host = Ground(name="loopback", addresses=LOOPBACK, lab=None).host("harness")
    listeners = await trio.open_tcp_listeners(0, host=PHONE)
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    result = await push(host, phone_address=PHONE, port=port, source=LOOPBACK.harness, user="app", password=PASSWORD)
    assert (result.outcome, result.push) == ("unreachable", "")
    assert f"{PHONE}:{port}" in result.detail
