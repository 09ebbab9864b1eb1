"""Phones' pages, read from the goldens of every model and from what no phone should send."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.preflight.pages import (
    PAGE_BYTES,
    PageError,
    read_information,
    read_line_state,
    read_network,
    read_push_answer,
    read_statistics,
)

GOLDEN = Path(__file__).parents[2] / "golden"
MODELS = sorted(folder.name for folder in (GOLDEN / "models").iterdir())
URL = "http://10.20.128.10/cisco_auth/authenticate.html"


def _body(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")[2]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("form", ["device-information", "device-information-html"])
def test_who_a_phone_is_in_both_forms(model: str, form: str) -> None:
    found = read_information(_body(GOLDEN / "models" / model / f"{form}.http"))
    assert (found.device_name, found.mac) == ("SEP001BD4000001", "001BD4000001")
    assert (found.model, found.directory_number) == (model, "2001")
    assert found.firmware


@pytest.mark.parametrize("model", MODELS)
def test_the_network_and_the_statistics(model: str) -> None:
    network = read_network(_body(GOLDEN / "models" / model / "network-configuration.http"))
    assert network.authentication_url == URL
    assert (network.subnet_mask, network.name_servers) == ("255.255.128.0", ())
    statistics = read_statistics(_body(GOLDEN / "models" / model / "streaming-statistics.http"))
    assert statistics.received is not None
    assert statistics.active == (statistics.received > 0)


def test_a_real_7940_in_french() -> None:
    found = read_information((GOLDEN / "gateway" / "device-information-7940.xml").read_bytes())
    assert (found.device_name, found.model, found.firmware) == ("SEP001BD4000001", "CP-7940", "P00308010200")


def test_the_html_form_of_the_network() -> None:
    page = (
        b"<table><tr><td><B>DHCP Server</B></td><td>10.0.0.1</td></tr>\n"
        b"<TR><TD><B> IP Address</B></TD><td width=20></TD><TD><B>10.1.2.3</B></TD></TR>"
        b"<TR><TD>Subnet Mask:</TD><TD>255.255.254.0</TD></TR><tr><td>DNS Server 1<td>10.0.0.53"
        b"<tr><td>DNS Server 2<td></tr>"
        b"<TR><TD>Authentication URL</TD><TD>http:&#x2F;&#x2F;10.1.1.1&#x2F;auth?a=1&amp;b=2</TD></TR></table>"
    )
    network = read_network(page)
    assert network.authentication_url == "http://10.1.1.1/auth?a=1&b=2"
    assert (network.subnet_mask, network.name_servers) == ("255.255.254.0", ("10.0.0.53",))


@pytest.mark.parametrize(
    ("page", "url"),
    [
        (b"<NetworkConfiguration><IPAddress>10.1.1.1</IPAddress></NetworkConfiguration>", None),
        (b"<NetworkConfiguration><IPAddress/><AuthenticationURL/></NetworkConfiguration>", ""),
        (b"<NetworkConfiguration><IPAddress/><authenticationURL>http://a/&b</authenticationURL>", "http://a/&b"),
        (b"<tr><td>IP Address<td>10.1.1.1</tr><tr><td>Authentication URL<td>soon</tr>", None),
    ],
)
def test_a_url_that_is_not_told_is_not_one_that_is_empty(page: bytes, url: str | None) -> None:
    assert read_network(page).authentication_url == url


@pytest.mark.parametrize("read", [read_information, read_network, read_statistics])
@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"<html><h1>It works!</h1></html>",
        b'<CiscoIPPhoneError Number="4" />',
        b"\x00\xff" * 500,
        b"<a>" * 20_000,
        b"<tr><td>" * 8_000,
        b"x" * (PAGE_BYTES + 1),
        b"<DeviceInformation><MACAddress>nobody</MACAddress></DeviceInformation>",
    ],
)
def test_what_is_no_such_page_is_said_to_be_none(read: object, page: bytes) -> None:
    assert callable(read)
    with pytest.raises(PageError):
        read(page)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_page_or_none(page: bytes) -> None:
    for read in (read_information, read_network, read_statistics):
        with suppress(PageError):
            read(page)
    read_push_answer(page)
    read_line_state(page)


def test_values_are_one_line_of_a_bounded_length() -> None:
    page = f"<DeviceInformation><MACAddress>001BD4000001</MACAddress><modelNumber>{'x' * 999}\n\x1b[31m</modelNumber>"
    assert read_information(page.encode()).model == "x" * 64
    page = page.replace("x" * 999, "CP")
    assert read_information(page.encode()).model == "CP \\x1b[31m"


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ('<ResponseItem Status="0" Data="" URL="RTPRx:Stop"/>', 0),
        ('<ResponseItem URL="RTPRx:1.2.3.4:32674" Data="Success" Status="0" />', 0),
        ('<ResponseItem Status="0"/><ResponseItem Status="6" Data=""/>', 6),
        ('<CiscoIPPhoneError Number="4" />', 4),
        ("<html/>", None),
    ],
)
def test_what_a_phone_answers_to_a_push(answer: str, number: int | None) -> None:
    assert read_push_answer(answer.encode()) == number


@pytest.mark.parametrize("model", MODELS)
def test_answers_of_every_model(model: str) -> None:
    assert read_push_answer(_body(GOLDEN / "models" / model / "success.http")) == 0
    assert read_line_state(_body(GOLDEN / "models" / model / "call-info.http")) in {"ONHOOK", "CONNECTED"}
