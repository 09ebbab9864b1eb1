"""A twin's fleet: where the lab goes that has to make room for it, and what is said of what is not as it is there."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from emulator.fleet.catalogue import load
from emulator.fleet.roster import read as read_roster
from harness.bed.errors import RosterError
from harness.bed.ground import LOOPBACK, NETNS, lab_plan
from harness.bed.site_fleet import netns_addresses, networks_of, notices, site_roster
from harness.site import Phone, read_phone_list

SITE = read_phone_list(Path(__file__).parents[2] / "golden" / "site" / "site.csv")


def _phone(address: str, subnet: str = "") -> Phone:
    return Phone(
        device_name="SEP001BD4A00099",
        directory_number="",
        mac="001BD4A00099",
        model="CP-7961G",
        address=address,
        subnet=subnet,
    )


def test_a_site_that_is_elsewhere_leaves_the_lab_where_it_is() -> None:
    addresses = netns_addresses(SITE)
    assert (addresses.gateway, addresses.control_phone) == (NETNS.gateway, NETNS.control_phone)
    assert addresses.phones_networks == ("10.20.127.248/29", "10.30.4.0/23", "10.31.7.0/24")
    plan = lab_plan(addresses)
    assert (plan.link, (plan.behind, *plan.also_behind)) == ("10.20.128.0/24", addresses.phones_networks)


@pytest.mark.parametrize(
    ("address", "subnet", "gateway"),
    [
        ("10.20.128.10", "", "10.21.128.10"),
        ("10.20.127.254", "", "10.21.128.10"),
        ("10.20.0.1", "10.20.0.0/16", "10.21.128.10"),
        ("10.1.1.1", "10.0.0.0/8", "172.31.128.10"),
    ],
)
def test_the_lab_makes_room(address: str, subnet: str, gateway: str) -> None:
    addresses = netns_addresses([_phone(address, subnet)])
    assert addresses.gateway == gateway
    networks = [IPv4Network(text) for text in (*addresses.phones_networks, addresses.link)]
    assert not any(one.overlaps(other) for i, one in enumerate(networks) for other in networks[:i])
    for own in (addresses.control_phone, addresses.canary_phone, addresses.probe_source):
        assert IPv4Address(own) in networks[0]
    for own in (addresses.gateway, addresses.callmanager, addresses.phones, addresses.harness, addresses.canary_source):
        assert IPv4Address(own) in networks[-1]


def test_a_site_that_is_everywhere() -> None:
    with pytest.raises(RosterError, match=r"leave the lab's own hosts no room"):
        netns_addresses([_phone("10.1.1.1", "0.0.0.0/0")])


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.1.1"])
def test_addresses_that_no_phone_can_have(address: str) -> None:
    with pytest.raises(RosterError, match=f"SEP001BD4A00099: {address}"):
        netns_addresses([_phone(address)])


def test_own_addresses_and_models_that_are_emulated(tmp_path: Path) -> None:
    roster = site_roster(SITE, netns_addresses(SITE), mapped=False)
    assert [phone.address for phone in roster.phones] == [phone.address for phone in SITE]
    assert [phone.model for phone in roster.phones] == [
        "CP-7961G",
        "CP-7960G",
        "CP-7965G",
        "CP-8851",
        "CP-7961G",
        "CP-8861",
    ]
    roster.write(tmp_path / "roster.csv")
    assert len(read_roster(tmp_path / "roster.csv", catalogue=load(), server=None)) == 7


def test_mapped_addresses_keep_zone_and_subnet() -> None:
    roster = site_roster(SITE, LOOPBACK, mapped=True)
    assert [phone.address for phone in roster.phones] == [f"127.20.0.{number}" for number in range(1, 7)]
    assert [(phone.zone, phone.subnet) for phone in roster.phones] == [(phone.zone, phone.subnet) for phone in SITE]


def test_a_subnet_is_assumed_where_none_is_listed() -> None:
    assert networks_of([_phone("10.1.1.9")]) == (IPv4Network("10.1.1.0/24"),)
    (phone,) = site_roster([_phone("10.1.1.9")], NETNS, mapped=False).phones
    assert phone.subnet == "10.1.1.0/24"


def test_the_control_phone_is_nobody_of_the_site() -> None:
    phone = replace(_phone("10.1.1.9"), device_name="SEP001BD4FFFFFE", mac="001BD4FFFFFE")
    with pytest.raises(RosterError, match="control phone"):
        site_roster([phone], NETNS, mapped=False)


def test_what_is_told_before_a_run() -> None:
    stand_in = (
        "site: models that are not emulated have the nearest one stand in: 1 CP-7945G as CP-7965G, "
        "1 Cisco 9999 as CP-8861"
    )
    assert notices(SITE, netns_addresses(SITE), mapped=False) == [stand_in]
    (mapped, _) = notices(SITE, LOOPBACK, mapped=True)
    assert mapped.startswith("site: addresses are mapped to 127.20.0.1 to 127.20.0.6")
    moved = [replace(_phone("10.20.128.10"), authentication_url="http://10.9.9.9/a")]
    assert notices(moved, netns_addresses(moved), mapped=False) == [
        "site: the lab's own hosts are in 10.21.128.0/24, because the site is in 10.20.128.0/24's place",
        "site: 1 phones' own authentication URLs are left out: all ask the run's servers",
    ]
