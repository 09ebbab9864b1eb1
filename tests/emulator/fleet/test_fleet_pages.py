"""Pages and models on real loopback sockets: one phone of every model."""

import base64
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import trio

from emulator.engine import Answer, Request, listen, serve
from emulator.fleet.catalogue import load
from emulator.fleet.fleet import Fleet, Settings
from emulator.phone.authentication import Server
from emulator.phone.model import Model
from emulator.phone.phone import Phone
from emulator.phone.picture import draw, png
from emulator.records import Records

MODELS = list(load().models.values())
NAMES = [model.model for model in MODELS]
GATEWAY = "127.20.128.11"
GOLDEN = Path(__file__).parents[2] / "golden" / "models"
PAGES = (
    "/", "/DeviceInformation", "/DeviceInformationX", "/NetworkConfiguration", "/NetworkConfigurationX",
    "/EthernetInformation", "/EthernetInformationX", "/PortInformation?1", "/PortInformationX?3", "/DeviceLog?0",
    "/DeviceLogX?2", "/StreamingStatistics?1", "/StreamingStatisticsX?2",
)  # fmt: skip


class Bed:
    def __init__(self, models: list[Model]) -> None:
        self.models = models
        self.asked: list[Request] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nAUTHORIZED"
        self.port = self.rtp_port = 0
        self.url = ""

    async def authenticate(self, request: Request) -> Answer:
        self.asked.append(request)
        if request.path == "/redirect":
            return Answer(
                b"HTTP/1.1 302 Found\r\nLocation: /second?" + request.query + b"\r\nContent-Length: 0\r\n\r\n"
            )
        return Answer(self.answer)

    async def talk(self, model: str, data: bytes, *, step: int = 65536) -> bytes:
        index = [known.model for known in self.models].index(model)
        async with await trio.open_tcp_stream(f"127.20.1.{index + 1}", self.port) as stream:
            for at in range(0, len(data), step):
                await stream.send_all(data[at : at + step])
            answer = b""
            while more := await stream.receive_some():
                answer += more
        return answer

    async def get(
        self, model: str, path: str, *, method: str = "GET", user: str | None = "agpush:s3c", step: int = 65536
    ) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        if user is not None:
            head += f"Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"
        return await self.talk(model, f"{head}\r\n".encode(), step=step)

    async def push(self, model: str, url: str) -> bytes:
        body = f'XML=<CiscoIPPhoneExecute><ExecuteItem URL="{url}"/></CiscoIPPhoneExecute>'
        head = f"POST /CGI/Execute HTTP/1.0\r\nContent-Length: {len(body)}\r\nAuthorization: Basic YTpi\r\n\r\n"
        return await self.talk(model, (head + body).encode())


@asynccontextmanager
async def running(path: Path, *, models: list[Model] = MODELS, url: str | None = "/a") -> AsyncIterator[Bed]:
    bed = Bed(models)
    listener = listen(GATEWAY, 0)
    port = listener.getsockname()[1]
    server = None if url is None else Server(GATEWAY, port, url)
    bed.url = f"http://{GATEWAY}:{port}{url}"
    phones = [
        Phone(
            device_name=f"SEP001BD400{index:04X}",
            directory_number=str(2000 + index),
            mac=f"001BD400{index:04X}",
            model=model,
            address=f"127.20.1.{index}",
            server=server,
        )
        for index, model in enumerate(models, start=1)
    ]
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as probe:
        await probe.bind(("", 0))
        bed.rtp_port = probe.getsockname()[1]
    records = Records(path / "events.jsonl", witness="phones", clock=time.monotonic_ns)
    fleet = Fleet(phones, Settings(port=0, rtp_port=bed.rtp_port))
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, [listener], bed.authenticate))
        urls = await nursery.start(fleet.run, records)
        bed.port = int(urls["phones"].rpartition(":")[2])
        yield bed
        nursery.cancel_scope.cancel()
    records.close()


async def test_every_model_has_every_page_and_refuses_unknown_ones(tmp_path: Path) -> None:
    async with running(tmp_path) as bed:
        for model in MODELS:
            for path in PAGES:
                answer = await bed.get(model.model, path, user=None)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/")
                head, _, body = answer.partition(b"\r\n\r\n")
                assert f"Content-Length: {len(body)}".encode() in head
                assert (b"\r\nServer: " in head) is bool(model.server)
            for path in (
                "/nothing",
                "/deviceinformationx",
                "/CGI/Nothing",
                "/DeviceInformationX/",
                "/%44eviceInformation",
            ):
                assert (await bed.get(model.model, path)).startswith(b"HTTP/1.1 404 Not Found\r\n")
            assert (await bed.get(model.model, "/DeviceInformationX", method="PUT")).startswith(b"HTTP/1.1 404 ")
        assert bed.asked == []


async def test_head(tmp_path: Path) -> None:
    async with running(tmp_path) as bed:
        for model in MODELS:
            head = await bed.get(model.model, "/DeviceInformationX", method="HEAD")
            assert head.endswith(b"\r\n\r\n")
            assert (b"Content-Length: 32\r\n" in head) is (model.head_answer == "error-4")


