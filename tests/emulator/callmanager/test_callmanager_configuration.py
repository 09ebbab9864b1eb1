"""The configuration file: every error at once, and files with secrets closed to others."""

from pathlib import Path

import pytest

from emulator.callmanager.configuration import Configuration, load, split_address
from emulator.callmanager.directory import Kind, Tls
from emulator.callmanager.policy import CredentialPolicy
from emulator.callmanager.users import Devices
from emulator.server import ConfigurationError


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "callmanager.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def errors(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert caught.value.exit_code == 4
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def secret(path: Path, text: str = "geheim\n", mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


def test_all_keys(tmp_path: Path):
    secret(tmp_path / "token", "t0ken\n")
    secret(tmp_path / "agpush.password")
    text = """
listen = "10.20.128.20:80"
administration = "[::1]:8080"
administration_token_file = "token"
seed = 3
workers = 4
service_ms = { p50 = 10, p99 = 50.5 }
queue = 7
credential_cache_s = 120
[[user]]
name = "agpush"
password_file = "agpush.password"
cti = true
devices = "all"
first_name = "Paging"
last_name = "Gateway"
[[user]]
name = "other"
password = "inline"
cti = false
devices = ["SEP001BD4000001"]
"""
    configuration = load(written(tmp_path, text))
    assert configuration.listen == "10.20.128.20:80"
    assert (configuration.administration, configuration.administration_token) == ("[::1]:8080", "t0ken")
    assert (configuration.seed, configuration.workers, configuration.queue) == (3, 4, 7)
    assert (configuration.service_p50_ms, configuration.service_p99_ms) == (10, 50.5)
    assert configuration.credential_cache_s == 120
    assert [(u.name, u.password, u.cti, u.devices) for u in configuration.users] == [
        ("agpush", "geheim", True, Devices(everything=True)),
        ("other", "inline", False, Devices(names=frozenset({"SEP001BD4000001"}))),
    ]
    assert [(u.first_name, u.last_name) for u in configuration.users] == [("Paging", "Gateway"), ("", "")]
    assert not any(text in repr(configuration) for text in ("geheim", "inline", "t0ken"))


def test_an_empty_file_is_the_defaults_of_the_contract(tmp_path: Path):
    configuration = load(written(tmp_path, "", 0o644))
    assert configuration == Configuration()
    assert (configuration.workers, configuration.queue, configuration.credential_cache_s) == (8, 500, 0)
    assert (configuration.service_p50_ms, configuration.service_p99_ms) == (60, 300)


def test_all_errors_at_once_with_the_nearest_key(tmp_path: Path):
    text = """
listn = "127.0.0.1:1"
workers = 0
queue = true
service_ms = { p5O = 3, p99 = "x" }
administration = "127.0.0.1"
seed = 1.5
zzz = 1
[[user]]
nam = "a"
password = "geheim"
password_file = "b"
cti = "yes"
devices = "some"
"""
    found = errors(written(tmp_path, text))
    assert found[:4] == [
        "listn: unknown key; did you mean listen?",
        "workers: a whole number from 1 to 10000 is needed",
        "queue: a whole number from 0 to 1000000 is needed",
        """administration: "address:port" is needed, got '127.0.0.1'""",
    ]
    rest = "\n".join(found)
    assert "service_ms.p5O: unknown key; did you mean p50?" in found
    assert "service_ms.p99: a number from 0.001 to 1e+06 is needed" in found
    assert "user[1].nam: unknown key; did you mean name?" in found
    assert "user[1].name: is needed" in found
    assert "user[1].password: exactly one of password and password_file is needed" in found
    assert "user[1].cti: true or false is needed" in found
    assert 'user[1].devices: "all", "none" or a list of device names is needed' in found
    assert "zzz: unknown key; known are listen" in rest
    assert "geheim" not in rest


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_secrets_that_others_can_read_are_refused(tmp_path: Path, mode: int):
    path = written(tmp_path, '[[user]]\nname = "a"\npassword = "geheim"\n', mode)
    assert errors(path) == [f"user[1].password: others can read this file: chmod 600 {path}"]
    secret(tmp_path / "secret", mode=mode)
    path = written(tmp_path, '[[user]]\nname = "a"\npassword_file = "secret"\n', 0o644)
    assert errors(path) == [f"user[1].password_file: others can read it: chmod 600 {tmp_path / 'secret'}"]


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"x" * 5000, b"\xff"])
def test_what_is_no_password_file(tmp_path: Path, content: bytes):
    (tmp_path / "secret").write_bytes(content)
    (tmp_path / "secret").chmod(0o600)
    path = written(tmp_path, '[[user]]\nname = "a"\npassword_file = "secret"\n')
    [problem] = errors(path)
    assert problem.startswith("user[1].password_file: ")


