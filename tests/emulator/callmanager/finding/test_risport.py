"""RisPort70 and RisPort: criteria, selection and the answers' bytes (golden/SOURCES.md)."""

# ruff: noqa: S314 - only our own answers are parsed

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import pytest

from emulator.callmanager.finding.risport import answer, rate_fault
from emulator.callmanager.finding.selection import ITEMS_MAX, WILDCARDS_MAX, read_criteria, select
from emulator.callmanager.finding.soap import Element, Fault, fault_document, read_operation
from emulator.callmanager.registry import Device, Registration, Registry

GOLDEN = Path(__file__).parent / "golden"
NAMES = {"r": "http://schemas.cisco.com/ast/soap"}
T = TypeVar("T")


def ended(work: Generator[Any, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as stopped:
            return stopped.value


def device(number: int, **more: Any) -> Device:  # noqa: ANN401 - fields of the device
    return Device(
        name=f"SEP001BD400000{number}",
        **{
            "description": f"Auto 440{number}",
            "directory_number": f"440{number}",
            "address": f"10.1.1.{number}",
            "registration": Registration.REGISTERED,
            **more,
        },
    )


REGISTRY = Registry([
    device(1),
    device(2, model="CP-8841", description="Ward 2 nurses", web_access=False),
    device(3, registration=Registration.UNREGISTERED),
    device(4, registration=Registration.UNKNOWN, address=""),
    device(5, model="CP-7975G", directory_number=""),
])


def operation(criteria: str = "", *, name: str = "selectCmDevice") -> Element:
    return ended(
        read_operation(
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="http://schemas.cisco.com/ast/soap">'
            f"<e:Body><s:{name}><s:StateInfo/><s:CmSelectionCriteria>{criteria}</s:CmSelectionCriteria></s:{name}>"
            "</e:Body></e:Envelope>".encode()
        )
    )


def items(*texts: str) -> str:
    return f"<s:SelectItems>{''.join(f'<s:item><s:Item>{text}</s:Item></s:item>' for text in texts)}</s:SelectItems>"


def found(criteria: str, *, name: str = "selectCmDevice", devices_max: int = 1000) -> str:
    """The last digits of the devices that are found, in order."""
    asked = read_criteria(operation(criteria, name=name), devices_max=devices_max)
    return "".join(each.name[-1] for each in ended(select(REGISTRY, asked)))


def answered(criteria: str, *, name: str = "selectCmDevice", node: str = "ccm1") -> bytes:
    asked = operation(criteria, name=name)
    read = read_criteria(asked, devices_max=1000)
    return b"".join(answer(asked, read, ended(select(REGISTRY, read)), node=node, started_s=1547903169))


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ("", "1235"),  # 4 was never seen: RIS does not know it
        ("<s:SelectItems/>", "1235"),
        (items(""), "1235"),
        (items("*"), "1235"),
        (items("SEP001BD4000002", "SEP001BD4000001"), "21"),
        (items("sep001bd4000002"), "2"),
        (items("SEP001BD4000002", "SEP001BD4000002"), "2"),
        (items("SEP001BD4000001,SEP001BD4000003"), "13"),
        (items("SEP*0002", "SEP001BD4000001"), "12"),
        (items("SEP001BD4000004", "SEP001BD4000009"), ""),
        ("<s:SelectBy>IPV4Address</s:SelectBy>" + items("10.1.1.2"), "2"),
        ("<s:SelectBy>IpAddress</s:SelectBy>" + items("10.1.1.*"), "1235"),
        ("<s:SelectBy>DirNumber</s:SelectBy>" + items("4401", "4403"), "13"),
        ("<s:SelectBy>Description</s:SelectBy>" + items("*nurses"), "2"),
        ("<s:SelectBy>IPV6Address</s:SelectBy>" + items("::1"), ""),
        ("<s:Status>Registered</s:Status>", "125"),
        ("<s:Status>UnRegistered</s:Status>", "3"),
        ("<s:Status>Rejected</s:Status>", ""),
        ("<s:Model>255</s:Model>", "1235"),
        ("<s:Model></s:Model>", "1235"),
        ("<s:Model>683</s:Model>", "2"),
        ("<s:Protocol>SIP</s:Protocol>", "2"),
        ("<s:Protocol>SCCP</s:Protocol>", "135"),
        ("<s:DeviceClass>Phone</s:DeviceClass>", "1235"),
        ("<s:DeviceClass>Gateway</s:DeviceClass>", ""),
        ("<s:DownloadStatus>Unknown</s:DownloadStatus>", "1235"),
        ("<s:DownloadStatus>Failed</s:DownloadStatus>", ""),
        ("<s:MaxReturnedDevices>2</s:MaxReturnedDevices>", "12"),
        ("<s:MaxReturnedDevices>2</s:MaxReturnedDevices>" + items(*(f"SEP001BD400000{n}" for n in (5, 3, 1))), "53"),
    ],
)
def test_what_is_found(criteria: str, expected: str):
    assert found(criteria) == expected


def test_the_limit_of_devices_holds_whatever_is_asked():
    assert found("<s:MaxReturnedDevices>4</s:MaxReturnedDevices>", devices_max=3) == "123"
    assert found("<s:MaxReturnedDevices>0</s:MaxReturnedDevices>", devices_max=3) == "123"


def test_the_extended_operation_takes_no_wildcards():
    assert found(items("SEP*"), name="selectCmDeviceExt") == ""
    assert found(items("SEP001BD4000001"), name="selectCmDeviceExt") == "1"


