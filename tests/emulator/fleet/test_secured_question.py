"""Phones ask a secured authentication URL: trusted, not trusted, and at something that speaks no TLS."""

import base64
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from emulator import engine
from emulator.callmanager.certificate import ensure_certificate, server_context
from emulator.callmanager.cluster import Cluster
from emulator.callmanager.enterprise import Enterprise
from emulator.callmanager.provisioning import Provisioning
from emulator.callmanager.registry import Device, Registry
from emulator.callmanager.secured import serve as serve_secured
from emulator.engine import Answer, Limits, Request, listen, serve
from emulator.fleet.boot import Source
from emulator.fleet.catalogue import load
from emulator.fleet.fleet import Fleet, Settings
from emulator.fleet.trust import Trust
from emulator.phone.authentication import Server
from emulator.phone.phone import Phone
from emulator.records import Records
from emulator.server import ConfigurationError

CALLMANAGER = "127.20.128.20"
NAME = "SEP001BD4000001"
YES = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nAUTHORIZED"
PUSH = 'XML=<CiscoIPPhoneExecute><ExecuteItem URL="Init:Services"/></CiscoIPPhoneExecute>'


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    # For another address than the server's: the list names certificates, not hosts.
    ensure_certificate(folder / "certificate.pem", folder / "key.pem", address="10.20.128.20")
    return folder / "certificate.pem", folder / "key.pem"


class Lab:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = Records(path, witness="phones", clock=time.monotonic_ns)
        self.asked: list[Request] = []
        self.answer = YES
        self.port = 0
        self.server: Server

    async def authenticate(self, request: Request) -> Answer:
        self.asked.append(request)
        await trio.lowlevel.checkpoint()
        return Answer(self.answer)

    async def push(self) -> bytes:
        secret = base64.b64encode(b"agpush:s3cret").decode()
        head = f"POST /CGI/Execute HTTP/1.1\r\nContent-Length: {len(PUSH)}\r\nAuthorization: Basic {secret}\r\n"
        async with await trio.open_tcp_stream("127.20.0.1", self.port) as stream:
            await stream.send_all(f"{head}Connection: close\r\n\r\n{PUSH}".encode())
            return b"".join([bytes(chunk) async for chunk in stream])

    def diary(self, kind: str) -> list[dict[str, Any]]:
        self.records.close()
        assert "s3cret" not in self.path.read_text()
        return [record for record in map(json.loads, self.path.read_text().splitlines()) if record["kind"] == kind]


@asynccontextmanager
async def running(
    lab: Lab, pair: tuple[Path, Path], *, trust: Path | None = None, tls: bool = True, listed: bool | None = None
) -> AsyncIterator[Lab]:
    """A phone whose URL is on a server by TLS; `listed`: it boots from a CallManager that has a trust list, or none."""
    listener = listen(CALLMANAGER, 0)
    lab.server = Server(CALLMANAGER, listener.getsockname()[1], "/a", secured=True)
    async with trio.open_nursery() as nursery:
        if tls:
            context = server_context(*pair)
            await nursery.start(partial(serve_secured, listener, context, lab.authenticate, limits=Limits()))
        else:
            await nursery.start(partial(serve, [listener], lab.authenticate))
        source = None
        if listed is not None:
            cluster = Cluster(registry=Registry([Device(name=NAME)]), enterprise=Enterprise())
            cluster.enterprise.change(
                url_authentication="http://10.0.0.1/plain", secured_authentication_url=lab.server.url
            )
            trusted = pair[0].read_bytes() if listed else b""
            served = Provisioning(cluster, Records(None, witness="x", clock=int), callmanager="x", trusted=trusted)
            files = engine.listen(CALLMANAGER, 0)
            source = Source(address=CALLMANAGER, http_port=files.getsockname()[1], tftp_port=9)
            await nursery.start(served.serve_http, files)
        phone = Phone(
            device_name=NAME,
            directory_number="2001",
            mac=NAME[3:],
            model=load().models["CP-7961G"],
            address="127.20.0.1",
            server=None if source else lab.server,
        )
        fleet = Fleet([phone], Settings(port=0, rtp_port=0, trust=trust, callmanager=source))
        urls = await nursery.start(fleet.run, lab.records)
        lab.port = int(urls["phones"].rpartition(":")[2])
        yield lab
        nursery.cancel_scope.cancel()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "events.jsonl")


