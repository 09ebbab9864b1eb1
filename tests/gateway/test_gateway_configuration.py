"""The configuration file: strict, all errors at once."""

from __future__ import annotations

import os
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from gateway.configuration import ConfigurationError, Endpoint, load_configuration

BASE = """
[phone_port]
listen = "10.20.128.10:80"
[administration]
listen = "10.20.128.10:8443"
token_file = "token"
[push_user]
name = "agpush"
password_file = "password"
[authentication]
callmanager_url = "http://10.20.128.20/CCMCIP/authenticate.asp"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("token", "t0ken\n"), ("password", "canary pass\n"), ("other", "0ther")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def errors(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(write(folder, text))
    return caught.value.errors


def test_defaults_and_secrets_beside_the_file(folder: Path) -> None:
    configuration = load_configuration(write(folder, BASE))
    assert configuration.phone_port == Endpoint(host="10.20.128.10", port=80)
    assert configuration.fixed["push_password"] == "canary pass"
    assert configuration.accepted_password is None
    assert configuration.token == "t0ken"
    assert (configuration.concurrency, configuration.connect_s, configuration.total_s) == (200, 2.0, 10.0)
    assert (configuration.phones_port, configuration.rtp_port, configuration.source) == (80, 32674, None)
    assert configuration.fixed["own_user_mismatch"] == "redirect"
    assert "canary" not in repr(configuration)
    assert "t0ken" not in repr(configuration)


def test_everything_set(folder: Path) -> None:
    configuration = load_configuration(
        write(
            folder,
            BASE
            + 'own_user_mismatch = "refuse"\naccepted_password_file = "other"\n'
            + '[push]\nsource = "10.20.128.10"\nconcurrency = 50\nconnect_s = 1\ntotal_s = 5\n'
            + '[phones]\ncsv = "roster.csv"\nport = 18080\nnetworks = ["10.20.0.0/17"]\n[media]\nrtp_port = 20480\n',
        )
    )
    assert configuration.accepted_password == "0ther"
    assert configuration.phones_csv == folder / "roster.csv"
    assert (configuration.source, configuration.rtp_port) == ("10.20.128.10", 20480)
    assert configuration.fixed["phone_networks"] == (IPv4Network("10.20.0.0/17"),)


def test_the_interface_may_be_left_out(folder: Path) -> None:
    text = BASE.replace('[administration]\nlisten = "10.20.128.10:8443"\ntoken_file = "token"\n', "")
    configuration = load_configuration(write(folder, text))
    assert configuration.administration is None
    assert configuration.token is None


def test_all_errors_at_once_with_the_nearest_name(folder: Path) -> None:
    found = errors(
        folder,
        BASE.replace('listen = "10.20.128.10:80"', 'listne = "10.20.128.10:80"')
        + 'own_user_mismatch = "refuze"\n[phnoes]\ncsv = "x"\n'
        + '[push]\nconcurrency = 0\nsource = "here"\nconnect_s = true\n'
        + "[media]\nrtp_port = 32675\n",
    )
    text = "\n".join(found)
    for expected in (
        "phone_port.listne: unknown key, did you mean listen?",
        "phone_port.listen: is missing",
        "[phnoes]: unknown section, did you mean phones?",
        'own_user_mismatch: must be "redirect" or "refuse"',
        "push.concurrency: must be from 1 to 2000",
        "push.source: must be an address",
        "push.connect_s: must be a number",
        "media.rtp_port: phones receive on even ports",
    ):
        assert expected in text
    assert len(found) == 8


def test_secrets_that_others_can_read_are_refused(folder: Path) -> None:
    (folder / "password").chmod(0o640)
    (folder / "token").chmod(0o604)
    found = errors(folder, BASE)
    assert len(found) == 2
    assert all("can be read by others: chmod 600" in line for line in found)
    assert "canary" not in "".join(found)


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * 300, b"tab\there"])
def test_what_is_no_secret(folder: Path, content: bytes) -> None:
    (folder / "password").write_bytes(content)
    (found,) = errors(folder, BASE)
    assert "must hold one line" in found


def test_a_missing_secret_and_a_missing_file(folder: Path) -> None:
    (folder / "password").unlink()
    (found,) = errors(folder, BASE)
    assert "push_user.password_file" in found
    assert "No such file" in found
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(folder / "nowhere.toml")


def test_not_toml(folder: Path) -> None:
    assert "not TOML" in errors(folder, "[phone_port")[0]
    (folder / "gateway.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_configuration(folder / "gateway.toml")
    assert len(errors(folder, "phone_port = 3\n")) >= 2


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("10.20.128.10:80", "http://10.20.128.10/CCMCIP/authenticate.asp"),
        ("10.20.128.10:80", "http://10.20.128.10:80/cisco_auth/authenticate.html"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080/x"),
        ("0.0.0.0:8080", "http://127.9.9.9:8080/x"),
        ("0.0.0.0:8080", "http://localhost:8080/x"),
        ("0.0.0.0:8080", "http://LOCALHOST.:8080/x"),
        ("127.0.0.1:8080", "http://localhost:8080/x"),
        ("0.0.0.0:8080", "http://0.0.0.0:8080/x"),
        ("[::]:8080", "http://[::1]:8080/x"),
        ("0.0.0.0:443", "https://127.0.0.1/x"),
        ("127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080/x"),
        ("[::ffff:127.0.0.1]:8080", "http://127.0.0.1:8080/x"),
        ("127.0.0.1:8080", "http://127.1:8080/x"),
        ("127.0.0.1:8080", "http://2130706433:8080/x"),
        ("127.0.0.1:8080", "http://0x7f.0.0.1:8080/x"),
        ("[::1]:8080", "http://localhost:8080/x"),
    ],
)
def test_b17_a_callmanager_url_that_is_the_gateway_itself(folder: Path, listen: str, url: str) -> None:
    text = BASE.replace('10.20.128.10:80"', listen + '"').replace("http://10.20.128.20/CCMCIP/authenticate.asp", url)
    (found,) = errors(folder, text)
    assert "points at this gateway's own phone port" in found


def test_the_source_address_is_the_gateway_too(folder: Path) -> None:
    text = BASE.replace('10.20.128.10:80"', '0.0.0.0:80"').replace("10.20.128.20", "10.20.128.10")
    (found,) = errors(folder, text + '[push]\nsource = "10.20.128.10"\n')
    assert "own phone port" in found


@pytest.mark.parametrize(
    "url",
    [
        "ftp://10.0.0.1/x",
        "//10.0.0.1/x",
        "http:///x",
        "http://10.0.0.1:99999/x",
        "http://user:pw@10.0.0.1/x",
        "http://10.0.0.1/x#y",
        "http://10.0.0.1/x y",
        "http://10.0.0.1/\\r\\nX: y",
        "http://10.0.0.1/" + "x" * 250,
        "http://[::1/x",
    ],
)
def test_urls_that_cannot_be_redirected_to(folder: Path, url: str) -> None:
    (found,) = errors(folder, BASE.replace("http://10.20.128.20/CCMCIP/authenticate.asp", url))
    assert "authentication.callmanager_url" in found


def test_other_urls_pass(folder: Path) -> None:
    for url in (
        "http://10.20.128.10:8080/x",
        "http://ccm.example/CCMCIP/authenticate.asp?a=b",
        "https://10.20.128.10/x",
    ):
        path = write(folder, BASE.replace("http://10.20.128.20/CCMCIP/authenticate.asp", url))
        assert load_configuration(path).fixed["callmanager_url"] == url


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_secret_that_cannot_be_read(folder: Path) -> None:
    (folder / "password").chmod(0o000)
    (found,) = errors(folder, BASE)
    assert "Permission denied" in found


STORED = '[phone_port]\nlisten = "10.20.128.10:80"\n[administration]\nlisten = "10.20.128.10:8443"\n'
STORE = '[store]\nfolder = "data"\nkey_file = "keys/key"\n'


def test_the_administration_port_speaks_https_unless_it_is_told_not_to(folder: Path) -> None:
    assert load_configuration(write(folder, BASE)).administration_tls
    off = BASE.replace('token_file = "token"', 'token_file = "token"\ntls = "off"')
    assert not load_configuration(write(folder, off)).administration_tls
    assert errors(folder, off.replace('"off"', '"yes"'))[0].endswith(
        'administration.tls: must be "on" or "off", got "yes"'
    )


def test_a_certificate_and_its_key_belong_together(folder: Path) -> None:
    both = STORED + 'certificate_file = "c.crt"\nkey_file = "c.key"\n' + STORE
    configuration = load_configuration(write(folder, both))
    assert (configuration.administration_certificate, configuration.administration_key) == (
        folder / "c.crt",
        folder / "c.key",
    )
    (error,) = errors(folder, both.replace('key_file = "c.key"\n', ""))
    assert "belong together" in error


def test_a_store_makes_the_token_file_optional(folder: Path) -> None:
    assert load_configuration(write(folder, STORED + STORE)).token is None
    assert load_configuration(write(folder, STORED + 'token_file = "token"\n' + STORE)).token == "t0ken"
    assert "administration.token_file: is missing" in errors(folder, BASE.replace('token_file = "token"\n', ""))[0]


def test_networks_of_the_metrics(folder: Path) -> None:
    configuration = load_configuration(write(folder, STORED + 'metrics_networks = ["10.1.0.0/16"]\n' + STORE))
    assert configuration.metrics_networks == (IPv4Network("10.1.0.0/16"),)
