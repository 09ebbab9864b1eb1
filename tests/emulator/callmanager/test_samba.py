"""The directory client against a Samba Active Directory domain controller, provisioned and started here as root."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from emulator.callmanager.certificate import ensure_certificate
from emulator.callmanager.directory import DirectoryError, DirectorySettings, Tls
from harness.bed.directory import samba as server
from harness.bed.directory.account import Account
from harness.bed.directory.software import is_root, missing

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing("samba")), reason=f"needs the Debian packages {missing('samba')}"),
    pytest.mark.skipif(not is_root(), reason="a domain controller runs as root"),
]

ADDRESS = "127.77.3.1"
"""Of its own: a domain controller's port is 389, and it takes it on this address alone."""
MANAGER_PASSWORD = "Verwalter-12345"
PASSWORD = "Geheim-77+% x"
_START_S = 60
_LOCK_AFTER = 3


@pytest.fixture(scope="module")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectorySettings]:
    folder = tmp_path_factory.mktemp("samba")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    ensure_certificate(certificate, key, address=ADDRESS)
    cache = folder / "cache"
    cache.mkdir()
    domain = server.Domain(folder / "domain", address=ADDRESS, certificate=certificate, key=key, cache=cache)
    domain.tool("domain", "passwordsettings", "set", f"--account-lockout-threshold={_LOCK_AFTER}")
    domain.add(Account(name=server.MANAGER, password=MANAGER_PASSWORD))
    for name in ("agpush", "disabled", "expired", "mustchange", "locked"):
        domain.add(Account(name=name, password=PASSWORD))
    domain.tool("user", "disable", "disabled")
    domain.tool("user", "setexpiry", "expired", "--days=0")
    domain.tool("user", "setpassword", "mustchange", "--must-change-at-next-login", password=PASSWORD)
    with (
        (folder / "out").open("wb") as out,
        subprocess.Popen(
            domain.command(),
            stdin=subprocess.PIPE,  # it ends when this does
            stdout=out,
            stderr=out,
        ) as process,
    ):
        try:
            settings = DirectorySettings(
                server=(ADDRESS, server.LDAP_PORT),
                base_dn=server.SUFFIX,
                manager_dn=server.dn_of(server.MANAGER),
                manager_password=MANAGER_PASSWORD,
                ca_file=certificate,
                total_s=20,
            )
            trio.run(_ready, settings, process, folder / "out")
            yield settings
        finally:
            process.terminate()


async def _ready(settings: DirectorySettings, process: subprocess.Popen[bytes], log: Path) -> None:
    with trio.fail_after(_START_S):
        while True:
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            try:
                stream = await trio.open_tcp_stream(*settings.server)
            except OSError:
                await trio.sleep(0.05)  # there is nothing to wait for but its door
                continue
            await stream.aclose()
            return


async def verdict(settings: DirectorySettings, name: str, password: str = PASSWORD) -> tuple[object, object]:
    from emulator.callmanager.ldap import Directory

    with trio.fail_after(30):
        said = await Directory(settings).authenticate(name, password)
    return said.name, said.reason


@pytest.mark.parametrize("way", ["starttls", "ldaps"])
async def test_by_account_name_and_by_principal_name(samba: DirectorySettings, way: str):
    settings = samba if way == "starttls" else replace(samba, tls=Tls.LDAPS, server=(ADDRESS, server.LDAPS_PORT))
    assert await verdict(settings, "agpush") == ("agpush", None)
    assert await verdict(settings, "AgPush") == ("agpush", None)
    assert await verdict(settings, "agpush@lab.example") == ("agpush", None)
    assert await verdict(settings, "agpush", "wrong") == ("agpush", "password")
    assert await verdict(settings, "absent") == (None, "user")
    assert await verdict(settings, "DC1$") == (None, "user")  # a computer is no person
    assert await verdict(settings, "agpush", "") == (None, "password")


@pytest.mark.parametrize(
    ("name", "reason"), [("disabled", "disabled"), ("expired", "expired"), ("mustchange", "must_change")]
)
async def test_why_an_account_is_refused(samba: DirectorySettings, name: str, reason: str):
    assert await verdict(samba, name) == (name, reason)


async def test_the_domain_s_own_lock(samba: DirectorySettings):
    for _ in range(_LOCK_AFTER):
        assert await verdict(samba, "locked", "wrong") == ("locked", "password")
    assert await verdict(samba, "locked") == ("locked", "locked")


async def test_a_domain_controller_wants_encryption(samba: DirectorySettings):
    with pytest.raises(DirectoryError) as caught:
        await verdict(replace(samba, tls=Tls.NONE), "agpush")
    assert caught.value.kind == "manager"


@pytest.mark.parametrize("name", ["*", "agpush)(cn=*", "\\61gpush", "ag*"])
async def test_a_name_is_never_a_filter(samba: DirectorySettings, name: str):
    assert await verdict(samba, name) == (None, "user")


async def test_a_burst_beyond_its_backlog_is_answered(samba: DirectorySettings):
    from emulator.callmanager.ldap import Directory

    directory = Directory(replace(samba, total_s=60))
    answered: list[object] = []

    async def ask() -> None:
        answered.append((await directory.authenticate("agpush", PASSWORD)).reason)

    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(ask)
    assert answered == [None] * 40


async def test_the_global_directory(samba: DirectorySettings):
    from emulator.callmanager.ldap import Directory

    found = await Directory(samba).find("ag")
    assert [(one.name, one.dn) for one in found] == [("agpush", "CN=agpush,CN=Users,DC=lab,DC=example")]
