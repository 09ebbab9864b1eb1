"""The doors by which phones get their configuration, on real sockets: curl by HTTP and TFTP, and rude clients."""

import json
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from emulator import engine
from emulator.callmanager import provisioning, tftp
from emulator.callmanager.cluster import Cluster
from emulator.callmanager.configuration_file import configuration_file
from emulator.callmanager.enterprise import Enterprise, EnterpriseParameters
from emulator.callmanager.provisioning import Provisioning, tftp_door
from emulator.callmanager.registry import Device, Registration, Registry
from emulator.engine import BindError
from emulator.records import Records

NAME = "SEP001BD4000001"
ADDRESS = "127.20.128.20"
PARAMETERS = EnterpriseParameters(url_authentication="http://10.0.0.1/a?secret=1", url_services="http://10.0.0.1/s" * 9)
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\n"


class Doors:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.records = Records(path, witness="callmanager", clock=time.monotonic_ns)
        self.cluster = Cluster(registry=Registry([Device(name=NAME)]), enterprise=Enterprise(PARAMETERS))
        self.http = self.tftp = ("", 0)

    def file(self) -> bytes:
        return configuration_file(Device(name=NAME), PARAMETERS, callmanager="10.20.128.20")

    def diary(self) -> list[dict[str, Any]]:
        self.records.close()
        assert "secret" not in self._path.read_text()
        return [json.loads(line) for line in self._path.read_text().splitlines()]


@pytest.fixture
def doors(tmp_path: Path) -> Callable[[], Any]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Doors]:
        made = Doors(tmp_path / "events.jsonl")
        served = Provisioning(
            made.cluster,
            made.records,
            callmanager="10.20.128.20",
            trusted=CERTIFICATE,
            unix_s=lambda: 1653653459.5,
        )
        http, door = engine.listen(ADDRESS, 0), tftp_door(ADDRESS, 0)
        made.http, made.tftp = http.getsockname()[:2], door.getsockname()[:2]
        async with trio.open_nursery() as nursery:
            await nursery.start(served.serve_http, http)
            await nursery.start(served.serve_tftp, door)
            yield made
            nursery.cancel_scope.cancel()

    return opened


async def curl(*arguments: str) -> tuple[int, bytes]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian: apt-get install curl)")
    command = ["curl", "--silent", "--max-time", "10", *arguments]
    ended = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    return ended.returncode, ended.stdout


@pytest.mark.real
@pytest.mark.parametrize(
    "options",
    [
        ("--interface", "127.20.0.1"),
        ("--tftp-blksize", "8"),
        ("--tftp-blksize", "1400"),
        ("--tftp-no-options",),
    ],
)
async def test_an_unmodified_tftp_client_reads_the_file(doors: Callable[[], Any], options: tuple[str, ...]):
    async with doors() as made:
        url = f"tftp://{ADDRESS}:{made.tftp[1]}/{NAME}.cnf.xml"
        assert await curl(*options, url) == (0, made.file())
        code, _ = await curl(f"tftp://{ADDRESS}:{made.tftp[1]}/SEP001BD4000002.cnf.xml")
        assert code == 68  # CURLE_TFTP_NOTFOUND
        with trio.fail_after(2):
            while made.cluster.registry.get(NAME).registration is not Registration.REGISTERED:
                await trio.sleep(0.01)
    sent, missing = made.diary()
    assert (sent["phone"], sent["way"], sent["outcome"], sent["bytes"]) == (NAME, "tftp", "sent", len(made.file()))
    assert (missing["phone"], missing["outcome"]) == ("SEP001BD4000002", "not_found")
    if options[0] == "--interface":
        assert made.cluster.registry.get(NAME).address == "127.20.0.1"
        assert sent["connection"].startswith("127.20.0.1:")


@pytest.mark.real
async def test_an_unmodified_http_client_reads_the_file(doors: Callable[[], Any]):
    async with doors() as made:
        base = f"http://{ADDRESS}:{made.http[1]}"
        assert await curl("--interface", "127.20.0.1", f"{base}/{NAME}.cnf.xml") == (0, made.file())
        device = made.cluster.registry.get(NAME)
        assert (device.address, device.registration_s) == ("127.20.0.1", 1653653459)
        assert await curl(f"{base}/trust-list.pem") == (0, CERTIFICATE)
        assert (await curl("--fail", f"{base}/SEP001BD4000002.cnf.xml"))[0] == 22
        assert (await curl("--fail", f"{base}/XMLDefault.cnf.xml"))[0] == 22
        assert (await curl("--fail", "--data", "x", f"{base}/{NAME}.cnf.xml"))[0] == 22
        code, head = await curl("--head", f"{base}/{NAME}.cnf.xml")
        assert code == 0
        assert b"Content-Length: %d\r\n" % len(made.file()) in head
    assert [(record["phone"], record["outcome"]) for record in made.diary()] == [
        (NAME, "sent"),
        ("SEP001BD4000002", "not_found"),
    ]


