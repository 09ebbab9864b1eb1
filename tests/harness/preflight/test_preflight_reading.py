"""Reading one phone over a real connection: every form of its pages, and every way in which there is none."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from harness.preflight import reading
from harness.preflight.pace import Pace
from harness.preflight.ping import checksum, echo, is_reply, ping
from harness.preflight.reading import Reading, read_phone

GOLDEN = Path(__file__).parents[2] / "golden" / "models" / "CP-7961G"
X = (GOLDEN / "device-information.http").read_text(encoding="latin-1")
HTML = (GOLDEN / "device-information-html.http").read_text(encoding="latin-1")
NETWORK = (GOLDEN / "network-configuration.http").read_text(encoding="latin-1")
ERROR = 'HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n<CiscoIPPhoneError Number="4" />'
NOT_FOUND = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
SECURED = "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"


def _whole(text: str) -> str:
    """A golden, with the length that it has when its lines end as they are read here."""
    body = text.partition("\n\n")[2]
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"


@asynccontextmanager
async def phone(answer: Callable[[str], str]) -> AsyncIterator[tuple[int, list[str]]]:
    """A web server on loopback; its port and what it was asked. An empty answer closes the connection."""
    asked: list[str] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            asked.append((await stream.receive_some(4096)).decode().split(" ")[1])
            if text := answer(asked[-1]):
                await stream.send_all(text.encode("latin-1"))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_tcp(serve, 0, host="127.0.0.1", task_status=task_status)
        )
        yield listeners[0].socket.getsockname()[1], asked
        nursery.cancel_scope.cancel()


async def _read(pages: dict[str, str], other: str = NOT_FOUND) -> tuple[Reading, list[str]]:
    async with phone(lambda path: pages.get(path, other)) as (port, asked):
        return await read_phone("127.0.0.1", Pace(per_s=1000, at_once=4), port=port), asked


@pytest.mark.parametrize("other", [NOT_FOUND, ERROR])
@pytest.mark.parametrize("forms", [0, 1, 2])
async def test_every_form_of_the_pages(forms: int, other: str) -> None:
    who = X if forms != 1 else HTML
    pages = {reading.INFORMATION[forms]: _whole(who), reading.NETWORK[forms]: _whole(NETWORK)}
    found, asked = await _read(pages, other)
    assert found.information is not None
    assert found.information.device_name == "SEP001BD4000001"
    assert found.network is not None
    assert found.network.authentication_url == "http://10.20.128.10/cisco_auth/authenticate.html"
    assert asked == [*reading.INFORMATION[: forms + 1], *reading.NETWORK[: forms + 1]]


async def test_a_phone_whose_network_page_is_missing() -> None:
    found, _ = await _read({reading.INFORMATION[0]: _whole(X)})
    assert found.information is not None
    assert (found.network, found.network_why) == (None, "status 404")


async def test_a_page_that_does_not_tell_the_url_is_asked_for_in_another_form() -> None:
    silent = _whole(NETWORK.replace("AuthenticationURL", "SomethingElse"))
    pages = {reading.INFORMATION[0]: _whole(X), reading.NETWORK[0]: silent, reading.NETWORK[2]: _whole(NETWORK)}
    found, _ = await _read(pages)
    assert found.network is not None
    assert found.network.authentication_url
    found, _ = await _read({**pages, reading.NETWORK[2]: NOT_FOUND})
    assert found.network is not None
    assert (found.network.authentication_url, found.network.subnet_mask) == (None, "255.255.128.0")


@pytest.mark.parametrize(
    ("answer", "reach", "why"),
    [
        (NOT_FOUND, "answered", "status 404"),
        (ERROR, "answered", "there is no MAC address on it"),
        ("", "lost", "closed without an answer"),
        ("SSH-2.0-dropbear\r\n", "lost", "18 bytes that are no HTTP answer"),
    ],
)
async def test_what_is_no_phone(answer: str, reach: str, why: str) -> None:
    found, _ = await _read({}, answer)
    assert (found.reach, found.why, found.information, found.secured_only) == (reach, why, None, False)


async def test_a_phone_that_answers_by_https_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = await _read({}, SECURED)
    assert found.secured_only
    async with phone(lambda _: "") as (port, _):
        monkeypatch.setattr(reading, "HTTPS_PORT", port)
        found = await read_phone("127.0.0.1", Pace(per_s=1000, at_once=4), port=1)
    assert (found.secured_only, found.why) == (True, "port 80 refuses, port 443 answers")
    monkeypatch.setattr(reading, "HTTPS_PORT", 1)
    found = await read_phone("127.0.0.1", Pace(per_s=1000, at_once=4), port=1)
    assert (found.secured_only, found.reach, found.why) == (False, "refused", "connection refused")


async def test_ping() -> None:
    assert await ping("127.0.0.1") in {True, None}
    # Broadcast is refused by this system itself, so nothing is sent.
    assert await ping("255.255.255.255") in {False, None}


async def test_ping_without_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(trio.socket, "socket", refuse)
    assert await ping("127.0.0.1") is None


def test_an_echo_and_its_reply() -> None:
    request = echo(0x1234, 7)
    assert checksum(request) == 0
    reply = b"\0" + request[1:]
    assert is_reply(reply, 7)
    assert is_reply(b"\x45" + bytes(19) + reply, 7)
    assert not is_reply(reply, 8)
    assert not is_reply(request, 7)
    assert not is_reply(b"", 7)
