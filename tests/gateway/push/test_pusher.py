"""Pushes over real loopback sockets to phones that do one wrong thing each.

Numbers such as C3 are rows of the list of faults.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from gateway.authentication import Flights
from gateway.cisco import Credentials, PushAnswer
from gateway.inventory import Phone
from gateway.push import Group, Limits, Pusher
from gateway.push.client import UNASKED, PushSettings
from gateway.records import Records

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway"
PHONE, GATEWAY = "127.20.0.1", "127.20.128.10"
GOOD = (GOLDEN / "response-7960.http").read_bytes()
Behaviour = Callable[[trio.SocketStream], Awaitable[None]]


class FakePhone:
    """Reads a whole request, then does what it is told."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[tuple[str, bytes]] = []

    async def handle(self, stream: trio.SocketStream) -> None:
        async with stream:
            received = b""
            while not whole(received):
                data = await stream.receive_some(4096)
                if not data:
                    return
                received += data
            host, port = stream.socket.getpeername()
            self.requests.append((f"{host}:{port}", received))
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.behaviour(stream)


def whole(request: bytes) -> bool:
    head, separator, body = request.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(separator) and len(body) >= int(lengths[0] if lengths else 0)


def says(*parts: bytes) -> Behaviour:
    async def behaviour(stream: trio.SocketStream) -> None:
        for part in parts:
            await stream.send_all(part)

    return behaviour


async def hangs(stream: trio.SocketStream) -> None:
    await stream.receive_some(1)


async def drips(stream: trio.SocketStream) -> None:
    for byte in GOOD:
        await stream.send_all(bytes([byte]))
        await trio.sleep(0.05)


async def resets(stream: trio.SocketStream) -> None:
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def floods(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 4096)