async def test_a_change_is_in_the_next_file_and_not_in_the_registry(doors: Callable[[], Any]):
    async with doors() as made:
        made.cluster.enterprise.change(url_authentication="http://10.0.0.2/b")
        async with await trio.open_tcp_stream(*made.http) as stream:
            await stream.send_all(f"GET /{NAME}.cnf.xml HTTP/1.0\r\n\r\n".encode())
            answer = b"".join([bytes(chunk) async for chunk in stream])
    assert b"<authenticationURL>http://10.0.0.2/b</authenticationURL>" in answer


@asynccontextmanager
async def client() -> AsyncIterator[trio.socket.SocketType]:
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.20.0.1", 0))
        yield sock


REQUEST = b"\0\1" + f"{NAME}.cnf.xml".encode() + b"\0octet\0"


async def test_a_client_that_falls_silent_is_asked_again_and_then_given_up(
    doors: Callable[[], Any], autojump_clock: MockClock
):
    async with doors() as made, client() as sock:
        await sock.sendto(REQUEST, made.tftp)
        begun = trio.current_time()
        packets = [await sock.recv(1000) for _ in range(tftp.SENDINGS)]
        assert packets == [b"\0\3\0\1" + made.file()[:512]] * tftp.SENDINGS
        assert trio.current_time() - begun == pytest.approx((tftp.SENDINGS - 1) * tftp.TIMEOUT_S)
        with trio.move_on_after(100):
            pytest.fail(f"one more: {await sock.recv(1000)!r}")
    assert [record["outcome"] for record in made.diary()] == ["abandoned"]
    assert made.cluster.registry.get(NAME).registration is Registration.UNKNOWN


async def test_a_lost_acknowledgement_only_costs_time(doors: Callable[[], Any], autojump_clock: MockClock):
    async with doors() as made, client() as sock:
        await sock.sendto(REQUEST, made.tftp)
        content, block = b"", 1
        while True:
            packet, peer = await sock.recvfrom(1000)
            again, _ = await sock.recvfrom(1000)  # this one's acknowledgement was lost
            assert packet == again
            assert packet[:4] == b"\0\3" + block.to_bytes(2, "big")
            content += packet[4:]
            await sock.sendto(b"\0\4" + block.to_bytes(2, "big"), peer)
            if len(packet) < 516:
                break
            block += 1
        assert content == made.file()


async def test_strange_datagrams_end_nothing(doors: Callable[[], Any], autojump_clock: MockClock):
    async with doors() as made, client() as sock:
        for data in (b"", b"\0", b"\xff" * 513, b"\0\4\0\1", b"\0\2f\0octet\0", b"\0\1..\0mail\0", b"\0\1\0octet\0"):
            await sock.sendto(data, made.tftp)
        errors = [await sock.recv(1000) for _ in range(3)]
        assert sorted(error[:4] for error in errors) == [b"\0\5\0\1", b"\0\5\0\2", b"\0\5\0\4"]
        await sock.sendto(REQUEST, made.tftp)
        assert (await sock.recv(1000))[:4] == b"\0\3\0\1"


async def test_transfers_are_bounded(
    doors: Callable[[], Any], autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(provisioning, "TRANSFERS", 2)
    async with doors() as made, client() as first, client() as second, client() as third:
        for sock in (first, first, second, third):
            await sock.sendto(REQUEST, made.tftp)
        assert await first.recv(1000) == await second.recv(1000)
        with trio.move_on_after(0.5):
            pytest.fail(f"a third transfer: {await third.recv(1000)!r}")
        await trio.sleep(tftp.SENDINGS * tftp.TIMEOUT_S)
        await third.sendto(REQUEST, made.tftp)
        assert (await third.recv(1000))[:4] == b"\0\3\0\1"


def test_a_door_that_cannot_be_had_is_named():
    with tftp_door(ADDRESS, 0) as taken, pytest.raises(BindError, match=r"cannot listen on 127\.20\.128\.20"):
        tftp_door(ADDRESS, taken.getsockname()[1])