@pytest.mark.parametrize("name", NAMES)
async def test_a_request_byte_by_byte_is_the_same_request(tmp_path: Path, name: str) -> None:
    async with running(tmp_path) as bed:
        whole = await bed.get(name, "/NetworkConfigurationX")
        slow = await bed.get(name, "/NetworkConfigurationX", step=1)
        body = whole.partition(b"\r\n\r\n")[2]
        assert slow.partition(b"\r\n\r\n")[2] == body  # the heads may differ in Date
        root = ET.fromstring(body)  # noqa: S314 - our own bytes
        assert root.findtext("AuthenticationURL") == bed.url


async def test_protected_pages_are_asked_about_like_a_push(tmp_path: Path) -> None:
    async with running(tmp_path) as bed:
        for model in MODELS:
            for path in ("Screenshot", "CallInfo", "LineInfo", "ModeInfo", "SettingsInfo"):
                before = len(bed.asked)
                answer = await bed.get(model.model, f"/CGI/{path}")
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"CiscoIPPhoneError" not in answer
                assert len(bed.asked) == before + 1
                assert bed.asked[-1].query.startswith(b"UserID=agpush&Password=s3c&devicename=SEP001BD400")
            # A browser asks its user for credentials only when it is challenged.
            asked = await bed.get(model.model, "/CGI/Screenshot", user=None)
            assert asked.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
            assert b'\r\nWWW-Authenticate: Basic realm="' in asked
        bed.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nUN-AUTHORIZED"
        for model in MODELS:
            refused = await bed.get(model.model, "/CGI/Screenshot")
            assert (b" 401 " in refused) is (model.unauthorized == "401")
            assert (b'<CiscoIPPhoneError Number="4" />' in refused) is (model.unauthorized == "error-4")
        assert b'<CiscoIPPhoneError Number="4" />' in await bed.get("CP-8851", "/CGI/CallInfo")


async def test_the_answer_that_a_69xx_cannot_read_is_error_4(tmp_path: Path) -> None:
    async with running(tmp_path) as bed:
        assert b'Status="0"' in await bed.push("CP-6941", "RTPRx:Stop")
        bed.answer = (GOLDEN.parent / "authentication" / "answer-callmanager.http").read_bytes()
        assert b'<CiscoIPPhoneError Number="4" />' in await bed.push("CP-6941", "RTPRx:Stop")
        assert b'Status="0"' in await bed.push("CP-7961G", "RTPRx:Stop")


@pytest.mark.parametrize(
    ("redirect", "asked", "query"), [("follow", 2, True), ("drop-query", 2, False), ("refuse", 1, True)]
)
async def test_what_a_model_does_with_a_redirect(tmp_path: Path, redirect: str, asked: int, *, query: bool) -> None:
    model = replace(load().find("7961"), redirect=redirect)
    async with running(tmp_path, models=[model], url="/redirect") as bed:
        answer = await bed.push("CP-7961G", "RTPRx:Stop")
        assert (b'Status="0"' in answer) is (asked == 2)
        assert len(bed.asked) == asked
        assert (bed.asked[-1].query != b"") is query


async def test_what_was_pushed_is_on_the_screen(tmp_path: Path) -> None:
    async with running(tmp_path, url=None) as bed:
        before = await bed.get("CP-8851", "/CGI/Screenshot")
        body = "XML=<CiscoIPPhoneText><Title>Alarm</Title><Text>Fire in hall 3</Text></CiscoIPPhoneText>"
        head = f"POST /CGI/Execute HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        await bed.talk("CP-8851", (head + body).encode())
        after = await bed.get("CP-8851", "/CGI/Screenshot")
        expected = draw(load().find("8851").display, "2012", "SEP001BD400000C", ("Alarm", "Fire in hall 3"))
        assert after.endswith(b"\r\n\r\n" + png(expected))
        assert not before.endswith(png(expected))
        mode = await bed.get("CP-8851", "/CGI/ModeInfo")
        assert b"<FieldName>Fire in hall 3</FieldName>" in mode


async def test_numbers_of_the_stream_are_live(tmp_path: Path) -> None:
    async with running(tmp_path, url=None) as bed:
        assert b"<StreamStatus>Not Ready</StreamStatus>" in await bed.get("CP-8851", "/StreamingStatisticsX?1")
        await bed.push("CP-8851", f"RTPRx:{GATEWAY}")
        index = NAMES.index("CP-8851") + 1
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sender:
            await sender.bind((GATEWAY, 0))
            for number in (1, 2, 4, 5):
                packet = struct.pack("!BBHII", 0x80, 0, number, 160 * number, 7) + bytes(160)
                await sender.sendto(packet, (f"127.20.1.{index}", bed.rtp_port))
            port = sender.getsockname()[1]
            with trio.fail_after(5):
                while b"<RcvrPackets>4<" not in (page := await bed.get("CP-8851", "/StreamingStatisticsX?1")):
                    await trio.lowlevel.checkpoint()
        root = ET.fromstring(page.partition(b"\r\n\r\n")[2])  # noqa: S314 - our own bytes
        assert root.findtext("RemoteAddr") == f"{GATEWAY}/{port}"
        assert root.findtext("RcvrLostPackets") == "1"
        assert root.findtext("RcvrOctets") == "640"
        assert root.findtext("StreamStatus") == "Active"
        await bed.push("CP-8851", "RTPRx:Stop")
        assert b"Not Ready" in await bed.get("CP-8851", "/StreamingStatisticsX?1")
