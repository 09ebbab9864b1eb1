"""What is sent to a phone that is named with `--active`, against a phone of a few lines on loopback."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

import pytest
import trio

from harness.preflight import hearing
from harness.preflight.hearing import PACKETS, Heard, Push, execute, hear, packet
from harness.preflight.pace import Pace

SAID_YES = '<CiscoIPPhoneResponse><ResponseItem Status="0" Data="" URL=""/></CiscoIPPhoneResponse>'


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole preflights send a second of it; here it is the order that counts."""
    monkeypatch.setattr(hearing, "PACKET_S", 0.002)
    monkeypatch.setattr(hearing, "SETTLE_S", 0.05)


@dataclass
class Phone:
    """Counts what it hears; its answers can be changed."""

    push: Callable[[str], str] = lambda _: SAID_YES
    line: str = "ONHOOK"
    status: str = "Not Ready"
    hears: Callable[[int], bool] = lambda _: True
    pushed: list[str] = field(default_factory=list)
    received: int = 7
    """It still has the count of its last stream."""
    packets: list[bytes] = field(default_factory=list)

    def answer(self, request: str) -> str:
        method, path = request.split(" ")[:2]
        if method == "POST":
            uri = unquote(request.partition("\r\n\r\n")[2]).partition('URL="')[2].partition('"')[0]
            self.pushed.append(uri)
            return self.push(uri)
        if path == "/StreamingStatisticsX?1":
            return f"<StreamStatus>{self.status}</StreamStatus><RcvrPackets>{self.received}</RcvrPackets>"
        if path == "/CGI/CallInfo":
            return f"<CiscoIPPhoneCallLineInfo><LineState>{self.line}</LineState></CiscoIPPhoneCallLineInfo>"
        return SAID_YES if path == "/elsewhere" else ""


@asynccontextmanager
async def lab(phone: Phone) -> AsyncIterator[Callable[[], object]]:
    """Serve the phone; what hears it, ready to be awaited."""
    receiver = trio.socket.socket(type=socket.SOCK_DGRAM)
    await receiver.bind(("127.0.0.1", 0))

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            body = phone.answer((await stream.receive_some(8192)).decode())
            head = body if body.startswith("HTTP") else f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            await stream.send_all(head.encode())

    async def count() -> None:
        while True:
            data = await receiver.recv(2000)
            phone.packets.append(data)
            phone.received += phone.hears(len(phone.packets))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_tcp(serve, 0, host="127.0.0.1", task_status=task_status)
        )
        nursery.start_soon(count)
        port = listeners[0].socket.getsockname()[1]
        push = Push(address="127.0.0.1", port=port, user="agpush", password="geheim:1")
        yield lambda: hear(push, Pace(per_s=1000, at_once=4), rtp_port=receiver.getsockname()[1])
        nursery.cancel_scope.cancel()
    receiver.close()


async def _heard(phone: Phone) -> Heard:
    async with lab(phone) as listen:
        found = await listen()  # type: ignore[misc]
    assert isinstance(found, Heard)
    return found


async def test_a_second_of_silence_and_a_stop() -> None:
    phone = Phone()
    found = await _heard(phone)
    assert (found.state, found.sent, found.received, found.stopped) == ("heard", PACKETS, PACKETS, True)
    assert [uri.partition(":")[0] for uri in phone.pushed] == ["RTPRx", "RTPRx"]
    assert phone.pushed[0].startswith("RTPRx:127.0.0.1:")
    assert phone.pushed[1] == "RTPRx:Stop"
    assert {data[12:] for data in phone.packets} == {b"\xff" * 160}


async def test_what_is_lost_is_counted() -> None:
    assert (await _heard(Phone(hears=lambda number: number % 5 > 0))).received == PACKETS * 4 // 5
    assert (await _heard(Phone(hears=lambda _: False))).received == 0


@pytest.mark.parametrize(
    ("phone", "why"),
    [
        (Phone(line="CONNECTED"), "its line is in use (connected)"),
        (Phone(status="Active"), "it hears or sends a stream now"),
    ],
)
async def test_a_phone_in_use_is_left_alone(phone: Phone, why: str) -> None:
    found = await _heard(phone)
    assert (found.state, found.why) == ("busy", why)
    assert (phone.pushed, phone.packets) == ([], [])


@pytest.mark.parametrize(
    ("answer", "state", "number"),
    [
        ('<CiscoIPPhoneError Number="4" />', "refused", 4),
        ('<CiscoIPPhoneError Number="1" />', "refused", 1),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "refused", 4),
    ],
)
async def test_a_refusal_is_not_stopped(answer: str, state: str, number: int) -> None:
    phone = Phone(push=lambda _: answer)
    found = await _heard(phone)
    assert (found.state, found.number, len(phone.pushed), phone.packets) == (state, number, 1, [])


async def test_a_phone_whose_answer_is_lost_is_stopped_all_the_same() -> None:
    phone = Phone(push=lambda uri: SAID_YES if uri == "RTPRx:Stop" else "<html/>")
    found = await _heard(phone)
    assert (found.state, found.stopped, phone.pushed[-1]) == ("failed", True, "RTPRx:Stop")
    assert not (await _heard(Phone(push=lambda _: "<html/>"))).stopped


async def test_a_stop_that_nobody_confirms_is_told() -> None:
    found = await _heard(Phone(push=lambda uri: "" if uri == "RTPRx:Stop" else SAID_YES))
    assert (found.state, found.stopped) == ("heard", False)


async def test_an_answer_elsewhere_is_fetched_from_the_same_phone_only() -> None:
    def sent_to(location: str) -> Callable[[str], str]:
        return lambda _: f"HTTP/1.1 303 SEE OTHER\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"

    assert (await _heard(Phone(push=sent_to("/elsewhere")))).state == "heard"
    found = await _heard(Phone(push=sent_to("http://10.9.9.9/elsewhere")))
    assert (found.state, found.why) == ("failed", "its answer points at another host")


async def test_whoever_is_interrupted_stops_the_phone_first() -> None:
    phone = Phone()
    async with lab(phone) as listen:
        with trio.CancelScope() as scope:
            phone.hears = lambda number: number < 3 or scope.cancel() is not None
            await listen()  # type: ignore[misc]
    assert scope.cancelled_caught
    assert 0 < len(phone.packets) < PACKETS
    assert phone.pushed[-1] == "RTPRx:Stop"


def test_the_bytes() -> None:
    push = Push(address="10.1.1.20", port=80, user="agpush", password="geheim:1")
    head, _, body = execute(push, "RTPRx:10.1.1.1:32674").partition(b"\r\n\r\n")
    assert head.startswith(b"POST /CGI/Execute HTTP/1.1\r\nHost: 10.1.1.20\r\nAuthorization: Basic ")
    assert f"Content-Length: {len(body)}".encode() in head
    assert unquote(body.decode()) == (
        'XML=<CiscoIPPhoneExecute><ExecuteItem Priority="0" URL="RTPRx:10.1.1.1:32674"/></CiscoIPPhoneExecute>'
    )
    assert packet(0, 7)[:12].hex() == "80800000000000000000" + "0007"
    assert packet(3, 7)[:12].hex() == "80000003000001e000000007"
    assert "geheim" not in repr(push)
