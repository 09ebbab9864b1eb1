"""Reading phones' web servers over real sockets: X form, HTML form, and what is neither."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from gateway.inventory import Reader
from gateway.push import Limits

GOLDEN = Path(__file__).parents[2] / "golden"
PHONE, GATEWAY = "127.20.0.1", "127.20.128.10"


def golden(model: str, page: str) -> bytes:
    return (GOLDEN / "models" / model / f"{page}.http").read_bytes()


@asynccontextmanager
async def phone(pages: Mapping[str, bytes] | None) -> AsyncIterator[tuple[Reader, list[bytes]]]:
    """A phone with these pages by path; None hangs."""
    requests: list[bytes] = []

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive_some(4096)
            requests.append(request)
            if pages is None:
                await trio.sleep_forever()
            else:
                path = request.split(b" ")[1].decode()
                await stream.send_all(pages.get(path, b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=PHONE)
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        port = listener.socket.getsockname()[1]
        yield Reader(source=GATEWAY, port=port, limits=Limits(connect_s=0.3, total_s=0.4)), requests
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("model", ["CP-7905G", "CP-7960G", "CP-7970G", "CP-6941", "CP-8851"])
async def test_a_phone_says_who_it_is_and_whom_it_asks(model: str) -> None:
    pages = {
        "/DeviceInformationX": golden(model, "device-information"),
        "/NetworkConfigurationX": golden(model, "network-configuration"),
    }
    async with phone(pages) as (reader, requests):
        said = await reader.read(PHONE)
    assert said.outcome == "read"
    assert said.information is not None
    assert (said.information.mac, said.information.directory_number) == ("001BD4000001", "2001")
    assert said.authentication_url == "http://10.20.128.10/cisco_auth/authenticate.html"
    assert b"Authorization" not in b"".join(requests)


@pytest.mark.parametrize("first", [b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nx"])
async def test_the_html_form_serves_where_the_x_form_does_not(first: bytes) -> None:
    pages = {"/DeviceInformationX": first, "/DeviceInformation": golden("CP-7970G", "device-information-html")}
    async with phone(pages) as (reader, _):
        said = await reader.read(PHONE)
    assert said.outcome == "read"
    assert said.information is not None
    assert (said.information.mac, said.information.model) == ("001BD4000001", "CP-7970G")


async def test_what_is_no_phone_is_garbled_with_the_reason() -> None:
    async with phone({}) as (reader, _):
        said = await reader.read(PHONE)
    assert (said.outcome, said.detail) == ("garbled", "status 404")


async def test_a_phone_that_hangs_and_one_that_is_not_there() -> None:
    async with phone(None) as (reader, _):
        assert (await reader.read(PHONE)).outcome == "timed_out"
        assert (await reader.read("127.20.0.2")).outcome == "unreachable"
