"""Streams, screens and calls of the fleet on real loopback sockets."""

import json
import socket
import struct
import time
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from emulator.engine import Answer, Request, listen, serve
from emulator.fleet.catalogue import load
from emulator.fleet.fleet import Fleet, Settings
from emulator.fleet.notify import notify
from emulator.phone.media import Handler, Medium
from emulator.phone.phone import Phone
from emulator.records import Records

MODELS = load().models
GATEWAY = "127.20.128.10"
GROUP = "239.77.1.1"
TONE = bytes([0x80]) * 160


def free_port(first: int = 26000) -> int:
    """An even port where phones may be told to hear."""
    for port in range(first, first + 2000, 2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise AssertionError


class Bed:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = Records(path / "events.jsonl", witness="phones", clock=time.monotonic_ns)
        self.record: Path | None = None
        self.port = self.control = 0
        self.fleet: Fleet

    async def push(self, *urls: str, phone: int = 1, priority: int = 0) -> bytes:
        items = "".join(f'<ExecuteItem Priority="{priority}" URL="{url}"/>' for url in urls)
        return await self.push_object(f"<CiscoIPPhoneExecute>{items}</CiscoIPPhoneExecute>", phone=phone)

    async def push_object(self, document: str, *, phone: int = 1) -> bytes:
        body = f"XML={document}"
        head = f"POST /CGI/Execute HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        return await talk(f"127.20.0.{phone}", self.port, (head + body).encode())

    async def say(self, method: str, path: str, more: str = "") -> tuple[int, dict[str, Any]]:
        answer = await talk(GATEWAY, self.control, f"{method} {path} HTTP/1.0\r\n{more}\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    async def act(self, event: str, phone: int = 1) -> int:
        return (await self.say("POST", f"/phones/SEP001BD400000{phone}/{event}"))[0]

    async def state(self, phone: int = 1) -> dict[str, Any]:
        return (await self.say("GET", f"/phones/SEP001BD400000{phone}"))[1]

    async def until(self, what: Callable[[], object]) -> None:
        with trio.fail_after(5):
            while not what():
                await trio.sleep(0.002)

    def diary(self, kind: str) -> list[dict[str, Any]]:
        self.records.close()
        entries = [json.loads(line) for line in (self.path / "events.jsonl").read_text().splitlines()]
        return [entry for entry in entries if entry["kind"] == kind]


async def talk(address: str, port: int, data: bytes) -> bytes:
    async with await trio.open_tcp_stream(address, port) as stream:
        await stream.send_all(data)
        answer = b""
        while more := await stream.receive_some():
            answer += more
    return answer


@asynccontextmanager
async def running(bed: Bed) -> AsyncIterator[Bed]:
    phones = [
        Phone(
            device_name=f"SEP001BD400000{number}",
            directory_number=f"200{number}",
            mac=f"001BD400000{number}",
            model=MODELS["CP-7961G"],
            address=f"127.20.0.{number}",
            server=None,
        )
        for number in (1, 2)
    ]
    settings = Settings(port=0, rtp_port=free_port(24000), record=bed.record, control=(GATEWAY, 0), reset_s=0.0)
    bed.fleet = Fleet(phones, settings)
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(bed.fleet.run, bed.records)
        bed.port = int(urls["phones"].rpartition(":")[2])
        bed.control = int(urls["control"].rpartition(":")[2])
        yield bed
        nursery.cancel_scope.cancel()


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def packet(number: int, payload: bytes = TONE) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, number, 160 * number, 7) + payload


async def test_a_group_is_joined_and_delivered_to_every_phone_that_joined(bed: Bed) -> None:
    port = free_port()
    async with running(bed):
        for phone in (1, 2):
            assert b'Status="0"' in await bed.push(f"RTPMRx:{GROUP}:{port}:30", phone=phone)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            for number in range(5):
                sender.sendto(packet(number), (GROUP, port))
            await bed.until(lambda: bed.fleet.status()["packets"] == 5)
            assert (await bed.state())["listening"] == {
                "source": GROUP, "port": port, "multicast": True, "mixed": False, "volume": 30, "packets": 5,
            }  # fmt: skip
            await bed.push("RTPRx:Stop")
            assert GROUP in joined()  # phone 2 still hears it
            sender.sendto(packet(5), (GROUP, port))
            await bed.until(lambda: bed.fleet.status()["packets"] == 6)
            await bed.push("RTPMRx:Stop", phone=2)
        assert GROUP not in joined()
        assert bed.fleet.status()["packets"] == 6
    heard = [(entry["phone"][-1], entry["packets"], entry["foreign"]) for entry in bed.diary("stream.heard")]
    assert heard == [("1", 5, False), ("2", 6, False)]


def joined() -> set[str]:
    lines = [line.split() for line in Path("/proc/net/igmp").read_text().splitlines() if line.startswith("\t\t")]
    return {socket.inet_ntoa(int(line[0], 16).to_bytes(4, "little")) for line in lines}


async def test_another_port_is_heard_while_somebody_listens(bed: Bed) -> None:
    port = free_port()
    async with running(bed):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(2):
                await bed.push(f"RTPRx:127.0.0.1:{port}")
                sender.sendto(packet(1), ("127.20.0.1", port))
                await bed.push("RTPRx:Stop")
        assert bed.fleet.status()["packets"] == 2
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("0.0.0.0", port))
    assert [entry["packets"] for entry in bed.diary("stream.heard")] == [1, 1]