@asynccontextmanager
async def listening(behaviour: Behaviour) -> AsyncIterator[tuple[FakePhone, int]]:
    unit = FakePhone(behaviour)
    listeners = await trio.open_tcp_listeners(0, host=PHONE)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, unit.handle, listeners)
            yield unit, listeners[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()


def make_pusher(port: int, records: Records, *, source: str | None = GATEWAY, total_s: float = 0.5) -> Pusher:
    return Pusher(
        settings=PushSettings(
            credentials=Credentials(user="agpush", password="canary"),
            source=source,
            port=port,
            rtp_port=32674,
            limits=Limits(connect_s=0.3, total_s=total_s),
        ),
        records=records,
    )


async def push(behaviour: Behaviour, path: Path) -> tuple[PushAnswer, FakePhone, list[dict[str, object]]]:
    events = path / "events.jsonl"
    with Records(events) as records:
        async with listening(behaviour) as (unit, port):
            target = Phone(device_name="SEP001BD4000001", address=PHONE)
            answer = await make_pusher(port, records).push(target, page="1", action="start", attempt=1)
    text = events.read_text()
    assert "canary" not in text
    return answer, unit, [json.loads(line) for line in text.splitlines()]


async def test_a_push_and_its_records(tmp_path: Path) -> None:
    answer, unit, (sent, ended) = await push(says(GOOD), tmp_path)
    assert answer.outcome == "executed"
    ((peer, request),) = unit.requests
    assert peer.startswith(f"{GATEWAY}:")
    assert request.startswith(b"POST /CGI/Execute HTTP/1.0\r\nHost: 127.20.0.1:")
    assert request.endswith(b"URL%3D%22RTPRx%3A127.20.128.10%3A32674%22%2F%3E%3C%2FCiscoIPPhoneExecute%3E")
    assert (sent["kind"], sent["push"], sent["phone"], sent["address"]) == ("push.sent", peer, "SEP001BD4000001", PHONE)
    assert (sent["page"], sent["action"], sent["attempt"]) == ("1", "start", 1)
    assert (ended["kind"], ended["push"], ended["outcome"], ended["http_status"]) == (
        "push.ended",
        peer,
        "executed",
        200,
    )
    assert ended["answer_ms"] >= 0  # type: ignore[operator]
    assert sent["t_ns"] <= ended["t_ns"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("row", "behaviour", "outcome"),
    [
        ("C2", hangs, "timed_out"),
        ("C3", drips, "timed_out"),
        ("C5", says(b"SSH-2.0-x\r\n"), "garbled"),
        ("C6", says(b"\0\1\2\3" * 100), "garbled"),
        ("C7", says(GOOD[:-20]), "indeterminate"),
        ("C7", says(b""), "indeterminate"),
        ("C9", floods, "garbled"),
        ("C10", says(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "garbled"),
        ("C14", says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"), "garbled"),
        ("C16", says((GOLDEN / "error-4.http").read_bytes()), "refused_authentication"),
        ("C16", says((GOLDEN / "unauthorized-7960.http").read_bytes()), "refused_authentication"),
        ("C17", says(b"HTTP/1.1 302 Found\r\nLocation: http://127.20.0.2/\r\nContent-Length: 0\r\n\r\n"), "garbled"),
        ("reset", resets, "indeterminate"),
        ("until close", says(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD.partition(b"\r\n\r\n")[2]), "executed"),
    ],
)
async def test_each_fault_has_its_outcome(tmp_path: Path, row: str, behaviour: Behaviour, outcome: str) -> None:
    answer, unit, events = await push(behaviour, tmp_path)
    assert answer.outcome == outcome, row
    assert len(unit.requests) == 1
    assert [event["kind"] for event in events] == ["push.sent", "push.ended"]
    assert events[1]["outcome"] == outcome


async def test_c1_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind((PHONE, 0))
        with Records(tmp_path / "e") as records:
            unit = make_pusher(free.getsockname()[1], records)
            target = Phone(device_name="SEP001BD4000001", address=PHONE)
            answer = await unit.push(target, page="1", action="stop", attempt=1)
    assert (answer.outcome, answer.detail) == ("unreachable", "Connection refused")
    (ended,) = [json.loads(line) for line in (tmp_path / "e").read_text().splitlines()]
    assert "push" not in ended
    assert "answer_ms" not in ended
    assert unit.answered == 0


async def test_c1_no_answer_to_the_connection(tmp_path: Path) -> None:
    """A listener whose queue is full drops further SYNs."""
    with socket.socket() as full, Records(None) as records:
        full.bind((PHONE, 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            assert filler.connect_ex((PHONE, port)) in (0, errno.EINPROGRESS)
        await trio.sleep(0.05)
        target = Phone(device_name="SEP001BD4000001", address=PHONE)
        answer = await make_pusher(port, records).push(target, page="1", action="start", attempt=1)
        for filler in fillers:
            filler.close()
    assert (answer.outcome, answer.detail) == ("unreachable", "no connection within 0.3 s")


async def test_without_a_source_the_audio_is_announced_from_the_address_the_system_chose() -> None:
    with Records(None) as records:
        async with listening(says(GOOD)) as (unit, port):
            target = Phone(device_name="SEP001BD4000001", address=PHONE)
            await make_pusher(port, records, source=None).push(target, page="1", action="start", attempt=1)
    ((peer, request),) = unit.requests
    assert f"RTPRx%3A{peer.rpartition(':')[0]}%3A32674".encode() in request


async def test_a_cancelled_push_has_an_end_in_the_records(tmp_path: Path) -> None:
    with Records(tmp_path / "e") as records:
        async with listening(hangs) as (_, port):
            target = Phone(device_name="SEP001BD4000001", address=PHONE)
            unit = make_pusher(port, records, total_s=9)
            with trio.move_on_after(0.2):
                await unit.push(target, page="1", action="start", attempt=1)
    sent, ended = [json.loads(line) for line in (tmp_path / "e").read_text().splitlines()]
    assert (ended["outcome"], ended["detail"], ended["push"]) == ("indeterminate", "interrupted", sent["push"])


async def test_p7_a_push_waits_for_a_descriptor_and_no_phone_is_blamed(tmp_path: Path) -> None:
    async with listening(says(GOOD)) as (_, port):
        with Records(None) as records:
            pusher = make_pusher(port, records, total_s=5.0)
            target = Phone(device_name="SEP001BD4000001", address=PHONE)
            answers: list[PushAnswer] = []
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            taken: list[int] = []
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 200), hard))
            try:
                with suppress(OSError):
                    while True:
                        taken.append(os.dup(0))

                async def push_once() -> None:
                    answers.append(await pusher.push(target, page="1", action="start", attempt=1))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(push_once)
                    await trio.sleep(0.2)
                    assert answers == []
                    for descriptor in taken:
                        os.close(descriptor)
                    taken.clear()
            finally:
                for descriptor in taken:
                    os.close(descriptor)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [answer.outcome for answer in answers] == ["executed"]


async def test_c9_giant_answers_leave_memory_flat(tmp_path: Path) -> None:
    async def giant(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1000):
            await stream.send_all(bytes(64 * 1024))

    async with listening(giant) as (_, port):
        with Records(None) as records:
            pusher = make_pusher(port, records, total_s=10.0)
            target = Phone(device_name="SEP001BD4000001", address=PHONE)
            await pusher.push(target, page="1", action="start", attempt=1)
            tracemalloc.start()
            for _ in range(30):
                answer = await pusher.push(target, page="1", action="start", attempt=1)
                assert answer.outcome == "garbled"
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert peak < 5 * 1024 * 1024


async def test_c17_a_redirect_is_not_followed_and_nothing_is_sent_there(tmp_path: Path) -> None:
    async with listening(hangs) as (elsewhere, other_port):
        location = f"HTTP/1.1 302 Found\r\nLocation: http://{PHONE}:{other_port}/\r\nContent-Length: 0\r\n\r\n"
        answer, unit, _ = await push(says(location.encode()), tmp_path)
        assert (answer.outcome, answer.http_status) == ("garbled", 302)
        assert len(unit.requests) == 1
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "challenge", ['Digest realm="x", nonce="1", qop="auth"', 'Basic realm="elsewhere"', "NTLM", "Bearer"]
)
async def test_b19_a_phone_that_asks_for_another_scheme_gets_nothing_more(tmp_path: Path, challenge: str) -> None:
    said = f"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
    answer, unit, _ = await push(says(said.encode()), tmp_path)
    assert (answer.outcome, answer.http_status) == ("refused_authentication", 401)
    assert len(unit.requests) == 1


@pytest.mark.parametrize("asks", [True, False])
async def test_b20_a_phone_that_executes_without_asking_is_told(tmp_path: Path, *, asks: bool) -> None:
    flights = Flights()

    async def behaviour(stream: trio.SocketStream) -> None:
        if asks:
            flights.asked("SEP001BD4000001")
        await stream.send_all(GOOD)

    async with listening(behaviour) as (_, port):
        with Records(None) as records:
            pusher = make_pusher(port, records)
            pusher._flights = flights
            answer = await pusher.push(
                Phone(device_name="SEP001BD4000001", address=PHONE), page="1", action="start", attempt=1
            )
    assert (answer.outcome, answer.detail) == ("executed", None if asks else UNASKED)


async def test_multicast_is_asked_for_with_the_group_and_stopped_as_any_other(tmp_path: Path) -> None:
    with Records(None) as records:
        pusher = make_pusher(80, records)
        group = Group(address="239.0.1.1", port=20480)
        assert pusher.uris("start", GATEWAY, group) == ["RTPMRx:239.0.1.1:20480"]
        assert pusher.uris("stop", GATEWAY, group) == ["RTPRx:Stop"]
        target = Phone(device_name="SEP001BD4000001", address=PHONE)
        assert b"RTPMRx%3A239.0.1.1%3A20480" in pusher.request(target, "start", GATEWAY, group)
        assert b"RTPRx%3A127.20.128.10%3A32674" in pusher.request(target, "start", GATEWAY)
