"""What lists and answers mean: nothing is lost, one address has one phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.cisco import DeviceInformation
from gateway.inventory.entry import Entry, Listed, Listing
from gateway.inventory.merging import answered, merge

A, B, C = "SEP001BD4000001", "SEP001BD4000002", "SEP001BD4000003"


def entry(name: str, address: str, **more: object) -> Entry:
    return replace(Entry(device_name=name, address=address, source="list", outcome="read"), **more)  # type: ignore[arg-type]


def taken(entries: Mapping[str, Entry], *lines: Listed, source: str = "list", complete: bool = True):
    changes = merge(entries, Listing(source=source, phones=lines, complete=complete))
    return {**entries, **changes.entries}, changes


def line(name: str, address: str, **more: object) -> Listed:
    return replace(Listed(device_name=name, address=address), **more)  # type: ignore[arg-type]


def test_new_phones_are_added_and_unchanged_ones_left_alone() -> None:
    before = {A: entry(A, "10.0.0.1", directory_number="2001")}
    after, changes = taken(before, line(A, "10.0.0.1"), line(B, "10.0.0.2"))
    assert changes.added == [B]
    assert after[A] is before[A]
    assert after[B].outcome is None


def test_a_phone_that_moved_keeps_what_it_said_and_has_to_be_read_again() -> None:
    after, changes = taken({A: entry(A, "10.0.0.1", directory_number="2001", zone="East")}, line(A, "10.0.0.9"))
    assert changes.moved == [A]
    assert (after[A].address, after[A].directory_number, after[A].zone) == ("10.0.0.9", "2001", "East")
    assert after[A].outcome is None


def test_a_phone_that_disappears_is_kept_and_marked_and_comes_back() -> None:
    before = {A: entry(A, "10.0.0.1"), B: entry(B, "10.0.0.2", source="other")}
    after, changes = taken(before, line(C, "10.0.0.3"))
    assert changes.missing == [A]  # B is another source's business
    assert not after[A].listed
    again, changes = taken(after, line(A, "10.0.0.1"), line(C, "10.0.0.3"))
    assert again[A].listed
    assert changes.missing == []


def test_a_part_of_a_list_marks_nobody() -> None:
    after, _ = taken({A: entry(A, "10.0.0.1")}, line(C, "10.0.0.3"), complete=False)
    assert after[A].listed


def test_a_line_without_an_address_keeps_the_one_that_is_known() -> None:
    after, _ = taken({A: entry(A, "10.0.0.1")}, line(A, "", registered=False))
    assert after[A].address == "10.0.0.1"


def test_of_two_lines_with_one_address_the_registered_one_has_it() -> None:
    lines = (line(A, "10.0.0.1"), line(B, "10.0.0.1", registered=False))
    for order in (lines, lines[::-1]):
        after, changes = taken({}, *order)
        assert (after[A].address, after[B].address) == ("10.0.0.1", "")
        assert after[B].detail == f"10.0.0.1 is now {A}"
        assert changes.ousted == [B]


def test_an_address_that_passed_to_another_phone() -> None:
    after, _ = taken({A: entry(A, "10.0.0.1")}, line(B, "10.0.0.1"), complete=False)
    assert (after[A].address, after[B].address) == ("", "10.0.0.1")


def said(mac: str, name: str = "") -> DeviceInformation:
    return DeviceInformation(device_name=name, mac=mac, directory_number="2001", model="CP-7960G")


def test_a_phone_that_answers_for_itself() -> None:
    before = {A: entry(A, "10.0.0.1")}
    changes = answered(before, A, outcome="read", information=said(A[3:]), seen_s=5.0, authentication_url="http://x/")
    after = changes.entries[A]
    assert (after.directory_number, after.model, after.seen_s, after.web_access) == ("2001", "CP-7960G", 5.0, True)
    assert after.authentication_url == "http://x/"


def test_a_known_phone_that_answers_at_anothers_address_has_moved_there() -> None:
    before = {A: entry(A, "10.0.0.1"), B: entry(B, "10.0.0.2")}
    changes = answered(before, A, outcome="read", information=said(B[3:]), seen_s=5.0)
    assert (changes.entries[A].address, changes.entries[B].address) == ("", "10.0.0.1")
    assert changes.moved == [B]


def test_a_stranger_at_a_phones_address_is_named() -> None:
    changes = answered({A: entry(A, "10.0.0.1")}, A, outcome="read", information=said(C[3:]), seen_s=5.0)
    assert changes.entries[A].outcome == "another"
    assert changes.entries[A].web_access is False
    assert C in (changes.entries[A].detail or "")


def test_a_phone_that_is_away_keeps_what_it_said() -> None:
    before = {A: entry(A, "10.0.0.1", directory_number="2001", seen_s=1.0)}
    after = answered(before, A, outcome="unreachable", detail="refused", seen_s=5.0).entries[A]
    assert (after.outcome, after.directory_number, after.seen_s) == ("unreachable", "2001", 1.0)


NAMES = st.sampled_from([f"SEP{number:012X}" for number in range(6)])
ADDRESSES = st.sampled_from(["", *(f"10.0.0.{number}" for number in range(1, 5))])
LINES = st.lists(st.builds(Listed, device_name=NAMES, address=ADDRESSES, registered=st.booleans()), max_size=8)


@given(st.lists(LINES, max_size=5))
def test_one_address_never_has_two_phones_and_nobody_is_lost(listings: list[list[Listed]]) -> None:
    entries: dict[str, Entry] = {}
    for phones in listings:
        before = set(entries)
        entries.update(merge(entries, Listing(source="list", phones=phones)).entries)
        assert before | {each.device_name for each in phones} == set(entries)
        held = [each.address for each in entries.values() if each.address]
        assert len(held) == len(set(held))