async def test_a_trusted_server_is_asked_from_the_phones_own_address(lab: Lab, pair: tuple[Path, Path]):
    async with running(lab, pair, trust=pair[0]):
        assert b"Success" in await lab.push()
    (question,) = lab.asked
    assert question.peer[0] == "127.20.0.1"
    assert question.query == b"UserID=agpush&Password=s3cret&devicename=" + NAME.encode()
    assert question.headers[b"host"] == lab.server.name.encode()
    (asked,) = lab.diary("authentication.asked")
    (answered,) = lab.diary("authentication.answered")
    assert asked["connection"] == answered["connection"] == f"127.20.0.1:{question.peer[1]}"
    assert (answered["answer"], answered["http_status"]) == ("authorized", 200)


async def test_the_trust_list_of_callmanager_is_fetched_when_a_secured_url_comes(lab: Lab, pair: tuple[Path, Path]):
    async with running(lab, pair, listed=True):
        assert b"Success" in await lab.push()
    assert len(lab.asked) == 1
    assert [record["outcome"] for record in lab.diary("trust.fetched")] == ["read"]
    (booted,) = lab.diary("phone.booted")
    assert booted["authentication_url"] == lab.server.url


async def test_an_untrusted_server_is_an_outcome_of_its_own_and_error_4(
    lab: Lab, pair: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
):
    async with running(lab, pair, listed=False):
        assert b'<CiscoIPPhoneError Number="4" />' in await lab.push()
    assert lab.asked == []
    assert [record["answer"] for record in lab.diary("authentication.answered")] == ["untrusted"]
    assert [record["outcome"] for record in lab.diary("trust.fetched")] == ["not_found"]
    assert lab.diary("push.executed") == []
    assert capfd.readouterr().err == ""


async def test_another_certificate_is_not_trusted(lab: Lab, pair: tuple[Path, Path], tmp_path: Path):
    ensure_certificate(tmp_path / "other.pem", tmp_path / "other.key", address="10.20.128.20")
    async with running(lab, pair, trust=tmp_path / "other.pem"):
        await lab.push()
    assert [record["answer"] for record in lab.diary("authentication.answered")] == ["untrusted"]


async def test_what_speaks_no_tls_gives_a_garbled_answer(lab: Lab, pair: tuple[Path, Path]):
    async with running(lab, pair, trust=pair[0], tls=False):
        assert b'<CiscoIPPhoneError Number="4" />' in await lab.push()
    assert lab.asked == []
    assert [record["answer"] for record in lab.diary("authentication.answered")] == ["garbled"]


async def test_nobody_there(lab: Lab, pair: tuple[Path, Path]):
    async with running(lab, pair, trust=pair[0]):
        with listen(CALLMANAGER, 0) as free:
            closed = free.getsockname()[1]
        object.__setattr__(lab.server, "port", closed)
        assert b'<CiscoIPPhoneError Number="4" />' in await lab.push()
    assert [record["answer"] for record in lab.diary("authentication.answered")] == ["unreachable"]


async def test_a_refusal_by_tls_is_a_refusal(lab: Lab, pair: tuple[Path, Path]):
    lab.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nUN-AUTHORIZED"
    async with running(lab, pair, trust=pair[0]):
        assert b'<CiscoIPPhoneError Number="4" />' in await lab.push()
    assert [record["answer"] for record in lab.diary("authentication.answered")] == ["refused"]


def test_files_of_certificates(tmp_path: Path, pair: tuple[Path, Path]):
    trust = Trust.read(pair[0])
    assert trust.known
    assert trust.context.verify_mode is ssl.CERT_REQUIRED
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"none\.pem: no PEM certificates; certificates in PEM are expected"):
        Trust.read(tmp_path / "none.pem")
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        Trust.read(tmp_path / "missing.pem")