def test_missing_files_and_broken_toml(tmp_path: Path):
    assert errors(tmp_path / "absent.toml") == ["cannot be read: No such file or directory"]
    path = written(tmp_path, '[[user]]\nname = "a"\npassword_file = "absent"\n')
    assert errors(path) == [f"user[1].password_file: {tmp_path / 'absent'} cannot be read: No such file or directory"]
    [problem] = errors(written(tmp_path, 'password = "geheim\n'))
    assert problem.startswith("no TOML: ")
    assert "geheim" not in problem
    path.write_bytes(b"\xff\xfe geheim")
    assert errors(path) == ["no TOML: it is not UTF-8"]


def test_duplicate_names_and_missing_token(tmp_path: Path):
    text = 'administration = "127.0.0.1:0"\n' + '[[user]]\nname = "a"\npassword = "p"\n' * 2
    assert errors(written(tmp_path, text)) == [
        "administration: [administrator] or administration_token_file is needed with it",
        "user[2].name: there is a user 'a' already",
    ]


def test_percentiles_the_wrong_way_round(tmp_path: Path):
    assert errors(written(tmp_path, "service_ms = { p50 = 400 }")) == ["service_ms: p99 is below p50: 300.0 < 400.0"]


def test_a_name_or_password_that_can_be_none_is_found_here(tmp_path: Path):
    text = f'[[user]]\nname = "{"n" * 129}"\npassword = "{"geheim" * 50}"\n'
    found = errors(written(tmp_path, text))
    assert [problem.partition(" ")[0] for problem in found] == ["user[1].name:", "user[1].password:"]
    assert "geheim" not in "".join(found)


@pytest.mark.parametrize(("text", "address"), [("1.2.3.4:5", ("1.2.3.4", 5)), ("[::1]:80", ("::1", 80))])
def test_addresses(text: str, address: tuple[str, int]):
    assert split_address(text) == address


@pytest.mark.parametrize("text", ["", ":1", "a", "a:", "a:x", "a:65536", "a:-1", "a:²"])
def test_what_is_no_address(text: str):
    with pytest.raises(ValueError, match="address:port"):
        split_address(text)


DIRECTORY = """
[directory]
server = "10.20.128.50:636"
manager_dn = "CN=ccm,DC=lab"
manager_password_file = "manager"
base_dn = "DC=lab"
"""


def test_a_directory_and_its_users(tmp_path: Path):
    secret(tmp_path / "manager", "Verwalter-1\n")
    text = f"""
secured_listen = "127.0.0.1:8443"
secured_certificate_file = "cert.pem"
[credential_policy]
failures = 5
lock_minutes = 0.5
{DIRECTORY}
kind = "ldap"
tls = "ldaps"
server_name = "dc1.lab"
name_attributes = ["uid", "mail"]
filter = "(objectClass=inetOrgPerson)"
total_s = 2
connections = 3
[[user]]
name = "agpush"
directory = true
"""
    configuration = load(written(tmp_path, text, 0o644))
    settings = configuration.directory
    assert settings is not None
    assert (settings.server, settings.kind, settings.tls) == (("10.20.128.50", 636), Kind.LDAP, Tls.LDAPS)
    assert (settings.manager_password, settings.names()) == ("Verwalter-1", ("uid", "mail"))
    assert (settings.total_s, settings.connections, settings.server_name) == (2, 3, "dc1.lab")
    assert configuration.credential_policy == CredentialPolicy(failures=5, lock_minutes=0.5, reset_minutes=30)
    assert configuration.users[0].password is None
    assert configuration.secured_certificate == tmp_path / "cert.pem"
    assert configuration.secured_key == tmp_path / "callmanager-key.pem"
    assert "Verwalter" not in repr(configuration)


