"""The subset of AXL: what is listed, read, added and changed, and how it refuses."""

# ruff: noqa: S314 - only our own answers are parsed

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from emulator.callmanager.finding import axl
from emulator.callmanager.finding.soap import Fault, fault_document, read_operation
from emulator.callmanager.registry import Device, Registry
from emulator.callmanager.users import Devices, Users

GOLDEN = Path(__file__).parent / "golden"
SECRET = "Geheim-77"


class Asked:
    def __init__(self, devices: int = 4) -> None:
        self.users = Users()
        self.users.add(name="agpush", password=SECRET, cti=True, devices=Devices.of(["SEP001BD4000001"]))
        self.users.add(name="all", password=SECRET, cti=False, devices=Devices(everything=True))
        self.users.associate(name="Person", cti=True, devices=Devices())
        self.registry = Registry(
            Device(
                name=f"SEP001BD4{number:06X}",
                description=f"Ward {number} & bath",
                directory_number=f"44{number:02}",
                model="CP-7960G" if number % 2 else "CP-8841",
                web_access=number != 2,
                authentication_url="http://a/?b&c",
            )
            for number in range(1, devices + 1)
        )

    def __call__(self, content: str, *, version: str = "12.5") -> ET.Element:
        """The element `return` of the answer."""
        written = b"".join(_ended(self.pieces(content, version=version))[0])
        root = ET.fromstring(written)
        name = re.match(r"<(\w+)", content)
        assert name is not None
        response = root[0][0]
        assert response.tag == f"{{http://www.cisco.com/AXL/API/{version}}}{name[1]}Response"
        found = response.find("return")
        assert found is not None
        return found

    def pieces(self, content: str, *, version: str = "12.5") -> Generator[bytes, None, int]:
        name = re.match(r"<(\w+)", content)
        assert name is not None
        content = re.sub(rf"^<{name[1]}", f"<n:{name[1]}", content).replace(f"</{name[1]}>", f"</n:{name[1]}>")
        document = (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
            f' xmlns:n="http://www.cisco.com/AXL/API/{version}"><e:Body>{content}</e:Body></e:Envelope>'
        )
        operation = _ended(read_operation(document.encode()))[1]
        database = axl.Database(users=self.users, registry=self.registry)
        return axl.carry_out(database, operation)

    def refused(self, content: str, *, version: str = "12.5") -> tuple[str, str]:
        """AXL's code and the text of the fault."""
        with pytest.raises(Fault) as caught:
            _ended(self.pieces(content, version=version))
        root = ET.fromstring(fault_document(caught.value))
        assert root.findtext(".//axlmessage") == root.findtext(".//faultstring")
        return root.findtext(".//axlcode", ""), root.findtext(".//faultstring", "")


def _ended(work: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    pieces = []
    while True:
        try:
            pieces.append(next(work))
        except StopIteration as stopped:
            return pieces, stopped.value


def listing(criteria: str = "<name>SEP%</name>", tags: str = "<name/>", more: str = "") -> str:
    return (
        f"<listPhone><searchCriteria>{criteria}</searchCriteria><returnedTags>{tags}</returnedTags>{more}</listPhone>"
    )


def names(found: ET.Element) -> str:
    return "".join(phone.findtext("name", "")[-1] for phone in found)


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ("<name>SEP%</name>", "1234"),
        ("<name>%</name>", "1234"),
        ("<name>sep001bd4000002</name>", "2"),
        ("<name>SEP001BD400000_</name>", "1234"),
        ("<name>%3</name>", "3"),
        ("<description>Ward 1 &amp; bath</description>", "1"),
        ("<description>%bath</description><name>%2</name>", "2"),
        ("<protocol>SIP</protocol>", "24"),
        ("<devicePoolName>Default</devicePoolName>", "1234"),
        ("<callingSearchSpaceName></callingSearchSpaceName>", "1234"),
        ("<name>CSF%</name>", ""),
    ],
)
def test_phones_are_searched_as_sql_does(criteria: str, expected: str):
    assert names(Asked()(listing(criteria))) == expected


