from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cisco import DeviceInformation, XmlDefectError, parse_device_information

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway" / "device-information-7940.xml"


def test_a_7940_in_latin_1() -> None:
    assert parse_device_information(GOLDEN.read_bytes()) == DeviceInformation(
        device_name="SEP001BD4000001", mac="001BD4000001", directory_number="2001", model="CP-7940"
    )


def test_order_and_unknown_elements_do_not_matter() -> None:
    body = (
        b"<DeviceInformation><x><MACAddress>junk</MACAddress></x><phoneDN/>"
        b"<MACAddress> 001bd4000002 </MACAddress></DeviceInformation>"
    )
    assert parse_device_information(body) == DeviceInformation(
        device_name="", mac="001BD4000002", directory_number="", model=""
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        b"<DeviceInformation/>",
        b"<DeviceInformation><MACAddress>00:1B:D4:00:00:01</MACAddress></DeviceInformation>",
        b"<CiscoIPPhoneError Number='4' />",
    ],
)
def test_what_is_no_device_information(body: bytes) -> None:
    with pytest.raises(XmlDefectError):
        parse_device_information(body)
