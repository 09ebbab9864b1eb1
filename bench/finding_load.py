"""How long searches for phones hold up the event loop that answers authentications, with 30,000 phones.

    python bench/finding_load.py

Asks each service what costs it most, in the process, through the handler, and measures meanwhile how late a task is
that wants to run every millisecond. Prints, for each, how long the answer took, how many bytes it has, and the worst
lateness; first that of an idle loop, which is the machine's own.
"""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import trio

from emulator.callmanager.attempts import Attempts
from emulator.callmanager.cluster import Administrator
from emulator.callmanager.finding.finding import Finding
from emulator.callmanager.finding.settings import FindingSettings
from emulator.callmanager.registry import Device, Registration, Registry
from emulator.callmanager.users import Devices, Users
from emulator.engine import Answer, Request
from emulator.records import Records

PHONES: Final = 30_000
SECRET: Final = "secret"  # noqa: S105 - the bench's own
AXL: Final = "http://www.cisco.com/AXL/API/12.5"
RIS: Final = "http://schemas.cisco.com/ast/soap"


def name(number: int) -> str:
    return f"SEP001BD4{number:06X}"


def asked(path: str, body: str = "") -> Request:
    return Request(
        method="POST" if body else "GET",
        target=path.encode(),
        path=path,
        query=b"",
        headers={b"authorization": b"Basic " + base64.b64encode(f"admin:{SECRET}".encode())},
        body=body.encode(),
        http_version="1.1",
        keep_alive=True,
        peer=("127.0.0.1", 50000),
        local=("127.0.0.1", 80),
        connection_ordinal=1,
    )


def envelope(content: str) -> str:
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        f"{content}</soapenv:Body></soapenv:Envelope>"
    )


def selected(select_by: str, items: list[str]) -> str:
    return envelope(
        f'<n:selectCmDevice xmlns:n="{RIS}"><n:StateInfo/><n:CmSelectionCriteria><n:SelectBy>{select_by}</n:SelectBy>'
        "<n:SelectItems>" + "".join(f"<n:item><n:Item>{item}</n:Item></n:item>" for item in items) + "</n:SelectItems>"
        "</n:CmSelectionCriteria></n:selectCmDevice>"
    )


def listed(tags: str) -> str:
    return envelope(
        f'<n:listPhone xmlns:n="{AXL}"><searchCriteria><name>SEP%</name></searchCriteria>'
        f"<returnedTags>{tags}</returnedTags></n:listPhone>"
    )


def associated() -> str:
    devices = "".join(f"<device>{name(number)}</device>\n" for number in range(PHONES))
    return envelope(
        f'<n:updateUser xmlns:n="{AXL}"><userid>agpush</userid><associatedDevices>{devices}</associatedDevices>'
        "</n:updateUser>"
    )


async def measured(what: str, work: Callable[[], Awaitable[Answer | None]]) -> None:
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            began = time.perf_counter()
            await trio.sleep(0.001)
            worst = max(worst, time.perf_counter() - began - 0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.sleep(0.05)
        worst = 0.0
        began = time.perf_counter()
        answer = await work()
        took = time.perf_counter() - began
        await trio.sleep(0.005)
        nursery.cancel_scope.cancel()
    assert answer is not None
    status = answer.data.split(b" ", 2)[1].decode()
    size = f"{len(answer.data):>9,} bytes"
    print(f"{what:44} {status} {size}  {took * 1e3:8.1f} ms  worst lateness {worst * 1e3:6.2f} ms")


async def idle(finding: Finding) -> Answer | None:
    await trio.sleep(1)
    return await finding.handle(asked("/axl/"), secured=False)


async def main() -> None:
    registry = Registry(
        Device(
            name=name(number),
            description=f"Auto {number}",
            directory_number=str(number),
            address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            registration=Registration.REGISTERED,
        )
        for number in range(PHONES)
    )
    users = Users()
    users.add(name="agpush", password=SECRET, cti=True, devices=Devices(everything=True))
    with tempfile.TemporaryDirectory() as folder:
        records = Records(Path(folder) / "events.jsonl", witness="callmanager", clock=time.monotonic_ns)
        finding = Finding(
            FindingSettings(device_list_interval_s=0, ris_requests_per_minute=0, ris_devices_max=2000),
            users=users,
            registry=registry,
            administrator=Administrator(name="admin", password=SECRET),
            attempts=Attempts(),
            records=records,
            clock_ns=time.monotonic_ns,
            unix_s=time.time,
        )
        every = [name(number) for number in range(2000)]
        wild = [f"*{number:06X}*F*E" for number in range(100)]
        ris, axl, dlx = "/realtimeservice2/services/RISService70", "/axl/", "/CCMAdmin/reports/devicelistx.asp"
        questions = {
            "DeviceListX, 30,000 phones": asked(dlx),
            "RisPort70, 2,000 names": asked(ris, selected("Name", every)),
            "RisPort70, *, 2,000 of 30,000": asked(ris, selected("Name", ["*"])),
            "RisPort70, 100 wildcards that find nothing": asked(ris, selected("Description", wild)),
            "AXL listPhone, names of 30,000": asked(axl, listed("<name/><model/>")),
            "AXL listPhone, more than 8 MB": asked(axl, listed("<name/><model/><description/>" * 4)),
            "AXL updateUser, 30,000 devices": asked(axl, associated()),
            "AXL getUser, 30,000 devices": asked(
                axl, envelope(f'<n:getUser xmlns:n="{AXL}"><userid>agpush</userid></n:getUser>')
            ),
        }
        await measured("nothing, for one second", lambda: idle(finding))
        for what, request in questions.items():
            await measured(what, lambda request=request: finding.handle(request, secured=False))
        records.close()


if __name__ == "__main__":
    trio.run(main)
