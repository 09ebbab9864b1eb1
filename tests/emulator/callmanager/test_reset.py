"""CallManager tells a fleet's control API to reset a phone, and says what to do where that fails."""

import socket
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from emulator.callmanager.cluster import ResetError
from emulator.callmanager.reset import TOTAL_S, PhonesControl
from emulator.engine import Answer, Request, listen, serve

NAME = "SEP001BD4000001"


async def told(status: int) -> tuple[str | None, list[Request]]:
    asked: list[Request] = []

    async def answer(request: Request) -> Answer:
        asked.append(request)
        return Answer(f"HTTP/1.1 {status} Something\r\nContent-Length: 0\r\n\r\n".encode())

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, [listener], answer))
        try:
            await PhonesControl("127.0.0.1", port)(NAME)
            why = None
        except ResetError as error:
            why = str(error)
        nursery.cancel_scope.cancel()
    return why, asked


async def test_a_phone_is_reset():
    why, asked = await told(200)
    assert why is None
    assert [(request.method, request.path) for request in asked] == [("POST", f"/phones/{NAME}/reset")]
    assert b"origin" not in asked[0].headers


@pytest.mark.parametrize(
    ("status", "why"),
    [(404, "compare its phones with devices_csv"), (409, "try again"), (500, "answered 500: is it a control API")],
)
async def test_what_the_fleet_refuses_is_told(status: int, why: str):
    text, _ = await told(status)
    assert text is not None
    assert text.startswith(NAME)
    assert why in text


async def test_a_fleet_that_is_not_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ResetError, match=rf"127\.0\.0\.1:{port} cannot be reached .*is it running"):
        await PhonesControl("127.0.0.1", port)(NAME)


async def test_a_fleet_that_says_nothing_costs_a_bounded_time(autojump_clock: MockClock):
    with listen("127.0.0.1", 0) as silent:
        begun = trio.current_time()
        with pytest.raises(ResetError, match="did not answer within 5 s"):
            await PhonesControl("127.0.0.1", silent.getsockname()[1])(NAME)
        assert trio.current_time() - begun == pytest.approx(TOTAL_S)


async def test_what_is_no_http_is_no_reset():
    listener = trio.socket.from_stdlib_socket(listen("127.0.0.1", 0))
    address = listener.getsockname()

    async def babble() -> None:
        sock, _ = await listener.accept()
        async with trio.SocketStream(sock) as stream:
            await stream.send_all(b"SSH-2.0-nothing\r\n")

    with listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(babble)
            with pytest.raises(ResetError, match="is it a control API"):
                await PhonesControl(*address[:2])(NAME)
