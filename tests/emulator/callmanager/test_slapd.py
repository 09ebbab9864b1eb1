"""The directory client against OpenLDAP's slapd, started here on a port of its own."""

import json
import socket
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio

from emulator.callmanager.certificate import ensure_certificate
from emulator.callmanager.directory import DirectoryError, DirectorySettings, Kind, Tls
from harness.bed.directory import slapd as server
from harness.bed.directory.account import Account
from harness.bed.directory.slapd import MANAGER_DN
from harness.bed.directory.software import missing

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(missing("slapd")), reason=f"needs the Debian package {missing('slapd')}"),
]

MANAGER_PASSWORD = "Verwalter-1"
PASSWORD = "Geheim-77+% äö"
ODD = "odd*)(uid=\\"
PEOPLE = [Account(name=name, password=PASSWORD) for name in ("agpush", ODD, "twin", "twin")]
PRINTER = f"""
dn: cn=printer,{server.SUFFIX}
objectClass: device
objectClass: uidObject
objectClass: simpleSecurityObject
cn: printer
uid: printer
userPassword: {PASSWORD}
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    settings: DirectorySettings
    secured_port: int
    ca_file: Path
    log: Path
    """What slapd says about operations (loglevel stats)."""

    def ldaps(self) -> DirectorySettings:
        return replace(
            self.settings, tls=Tls.LDAPS, ca_file=self.ca_file, server=(self.settings.server[0], self.secured_port)
        )


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(count: int) -> list[int]:
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("slapd")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    ensure_certificate(certificate, key, address="127.0.0.1")
    ldif = server.entries(PEOPLE).replace("uid:: YWdwdXNo", "uid:: YWdwdXNo\nmail: push@lab.example") + PRINTER
    made = {"certificate": certificate, "key": key, "manager_password": MANAGER_PASSWORD, "ldif": ldif}
    server.build(folder / "slapd", **made)
    port, secured_port = _free_ports(2)
    command = server.command(folder / "slapd", address="127.0.0.1", ldap_port=port, ldaps_port=secured_port)
    log = folder / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process,
    ):
        try:
            # Its log says "starting" before it listens: only a connection shows that it does.
            while b"slapd starting" not in log.read_bytes() or not (_listens(port) and _listens(secured_port)):
                assert process.poll() is None, log.read_text(errors="replace")
            settings = DirectorySettings(
                server=("127.0.0.1", port),
                base_dn=server.SUFFIX,
                manager_dn=MANAGER_DN,
                manager_password=MANAGER_PASSWORD,
                kind=Kind.LDAP,
                tls=Tls.STARTTLS,
                ca_file=certificate,
            )
            yield Server(settings=settings, secured_port=secured_port, ca_file=certificate, log=log)
        finally:
            process.terminate()


async def verdict(settings: DirectorySettings, name: str = "agpush", password: str = PASSWORD) -> tuple[object, object]:
    from emulator.callmanager.ldap import Directory

    with trio.fail_after(20):
        said = await Directory(settings).authenticate(name, password)
    return said.name, said.reason


async def failure(settings: DirectorySettings, name: str = "agpush", password: str = PASSWORD) -> str:
    with pytest.raises(DirectoryError) as caught:
        await verdict(settings, name, password)
    assert PASSWORD not in str(caught.value)
    return caught.value.kind


@pytest.mark.parametrize("way", ["starttls", "ldaps", "none"])
async def test_right_wrong_and_unknown_over_every_kind_of_connection(slapd: Server, way: str):
    settings = {"starttls": slapd.settings, "ldaps": slapd.ldaps(), "none": replace(slapd.settings, tls=Tls.NONE)}[way]
    assert await verdict(settings) == ("agpush", None)
    assert await verdict(settings, "AGPUSH") == ("agpush", None)  # uid ignores case (RFC 4519, 2.39)
    assert await verdict(settings, password="wrong") == ("agpush", "password")
    assert await verdict(settings, "absent") == (None, "user")


async def test_the_connection_is_really_encrypted(slapd: Server):
    before = slapd.log.read_text().count("TLS established")
    await verdict(slapd.settings)
    await verdict(slapd.ldaps())
    assert slapd.log.read_text().count("TLS established") == before + 2


@pytest.mark.parametrize("name", ["*", "ag*", "agpush)(uid=*", "*)(objectClass=*", "\\61gpush", "a\x00", "(", "ä", ""])
async def test_a_name_is_never_a_filter(slapd: Server, name: str):
    assert await verdict(slapd.settings, name) == (None, "user")


async def test_a_name_of_filter_characters_is_found_as_it_is(slapd: Server):
    assert await verdict(slapd.settings, ODD) == (ODD, None)


async def test_an_empty_password_is_refused_before_anything_is_asked(slapd: Server):
    before = slapd.log.read_bytes()
    assert await verdict(slapd.settings, password="") == (None, "password")
    assert slapd.log.read_bytes() == before


async def test_who_is_no_person_is_not_found(slapd: Server):
    assert await verdict(slapd.settings, "printer") == (None, "user")
    assert await verdict(replace(slapd.settings, filter="(cn=printer)"), "printer") == ("printer", None)


async def test_other_attributes_name_the_user_by_the_first(slapd: Server):
    settings = replace(slapd.settings, name_attributes=("uid", "mail"))
    assert await verdict(settings, "push@lab.example") == ("agpush", None)


async def test_two_of_one_name_are_nobody(slapd: Server):
    assert await failure(slapd.settings, "twin") == "ambiguous"


async def test_what_goes_wrong_is_named(slapd: Server, tmp_path: Path):
    assert await failure(replace(slapd.settings, manager_password="wrong")) == "manager"
    assert await failure(replace(slapd.settings, base_dn="dc=elsewhere")) == "search_result_32"
    [closed] = _free_ports(1)
    assert await failure(replace(slapd.settings, server=("127.0.0.1", closed))) == "unreachable"
    other = tmp_path / "other.pem"
    ensure_certificate(other, tmp_path / "other.key", address="127.0.0.1")
    assert await failure(replace(slapd.settings, ca_file=other)) == "tls"
    assert await failure(replace(slapd.settings, server_name="dc1.lab.example")) == "tls"
    assert await failure(replace(slapd.ldaps(), ca_file=other)) == "tls"
    assert await failure(replace(slapd.settings, tls=Tls.LDAPS)) == "tls"  # the plain port


async def test_the_global_directory_is_searched_by_the_beginning_of_a_name(slapd: Server):
    from emulator.callmanager.ldap import Directory

    directory = Directory(slapd.settings)
    assert [one.name for one in await directory.find("")] == ["agpush", ODD, "twin", "twin"]
    assert [(one.name, one.dn) for one in await directory.find("ag")] == [
        ("agpush", "cn=person 1,dc=lab,dc=example")
    ]
    assert await directory.find("*") == []
    assert (await directory.person("absent")) is None


async def test_a_burst_takes_no_more_connections_than_allowed(slapd: Server):
    from emulator.callmanager.ldap import Directory

    directory = Directory(replace(slapd.settings, tls=Tls.NONE, connections=3, total_s=20))
    answered: list[object] = []

    async def ask(password: str) -> None:
        answered.append((await directory.authenticate("agpush", password)).reason)

    before = len(slapd.log.read_text())
    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(ask, PASSWORD if number % 2 else "wrong")
    assert sorted(answered, key=str) == [None] * 30 + ["password"] * 30
    open_now = most = 0
    for line in slapd.log.read_text()[before:].splitlines():
        open_now += (" ACCEPT " in line) - (" closed" in line)
        most = max(most, open_now)
    assert 1 <= most <= 4  # slapd may accept the next before it says that one has been closed


PROGRAM = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
PHONE = "SEP001BD4000001"


def test_the_command_with_a_directory_and_the_secured_page(slapd: Server, tmp_path: Path):
    """Row 6: created in the directory, associated in CallManager, authorised for that phone alone; over HTTPS too."""
    secret = tmp_path / "manager"
    secret.write_text(MANAGER_PASSWORD)
    secret.chmod(0o600)
    host, port = slapd.settings.server
    configuration = tmp_path / "callmanager.toml"
    configuration.write_text(f"""
