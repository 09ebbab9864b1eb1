"""Phones boot from CallManager, both parts in one loop on real loopback sockets; a change reaches them at a reset."""

import base64
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from emulator import engine
from emulator.callmanager.cluster import Cluster
from emulator.callmanager.enterprise import Enterprise
from emulator.callmanager.provisioning import Provisioning, tftp_door
from emulator.callmanager.registry import Device, Registration, Registry
from emulator.callmanager.reset import PhonesControl
from emulator.engine import Answer, Request, listen, serve
from emulator.fleet import boot
from emulator.fleet.boot import Source
from emulator.fleet.catalogue import load
from emulator.fleet.fleet import Fleet, Settings
from emulator.phone.phone import Phone
from emulator.records import Records

MODELS = load().models
CALLMANAGER, GATEWAY, CONTROL = "127.20.128.20", "127.20.128.10", "127.20.128.30"
ROSTER = ("CP-7960G", "CP-7961G", "CP-8851")
NAMES = [f"SEP001BD400000{number}" for number in (1, 2, 3)]
SECRET = "s3c r:t"


class Lab:
    """Three phones, CallManager's files, and two authentication servers that note who asks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = Records(path, witness="phones", clock=time.monotonic_ns)
        self.cluster = Cluster(registry=Registry([Device(name=name) for name in NAMES]), enterprise=Enterprise())
        self.asked: dict[str, list[str]] = {"callmanager": [], "gateway": []}
        self.urls: dict[str, str] = {}
        self.http: socket.socket | None = None
        self.tftp: socket.socket | None = None
        self.provisioning = trio.CancelScope()
        self.port = 0
        self.fleet: Fleet
        self.reset: PhonesControl

    async def authenticate(self, name: str, request: Request) -> Answer:
        self.asked[name].append(request.peer[0])
        await trio.lowlevel.checkpoint()
        return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nAUTHORIZED")

    async def push(self, phone: int = 1) -> bytes:
        """What the phone answers to a push; empty: its web server is not there, or it has not booted."""
        body = 'XML=<CiscoIPPhoneExecute><ExecuteItem URL="Init:Services"/></CiscoIPPhoneExecute>'
        secret = base64.b64encode(f"agpush:{SECRET}".encode()).decode()
        head = f"POST /CGI/Execute HTTP/1.1\r\nContent-Length: {len(body)}\r\nAuthorization: Basic {secret}\r\n"
        return await self.talk(f"{head}Connection: close\r\n\r\n{body}", phone)

    async def talk(self, request: str, phone: int = 1) -> bytes:
        answer = b""
        with trio.move_on_after(1), trio.socket.socket() as sock:  # a phone without web server answers no connection
            try:
                await sock.connect((f"127.20.0.{phone}", self.port))
                await sock.send(request.encode())
                while more := await sock.recv(65536):
                    answer += more
            except ConnectionResetError:
                pass
        return answer

    async def up(self, name: str) -> None:
        phone = self.fleet.find(name)
        assert phone is not None
        with trio.fail_after(5):
            while self.fleet.away(phone):
                await trio.sleep(0.01)

    async def reset_and_wait(self, name: str) -> None:
        await self.reset(name)
        await self.up(name)

    def diary(self, kind: str) -> list[dict[str, Any]]:
        self.records.close()
        text = self.path.read_text()
        assert "s3c" not in text
        return [record for record in map(json.loads, text.splitlines()) if record["kind"] == kind]

    async def serve_files(self, *, task_status: trio.TaskStatus[None]) -> None:
        served = Provisioning(self.cluster, Records(None, witness="x", clock=int), callmanager=CALLMANAGER)
        with self.provisioning:
            async with trio.open_nursery() as nursery:
                if self.http is not None:
                    await nursery.start(served.serve_http, self.http)
                if self.tftp is not None:
                    await nursery.start(served.serve_tftp, self.tftp)
                task_status.started()


@asynccontextmanager
async def running(lab: Lab, *, http: bool = True, tftp: bool = True) -> AsyncIterator[Lab]:
    lab.http, lab.tftp = engine.listen(CALLMANAGER, 0), tftp_door(CALLMANAGER, 0)
    source = Source(
        address=CALLMANAGER, http_port=lab.http.getsockname()[1], tftp_port=lab.tftp.getsockname()[1]
    )
    if not http:
        lab.http.close()
        lab.http = None
    if not tftp:
        lab.tftp.close()
        lab.tftp = None
    phones = [
        Phone(
            device_name=name,
            directory_number="2001",
            mac=name[3:],
            model=MODELS[model],
            address=f"127.20.0.{number}",
            server=None,
        )
        for number, (name, model) in enumerate(zip(NAMES, ROSTER, strict=True), start=1)
    ]
    settings = Settings(port=0, rtp_port=0, control=(CONTROL, 0), reset_s=0.01, callmanager=source)
    lab.fleet = Fleet(phones, settings)
    async with trio.open_nursery() as nursery:
        for name, address in (("callmanager", CALLMANAGER), ("gateway", GATEWAY)):
            listener = listen(address, 0)
            lab.urls[name] = f"http://{address}:{listener.getsockname()[1]}/{name}"
            await nursery.start(partial(serve, [listener], partial(lab.authenticate, name)))
        lab.cluster.enterprise.change(url_authentication=lab.urls["callmanager"] + "?key=s3c")
        await nursery.start(lab.serve_files)
        urls = await nursery.start(lab.fleet.run, lab.records)
        lab.port = int(urls["phones"].rpartition(":")[2])
        lab.reset = PhonesControl(CONTROL, int(urls["control"].rpartition(":")[2]))
        yield lab
        nursery.cancel_scope.cancel()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "events.jsonl")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "FIRST_RETRY_S", 0.05)


async def test_phones_boot_by_their_models_way_and_are_registered_from_their_own_address(lab: Lab):
    async with running(lab):
        for number in (1, 2, 3):
            assert b'Status="0"' in await lab.push(number)
        assert {device.address for device in lab.cluster.registry.all()} == {f"127.20.0.{n}" for n in (1, 2, 3)}
    assert set(lab.asked["callmanager"]) == {"127.20.0.1", "127.20.0.2", "127.20.0.3"}
    booted = {record["phone"]: record for record in lab.diary("phone.booted")}
    assert [booted[name]["way"] for name in NAMES] == ["tftp", "http", "http"]
    for record in booted.values():
        assert record["authentication_url"] == lab.urls["callmanager"]  # without its query
        assert (record["web_access"], record["attempt"]) == (True, 1)


async def test_a_changed_enterprise_parameter_changes_nothing_until_the_phone_is_reset(lab: Lab):
    async with running(lab):
        lab.cluster.enterprise.change(url_authentication=lab.urls["gateway"])
        await lab.push(1)
        assert lab.asked == {"callmanager": ["127.20.0.1"], "gateway": []}
        await lab.reset_and_wait(NAMES[0])
        await lab.push(1)
        await lab.push(2)  # not reset
    assert lab.asked == {"callmanager": ["127.20.0.1", "127.20.0.2"], "gateway": ["127.20.0.1"]}
    assert len(lab.diary("phone.booted")) == 4


async def test_a_url_of_the_phones_own_goes_before_the_enterprise_parameter(lab: Lab):
    async with running(lab):
        lab.cluster.registry.change(NAMES[1], authentication_url=lab.urls["gateway"])
        await lab.reset_and_wait(NAMES[1])
        await lab.push(2)
    assert lab.asked == {"callmanager": [], "gateway": ["127.20.0.2"]}


async def test_web_access_off_is_no_web_server_from_the_next_reset_on(lab: Lab):
    async with running(lab):
        lab.cluster.registry.change(NAMES[0], web_access=False)
        assert await lab.push(1)
        await lab.reset_and_wait(NAMES[0])
        assert await lab.push(1) == b""
        lab.cluster.registry.change(NAMES[0], web_access=True)
        assert await lab.push(1) == b""
        await lab.reset_and_wait(NAMES[0])
        assert await lab.push(1)


async def test_the_urls_in_force_are_on_the_network_page(lab: Lab):
    async with running(lab):
        lab.cluster.enterprise.change(url_authentication=lab.urls["gateway"], url_services="http://10.0.0.9/menu?a&b")
        await lab.reset_and_wait(NAMES[1])
        page = await lab.talk("GET /NetworkConfigurationX HTTP/1.1\r\nConnection: close\r\n\r\n", 2)
        assert f"<AuthenticationURL>{lab.urls['gateway']}</AuthenticationURL>".encode() in page
        assert b"<ServicesURL>http://10.0.0.9/menu?a&amp;b</ServicesURL>" in page
        page = await lab.talk("GET /NetworkConfigurationX HTTP/1.1\r\nConnection: close\r\n\r\n", 3)
        assert b"<ServicesURL/>" in page or b"<ServicesURL></ServicesURL>" in page


async def test_a_phone_that_callmanager_does_not_know_has_no_web_server_and_keeps_trying(lab: Lab):
    lab.cluster.registry.remove(NAMES[1])
    async with running(lab):
        assert await lab.push(2) == b""
        assert await lab.push(1)
        with trio.fail_after(5):
            while len([r for r in lab.records._waiting if r[1] == "phone.boot_failed"]) < 2:
                await trio.sleep(0.01)
        lab.cluster.registry.add(Device(name=NAMES[1]))
        await lab.up(NAMES[1])
        assert await lab.push(2)
    failed = lab.diary("phone.boot_failed")
    assert [record["attempt"] for record in failed] == list(range(1, len(failed) + 1))
    assert {(record["http"], record["tftp"]) for record in failed} == {("not_found", "not_found")}
    assert failed[1]["retry_s"] > failed[0]["retry_s"] / 2
    (booted,) = [record for record in lab.diary("phone.booted") if record["phone"] == NAMES[1]]
    assert booted["attempt"] == len(failed) + 1


async def test_one_way_stands_in_for_the_other(lab: Lab):
    async with running(lab, http=False):
        assert await lab.push(2)
    assert {record["way"] for record in lab.diary("phone.booted")} == {"tftp"}


async def test_http_stands_in_for_tftp_at_once_where_nobody_listens(lab: Lab):
    async with running(lab, tftp=False):
        assert await lab.push(1)
    booted = {record["phone"]: record for record in lab.diary("phone.booted")}
    assert booted[NAMES[0]]["way"] == "http"
    assert booted[NAMES[0]]["boot_ms"] < 900  # below the first time-out of TFTP


async def test_without_callmanager_the_fleet_is_ready_and_no_phone_is(lab: Lab):
    async with running(lab, http=False, tftp=False):
        assert [await lab.push(number) for number in (1, 2, 3)] == [b"", b"", b""]
    assert lab.diary("phone.booted") == []
    assert {record["http"] for record in lab.diary("phone.boot_failed")} == {"unreachable"}


async def test_at_a_reset_without_callmanager_a_phone_goes_on_with_what_it_had(lab: Lab):
    async with running(lab):
        lab.provisioning.cancel()
        await trio.sleep(0.05)
        await lab.reset_and_wait(NAMES[1])
        await lab.push(2)
    assert lab.asked["callmanager"] == ["127.20.0.2"]
    assert [record["way"] for record in lab.diary("phone.booted")][-1] == "kept"


async def test_a_url_that_cannot_be_asked_refuses_every_push(lab: Lab):
    async with running(lab):
        lab.cluster.enterprise.change(url_authentication="http://name-of-a-server/authenticate")
        await lab.reset_and_wait(NAMES[1])
        assert b'<CiscoIPPhoneError Number="4" />' in await lab.push(2)
        page = await lab.talk("GET /NetworkConfigurationX HTTP/1.1\r\nConnection: close\r\n\r\n", 2)
        assert b"<AuthenticationURL>http://name-of-a-server/authenticate</AuthenticationURL>" in page
    assert lab.asked == {"callmanager": [], "gateway": []}


async def test_an_empty_url_accepts_every_push(lab: Lab):
    async with running(lab):
        lab.cluster.enterprise.change(url_authentication="")
        await lab.reset_and_wait(NAMES[1])
        assert b"Success" in await lab.push(2)
    assert lab.asked == {"callmanager": [], "gateway": []}


async def test_a_registered_phone_is_known_by_its_fetch_alone(lab: Lab):
    async with running(lab):
        assert {device.registration for device in lab.cluster.registry.all()} == {Registration.REGISTERED}


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1", "http://name", "http://10.0.0.1/path", "http://10.0.0.1:x", "10.0.0.1", "http://a@1.1.1.1"]
)
def test_sources_that_are_none(url: str):
    with pytest.raises(ValueError, match=r"expected|4 octets|Port could not"):
        Source.of(url)


def test_sources():
    assert Source.of("http://10.20.128.20") == Source(address="10.20.128.20", http_port=6970, tftp_port=69)
    assert Source.of("http://10.20.128.20:80/", 70) == Source(address="10.20.128.20", http_port=80, tftp_port=70)
