"""The roster: exact shares, the same for the same seed, and every error of a site's list at once."""

import csv
from collections import Counter
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bed.errors import RosterError
from harness.bed.ground import LOOPBACK, NETNS
from harness.bed.roster import Roster, apportion, build_roster
from harness.site import read_phone_list

MODELS = {"CP-7960G": 0.5, "CP-7961G": 0.3, "CP-7970G": 0.2}
HEADER = "device_name,directory_number,mac,model,address,authentication_url,web_access,zone,subnet"


def _build(phones: int, seed: int = 1) -> Roster:
    return build_roster(phones=phones, models=MODELS, seed=seed, addresses=NETNS)


def test_first_and_last_phone_and_control() -> None:
    roster = _build(1000)
    first, last = roster.phones[0], roster.phones[-1]
    assert (first.device_name, first.mac, first.directory_number, first.address) == (
        "SEP001BD4000001",
        "001BD4000001",
        "2001",
        "10.20.0.1",
    )
    assert (last.device_name, last.directory_number, last.address) == ("SEP001BD40003E8", "3000", "10.20.3.232")
    assert roster.control is not None
    assert roster.control.address == "10.20.127.254"
    assert roster.control.device_name not in {phone.device_name for phone in roster.phones}


def test_shares_are_exact_and_the_seed_decides_who() -> None:
    one, again, other = _build(1000), _build(1000), _build(1000, seed=2)
    assert Counter(phone.model for phone in one.phones) == {"CP-7960G": 500, "CP-7961G": 300, "CP-7970G": 200}
    assert one == again
    assert [phone.model for phone in one.phones] != [phone.model for phone in other.phones]
    assert [phone.address for phone in one.phones] == [phone.address for phone in other.phones]


def test_largest_fleet_fits_and_touches_no_reserved_address() -> None:
    for addresses in (NETNS, LOOPBACK):
        room = 32_764
        roster = build_roster(phones=room, models={"CP-7960G": 1.0}, seed=1, addresses=addresses)
        found = {phone.address for phone in roster.phones}
        assert len(found) == len({phone.device_name for phone in roster.phones}) == room
        assert not found & {addresses.control_phone, addresses.canary_phone}
        assert IPv4Address(roster.phones[-1].address) in IPv4Network(addresses.phones_network)
        with pytest.raises(RosterError, match="has room for 32764"):
            build_roster(phones=room + 1, models={"CP-7960G": 1.0}, seed=1, addresses=addresses)


def test_all_errors_of_a_fleet_at_once() -> None:
    with pytest.raises(RosterError) as caught:
        build_roster(phones=0, models={"CP-7960G": 0.5}, seed=1, addresses=NETNS)
    assert len(caught.value.errors) == 2
    assert caught.value.exit_code == 4


@given(
    total=st.integers(0, 20_000),
    weights=st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, 100), min_size=1, max_size=8),
)
def test_apportioned_counts_sum_exactly_and_are_within_one(total: int, weights: dict[str, int]) -> None:
    whole = sum(weights.values())
    counts = apportion(total, {name: weight / whole for name, weight in weights.items()})
    assert sum(counts.values()) == total
    assert all(abs(counts[name] - total * weights[name] / whole) < 1 + 1e-6 for name in weights)


def test_ties_go_to_the_earlier_name() -> None:
    assert apportion(3, {"b": 0.5, "a": 0.5}) == {"b": 2, "a": 1}


def test_written_and_read_again(tmp_path: Path) -> None:
    roster = _build(20)
    roster.write(tmp_path / "roster.csv")
    roster.write_gateway(tmp_path / "gateway.csv")
    text = (tmp_path / "roster.csv").read_text()
    assert text.splitlines()[0] == HEADER
    assert text.splitlines()[1].startswith("SEP001BD4000001,2001,001BD4000001,CP-79")
    assert text.splitlines()[1].endswith(",10.20.0.1,,true,,")
    assert roster.control is not None
    assert read_phone_list(tmp_path / "roster.csv") == (*roster.phones, roster.control)
    assert read_phone_list(tmp_path / "gateway.csv") == roster.phones
    with (tmp_path / "gateway.csv").open(newline="") as file:
        assert all(row["device_name"] != roster.control.device_name for row in csv.DictReader(file))
