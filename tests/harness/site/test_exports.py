"""Exports as CallManager gives them (tests/golden/site): what each one says, what is refused, and with which words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.site import SiteError, models
from harness.site.document import DEPTH_MAX, DOCUMENT_BYTES_MAX, walk
from harness.site.files import read_export
from harness.site.listed import Listed

GOLDEN = Path(__file__).parents[2] / "golden" / "site"
NAMES = [f"SEP001BD4A0000{number}" for number in range(1, 9)]


def _phones(name: str) -> dict[str, Listed]:
    return {phone.device_name: phone for phone in read_export(GOLDEN / name).phones}


@pytest.mark.parametrize(
    ("file", "kind", "phones", "others"),
    [
        ("device-list.xml", "DeviceListX", NAMES, ["ATA001BD4B00001"]),
        ("risport70.xml", "RisPort", NAMES[:7], ["CSFjdoe"]),
        ("risport.xml", "RisPort", NAMES[:7], []),
        ("axl-list-phone.xml", "AXL listPhone", NAMES, ["CSFjdoe"]),
        ("all-phone-details.csv", "All Phone Details", NAMES, []),
    ],
)
def test_a_file_is_taken_for_what_it_is(file: str, kind: str, phones: list[str], others: list[str]) -> None:
    export = read_export(GOLDEN / file)
    assert export.kind == kind
    assert sorted({phone.device_name for phone in export.phones}) == phones
    assert [other.name for other in export.others] == others


def test_device_list_x() -> None:
    phones = _phones("device-list.xml")
    first = phones[NAMES[0]]
    assert (first.model, first.address, first.registered) == ("CP-7961G", "10.30.4.11", True)
    assert first.device_pool == "Ward A"
    assert first.place == f"{GOLDEN / 'device-list.xml'}:3"
    assert (phones[NAMES[4]].registered, phones[NAMES[4]].status) == (False, "found, not registered")
    assert (phones[NAMES[6]].model, phones[NAMES[7]].status) == ("model number 36999", "never seen")
    (other,) = read_export(GOLDEN / "device-list.xml").others
    assert other.what == "Cisco ATA 186"


@pytest.mark.parametrize("file", ["risport70.xml", "risport.xml"])
def test_both_shapes_of_risport_say_the_same(file: str) -> None:
    phones = read_export(GOLDEN / file).phones
    found = {phone.device_name: phone for phone in phones if phone.registered}
    assert {name: phone.address for name, phone in found.items()} == {
        NAMES[0]: "10.30.4.11",
        NAMES[1]: "10.30.4.12",
        NAMES[2]: "10.30.4.13",
        NAMES[3]: "10.30.5.17",
        NAMES[5]: "10.31.7.5",
        NAMES[6]: "10.31.7.6",
    }
    assert found[NAMES[0]].directory_number == "4101"
    assert found[NAMES[2]].model == "CP-7945G"
    (lost,) = [phone for phone in phones if phone.device_name == NAMES[4]]
    assert (lost.registered, lost.status) == (False, "UnRegistered")


def test_risport_knows_of_the_web_server() -> None:
    phones = _phones("risport70.xml")
    assert (phones[NAMES[1]].web_access, phones[NAMES[2]].web_access) == (False, True)


def test_axl() -> None:
    phone = _phones("axl-list-phone.xml")[NAMES[2]]
    assert (phone.model, phone.device_pool, phone.location) == ("CP-7945G", "Ward A", "Main building")
    assert (phone.address, phone.registered) == ("", None)


def test_all_phone_details() -> None:
    phones = _phones("all-phone-details.csv")
    assert (phones[NAMES[0]].directory_number, phones[NAMES[0]].model) == ("4101", "CP-7961G")
    assert phones[NAMES[2]].directory_number == "+494103"
    assert (phones[NAMES[5]].device_pool, phones[NAMES[5]].location) == ("Boiler house", "Plant")


BOMB = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><DeviceList>&b;</DeviceList>"""
OUTSIDE = b"""<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><DeviceList>&a;</DeviceList>"""
INCOMPLETE = b"""<selectCmDeviceResponse><CmDevices>
<item><Status>Registered</Status></item>
<item><Name>SEP001BD4000001</Name><Status>Registered</Status></item>
<item><Name>SEP001BD4000002</Name></item></CmDevices></selectCmDeviceResponse>"""
FAULT = b"""<E xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body><Fault>
<faultstring>AxisFault: Exceeded allowed rate</faultstring></Fault></Body></E>"""
DEEP = b"<DeviceList>" + b"<x>" * DEPTH_MAX


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        (BOMB, ["1: expected no document type (DOCTYPE): exports of CallManager have none"]),
        (OUTSIDE, ["1: expected no document type (DOCTYPE): exports of CallManager have none"]),
        (DEEP, [f"1: expected at most {DEPTH_MAX} levels of elements"]),
        (b"<DeviceList>\n<Device n='SEP001BD4000001'\n", ["2: no XML: unclosed token"]),
        (b"<?xml version='1.0' encoding='x-none'?><DeviceList/>", ["1: no XML: unknown encoding"]),
        (b"<a><DeviceList/></a>", ["1: expected the element DeviceList, got a"]),
        (
            b'<DeviceList>\n<Device t="7"/>\n<Device t="7" n="SEP001BD4000001" i="10.1.1" s="1"/>\n</DeviceList>',
            [
                "2: Device without a name (attribute n)",
                "3: SEP001BD4000001: address '10.1.1' (attribute i): an IPv4 address is needed",
            ],
        ),
        (
            b'<DeviceList>\n<Error number="1002">Too many</Error></DeviceList>',
            ["2: CallManager was asked for the list too often: save it again a minute later"],
        ),
        (
            FAULT,
            ["2: CallManager answered with a fault: AxisFault: Exceeded allowed rate"],
        ),
        (
            INCOMPLETE,
            [
                "2: device without a Name",
                "3: SEP001BD4000001: registered from '': an IPv4 address is needed",
                "4: SEP001BD4000002: no Status",
            ],
        ),
        (
            b"<listPhoneResponse><return>\n<phone><model>Cisco 7961</model></phone></return></listPhoneResponse>",
            ["2: phone without a name: ask for <name/> in returnedTags"],
        ),
        (
            b"Device Name,Device Type,Directory Number 1\nSEP001BD4000001,,12x\n,Cisco 7961,\nSEP001BD4000002,a,b,c\n",
            [
                "2: SEP001BD4000001: the first Directory Number: digits, * # + only",
                "2: SEP001BD4000001: no Device Type",
                "3: no Device Name",
                "4: 4 values for 3 columns",
            ],
        ),
        (b"<html><body>Sign in</body></html>", [" XML of another kind, its first element is html; known are:"]),
        (b"", [" empty; known are:"]),
        (b"device_name;model;address\n", ["1: columns separated by semicolons, expected commas; save it as CSV"]),
        (b"device_name\tmodel\taddress\n", ["1: columns separated by tabs, expected commas; save it as CSV"]),
        ("\ufeffdevice_name,model".encode("utf-16-le"), [" it is UTF-16; save it as UTF-8"]),
        (b"\x00\x01\x02", [" neither CSV nor XML; known are:"]),
    ],
)
def test_what_is_no_export_is_refused_with_all_its_errors(tmp_path: Path, content: bytes, errors: list[str]) -> None:
    path = tmp_path / "export"
    path.write_bytes(content)
    with pytest.raises(SiteError) as caught:
        read_export(path)
    told = [error.removeprefix(f"{path}:") for error in caught.value.errors]
    assert [text[: len(expected)] for text, expected in zip(told, errors, strict=True)] == errors
    assert caught.value.exit_code == 4