async def test_a_port_that_is_taken_is_heard_by_those_who_ask_later(bed: Bed) -> None:
    port = free_port()
    async with running(bed):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", port))
            assert b'Status="0"' in await bed.push(f"RTPRx:127.0.0.1:{port}")
        await bed.push(f"RTPRx:127.0.0.1:{port}", phone=2)
        await bed.push("RTPRx:Stop")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(packet(1), ("127.20.0.2", port))
        await bed.until(lambda: bed.fleet.status()["packets"] == 1)
    assert [entry["phone"][-1] for entry in bed.diary("stream.heard")] == ["2"]


async def test_a_phone_sends_rtp_from_its_address_until_stopped(bed: Bed) -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((GATEWAY, port))
        receiver.setblocking(False)
        async with running(bed):
            assert b'Status="0"' in await bed.push(f"RTPTx:{GATEWAY}:{port}")
            assert b'Number="1"' in await bed.push(f"RTPTx:{GATEWAY}:{port}")
            packets = []
            with trio.fail_after(5):
                while len(packets) < 3:
                    await trio.lowlevel.wait_readable(receiver)
                    packets.append(receiver.recvfrom(2000))
            page = await talk("127.20.0.1", bed.port, b"GET /StreamingStatisticsX?1 HTTP/1.0\r\n\r\n")
            assert f"<RemoteAddr>{GATEWAY}/{port}<".encode() in page
            assert f"<LocalAddr>127.20.0.1/{packets[0][1][1]}<".encode() in page
            assert int(page.partition(b"<SenderPackets>")[2].partition(b"<")[0]) >= 3
            assert b'Status="0"' in await bed.push("RTPTx:Stop")
            assert (await bed.state())["sending"] is None
    heads = [struct.unpack("!BBHII", data[:12]) for data, _ in packets]
    assert {place[0] for _, place in packets} == {"127.20.0.1"}
    assert {data[12:] for data, _ in packets} == {b"\xff" * 160}
    assert [head[2] - heads[0][2] & 0xFFFF for head in heads] == [0, 1, 2]
    assert [head[3] - heads[0][3] & 0xFFFFFFFF for head in heads] == [0, 160, 320]
    (sent,) = bed.diary("stream.sent")
    assert sent["ssrc"] == heads[0][4]
    assert sent["packets"] >= 3


async def test_multicast_is_sent(bed: Bed) -> None:
    port = free_port()
    async with running(bed):
        await bed.push(f"RTPMRx:{GROUP}:{port}")
        await bed.push(f"RTPMTx:{GROUP}:{port}", phone=2)
        await bed.until(lambda: bed.fleet.status()["packets"] > 1)
    (heard,) = bed.diary("stream.heard")
    assert heard["source"].startswith("127.20.0.2:")


async def test_calls_refuse_mix_and_end_streams(bed: Bed) -> None:
    async with running(bed):
        await bed.push("RTPRx:127.0.0.1")
        assert await bed.act("hold") == 409
        assert await bed.act("ring") == 200
        assert (await bed.state())["listening"] is not None
        assert await bed.act("call") == 200
        assert (await bed.state())["listening"] is None
        assert b'Number="4"' in await bed.push("RTPTx:127.0.0.1:20480")
        await bed.push("RTPRx:127.0.0.1::40")
        listening = (await bed.state())["listening"]
        assert (listening["mixed"], listening["volume"]) == (True, None)
        assert await bed.act("hold") == 200
        assert b'Status="0"' in await bed.push("RTPTx:127.0.0.1:20480")
        assert await bed.act("resume") == 200
        state = await bed.state()
        assert (state["state"], state["listening"], state["sending"]) == ("in-call", None, None)
        await bed.push("Key:Release")
        assert (await bed.state())["state"] == "idle"
        await bed.push("Dial:2002")
        assert (await bed.state())["state"] == "in-call"
        assert await bed.act("reset") == 200
        await bed.until(lambda: not bed.fleet._away)
        assert (await bed.state())["state"] == "idle"
    assert [entry["reason"] for entry in bed.diary("stream.stopped")] == ["call", "call"]