def test_a_phone_is_the_golden_one():
    assert answered(items("SEP001BD4000001")) == (GOLDEN / "ris-one.xml").read_bytes()


def test_the_extended_operation_answers_as_the_other():
    assert answered(items("SEP001BD4000001"), name="selectCmDeviceExt") == (GOLDEN / "ris-one.xml").read_bytes()


def test_nothing_is_the_golden_one():
    assert answered(items("SEP001BD4000009")) == (GOLDEN / "ris-nothing.xml").read_bytes()


def test_the_older_shape_is_the_golden_one():
    assert answered(items("SEP001BD4000001"), name="SelectCmDevice") == (GOLDEN / "risport-one.xml").read_bytes()


def test_the_older_shape_is_read_as_its_clients_read_it():
    text = answered(items("*"), name="SelectCmDevice").decode()
    # UWPHONES
    assert re.findall(r"(\d+\.\d+\.\d+\.\d+)</IpAddress>", text) == [f"10.1.1.{n}" for n in (1, 2, 3, 5)]
    assert re.findall(r"<Status.+?>(.+?)</Status>", text)[0].endswith("Registered")
    assert re.findall(r"<DirNumber.+?>(\d\d\d\d).+?</DirNumber>", text)[:2] == ["4401", "4402"]
    # VOCAT
    body = ET.fromstring(text).find("{http://schemas.xmlsoap.org/soap/envelope/}Body")
    assert body is not None
    node = body.find("{http://schemas.cisco.com/ast/soap/}SelectCmDeviceResponse/SelectCmDeviceResult/CmNodes/item")
    assert node is not None
    assert [each.findtext("Class") for each in node.findall("CmDevices/item")] == ["Phone"] * 4


@pytest.mark.parametrize("name", ["selectCmDevice", "SelectCmDevice"])
def test_time_stamp_is_when_the_phone_registered_else_the_start(name: str):
    asked = operation("", name=name)
    read = read_criteria(asked, devices_max=1000)
    phones = [device(1, registration=Registration.REGISTERED, registration_s=1547903200)]
    text = b"".join(answer(asked, read, phones, node="ccm1", started_s=1547903169)).decode()
    assert re.findall(r"TimeStamp[^>]*>(\d+)<", text) == ["1547903200"]
    assert 'SubsystemStartTime=&quot;1547903169&quot;' in text


def test_web_access_and_lost_phones_are_told():
    root = ET.fromstring(answered(items("*")))
    told = {each.findtext("r:Name", "", NAMES)[-1]: each for each in root.iterfind(".//r:CmDevices/r:item", NAMES)}
    assert {name: each.findtext("r:Httpd", "", NAMES) for name, each in told.items()} == {
        "1": "Yes", "2": "No", "3": "Yes", "5": "Yes",
    }  # fmt: skip
    assert told["3"].findtext("r:Status", "", NAMES) == "UnRegistered"
    assert told["3"].findtext("r:StatusReason", "", NAMES) == "13"
    assert told["3"].findtext("r:DirNumber", "", NAMES) == "4403-UnRegistered"
    assert told["5"].findtext("r:NumOfLines", "", NAMES) == "0"


@pytest.mark.parametrize(
    ("node", "code", "count"), [("", "Ok", 4), ("Any", "Ok", 4), ("CCM1", "Ok", 4), ("ccm2", "InvalidNodeName", 0)]
)
def test_a_node_is_asked_by_its_name(node: str, code: str, count: int):
    root = ET.fromstring(answered(f"<s:NodeName>{node}</s:NodeName>"))
    assert root.findtext(".//r:ReturnCode", "", NAMES) == code
    assert root.findtext(".//r:TotalDevicesFound", "", NAMES) == str(count)


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ("<s:SelectBy>Colour</s:SelectBy>", "SelectBy: one of Name,"),
        ("<s:Status>Gone</s:Status>", "Status: one of Any,"),
        ("<s:DeviceClass>Toaster</s:DeviceClass>", "DeviceClass: one of"),
        ("<s:Model>-1</s:Model>", "Model: a whole number"),
        ("<s:MaxReturnedDevices>many</s:MaxReturnedDevices>", "MaxReturnedDevices: a whole number"),
        (f"<s:Model>{'9' * 5000}</s:Model>", "Model: a whole number"),
        (items("x" * 257), "SelectItems: at most 256 characters"),
        (items(*(str(n) for n in range(ITEMS_MAX + 1))), f"SelectItems: at most {ITEMS_MAX} items"),
        (items(*(f"*{n}*" for n in range(WILDCARDS_MAX + 1))), f"at most {WILDCARDS_MAX} items with wildcards"),
    ],
)
def test_a_criterion_that_cannot_be_is_a_fault(criteria: str, text: str):
    with pytest.raises(Fault, match=re.escape(text)):
        read_criteria(operation(criteria), devices_max=1000)


def test_other_operations_and_no_criteria_are_faults():
    with pytest.raises(Fault, match="unknown operation 'selectCtiItem'; known are"):
        read_criteria(operation(name="selectCtiItem"), devices_max=1000)
    with pytest.raises(Fault, match="CmSelectionCriteria is needed"):
        read_criteria(Element("selectCmDevice", "", {}), devices_max=1000)


def test_the_refusal_is_the_captured_one():
    assert fault_document(rate_fault(15)) == (GOLDEN / "rate-fault.xml").read_bytes()
    assert "is 18 requests per minute." in rate_fault(18).text
