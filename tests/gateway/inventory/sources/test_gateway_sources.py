"""Where phones are found: strict settings, CallManager's two forms of a list, and what is neither."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.inventory.entry import Listed
from gateway.inventory.sources import SourceError, devicelistx, read_source, risport
from gateway.inventory.sources.report import MAX_DEPTH

A, B = "SEP001BD4000001", "SEP001BD4000002"

DEVICELISTX = f"""<?xml version="1.0" encoding="iso-8859-1"?>
<DeviceList>
<Device t="35" n="{A}" d="Auto 2001" c="" p="Default" i="10.1.1.1" s="1"/>
<Device t="35" n="{B}" d="Réception" c="" p="Default" i="" s=""/>
<Device t="52" n="CTIPort1" d="" c="" p="Default" i="10.1.1.9" s="1"/>
</DeviceList>""".encode("latin-1")


def test_a_devicelistx_report() -> None:
    assert devicelistx.read_devices(DEVICELISTX) == [
        Listed(device_name=A, address="10.1.1.1", description="Auto 2001", registered=True),
        Listed(device_name=B, address="", description="Réception", registered=False),
    ]


@pytest.mark.parametrize("number", ["1001", "1002"])
def test_a_report_that_was_asked_for_too_often(number: str) -> None:
    # Also inside of a list: taken for an empty one it would make every phone disappear.
    forms = (f'<PhoneError Number="{number}"/>', f'<DeviceList><Error number="{number}">x</Error></DeviceList>')
    for form in forms:
        with pytest.raises(SourceError, match="one request a minute"):
            devicelistx.read_devices(form.encode())


def device(name: str, address: str, status: str) -> str:
    return (
        f"<ns1:item><ns1:Name>{name}</ns1:Name><ns1:DirNumber>2001-Registered</ns1:DirNumber>"
        f"<ns1:Status>{status}</ns1:Status><ns1:Description>Auto &amp; co</ns1:Description>"
        "<ns1:LinesStatus><ns1:item><ns1:DirectoryNumber>2001</ns1:DirectoryNumber><ns1:Status>Registered</ns1:Status>"
        f"</ns1:item></ns1:LinesStatus><ns1:IPAddress><ns1:item><ns1:IP>{address}</ns1:IP>"
        "<ns1:IPAddrType>ipv4</ns1:IPAddrType></ns1:item></ns1:IPAddress></ns1:item>"
    )


def ris(*nodes: str) -> bytes:
    inside = "".join(
        f"<ns1:item><ns1:ReturnCode>Ok</ns1:ReturnCode><ns1:Name>{at}</ns1:Name><ns1:CmDevices>{node}</ns1:CmDevices>"
        "</ns1:item>"
        for at, node in enumerate(nodes)
    )
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        '<ns1:selectCmDeviceResponse xmlns:ns1="http://schemas.cisco.com/ast/soap"><ns1:selectCmDeviceReturn>'
        f"<ns1:SelectCmDeviceResult><ns1:CmNodes>{inside}</ns1:CmNodes></ns1:SelectCmDeviceResult>"
        "</ns1:selectCmDeviceReturn></ns1:selectCmDeviceResponse></soapenv:Body></soapenv:Envelope>"
    ).encode()


def test_a_risport_answer_of_two_nodes() -> None:
    answer = risport.read_answer(
        ris(device(A, "10.1.1.7", "UnRegistered") + device(B, "", "Unknown"), device(A, "10.1.1.1", "Registered"))
    )
    assert answer.devices == 3
    assert answer.phones == [
        Listed(device_name=A, address="10.1.1.1", description="Auto & co", registered=True),
        Listed(device_name=B, address="", description="Auto & co", registered=False),
    ]


def test_the_rate_limits_fault_is_told_from_others() -> None:
    text = "AxisFault: Exceeded allowed rate for Reatime information. Current allowed rate is 15 requests per minute."
    fault = "<Envelope><Body><Fault><faultcode>x</faultcode><faultstring>{}</faultstring></Fault></Body></Envelope>"
    with pytest.raises(risport.RateLimitError):
        risport.read_answer(fault.format(text).encode())
    with pytest.raises(SourceError, match="answers: something else"):
        risport.read_answer(fault.format("something else").encode())


def test_a_full_answer_is_divided_until_it_cannot_be() -> None:
    assert risport.divided("")[:2] == ["SEP0", "SEP1"]
    assert len(risport.divided("SEP001BD4")) == 16
    assert risport.divided(A) == []
    assert b"<soap:Item>SEP0*</soap:Item>" in risport.request("SEP0")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        b"not xml",
        b'<!DOCTYPE x [<!ENTITY a "b">]><DeviceList>&a;</DeviceList>',
        b"<a>" * (MAX_DEPTH + 1),
        b"<DeviceList><Device",
    ],
)
def test_what_is_no_list(body: bytes) -> None:
    for read in (devicelistx.read_devices, risport.read_answer):
        with pytest.raises(SourceError):
            read(body)


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({}, ["name", "kind"]),
        ({"name": "a/b", "kind": "ldap", "colour": 1}, ["name", "kind", "colour"]),
        ({"name": "a", "kind": "range"}, ["networks"]),
        ({"name": "a", "kind": "range", "networks": ["10.0.0.0/8", "x"]}, ["16777216 addresses", "'x'"]),
        ({"name": "a", "kind": "csv"}, ["csv"]),
        ({"name": "a", "kind": "risport", "url": "ftp://x", "every_minutes": 1}, ["url", "user", "password", "every"]),
        ({"name": "a", "kind": "devicelistx", "url": "https://a:b@x/", "verify": "no"}, ["url", "verify"]),
    ],
)
def test_settings_of_a_source_with_all_errors_at_once(values: Mapping[str, object], errors: list[str]) -> None:
    with pytest.raises(SourceError) as caught:
        read_source(values)
    for part in errors:
        assert part in str(caught.value)


def test_a_password_is_in_no_repr() -> None:
    source = read_source(
        {"name": "a", "kind": "risport", "url": "https://10.0.0.5", "user": "u", "password": "canary"}
    )
    assert "canary" not in repr(source)