def test_only_the_tags_that_are_asked_for_are_returned():
    found = Asked()(listing("<name>%1</name>", "<name/><model/><description/><ctiid/>"))[0]
    assert [(child.tag, child.text) for child in found] == [
        ("name", "SEP001BD4000001"), ("model", "Cisco 7960"), ("description", "Ward 1 & bath"),
    ]  # fmt: skip
    assert re.fullmatch(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}", found.get("uuid", ""))


def test_pages_of_a_list():
    asked = Asked()
    assert names(asked(listing(more="<skip>1</skip><first>2</first>"))) == "23"
    assert names(asked(listing(more="<skip>0</skip><first>0</first>"))) == ""
    assert names(asked(listing(more="<skip>9</skip>"))) == ""


def test_nothing_found_is_an_empty_return():
    found = Asked()(listing("<name>no</name>"))
    assert (len(found), found.text) == (0, None)


def test_many_phones_come_in_pieces_and_all():
    asked = Asked(1234)
    pieces, count = _ended(asked.pieces(listing()))
    assert count == 1234
    assert len(pieces) > 20
    assert b"".join(pieces).count(b"<phone ") == 1234


def test_a_list_beyond_eight_megabytes_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(axl, "ANSWER_BYTES_MAX", 20_000)
    code, text = Asked(1234).refused(listing())
    found = re.fullmatch(
        r"Query request too large\. Total rows matched: 1234 rows\. Suggestive Row Fetch: less than (\d+) rows", text
    )
    assert found is not None
    assert code == "-1"
    suggested = int(found[1]) - 1
    assert len(Asked(1234)(listing(more=f"<first>{suggested}</first>"))) == suggested


@pytest.mark.parametrize("version", ["8.5", "11.5", "12.5", "15.0"])
def test_the_version_of_the_request_is_that_of_the_answer(version: str):
    assert names(Asked()(listing(), version=version)) == "1234"


def test_a_phone_is_read_by_name_and_by_its_identifier():
    asked = Asked()
    phone = asked("<getPhone><name>SEP001BD4000002</name></getPhone>")[0]
    assert phone.findtext("vendorConfig/webAccess") == "1"
    assert phone.findtext("lines/line/dirn/pattern") == "4402"
    assert phone.findtext("authenticationUrl") == "http://a/?b&c"
    again = asked(f"<getPhone><uuid>{phone.get('uuid', '').lower()}</uuid></getPhone>")[0]
    assert again.findtext("name") == "SEP001BD4000002"
    few = asked("<getPhone><name>SEP001BD4000001</name><returnedTags><model/></returnedTags></getPhone>")[0]
    assert [child.tag for child in few] == ["model"]


def test_a_user_is_added_and_may_push():
    asked = Asked()
    added = asked(
        f"<addUser><user><firstName>A</firstName><lastName>B</lastName><userid>new</userid>"
        f"<password>{SECRET}</password><presenceGroupName>x</presenceGroupName><enableCti>true</enableCti>"
        "<associatedDevices><device>SEP001BD4000003</device></associatedDevices></user></addUser>"
    )
    assert asked.users.check(name="new", password=SECRET, device="SEP001BD4000003").authorised
    assert not asked.users.check(name="new", password=SECRET, device="SEP001BD4000001").authorised
    assert asked("<getUser><userid>new</userid></getUser>")[0].get("uuid") == added.text


def test_a_user_without_a_password_is_nobody_s():
    asked = Asked()
    asked("<addUser><user><userid>new</userid></user></addUser>")
    assert asked.users.check(name="new", password="", device="SEP001BD4000001").reason == "password"


def test_the_list_of_devices_is_replaced_and_what_is_not_named_stays():
    asked = Asked()
    asked(
        "<updateUser><userid>agpush</userid><associatedDevices><device>SEP001BD4000002</device>"
        "<device>SEP001BD4000003</device></associatedDevices></updateUser>"
    )
    user = asked("<getUser><userid>agpush</userid></getUser>")[0]
    assert [each.text for each in user.iter("device")] == ["SEP001BD4000002", "SEP001BD4000003"]
    asked("<updateUser><userid>agpush</userid><enableCti>false</enableCti></updateUser>")
    check = asked.users.check(name="agpush", password=SECRET, device="SEP001BD4000002")
    assert check.reason == "cti"
    asked("<updateUser><userid>agpush</userid><associatedDevices/><password>other</password></updateUser>")
    changed = asked.users.get("agpush")
    assert changed is not None
    assert (changed.devices, changed.cti, changed.knows("other")) == (Devices(), False, True)