def test_a_directory_is_by_default_active_directory_with_starttls(tmp_path: Path):
    secret(tmp_path / "manager", "Verwalter-1\n")
    settings = load(written(tmp_path, DIRECTORY)).directory
    assert settings is not None
    assert (settings.kind, settings.tls) == (Kind.ACTIVE_DIRECTORY, Tls.STARTTLS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[directory]", ["server: is needed", "manager_dn: is needed", "manager_password_file: is needed"]),
        (DIRECTORY + "kind = 'ad'", ["kind: one of active-directory, ldap is needed"]),
        (DIRECTORY + "tls = true", ["tls: one of starttls, ldaps, none is needed"]),
        (DIRECTORY + "filter = '(uid'", ["filter: no filter (RFC 4515): "]),
        (DIRECTORY + "ca_file = 'absent.pem'", ["ca_file: "]),
        (DIRECTORY + "ca_file = 'manager'", ["ca_file: "]),
        (DIRECTORY + "name_attributes = []", ["name_attributes: a list of attribute names is needed"]),
        (DIRECTORY + "manager_password = 'x'", ["manager_password: unknown key; did you mean manager_password_file?"]),
        (DIRECTORY.replace('"manager"', '"empty"'), ["manager_password_file: "]),
    ],
)
def test_errors_of_a_directory(tmp_path: Path, text: str, expected: list[str]):
    secret(tmp_path / "manager", "Verwalter-1\n")
    secret(tmp_path / "empty", "\n")
    found = errors(written(tmp_path, text))
    for problem, start in zip(found, expected, strict=False):
        assert problem.startswith(f"directory.{start}")
    assert len(found) >= len(expected)
    assert "Verwalter" not in str(found)


def test_errors_of_its_users_and_of_the_policy(tmp_path: Path):
    secret(tmp_path / "manager", "Verwalter-1\n")
    users = """
[[user]]
name = "a"
directory = true
password = "p"
last_name = "L"
[[user]]
name = "A"
directory = true
"""
    assert errors(written(tmp_path, DIRECTORY + users)) == [
        "user[1].password: a user of the directory has none here",
        "user[1].last_name: a user of the directory has none here",
        "user[2].name: there is a user 'A' already",
    ]
    assert errors(written(tmp_path, "credential_cache_s = 121\n[credential_policy]\nfailure = 1" + users)) == [
        "credential_cache_s: a number from 0 to 120 is needed",
        "credential_policy.failure: unknown key; did you mean failures?",
        "user[1].directory: there is no [directory]",
        "user[1].password: a user of the directory has none here",
        "user[1].last_name: a user of the directory has none here",
        "user[2].name: there is a user 'A' already",
        "user[2].directory: there is no [directory]",
    ]


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    secret(tmp_path / "manager", "Verwalter-1\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert errors(written(tmp_path, DIRECTORY)) == [
        "directory: needs the package sansldap: pip install 'pushlab[directory]'"
    ]


class TestPhones:
    def test_what_callmanager_knows_of_phones(self, tmp_path: Path):
        (tmp_path / "roster.csv").write_text("device_name,address\nSEP001BD4000001,10.20.0.1\n")
        secret = tmp_path / "admin.password"
        secret.touch(0o600)
        secret.write_text("admin-secret\n")
        path = tmp_path / "callmanager.toml"
        path.write_text(
            'devices_csv = "roster.csv"\nphones_control = "http://127.20.128.20:18090"\n'
            '[administrator]\nname = "admin"\npassword_file = "admin.password"\n'
            '[enterprise]\nurl_authentication = "http://10.1.1.1/auth"\nurl_idle_time_s = 30\n'
        )
        configuration = load(path)
        assert [device.name for device in configuration.devices] == ["SEP001BD4000001"]
        assert configuration.administrator is not None
        assert configuration.administrator.admits("admin", "admin-secret")
        assert configuration.enterprise.url_authentication == "http://10.1.1.1/auth"
        assert configuration.phones_control == "127.20.128.20:18090"

    @pytest.mark.parametrize(
        "value", ["http://10.0.0.1", "http://10.0.0.1:99999", "http://a@10.0.0.1:80", "http://[::1", "10.0.0.1:80", ""]
    )
    def test_a_control_api_that_is_none(self, tmp_path: Path, value: str):
        assert errors(written(tmp_path, f'phones_control = "{value}"')) == [
            'phones_control: "http://address:port" of a fleet\'s control API is needed'
        ]

    def test_all_errors_at_once(self, tmp_path: Path):
        path = tmp_path / "callmanager.toml"
        path.write_text(
            'devices_csv = "none.csv"\nphones_control = "ftp://x"\n[administrator]\nname = "admin"\n'
            '[enterprise]\nurl_authentification = "x"\nurl_services = "x"\n'
        )
        with pytest.raises(ConfigurationError) as caught:
            load(path)
        text = str(caught.value)
        parts = (
            "none.csv: cannot be read: No such file or directory",
            "phones_control",
            "administrator.password_file",
            "url_authentication?",
            "url_services",
        )
        for part in parts:
            assert part in text