async def test_the_control_api_pages_and_refuses(bed: Bed) -> None:
    async with running(bed):
        status, page = await bed.say("GET", "/phones?count=1")
        assert (status, page["total"], page["next"], len(page["phones"])) == (200, 2, 1, 1)
        assert (await bed.say("GET", "/phones?first=1"))[1]["next"] is None
        for method, path, more, expected in (
            ("GET", "/phones?count=0", "", 400),
            ("GET", "/phones?first=x", "", 400),
            ("GET", "/phones?count=", "", 400),
            ("GET", "/phones?first=0&first=1", "", 400),
            ("GET", "/phones?" + "&".join(f"field{number}=1" for number in range(12)), "", 400),
            ("POST", "/phones", "", 405),
            ("GET", "/phones/SEP001BD4000001/ring", "", 405),
            ("POST", "/phones/SEP001BD4000001/explode", "", 404),
            ("POST", "/phones/SEP001BD40000FF/ring", "", 404),
            ("POST", "/phones/SEP001BD4000001/ring", "Origin: http://a\r\n", 403),
        ):
            assert (await bed.say(method, path, more))[0] == expected


async def test_what_a_phone_heard_is_a_wav_file(bed: Bed) -> None:
    bed.record = bed.path / "heard"
    async with running(bed):
        await bed.push("RTPRx:127.0.0.1")
        port = bed.fleet._streams.port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in (0, 1, 3):
                sender.sendto(packet(number), ("127.20.0.1", port))
        await bed.push("RTPRx:Stop")
    with wave.open(str(bed.record / "SEP001BD4000001-0001.wav")) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        samples = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    assert samples == (32124,) * 320 + (0,) * 160 + (32124,) * 160


async def test_an_url_is_fetched_from_the_phones_address_and_shown(bed: Bed) -> None:
    asked: list[Request] = []

    async def page(request: Request) -> Answer:
        asked.append(request)
        body = b"<CiscoIPPhoneText><Title>Fire</Title><Text>Leave</Text></CiscoIPPhoneText>"
        body = {"/a": body, "/b": b"nonsense"}.get(request.path, b"")
        status = b"200 OK" if body else b"404 Not Found"
        return Answer(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    def shown() -> str:
        screen = bed.fleet.phones[0].screen
        return "" if screen is None else screen.fields["Text"]

    listener = listen(GATEWAY, 0)
    server = f"http://{GATEWAY}:{listener.getsockname()[1]}"
    async with running(bed), trio.open_nursery() as nursery:
        await nursery.start(partial(serve, [listener], page))
        for url, text in (
            (f"{server}/a", "Leave"), (f"{server}/b", "XML Error[4]"), (f"{server}/c", "HTTP Error[8]"),
            ("http://host.invalid/", "HTTP Error[10]"), (f"{server}/a", "Leave"),
        ):  # fmt: skip
            assert b'Status="0"' in await bed.push(url)
            await bed.until(lambda text=text: shown() == text)  # type: ignore[misc]
        assert asked[0].peer[0] == "127.20.0.1"
        assert asked[0].target == b"/a"
        count = len(asked)
        await bed.act("call")
        await bed.push(f"{server}/b", priority=2)  # dropped
        await bed.push(f"{server}/b", "Key:Info", priority=1)  # waits
        assert len(asked) == count
        await bed.act("hang-up")
        await bed.until(lambda: shown() == "XML Error[4]")
        assert len(asked) == count + 1
        nursery.cancel_scope.cancel()
    actions = [entry["action"] for entry in bed.diary("push.executed")]
    assert actions == ["Fetch"] * 5 + ["Fetch:Dropped", "Fetch:Waiting", "Key"]


async def test_an_object_is_shown_as_pushed(bed: Bed) -> None:
    async with running(bed):
        answer = await bed.push_object("<CiscoIPPhoneText><Title>Fire</Title><Text>Leave</Text></CiscoIPPhoneText>")
        assert b'<ResponseItem URL="" Data="Success" Status="0" />' in answer
        assert (await bed.state())["screen"] == {
            "object": "CiscoIPPhoneText", "Title": "Fire", "Text": "Leave", "items": [],
        }  # fmt: skip
        too_long = await bed.push_object(f"<CiscoIPPhoneText><Title>{'x' * 33}</Title></CiscoIPPhoneText>")
        assert b'Number="1"' in too_long
    (shown,) = bed.diary("screen.shown")
    assert (shown["object"], shown["title"]) == ("CiscoIPPhoneText", "Fire")


async def test_play_withholds_the_answer(bed: Bed, autojump_clock: trio.testing.MockClock) -> None:
    async with running(bed):
        begun = trio.current_time()
        await bed.push("Play:Chime-8160.raw")
        assert trio.current_time() - begun == pytest.approx(8160 / 8000)
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bed.push, "Play:Chime.raw")
            while not bed.fleet._playing:
                await trio.lowlevel.checkpoint()
            await bed.push("Play:Stop")
        assert trio.current_time() - begun < 1


