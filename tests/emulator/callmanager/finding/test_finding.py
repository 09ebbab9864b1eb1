"""The three services behind the handler, in virtual time: who may, how often, what is recorded, and who is held up."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from emulator.callmanager.cluster import Administrator
from emulator.callmanager.configuration import Configuration, load
from emulator.callmanager.finding.settings import FindingSettings
from emulator.callmanager.registry import Device, Registration, Registry
from emulator.callmanager.service import Service
from emulator.callmanager.users import Devices, Users
from emulator.engine import Answer, Request
from emulator.records import Records
from emulator.server import ConfigurationError

SECRET = "Geheim-77"
DLX = "/CCMAdmin/reports/devicelistx.asp"
RIS = "/realtimeservice2/services/RISService70"
ENVELOPE = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{}</e:Body></e:Envelope>'
SELECT = ENVELOPE.format(
    '<s:selectCmDevice xmlns:s="http://schemas.cisco.com/ast/soap"><s:CmSelectionCriteria/></s:selectCmDevice>'
)
LIST = ENVELOPE.format(
    '<a:listPhone xmlns:a="http://www.cisco.com/AXL/API/12.5"><searchCriteria><name>%</name></searchCriteria>'
    "<returnedTags><name/></returnedTags></a:listPhone>"
)


def virtual_ns() -> int:
    return round(trio.current_time() * 1e9)


def basic(name: str = "admin", password: str = SECRET) -> bytes:
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


def asked(
    path: str, body: str = "", *, method: str | None = None, authorization: bytes | None = None, **more: Any  # noqa: ANN401
) -> Request:
    return Request(
        **{
            "method": method or ("POST" if body else "GET"),
            "target": path.encode(),
            "path": path.partition("?")[0],
            "query": path.partition("?")[2].encode(),
            "headers": {b"authorization": basic() if authorization is None else authorization},
            "body": body.encode(),
            "http_version": "1.1",
            "keep_alive": True,
            "peer": ("10.20.0.9", 51234),
            "local": ("10.20.128.20", 8443),
            "connection_ordinal": 1,
            **more,
        }
    )


class Played:
    def __init__(
        self, folder: Path, *, phones: int = 3, administrator: bool = True, **settings: Any  # noqa: ANN401
    ) -> None:
        self.began = trio.current_time()
        self._path = folder / "events.jsonl"
        self.records_of = Records(self._path, witness="callmanager", clock=virtual_ns)
        users = Users()
        users.add(name="agpush", password=SECRET, cti=True, devices=Devices(everything=True))
        registry = Registry(
            Device(name=f"SEP001BD4{n:06X}", address="10.1.1.1", registration=Registration.REGISTERED)
            for n in range(phones)
        )
        self.service = Service(
            Configuration(
                service_p50_ms=100,
                service_p99_ms=100,
                workers=1,
                administrator=Administrator(name="admin", password=SECRET) if administrator else None,
                finding=FindingSettings(**settings),
            ),
            users,
            self.records_of,
            clock_ns=virtual_ns,
            unix_s=lambda: 1653653459.0,
            registry=registry,
        )

    async def __call__(self, *arguments: Any, **more: Any) -> tuple[int, str, str]:  # noqa: ANN401
        """Status, head and body."""
        answer = await self.handle(asked(*arguments, **more))
        head, _, body = answer.data.decode("iso-8859-1").partition("\r\n\r\n")
        assert f"Content-Length: {len(body)}\r\n" in f"{head}\r\n"
        return int(head.split(" ")[1]), head, body

    async def handle(self, request: Request) -> Answer:
        answer = await self.service.handle(request)
        if answer.on_sent is not None:
            answer.on_sent(True)
        return answer

    def records(self) -> list[dict[str, Any]]:
        self.records_of.close()
        return [json.loads(line) for line in self._path.read_text().splitlines()]


async def test_a_device_list_once_a_minute(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    for path in (DLX, DLX.lower(), DLX.upper()):
        status, head, body = await played(path)
        assert status == 200
        assert "Server: Microsoft-IIS/5.0" in head
        assert body.count("<Device ") == 3
        await trio.sleep(59)
        status, _, body = await played(path)
        assert status == 200
        assert '<Error number="1002">' in body
        await trio.sleep(1)


async def test_two_device_lists_at_once_are_one_too_many(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path, phones=1000)
    bodies = []

    async def one() -> None:
        bodies.append((await played(DLX))[2])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert sorted("1001" in body for body in bodies) == [False, True]


async def test_a_list_that_is_given_up_does_not_count(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    with trio.CancelScope() as scope:
        scope.cancel()
        await played(DLX)
    assert "<Device " in (await played(DLX))[2]


async def test_fifteen_searches_a_minute(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    assert [(await played(RIS, SELECT))[0] for _ in range(16)] == [200] * 15 + [500]
    refused = (await played(RIS, SELECT))[2]
    assert "ns1:Server.RateControl" in refused
    assert "is 15 requests per minute.http" in refused
    await trio.sleep(60)
    assert (await played(RIS, SELECT))[0] == 200
    assert (await played("/axl/", LIST))[0] == 200  # another service, another limit


async def test_the_rate_and_the_devices_are_settings(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path, ris_requests_per_minute=18, ris_devices_max=2, node="ccm1")
    answers = [await played(RIS, SELECT) for _ in range(19)]
    assert "<ns1:TotalDevicesFound>2</ns1:TotalDevicesFound>" in answers[0][2]
    assert "<ns1:Name>ccm1</ns1:Name>" in answers[0][2]
    assert [status for status, _, _ in answers] == [200] * 18 + [500]


@pytest.mark.parametrize("path", [DLX, RIS, f"{RIS}?wsdl", "/realtimeservice/services/RisPort", "/axl/", "/axl"])
@pytest.mark.parametrize(
    "authorization",
    [b"", b"Basic", b"Basic !!!", basic("admin", "x"), basic("x"), basic("agpush"), b"Bearer x", b"Basic \xff\xfe"],
)
async def test_only_the_administrator_may(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, path: str, authorization: bytes
):
    status, head, _ = await Played(tmp_path)(path, authorization=authorization)
    assert status == 401
    assert "WWW-Authenticate: Basic realm=" in head


@pytest.mark.parametrize("path", [DLX, RIS, "/axl/"])
async def test_guessing_is_paced_as_at_the_administration(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, path: str
):
    played = Played(tmp_path)
    for _ in range(5):
        assert (await played(path, authorization=b""))[0] == 401  # a client that waits for the challenge
    for _ in range(6):
        assert (await played(path, authorization=basic("admin", "x")))[0] == 401
    assert trio.current_time() - 3 == pytest.approx(played.began, abs=0.01)
    statuses: list[int] = []

    async def guess() -> None:
        statuses.append((await played(path, authorization=basic("admin", "x")))[0])

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(guess)
    assert (statuses.count(401), statuses.count(503)) == (10, 10)
    body = {DLX: "", RIS: SELECT, "/axl/": LIST}[path]
    assert (await played(path, body=body, peer=("10.20.0.8", 51234)))[0] == 200  # whom nobody slows down


async def test_without_an_administrator_nobody_may_and_the_log_says_so_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
):
    played = Played(tmp_path, administrator=False)
    assert [(await played(path))[0] for path in (DLX, RIS, "/axl/", DLX)] == [401] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "DeviceListX, RisPort70 and AXL refuse everybody: add [administrator] with name and password_file"
    ]


async def test_refused_requests_are_not_counted(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path, ris_requests_per_minute=1)
    await played(RIS, SELECT, authorization=b"")
    await played(DLX, authorization=b"")
    assert (await played(RIS, SELECT))[0] == 200
    assert "<Device " in (await played(DLX))[2]


async def test_what_a_browser_gets(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    status, _, body = await played("/axl/")
    assert (status, "The AXL Web Service is working and accepting requests." in body) == (200, True)
    assert (await played(RIS))[0] == 405
    assert (await played(DLX, "x"))[0] == 405
    assert (await played("/axl/", method="DELETE"))[0] == 405
    assert (await played("/ccmadmin/other.asp"))[0] == 404
    assert (await played("/AXL/"))[0] == 404  # Tomcat does care


async def test_a_description_names_the_address_that_was_asked(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    request = asked(f"{RIS}?wsdl", headers={b"authorization": basic(), b"host": b"ccm1.lab:8443"})
    answer = await played.service.handle(request, secured=True)
    assert b'location="https://ccm1.lab:8443/realtimeservice2/services/RISService70"' in answer.data
    request = asked(f"{RIS}?WSDL", headers={b"authorization": basic(), b"host": b'"><x'})
    answer = await played.service.handle(request)
    assert b'location="http://10.20.128.20:8443/realtimeservice2/' in answer.data


async def test_unified_cm_keeps_the_connection_and_callmanager_4_does_not(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    assert not (await played.handle(asked("/axl/", LIST))).close
    assert (await played.handle(asked("/axl/", LIST, keep_alive=False))).close
    assert (await played.handle(asked("/axl/", LIST, http_version="1.0"))).close
    assert (await played.handle(asked(DLX))).close


async def test_authentications_come_between_the_pieces_of_a_search(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path, phones=5000)
    steps = 0
    done = trio.Event()

    async def others() -> None:
        nonlocal steps
        while not done.is_set():
            steps += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await played(DLX)
        of_list = steps
        await played(RIS, SELECT)
        await played("/axl/", LIST)
        done.set()
    assert of_list >= 50
    assert steps - of_list >= 50


async def test_a_search_takes_no_worker(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    for path, body in ((DLX, ""), (RIS, SELECT), ("/axl/", LIST)):
        await played(path, body)
    assert played.service.status() == {"authentications": 0, "busy": 0, "queue": 0, "rejected": 0}
    query = f"UserID=agpush&Password={SECRET}&devicename=SEP001BD4000001"
    answer = await played.handle(asked(f"/CCMCIP/authenticate.asp?{query}"))
    assert answer.data.endswith(b"\r\n\r\nAUTHORIZED")


async def test_a_user_that_axl_adds_may_push_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    await played(
        "/axl/",
        ENVELOPE.format(
            '<a:addUser xmlns:a="http://www.cisco.com/AXL/API/12.5"><user><userid>new</userid>'
            "<password>Neu-88</password><associatedDevices><device>SEP001BD4000001</device></associatedDevices>"
            "</user></a:addUser>"
        ),
    )
    query = "UserID=new&Password=Neu-88&devicename=SEP001BD400000{}"
    for number, word in ((1, b"AUTHORIZED"), (2, b"UN-AUTHORIZED")):
        answer = await played.handle(asked(f"/CCMCIP/authenticate.asp?{query.format(number)}"))
        assert answer.data.endswith(b"\r\n\r\n" + word)
    assert "Neu-88" not in json.dumps(played.records())


async def test_each_request_is_recorded_without_what_it_holds(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    await played(DLX)
    await played(DLX)
    await played(RIS, SELECT)
    await played("/axl/", f"<{SECRET}>")
    await played("/axl/", ENVELOPE.format(f'<{SECRET} xmlns="http://www.cisco.com/AXL/API/12.5"/>'))
    await played("/axl/", LIST, authorization=b"")
    kept = ("interface", "operation", "http_status", "fault", "objects", "connection")
    records = [{key: record[key] for key in kept if key in record} for record in played.records()]
    where = {"connection": "10.20.0.9:51234"}
    assert records == [
        {"interface": "devicelistx", "http_status": 200, "objects": 3, **where},
        {"interface": "devicelistx", "http_status": 200, "fault": "1002", **where},
        {"interface": "risport", "operation": "selectCmDevice", "http_status": 200, "objects": 3, **where},
        {"interface": "axl", "http_status": 500, "fault": "soapenv:Client", **where},
        {"interface": "axl", "http_status": 500, "fault": "soapenv:Client", **where},
        {"interface": "axl", "http_status": 401, **where},
    ]
    assert SECRET not in (tmp_path / "events.jsonl").read_text()


def test_the_settings_of_a_file(tmp_path: Path):
    file = tmp_path / "callmanager.toml"
    file.write_text(
        "[finding]\ndevice_list_interval_s = 0\nris_requests_per_minute = 18\nris_devices_max = 2000\nnode = 'ccm1'\n"
    )
    assert load(file).finding == FindingSettings(
        device_list_interval_s=0, ris_requests_per_minute=18, ris_devices_max=2000, node="ccm1"
    )
    file.write_text("[finding]\nris_request_per_minute = 18\nris_devices_max = 0\nnode = ''\n")
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert [problem.removeprefix(f"{file}: ") for problem in caught.value.problems] == [
        "finding.ris_request_per_minute: unknown key; did you mean ris_requests_per_minute?",
        "finding.ris_devices_max: a whole number from 1 to 100000 is needed",
        "finding.node: a text is needed",
    ]
