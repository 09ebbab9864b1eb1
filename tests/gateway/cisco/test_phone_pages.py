"""All model forms of the pages, HTML and X, of the emulated phones' goldens, and what could hurt a reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cisco import XmlDefectError, parse_device_information
from gateway.cisco.phone_pages import MAX_ROWS, parse_authentication_url, parse_device_information_page

MODELS = sorted((Path(__file__).parents[2] / "golden" / "models").iterdir())


def body(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes().partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_both_forms_of_every_model_say_the_same(folder: Path) -> None:
    said = parse_device_information(body(folder, "device-information.http"))
    assert (said.mac, said.directory_number) == ("001BD4000001", "2001")
    page = parse_device_information_page(body(folder, "device-information-html.http"))
    assert (page.mac, page.device_name, page.directory_number) == (said.mac, said.device_name, said.directory_number)
    assert page.model in {said.model, ""}  # not every old page tells the model


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_the_authentication_url_of_every_model(folder: Path) -> None:
    url = parse_authentication_url(body(folder, "network-configuration.http"))
    assert url == "http://10.20.128.10/cisco_auth/authenticate.html"


def row(label: str, value: str) -> str:
    return f"<TR><TD><B> {label}</B></TD><td width=20></TD><TD><B>{value}</B></TD></TR>"


def test_a_page_in_another_language() -> None:
    rows = [
        row("Adresse MAC", "0003E369A125"),
        row("Nom d&#39;h&ocirc;te", "SEP0003E369A125"),
        row("N&deg; tel.", "5920"),
        row("Mod&egrave;le", "CP&#x2D;7940G"),
    ]
    said = parse_device_information_page(f"<TABLE>{''.join(rows)}</TABLE>".encode())
    assert (said.mac, said.directory_number, said.model) == ("0003E369A125", "5920", "CP-7940G")


def test_the_url_of_an_html_page() -> None:
    page = f"<TABLE>{row('Authentication URL', 'http://10.1.1.1/a?b=c&amp;d')}</TABLE>".encode()
    assert parse_authentication_url(page) == "http://10.1.1.1/a?b=c&d"
    assert parse_authentication_url(f"<TABLE>{row('Authentication URL', '')}</TABLE>".encode()) == ""
    assert parse_authentication_url(f"<TABLE>{row('Idle URL', '')}</TABLE>".encode()) is None


@pytest.mark.parametrize("page", [b"", b"<html>", b"\xff\xfe\x00", b"<TR><TD>", b"<TABLE>" * 10_000])
def test_what_is_no_page(page: bytes) -> None:
    with pytest.raises(XmlDefectError):
        parse_device_information_page(page)
    with pytest.raises(XmlDefectError):
        parse_authentication_url(page)


def test_a_page_is_bounded() -> None:
    with pytest.raises(XmlDefectError):
        parse_device_information_page(b"x" * 70_000)
    page = "".join(row("Authentication URL", "") for _ in range(MAX_ROWS + 10)).encode()
    assert parse_authentication_url(page) == ""
