"""The gateway's sources against the mock CallManager, two readings of one protocol, over real sockets and TLS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.inventory.entry import Listing
from gateway.inventory.sources import Source, SourceError
from gateway.inventory.sources.asking import ask

pytestmark = pytest.mark.real

SECRET = "Geheim-78"
PHONES = 1300
"""More than one answer of RisPort70 holds."""


@dataclass
class Running:
    plain: str
    secured: str
    certificate: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("callmanager")
    secret = folder / "admin.password"
    secret.touch(0o600)
    secret.write_text(SECRET)
    lines = [f"SEP001BD4{number:06X},{4000 + number},10.1.{number // 250}.{number % 250}" for number in range(PHONES)]
    (folder / "phones.csv").write_text("\n".join(["device_name,directory_number,address", *lines]))
    (folder / "callmanager.toml").write_text(
        'listen = "127.0.0.1:0"\nsecured_listen = "127.0.0.1:0"\ndevices_csv = "phones.csv"\n'
        '[administrator]\nname = "admin"\npassword_file = "admin.password"\n'
        "[finding]\nris_requests_per_minute = 0\ndevice_list_interval_s = 60\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "callmanager", "--config", "callmanager.toml", "--stop-with-stdin"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())["urls"]
        yield Running(
            plain=urls["authentication"].partition("/CCMCIP")[0],
            secured=urls["authentication_secured"].partition("/ccmcip")[0],
            certificate=str(folder / "callmanager-certificate.pem"),
        )
    finally:
        process.communicate(timeout=30)


class Nobody:
    async def read(self, address: str) -> None:
        raise AssertionError(address)


async def asked(source: Source) -> Listing:
    return await ask(source, reader=Nobody(), allowed=lambda _: True, concurrency=1)  # type: ignore[arg-type]


def source(kind: str, url: str, **more: object) -> Source:
    values = {"name": "ccm", "kind": kind, "url": url, "user": "admin", "password": SECRET, **more}
    return Source(**values)  # type: ignore[arg-type]


async def test_devicelistx_and_its_limit(running: Running) -> None:
    listing = await asked(source("devicelistx", running.plain))
    assert len(listing.phones) == PHONES
    assert listing.phones[1].device_name == "SEP001BD4000001"
    assert (listing.phones[1].address, listing.phones[1].registered) == ("10.1.0.1", True)
    with pytest.raises(SourceError, match="too often"):
        await asked(source("devicelistx", running.plain))


async def test_risport_by_tls_divides_what_one_answer_does_not_hold(running: Running) -> None:
    listing = await asked(source("risport", running.secured, ca_file=running.certificate))
    assert len({phone.device_name for phone in listing.phones}) == len(listing.phones) == PHONES
    assert {phone.registered for phone in listing.phones} == {True}


async def test_only_named_phones(running: Running) -> None:
    only = "device_name,address\nSEP001BD4000007,10.9.9.9\n"
    listing = await asked(source("risport", running.plain, only=only))
    assert [(phone.device_name, phone.address) for phone in listing.phones] == [("SEP001BD4000007", "10.1.0.7")]


async def test_wrong_credentials_an_unknown_authority_and_nobody_there(running: Running, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="refuses the user name and password"):
        await asked(source("risport", running.plain, password="wrong"))
    with pytest.raises(SourceError, match="its certificate is not trusted"):
        await asked(source("risport", running.secured))
    listing = await asked(source("risport", running.secured, verify=False))
    assert len(listing.phones) == PHONES
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1: "):
        await asked(source("risport", "http://127.0.0.1:1"))
    with pytest.raises(SourceError, match="ca_file"):
        await asked(source("risport", running.secured, ca_file=str(tmp_path / "none.pem")))
