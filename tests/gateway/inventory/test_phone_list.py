from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inventory import Phone, PhoneListError, load_phone_list
from gateway.inventory.phone_list import parse_phone_list

ROSTER = b"""device_name,directory_number,mac,model,address,authentication_url,web_access
SEP001BD4000001,2001,001BD4000001,CP-7960G,10.20.0.1,,true
SEP001BD4000002,2002,001BD4000002,CP-7961G,10.20.0.2,,true
"""


def errors(data: bytes) -> tuple[str, ...]:
    with pytest.raises(PhoneListError) as caught:
        parse_phone_list(data, "roster.csv")
    return caught.value.errors


def test_a_roster() -> None:
    expected = (
        Phone(device_name="SEP001BD4000001", address="10.20.0.1"),
        Phone(device_name="SEP001BD4000002", address="10.20.0.2"),
    )
    assert parse_phone_list(ROSTER, "x") == expected
    assert parse_phone_list(b"\xef\xbb\xbf" + ROSTER.replace(b"\n", b"\r\n") + b"\r\n,,,,,,\r\n", "x") == expected
    assert parse_phone_list(b"address,device_name\n10.20.0.1, SEP001BD4000001\n", "x") == expected[:1]


def test_a_list_without_phones_is_a_list() -> None:
    assert parse_phone_list(b"device_name,address\n", "x") == ()


def test_all_errors_at_once() -> None:
    found = errors(
        b"device_name,address\n"
        b"SEP001BD4000001,10.20.0.1\n"
        b"SEP001BD4000001,10.20.0.2\n"
        b"SEP001BD4000003,10.20.0.1\n"
        b"sep001bd4000004,10.20.0.4\n"
        b"SEP001BD4000005,phone5.example\n"
        b"SEP001BD4000006,239.1.1.1\n"
        b"SEP001BD4000007\n"
    )
    assert found == (
        "roster.csv: line 3: SEP001BD4000001 is already in line 2",
        "roster.csv: line 4: 10.20.0.1 is already in line 2",
        "roster.csv: line 5: 'sep001bd4000004' is no device name, such as SEP001BD4000001",
        "roster.csv: line 6: 'phone5.example' is no address of a phone",
        "roster.csv: line 7: '239.1.1.1' is no address of a phone",
        "roster.csv: line 8: 1 columns, expected 2",
    )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "needs the column device_name"),
        (b"name,address\n", "needs the column device_name"),
        (b"device_name,address,address\n", "needs the column address"),
        (b"\xff\xfe", "not UTF-8"),
        (b'device_name,address\n"SEP', "not CSV"),
    ],
)
def test_what_is_no_list(data: bytes, error: str) -> None:
    assert error in errors(data)[0]


def test_errors_are_many_but_not_endless(tmp_path: Path) -> None:
    found = errors(b"device_name,address\n" + b"x,y\n" * 500)
    assert len(found) == 51
    assert found[-1] == "roster.csv: and 950 more errors"
    with pytest.raises(PhoneListError, match="cannot be read"):
        load_phone_list(tmp_path / "nowhere.csv")


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for text in (data, b"device_name,address\n" + data):
        with contextlib.suppress(PhoneListError):
            parse_phone_list(text, "x")