@given(
    name=st.sampled_from(sorted(file.name for file in GOLDEN.iterdir() if file.suffix != ".md")),
    at=st.floats(0, 1),
    cut=st.integers(0, 40),
    put=st.one_of(st.binary(max_size=12), st.sampled_from([b"<", b"&", b'"', b",", b"\n", b"]]>", b"<!--", b"\xff"])),
)
def test_a_damaged_export_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: float, cut: int, put: bytes
) -> None:
    whole = (GOLDEN / name).read_bytes()
    place = int(at * len(whole))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(whole[:place] + put + whole[place + cut :])
    try:
        export = read_export(path)
    except SiteError as error:
        assert error.errors  # noqa: PT017 - either end is right
    else:
        assert len(export.phones) <= 9


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="cannot be read: No such file"):
        read_export(tmp_path / "absent.xml")
    with pytest.raises(SiteError, match="cannot be read: Is a directory"):
        read_export(tmp_path)


def test_a_document_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(SiteError, match="larger than 64 MiB"):
        walk("x", b" " * (DOCUMENT_BYTES_MAX + 1))


def test_many_errors_are_told_in_part(tmp_path: Path) -> None:
    path = tmp_path / "list.xml"
    path.write_text("<DeviceList>" + "<Device/>\n" * 80 + "</DeviceList>", encoding="utf-8")
    with pytest.raises(SiteError) as caught:
        read_export(path)
    assert len(caught.value.errors) == 51
    assert caught.value.errors[-1] == "and 30 more errors"


def test_models_in_all_their_spellings() -> None:
    for name in ("Cisco 7961", "cisco ip phone 7961", "CP-7961G", "7961", "Cisco Unified IP Phone 7961G"):
        found = models.find(name)
        assert found is not None
        assert found.model == "CP-7961G"
    gigabit = models.find("Cisco 7961G-GE")
    assert gigabit is not None
    assert (gigabit.model, gigabit.stands_in) == ("CP-7961G-GE", "CP-7961G")
    near = models.nearest("Cisco 7962B")
    assert near is not None
    assert near.model == "CP-7962G"
    assert models.nearest("Polycom") is None
    assert (models.of_number("30018"), models.of_number("36999"), models.of_number("")) == (
        "CP-7961G",
        "model number 36999",
        "",
    )


def test_models_that_stand_in_are_emulated() -> None:
    from emulator.fleet.catalogue import load

    emulated = load().models
    for model in models.all_models():
        assert (model.stands_in or model.model) in emulated
        assert not (model.stands_in and model.model in emulated)
