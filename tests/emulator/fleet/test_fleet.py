"""The fleet on real loopback sockets: pushes, questions, audio, diaries."""

import base64
import errno
import json
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import trio

from emulator.engine import Answer, BindError, Request, listen, serve
from emulator.fleet.catalogue import load
from emulator.fleet.fleet import Fleet, Settings
from emulator.phone.authentication import Server
from emulator.phone.phone import Phone
from emulator.records import Records

MODELS = load().models
GATEWAY = "127.20.128.10"
SECRET = "s3c r:t"
ROSTER = ("CP-7960G", "CP-7961G", "CP-7970G")


class Bed:
    """Three phones, an authentication server, and the records of the fleet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = Records(path, witness="phones", clock=time.monotonic_ns)
        self.asked: list[Request] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nAUTHORIZED"
        self.server: Server | None = None
        self.port = 0
        self.rtp_port = 0
        self.own_port = 0
        """Of the client; 0: any."""
        self.timeout_s = 10.0
        self.fleet: Fleet

    async def authenticate(self, request: Request) -> Answer:
        self.asked.append(request)
        if request.path == "/silent":
            await trio.sleep_forever()
        if request.path == "/redirect":
            location = b"http://" + request.headers[b"host"] + b"/second?" + request.query
            return Answer(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")
        return Answer(self.answer)

    def phones(self) -> list[Phone]:
        return [
            Phone(
                device_name=f"SEP001BD400000{number}",
                directory_number=f"200{number}",
                mac=f"001BD400000{number}",
                model=MODELS[model],
                address=f"127.20.0.{number}",
                server=self.server,
                web_access=number != 3,
            )
            for number, model in enumerate(ROSTER, start=1)
        ]

    async def push(self, url: str, *, phone: int = 1, password: str | None = SECRET) -> bytes:
        body = f'XML=<CiscoIPPhoneExecute><ExecuteItem URL="{url}"/></CiscoIPPhoneExecute>'
        head = f"POST /CGI/Execute HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        if password is not None:
            head += f"Authorization: Basic {base64.b64encode(f'agpush:{password}'.encode()).decode()}\r\n"
        return await self.talk(f"{head}\r\n{body}".encode(), phone=phone)

    async def talk(self, data: bytes, *, phone: int = 1) -> bytes:
        sock = trio.socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await sock.bind((GATEWAY, self.own_port))
        await sock.connect((f"127.20.0.{phone}", self.port))
        async with trio.SocketStream(sock) as stream:
            await stream.send_all(data)
            answer = b""
            while more := await stream.receive_some():
                answer += more
        return answer

    def diary(self) -> list[dict[str, Any]]:
        self.records.close()
        assert SECRET not in self.path.read_text()
        assert "s3c" not in self.path.read_text()
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@asynccontextmanager
async def running(bed: Bed, path: str | None = "/a") -> AsyncIterator[Bed]:
    listener = listen(GATEWAY, 0)
    if path is not None:
        bed.server = Server(GATEWAY, listener.getsockname()[1], path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        bed.rtp_port = probe.getsockname()[1]
    settings = Settings(port=0, rtp_port=bed.rtp_port, authentication_timeout_s=bed.timeout_s)
    bed.fleet = Fleet(bed.phones(), settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, [listener], bed.authenticate))
        urls = await nursery.start(bed.fleet.run, bed.records)
        bed.port = int(urls["phones"].rpartition(":")[2])
        yield bed
        nursery.cancel_scope.cancel()


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path / "events.jsonl")


def kinds(diary: list[dict[str, Any]], phone: int = 1) -> list[str]:
    return [entry["kind"] for entry in diary if entry["phone"] == f"SEP001BD400000{phone}"]


async def test_a_push_is_asked_about_from_the_phones_own_address_and_executed(bed: Bed) -> None:
    async with running(bed):
        answer = await bed.push(f"RTPRx:{GATEWAY}:20480")
        assert b'<ResponseItem Status="0" Data="" URL="RTPRx:127.20.128.10:20480"/>' in answer
        assert bed.fleet.status() == {"pushes": 1, "authentications": 1, "listening": 1, "packets": 0}
    (question,) = bed.asked
    assert question.peer[0] == "127.20.0.1"
    assert question.query == b"UserID=agpush&Password=s3c+r%3At&devicename=SEP001BD4000001"
    diary = bed.diary()
    assert kinds(diary) == [
        "push.received", "authentication.asked", "authentication.answered", "push.executed", "stream.listening",
        "push.answered", "stream.stopped",
    ]  # fmt: skip
    received, asked, answered, executed, listening, sent, stopped = diary
    push = received["push"]
    assert push.startswith(GATEWAY + ":")
    server = f"{GATEWAY}:{question.local[1]}"
    assert received["items"] == [f"RTPRx:{GATEWAY}:20480"]
    assert received["well_formed"] is True
    connection = f"127.20.0.1:{question.peer[1]}"
    for entry in (asked, answered):
        assert (entry["push"], entry["connection"], entry["server"], entry["hop"]) == (push, connection, server, 0)
    assert (answered["answer"], answered["http_status"]) == ("authorized", 200)
    assert (executed["action"], executed["authorised_by"], executed["push"]) == ("RTPRx", server, push)
    assert (listening["source"], listening["port"], listening["push"]) == (GATEWAY, 20480, push)
    assert (sent["answer"], sent["http_status"], sent["push"]) == ("response", 200, push)
    assert stopped["reason"] == "end"
    assert "push" not in stopped


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nUN-AUTHORIZED", "refused"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nAUTHORIZED\n", "refused"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "refused"),
        (b"nonsense", "garbled"),
    ],
)
async def test_anything_but_authorized_executes_nothing(bed: Bed, answer: bytes, verdict: str) -> None:
    bed.answer = answer
    async with running(bed):
        assert (await bed.push("RTPRx:Stop")).startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert (await bed.push("RTPRx:Stop", phone=2)).endswith(b'<CiscoIPPhoneError Number="4" />')
    diary = bed.diary()
    assert "push.executed" not in [entry["kind"] for entry in diary]
    assert [entry["answer"] for entry in diary if entry["kind"] == "authentication.answered"] == [verdict] * 2
    said = [entry for entry in diary if entry["kind"] == "push.answered"]
    assert [(entry["answer"], entry["http_status"], entry.get("error_number")) for entry in said] == [
        ("unauthorized", 401, None),
        ("error", 200, 4),
    ]


async def test_without_credentials_nobody_is_asked(bed: Bed) -> None:
    async with running(bed):
        assert (await bed.push("RTPRx:Stop", password=None)).startswith(b"HTTP/1.1 401 ")
        assert b'Number="4"' in await bed.push("RTPRx:Stop", phone=2, password=None)
    assert bed.asked == []


async def test_without_a_url_every_push_is_accepted(bed: Bed) -> None:
    async with running(bed, path=None):
        assert b'Status="0"' in await bed.push("RTPRx:Stop", password=None)
    executed = next(entry for entry in bed.diary() if entry["kind"] == "push.executed")
    assert "authorised_by" not in executed


async def test_a_redirect_is_followed_once(bed: Bed) -> None:
    async with running(bed, "/redirect"):
        assert b'Data="Success"' in await bed.push("RTPRx:Stop", phone=2)
    assert [request.path for request in bed.asked] == ["/redirect", "/second"]
    assert bed.asked[1].query == b"UserID=agpush&Password=s3c+r%3At&devicename=SEP001BD4000002"
    answered = [entry for entry in bed.diary() if entry["kind"] == "authentication.answered"]
    assert [(entry["hop"], entry["answer"]) for entry in answered] == [(0, "redirected"), (1, "authorized")]
    assert answered[0]["connection"] != answered[1]["connection"]


async def test_a_second_redirect_is_refused(bed: Bed) -> None:
    bed.answer = b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"
    async with running(bed):
        assert b'Number="4"' in await bed.push("RTPRx:Stop", phone=2)
    assert len(bed.asked) == 2


async def test_a_server_that_is_silent_or_absent(bed: Bed, autojump_clock: trio.testing.MockClock) -> None:
    async with running(bed, "/silent"):
        begun = trio.current_time()
        assert b'Number="4"' in await bed.push("RTPRx:Stop", phone=2)
        assert trio.current_time() - begun == bed.timeout_s
    answered = next(entry for entry in bed.diary() if entry["kind"] == "authentication.answered")
    assert answered["answer"] == "timed_out"


async def test_a_server_that_is_absent(bed: Bed) -> None:
    async with running(bed, path=None):
        with socket.socket() as closed:
            closed.bind((GATEWAY, 0))
            bed.fleet._phones["127.20.0.2"].server = Server(GATEWAY, closed.getsockname()[1], "/a")
            assert b'Number="4"' in await bed.push("RTPRx:Stop", phone=2)
    diary = bed.diary()
    assert kinds(diary, 2) == ["push.received", "authentication.asked", "authentication.answered", "push.answered"]
    assert diary[2]["answer"] == "unreachable"


async def test_a_second_stream_is_refused_and_the_first_goes_on(bed: Bed) -> None:
    async with running(bed):
        await bed.push(f"RTPRx:{GATEWAY}:20480")
        assert b'Number="1"' in await bed.push(f"RTPRx:{GATEWAY}:20480")
        assert b'Status="1"' in await bed.push(f"RTPRx:{GATEWAY}:20481", phone=2)
        assert b'Data="URI not found" Status="6"' in await bed.push("Vibrate:2001", phone=2)
        assert bed.fleet.status()["listening"] == 1
    assert [entry["kind"] for entry in bed.diary()].count("push.executed") == 1


async def test_paths_are_case_sensitive_and_chunked_pushes_are_not_found(bed: Bed) -> None:
    async with running(bed):
        lower = b"POST /cgi/execute HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
        assert (await bed.talk(lower)).startswith(b"HTTP/1.1 404 ")
        chunked = b"POST /CGI/Execute HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        assert (await bed.talk(chunked)).startswith(b"HTTP/1.1 404 ")
        page = await bed.talk(b"GET /DeviceInformationX HTTP/1.0\r\n\r\n", phone=2)
        assert b"<phoneDN>2002</phoneDN>" in page
        head = await bed.talk(b"HEAD /DeviceInformationX HTTP/1.0\r\n\r\n", phone=2)
        # Of a phone with RomPager 4.34 the head of error 4 is known, whatever was asked for (POIP).
        assert b"Content-Length: 32\r\nServer: Allegro-Software-RomPager/4.34\r\n" in head
        assert head.endswith(b"\r\n\r\n")


async def test_a_connection_to_no_phone_is_reset(bed: Bed) -> None:
    async with running(bed):
        with pytest.raises((trio.BrokenResourceError, ConnectionResetError)):
            await bed.talk(b"GET /DeviceInformationX HTTP/1.0\r\n\r\n", phone=77)


async def test_a_phone_without_web_access_is_silent(bed: Bed) -> None:
    async with running(bed):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as client:
            assert client.connect_ex(("127.20.0.3", bed.port)) == errno.EINPROGRESS
            with trio.move_on_after(0.3) as waiting:
                await trio.lowlevel.wait_writable(client)
            assert waiting.cancelled_caught
        # Its neighbours on the same port are there.
        assert b"200 OK" in await bed.talk(b"GET /DeviceInformationX HTTP/1.0\r\n\r\n", phone=2)


async def test_what_was_heard_is_in_the_diary(bed: Bed) -> None:
    payloads = [bytes([number]) * 160 for number in range(10)]
    async with running(bed, path=None):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        foreigner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender, foreigner:
            sender.bind((GATEWAY, 0))
            foreigner.bind(("127.20.128.66", 0))
            place = ("127.20.0.1", bed.rtp_port)
            sender.sendto(bytes(172), place)  # before it listens
            assert b'Status="0"' in await bed.push(f"RTPRx:{GATEWAY}")
            for number, payload in enumerate(payloads):
                if number != 4:
                    packet = struct.pack("!BBHII", 0x80, 0, 700 + number, 160 * number, 0xABCD) + payload
                    sender.sendto(packet, place)
            foreigner.sendto(struct.pack("!BBHII", 0x80, 0, 1, 0, 1) + payloads[0], place)
            foreigner.sendto(b"x", place)
            assert b'Status="0"' in await bed.push("RTPRx:Stop")
            sender.sendto(bytes(172), place)  # after it stopped
            port = sender.getsockname()[1]
    diary = bed.diary()
    heard = [entry for entry in diary if entry["kind"] == "stream.heard"]
    own = heard[0]
    expected = {
        "source": f"{GATEWAY}:{port}", "ssrc": 0xABCD, "packets": 9, "lost": 1, "duplicates": 0, "reordered": 0,
        "malformed": 0, "foreign": False, "first_sequence": 700, "last_sequence": 709, "first_timestamp": 0,
        "crc32": f"{crc32(b''.join(payloads[:4] + payloads[5:])):08x}",
    }  # fmt: skip
    assert {name: own[name] for name in expected} == expected
    others = [(entry["foreign"], entry["malformed"], entry["packets"]) for entry in heard[1:]]
    assert others == [(True, 0, 1), (True, 1, 1)]
    period = next(entry for entry in diary if entry["kind"] == "stream.listening")
    assert period["push"] == own["push"]
    assert period["t_ns"] <= own["first_t_ns"] <= own["last_t_ns"]
    stopped = next(entry for entry in diary if entry["kind"] == "stream.stopped")
    assert stopped["reason"] == "push"
    assert stopped["push"] != own["push"]
    unlistened = diary[-1]
    assert (unlistened["kind"], unlistened["phone"], unlistened["source"], unlistened["packets"]) == (
        "rtp.unlistened", "SEP001BD4000001", GATEWAY, 2,
    )  # fmt: skip
    assert bed.fleet.ended() == {"dropped": 0}


async def test_a_gateway_that_leaves_before_the_answer_is_in_the_diary(bed: Bed) -> None:
    async with running(bed, "/silent"):
        bed.fleet._phones["127.20.0.1"].server = bed.server
        client = socket.create_connection(("127.20.0.1", bed.port))
        body = b"XML=<CiscoIPPhoneExecute><ExecuteItem URL='RTPRx:Stop'/></CiscoIPPhoneExecute>"
        client.send(
            b"POST /CGI/Execute HTTP/1.0\r\nAuthorization: Basic YTpi\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        while not bed.asked:
            await trio.lowlevel.checkpoint()
        client.close()
    assert kinds(bed.diary())[-1] == "push.answered"
    assert bed.diary()[-1]["answer"] == "none"


async def test_a_taken_rtp_port_is_named(bed: Bed) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"0.0.0.0:{port}: Address already in use"):
            await Fleet(bed.phones(), Settings(port=0, rtp_port=port)).run(
                bed.records, task_status=trio.TASK_STATUS_IGNORED
            )


async def test_a_reset_phone_drops_its_connections_and_what_it_was_asked(bed: Bed) -> None:
    get = b"GET /DeviceInformationX HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running(bed, "/silent"), trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = trio.current_time() + 5
        kept = await trio.open_tcp_stream("127.20.0.1", bed.port)
        other = await trio.open_tcp_stream("127.20.0.2", bed.port)
        for stream in (kept, other):
            await stream.send_all(get)
            assert b" 200 OK" in await stream.receive_some()

        async def reset_while_asking() -> None:
            while not bed.asked:
                await trio.sleep(0.01)
            assert bed.fleet.happen(bed.fleet.phones[0], "reset")

        nursery.start_soon(reset_while_asking)
        with pytest.raises(trio.BrokenResourceError):
            await bed.push(f"RTPRx:{GATEWAY}:20480")
        with pytest.raises(trio.BrokenResourceError):
            await kept.receive_some()
        await other.send_all(get)
        assert b" 200 OK" in await other.receive_some()
        for stream in (kept, other):
            await stream.aclose()
        assert not nursery.cancel_scope.cancel_called
    assert [entry["answer"] for entry in bed.diary() if entry["kind"] == "push.answered"] == ["none"]
    assert "push.executed" not in kinds(bed.diary())


async def test_an_answer_that_comes_with_the_reset_executes_nothing(bed: Bed) -> None:
    async with running(bed):
        ask = bed.fleet._client.ask

        async def reset_at_the_answer(phone: Phone, *rest: Any) -> Any:  # noqa: ANN401 - handed through
            asked = await ask(phone, *rest)
            bed.fleet.happen(phone, "reset")
            return asked

        bed.fleet._client.ask = reset_at_the_answer  # type: ignore[method-assign]
        with pytest.raises(trio.BrokenResourceError):
            await bed.push(f"RTPRx:{GATEWAY}:20480")
    assert "push.executed" not in kinds(bed.diary())


async def test_a_port_that_is_used_again_makes_another_push_of_it(bed: Bed) -> None:
    with socket.socket() as probe:
        probe.bind((GATEWAY, 0))
        bed.own_port = probe.getsockname()[1]
    async with running(bed, None):
        await bed.push("RTPRx:127.20.128.10:32674")
        await bed.push("RTPRx:Stop")
        await bed.push("RTPRx:Stop", phone=2)
    names = [record["push"] for record in bed.diary() if record["kind"] == "push.received"]
    name = f"{GATEWAY}:{bed.own_port}"
    assert names == [name, f"{name}#2", name]