listen = "127.0.0.1:0"
secured_listen = "127.0.0.1:0"
service_ms = {{ p50 = 2, p99 = 4 }}
[directory]
kind = "ldap"
server = "{host}:{port}"
ca_file = "{slapd.ca_file}"
manager_dn = "{MANAGER_DN}"
manager_password_file = "manager"
base_dn = "dc=lab,dc=example"
[[user]]
name = "agpush"
directory = true
devices = ["{PHONE}"]
""")
    events = tmp_path / "events.jsonl"
    command = [sys.executable, "-W", "error", "-c", PROGRAM, "--config", str(configuration), "--events", str(events)]
    with subprocess.Popen(
        [*command, "--stop-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        try:
            urls = json.loads(process.stdout.readline())["urls"]
            context = ssl.create_default_context(cafile=tmp_path / "callmanager-certificate.pem")

            def ask(url: str, user: str, password: str, device: str = PHONE) -> bytes:
                query = urllib.parse.urlencode({"UserID": user, "Password": password, "devicename": device})
                with urllib.request.urlopen(f"{url}?{query}", timeout=10, context=context) as answer:  # noqa: S310 - own
                    body: bytes = answer.read()
                    return body

            for url in (urls["authentication"], urls["authentication_secured"]):
                assert ask(url, "agpush", PASSWORD) == b"AUTHORIZED"
                assert ask(url, "agpush", PASSWORD, "SEP001BD4000002") == b"UN-AUTHORIZED"
                assert ask(url, "agpush", "wrong") == b"UN-AUTHORIZED"
                assert ask(url, "absent", PASSWORD) == b"UN-AUTHORIZED"
                assert ask(url, "agpush", "") == b"ERROR"
            out, err = process.communicate(timeout=10)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    written = events.read_text()
    for hidden in (MANAGER_PASSWORD, PASSWORD, "Geheim", "UserID"):
        assert hidden not in written + out
    records = [json.loads(line) for line in written.splitlines()]
    reasons = [record.get("reason") for record in records if record["kind"] == "authentication.answered"]
    assert reasons == [None, "association", "password", "user", "parameters"] * 2
    assert all(record["directory_ms"] > 0 for record in records if record.get("reason") == "association")
    [ended] = [record for record in records if record["kind"] == "callmanager.ended"]
    assert (ended["directory_asked"], ended["directory_failed"], ended["accounts_locked"]) == (8, 0, 0)