def test_application_users_are_the_same_users():
    asked = Asked()
    asked(f"<addAppUser><appUser><userid>app</userid><password>{SECRET}</password></appUser></addAppUser>")
    asked(
        "<updateAppUser><userid>app</userid><associatedDevices><device>SEP001BD4000001</device></associatedDevices>"
        "</updateAppUser>"
    )
    assert asked.users.check(name="app", password=SECRET, device="SEP001BD4000001").authorised
    user = asked("<getAppUser><userid>app</userid></getAppUser>")[0]
    assert user.tag == "appUser"
    assert user.findtext("associatedDevices/device") == "SEP001BD4000001"
    assert user.find("enableCti") is None


def test_all_devices_are_listed_by_name():
    user = Asked()("<getUser><userid>all</userid><returnedTags><associatedDevices/></returnedTags></getUser>")[0]
    assert len(list(user.iter("device"))) == 4
    assert user.find("userid") is None


def test_without_a_list_of_phones_every_device_may_be_associated():
    asked = Asked(0)
    asked("<updateUser><userid>agpush</userid><associatedDevices><device>CSF1</device></associatedDevices></updateUser>")
    changed = asked.users.get("agpush")
    assert changed is not None
    assert changed.devices == Devices.of(["CSF1"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<getPhone><name>SEPX</name></getPhone>", ("5007", "Item not valid: The specified SEPX was not found")),
        ("<getPhone/>", ("5007", "Item not valid: The specified  was not found")),
        ("<getUser><userid>x</userid></getUser>", ("5007", "Item not valid: The specified User was not found")),
        ("<updateUser><userid>x</userid></updateUser>", ("5003", "User not found")),
        ("<updateAppUser><uuid>{1}</uuid></updateAppUser>", ("5003", "AppUser not found")),
        (
            "<updateUser><userid>agpush</userid><associatedDevices><device>SEPX</device></associatedDevices></updateUser>",
            ("5007", "Item not valid: The specified SEPX was not found"),
        ),
        ("<updateUser><userid>Person</userid><password>x</password></updateUser>", ("-1", "password: it is the")),
        ("<updateUser><userid>agpush</userid><enableCti>maybe</enableCti></updateUser>", ("-1", "enableCti: true")),
        ("<updateUser><userid>agpush</userid><newUserid>b</newUserid></updateUser>", ("-1", "newUserid: this")),
        ("<addUser><user/></addUser>", ("-1", "a user with a userid is needed")),
        ("<addUser/>", ("-1", "a user with a userid is needed")),
        (f"<addUser><user><userid>{'x' * 129}</userid></user></addUser>", ("-1", "name: 1 to 128")),
        ("<listPhone/>", ("-1", "searchCriteria is needed")),
        (listing("<colour>red</colour>"), ("-1", "searchCriteria: expected name,")),
        (listing(more="<first>-1</first>"), ("-1", "first: a whole number is needed")),
        (listing(f"<name>{'x' * 257}</name>"), ("-1", "searchCriteria: name: at most 256")),
        ("<listPhone><searchCriteria><name>%</name></searchCriteria></listPhone>", ("-1", "returnedTags is needed")),
        ("<executeSQLQuery><sql>x</sql></executeSQLQuery>", ("-1", "No method found for processing request")),
    ],
)
def test_refusals_in_axl_s_own_shape(content: str, expected: tuple[str, str]):
    asked = Asked()
    before = asked.users.get("agpush")
    code, text = asked.refused(content)
    assert code == expected[0]
    assert text.startswith(expected[1])
    assert asked.users.get("agpush") is before  # a refusal changes nothing


def test_a_name_that_is_taken_is_refused_as_captured():
    asked = Asked()
    with pytest.raises(Fault) as caught:
        _ended(asked.pieces("<addUser><user><userid>agpush</userid></user></addUser>"))
    assert fault_document(caught.value) == (GOLDEN / "axl-fault.xml").read_bytes()


def test_another_namespace_is_refused():
    code, text = Asked().refused(listing(), version="latest")
    assert (code, text.split(" as ")[0]) == ("-1", "expected an operation in a namespace")
