"""Golden bytes of every model: what it answers, what it asks, what its pages say (tests/golden/SOURCES.md)."""

from pathlib import Path
from xml.etree import ElementTree as ET

import httptools
import pytest

from emulator.fleet.catalogue import load
from emulator.phone import answer, pages
from emulator.phone.answer import Item
from emulator.phone.authentication import AnswerReader, question, read_url
from emulator.phone.execute import Credentials, read_push
from emulator.phone.model import Model
from emulator.phone.pages import Hearing, View
from emulator.phone.phone import Phone
from emulator.phone.streaming import stream_media

GOLDEN = Path(__file__).parents[2] / "golden" / "models"
MODELS = load().models
DATE = "Thu, 21 Mar 2013 15:42:33 GMT"
URL = "RTPRx:10.20.128.10:32674"
SERVER = read_url("http://10.20.128.10/cisco_auth/authenticate.html")
VIEW = View(
    name="SEP001BD4000001",
    mac="001BD4000001",
    dn="2001",
    address="10.20.0.1",
    authentication_url="http://10.20.128.10/cisco_auth/authenticate.html",
    time="15:42:33",
    date="03/21/13",
    log=("SEP001BD4000001.cnf.xml",),
    hearing=Hearing(
        remote="10.20.128.10/40000",
        local="10.20.0.1/32674",
        start="15:42:30",
        packets=150,
        lost=2,
        jitter_ms=1.4,
        most_jitter_ms=1.4,
    ),
    shown=("Receiving from 10.20.128.10/40000",),
)
PAGES = {
    "device-information": ("/DeviceInformationX", ""),
    "device-information-html": ("/DeviceInformation", ""),
    "network-configuration": ("/NetworkConfigurationX", ""),
    "ethernet-information": ("/EthernetInformationX", ""),
    "port-information": ("/PortInformationX", "1"),
    "device-log": ("/DeviceLogX", "1"),
    "streaming-statistics": ("/StreamingStatisticsX", "1"),
}
NAMES = ("success", "refused", "challenge", "media-started", "question", *PAGES, "call-info", "line-info", "mode-info")
PROTECTED = {"call-info": "CallInfo", "line-info": "LineInfo", "mode-info": "ModeInfo"}


def said(model: Model, name: str) -> bytes:
    """What the model says where the golden file of that name holds it."""
    if name == "success":
        return answer.response(model, [Item(URL, 0, "Success")], DATE, close=False)
    if name == "refused":
        return answer.unauthorized(model, DATE, close=False)
    if name == "challenge":
        return answer.unauthorized(model, DATE, close=False, challenge=model.page_challenge == "401")
    if name == "media-started":
        phone = Phone(
            device_name=VIEW.name,
            directory_number=VIEW.dn,
            mac=VIEW.mac,
            model=model,
            address=VIEW.address,
            server=None,
        )
        media = read_push(
            (GOLDEN.parent / "execute" / "start-media.http").read_bytes().partition(b"\r\n\r\n")[2],
            object_bytes=model.object_bytes,
        ).media
        assert media is not None
        done = stream_media(phone, media, identity="p", now_ns=1)
        if done.reply is None:
            assert done.error is not None
            return answer.error(model, done.error, DATE, close=False)
        return answer.reply(model, done.reply.status, done.reply.body, DATE, close=False)
    if name == "question":
        assert SERVER is not None
        return question(model, SERVER, Credentials(b"agpush", b"s3c r:t"), "SEP001BD4000001")
    if name in PROTECTED:
        page = pages.protected(model, f"/CGI/{PROTECTED[name]}", VIEW)
    else:
        found = pages.page(model, *PAGES[name], VIEW)
        assert found is not None
        page = found
    return answer.whole(model, page.body, DATE, close=False, kind=page.kind)


class Message:
    """What an HTTP parser makes of bytes."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.url = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", MODELS)
def test_bytes(model: str, name: str) -> None:
    assert said(MODELS[model], name) == (GOLDEN / model / f"{name}.http").read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", MODELS)
def test_a_strict_reader_understands_them_byte_by_byte(model: str, name: str) -> None:
    data = (GOLDEN / model / f"{name}.http").read_bytes()
    message = Message()
    kind = httptools.HttpRequestParser if name == "question" else httptools.HttpResponseParser
    parser = kind(message)
    for at in range(len(data)):
        assert not message.complete
        parser.feed_data(data[at : at + 1])
    assert message.complete
    assert message.body == data.partition(b"\r\n\r\n")[2]


def test_every_golden_file_is_a_models() -> None:
    assert {path.parent.name for path in GOLDEN.rglob("*.http")} == set(MODELS)
    assert {path.stem for path in GOLDEN.rglob("*.http")} == set(NAMES)


@pytest.mark.parametrize("model", MODELS)
def test_x_pages_are_xml_with_each_element_once(model: str) -> None:
    for path, query in PAGES.values():
        if not path.endswith("X") or path == "/DeviceLogX":
            continue
        page = pages.page(MODELS[model], path, query, VIEW)
        assert page is not None
        root = ET.fromstring(page.body)  # noqa: S314 - our own bytes
        assert root.tag == path[1:-1]
        names = [element.tag for element in root]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("model", MODELS)
def test_callmanagers_answer_is_understood_by_all_but_the_69xx(model: str) -> None:
    data = (GOLDEN.parent / "authentication" / "answer-callmanager.http").read_bytes()
    for step in (1, len(data)):
        reader = AnswerReader(MODELS[model].answer_fields)
        for at in range(0, len(data), step):
            if reader.feed(data[at : at + step]):
                break
        assert reader.verdict(0) == ("garbled" if model == "CP-6941" else "authorized")
        assert reader.status == 200


def test_the_69xx_understands_a_plain_answer() -> None:
    reader = AnswerReader(MODELS["CP-6941"].answer_fields)
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nAUTHORIZED")
    assert reader.verdict(0) == "authorized"
