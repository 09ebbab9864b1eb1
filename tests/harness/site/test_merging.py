"""Several exports of one site become one list; who is left out is told, by name and reason."""

from pathlib import Path

import pytest

from harness.site import SiteError, read_exports, read_phone_list
from harness.site.listed import Export, Listed
from harness.site.merging import merge
from harness.site.phone_list import write_phone_list

GOLDEN = Path(__file__).parents[2] / "golden" / "site"


def _export(*phones: Listed, file: str = "a", kind: str = "RisPort") -> Export:
    return Export(file=file, kind=kind, phones=phones)  # type: ignore[arg-type] # a test's own words


def _listed(number: int, **values: object) -> Listed:
    name = f"SEP001BD4A0000{number}"
    return Listed(**({"place": f"a:{number}", "device_name": name, "model": "CP-7961G"} | values))  # type: ignore[arg-type]


def test_names_from_axl_and_addresses_from_risport() -> None:
    site = read_exports([GOLDEN / "axl-list-phone.xml", GOLDEN / "risport70.xml"])
    assert write_phone_list(site.phones) == (GOLDEN / "site.csv").read_text(encoding="utf-8")
    assert read_phone_list(GOLDEN / "site.csv") == site.phones
    assert site.counted("zone") == {"Ward A": 3, "Boiler house": 2, "Ward B": 1}
    assert site.counted("subnet") == {"10.30.4.0/24": 3, "10.31.7.0/24": 2, "10.30.5.0/24": 1}
    assert site.subnets_assumed
    assert [(one.name, one.reason, one.detail.partition(" (")[0]) for one in site.left_out] == [
        ("CSFjdoe", "no desk phone", "Cisco Unified Client Services Framework"),
        ("SEP001BD4A00005", "not registered", "UnRegistered"),
        ("SEP001BD4A00008", "no address known", "in no list of registered phones"),
    ]
    assert site.notes == ("Cisco 9999: 1 phone of a model that is not known; the nearest known one is CP-9971",)


def test_bulk_administration_and_device_list_x_say_the_same() -> None:
    one = read_exports([GOLDEN / "all-phone-details.csv", GOLDEN / "device-list.xml"])
    other = read_exports([GOLDEN / "axl-list-phone.xml", GOLDEN / "risport70.xml"])
    assert [(phone.device_name, phone.address, phone.model, phone.zone) for phone in one.phones] == [
        (phone.device_name, phone.address, phone.model, phone.zone) for phone in other.phones
    ]


@pytest.mark.parametrize(
    ("zone_from", "zone"),
    [("device-pool", "Boiler house"), ("location", "Plant"), ("subnet", "10.31.7.0/24"), ("none", "")],
)
def test_where_zones_come_from(zone_from: str, zone: str) -> None:
    files = [GOLDEN / "axl-list-phone.xml", GOLDEN / "risport70.xml"]
    site = read_exports(files, zone_from=zone_from)  # type: ignore[arg-type]
    assert site.phones[-1].zone == zone


def test_a_list_of_ones_own_goes_before_exports_and_keeps_its_zones(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(
        "device_name,model,address,zone,subnet\nSEP001BD4A00006,CP-7961G,10.31.7.99,Plant room,10.31.0.0/16\n",
        encoding="utf-8",
    )
    site = read_exports([own, GOLDEN / "risport70.xml"])
    (phone,) = [one for one in site.phones if one.device_name == "SEP001BD4A00006"]
    assert (phone.address, phone.zone, phone.subnet) == ("10.31.7.99", "Plant room", "10.31.0.0/16")
    assert phone.directory_number == "5001"
    assert any("address 10.31.7.99" in note and "but 10.31.7.5" in note for note in site.notes)


def test_without_addresses_there_is_no_site() -> None:
    told = r"no phone with an address.*8 no address known.*an answer of RisPort beside it"
    with pytest.raises(SiteError, match=told):
        read_exports([GOLDEN / "axl-list-phone.xml"])


def test_an_address_that_two_have() -> None:
    export = _export(
        _listed(1, address="10.1.1.1", registered=True),
        _listed(2, address="10.1.1.1", registered=True),
        _listed(3, address="10.1.1.1", registered=False),
    )
    told = r"a:2: address 10.1.1.1 of SEP001BD4A00002 is that of SEP001BD4A00001"
    with pytest.raises(SiteError, match=told) as caught:
        merge([export])
    assert len(caught.value.errors) == 1


def test_an_answer_that_was_perhaps_cut_is_told_of() -> None:
    addresses = [f"10.1.{number >> 8}.{number & 255}" for number in range(1, 1001)]
    phones = [
        Listed(place="a", device_name=f"SEP{number:012X}", model="CP-7961G", address=address, registered=True)
        for number, address in enumerate(addresses, 1)
    ]
    assert "it was perhaps cut" in merge([_export(*phones)]).notes[0]
    assert merge([_export(*phones[:-1])]).notes == ()


def test_every_error_of_every_file(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.xml"
    wrong.write_text("<DeviceList>\n<Device/></DeviceList>", encoding="utf-8")
    with pytest.raises(SiteError) as caught:
        read_exports([tmp_path / "absent", wrong])
    assert len(caught.value.errors) == 2