async def test_soft_keys_are_pressed_by_the_control_api(bed: Bed) -> None:
    keys = ("Exit", "SoftKey:Exit"), ("Again", "http://127.20.0.1:9/"), ("Dial", "Dial:x")
    items = "".join(
        f"<SoftKeyItem><Name>{name}</Name><URL>{url}</URL><Position>{at}</Position></SoftKeyItem>"
        for at, (name, url) in enumerate(keys, 1)
    )
    async with running(bed):
        assert await bed.act("softkey?name=Exit") == 409
        await bed.push_object(f"<CiscoIPPhoneText><Text>a</Text>{items}</CiscoIPPhoneText>")
        for query in ("", "?name=a&name=b", "?name=a&b=c", "?" + "&".join(f"field{n}=1" for n in range(12))):
            assert await bed.act(f"softkey{query}") == 400
        assert await bed.act("softkey?name=Nothing") == 409
        assert await bed.act("softkey?name=Dial") == 409
        assert (await bed.say("GET", "/phones/SEP001BD4000001/softkey?name=Exit"))[0] == 405
        assert await bed.act("softkey?name=Again") == 200
        await bed.until(lambda: bed.fleet.phones[0].screen and bed.fleet.phones[0].screen.kind == "HTTP Error")
        await bed.push_object(f"<CiscoIPPhoneText><Text>a</Text>{items}</CiscoIPPhoneText>")
        assert await bed.act("softkey?name=Exit") == 200
        assert (await bed.state())["screen"] is None
    assert [entry["name"] for entry in bed.diary("softkey.pressed")] == ["Again", "Exit"]


async def test_a_stream_of_the_media_api_is_heard_like_any_and_its_end_is_told(bed: Bed) -> None:
    told: list[Request] = []

    async def listen_for(request: Request) -> Answer:
        await trio.lowlevel.checkpoint()
        told.append(request)
        return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    application = listen(GATEWAY, 0)
    handler = f"Notify:http:{GATEWAY}:{application.getsockname()[1]}:stopped"
    start = (
        f'<startMedia><mediaStream onStopped="{handler}"><type>audio</type><codec>G.711</codec>'
        "<mode>receive</mode><address>127.0.0.1</address></mediaStream></startMedia>"
    )
    async with running(bed), trio.open_nursery() as nursery:
        await nursery.start(partial(serve, [application], listen_for))
        answer = await bed.push_object(start)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        port = bed.fleet._streams.port
        assert answer.endswith(b'<mediaStream id="receive:1"><port>%d</port></mediaStream>' % port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(packet(1), ("127.20.0.1", port))
        await bed.until(lambda: bed.fleet.status()["packets"] == 1)
        assert (await bed.push_object(start)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert await bed.act("call") == 200
        await bed.until(lambda: told)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    assert told[0].peer[0] == "127.20.0.1"
    assert (told[0].method, told[0].path) == ("POST", "/stopped")
    assert b"origin%3D%22user%22" in told[0].body
    assert [entry["items"] for entry in bed.diary("push.received")] == [["RTPRx:127.0.0.1:"]] * 2
    assert [entry["action"] for entry in bed.diary("push.executed")] == ["RTPRx"]
    assert [entry["packets"] for entry in bed.diary("stream.heard")] == [1]
    answered = bed.diary("push.answered")
    assert [(entry["http_status"], entry.get("error_number")) for entry in answered] == [(200, None), (400, 1)]
    assert [entry["told"] for entry in bed.diary("media.notified")] == [True]


async def test_an_application_that_is_not_there_is_told_four_times(
    bed: Bed, autojump_clock: trio.testing.MockClock
) -> None:
    with socket.socket() as closed:
        closed.bind((GATEWAY, 0))
        medium = Medium("receive:1", "receive", Handler(GATEWAY, closed.getsockname()[1], "/"))
        phone = Phone(
            device_name="SEP001BD4000001",
            directory_number="2001",
            mac="001BD4000001",
            model=MODELS["CP-8851"],
            address="127.20.0.1",
            server=None,
        )
        assert not await notify(phone, medium, "push")
    assert trio.current_time() == 3.0
