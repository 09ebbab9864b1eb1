"""DeviceListX's bytes (golden/SOURCES.md)."""

# ruff: noqa: S314 - only our own answers are parsed

from pathlib import Path
from xml.etree import ElementTree as ET

from emulator.callmanager.finding.devicelistx import device_list, error_document
from emulator.callmanager.registry import Device, Registration

GOLDEN = Path(__file__).parent / "golden"
DEVICES = [
    Device(
        name="SEP001BD4000001",
        description="Auto 4401",
        model="CP-7960G",
        address="10.1.1.1",
        registration=Registration.REGISTERED,
    ),
    Device(
        name="SEP001BD4000002",
        description="Café & Bar",
        model="CP-8841",
        address="10.1.1.2",
        registration=Registration.UNREGISTERED,
    ),
    Device(name="SEP001BD4000003", model="CP-7975G"),
]


def test_the_list_is_the_golden_one():
    assert b"".join(device_list(DEVICES)) == (GOLDEN / "device-list.xml").read_bytes()


def test_errors_are_elements_of_the_list():
    assert error_document(1002) == (GOLDEN / "device-list-1002.xml").read_bytes()
    root = ET.fromstring(error_document(1001))
    error = root.find("Error")
    assert root.tag == "DeviceList"
    assert error is not None
    assert error.get("number") == "1001"
    assert error.text == (
        "Too many simultaneous requests for Device List. Please wait at least 60 seconds and try again."
    )


def test_many_phones_come_in_pieces_and_all():
    devices = [Device(name=f"SEP001BD4{number:06X}", description="日本") for number in range(1001)]
    pieces = list(device_list(devices))
    assert max(map(len, pieces)) < 20_000
    root = ET.fromstring(b"".join(pieces))
    assert [device.get("n") for device in root] == [device.name for device in devices]
    assert {device.get("d") for device in root} == {"日本"}  # as character references: the encoding has them not


def test_an_empty_list_is_a_list():
    assert list(ET.fromstring(b"".join(device_list([])))) == []
