"""What a scenario's directory server and CallManager are told; CallManager's own reader checks it."""

import json
import tomllib
from pathlib import Path

import pytest

from emulator.callmanager.configuration import load
from emulator.callmanager.directory import Kind, Tls
from harness.bed import parts
from harness.bed.configuration import CONTROL_USER, callmanager_toml
from harness.bed.directory import placing
from harness.bed.ground import LOOPBACK, NETNS
from harness.bed.secrets import PrivateFolder
from harness.scenario import Scenario
from harness.scenario.file import parse

USERS = '[[callmanager.user]]\nname = "agpush"\n[[callmanager.user]]\nname = "left"\nin_directory = false\n'


def scenario(directory: str) -> Scenario:
    text = f'name = "x"\npurpose = "y"\n[callmanager.directory]\n{directory}\n{USERS}'
    return parse(text, Path("x.toml"), files=False)


@pytest.mark.parametrize(
    ("directory", "kind", "server", "tls"),
    [
        ('kind = "slapd"', Kind.LDAP, ("127.20.128.50", 18389), Tls.STARTTLS),
        ('kind = "slapd"\ntls = "ldaps"', Kind.LDAP, ("127.20.128.50", 18636), Tls.LDAPS),
        ('kind = "slapd"\ntls = "none"', Kind.LDAP, ("127.20.128.50", 18389), Tls.NONE),
        ('kind = "samba"', Kind.ACTIVE_DIRECTORY, ("127.20.128.50", 389), Tls.STARTTLS),
        ('kind = "samba"\ntls = "ldaps"', Kind.ACTIVE_DIRECTORY, ("127.20.128.50", 636), Tls.LDAPS),
    ],
)
def test_callmanager_understands_what_it_is_told(
    tmp_path: Path, directory: str, kind: Kind, server: tuple[str, int], tls: Tls
) -> None:
    played = scenario(directory)
    private = PrivateFolder(tmp_path)
    passwords = {name: private.secret(name) for name in ("agpush", "left", CONTROL_USER)}
    searching = private.secret("searching")
    certificate = tmp_path / placing.CERTIFICATE
    parts.make_certificate(certificate, tmp_path / "key.pem", address=LOOPBACK.directory)
    table = placing.callmanager_toml(played.callmanager, LOOPBACK, certificate=certificate, password=searching.path)
    text = callmanager_toml(
        played, LOOPBACK, devices=["SEP001BD4000001"], control="SEP001BD4FFFFFE", passwords=passwords, directory=table
    )
    configuration = load(private.write("callmanager.toml", text))
    settings = configuration.directory
    assert settings is not None
    assert (settings.kind, settings.server, settings.tls) == (kind, server, tls)
    assert (settings.manager_password, settings.ca_file) == (searching.value, certificate)
    assert (settings.total_s, settings.connections) == (5, 8)
    # The control depends on nothing but CallManager itself.
    assert [(user.name, user.password is None) for user in configuration.users] == [
        ("agpush", True),
        ("left", True),
        (CONTROL_USER, False),
    ]
    assert all(secret.value not in text for secret in (*passwords.values(), searching))
    assert tomllib.loads(text)["directory"]["ca_file"] == str(certificate)


def test_the_server_is_told_files_and_no_password(tmp_path: Path) -> None:
    private = PrivateFolder(tmp_path)
    passwords = {name: private.secret(name) for name in ("agpush", "left")}
    searching = private.secret("searching")
    plan = placing.plan(
        scenario('kind = "slapd"').callmanager,
        NETNS,
        private=private,
        passwords=passwords,
        manager_password=searching,
        log_path=tmp_path / "directory.log",
    )
    config = Path(plan.argv[-1])
    told = config.read_text()
    assert all(secret.value not in told + " ".join(plan.argv) for secret in (*passwords.values(), searching))
    table = json.loads(told)
    assert table["accounts"] == [{"name": "agpush", "password_file": str(passwords["agpush"].path)}]
    assert (table["address"], table["ldap_port"], table["ldaps_port"]) == ("10.20.128.50", 389, 636)
    assert (tmp_path / "directory-key.pem").stat().st_mode & 0o077 == 0
