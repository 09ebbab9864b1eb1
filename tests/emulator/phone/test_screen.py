"""Objects to show: the schema's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.phone.screen import OBJECTS, Items, Number, Text, read_object


def element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"


def value(limit: Text | Number, *, over: bool) -> str:
    return "x" * (limit.most + over) if isinstance(limit, Text) else str(limit.most + over)


def item(name: str, limit: Items) -> str:
    return element(name, "".join(element(inner, value(rule, over=False)) for inner, rule in limit.fields.items()))


@pytest.mark.parametrize("kind", OBJECTS)
def test_each_limit_is_kept_and_may_be_used_up(kind: str) -> None:
    for name, limit in OBJECTS[kind].items():
        if isinstance(limit, Items):
            screen = read_object(element(kind, item(name, limit) * limit.most).encode())
            assert screen is not None
            assert len(screen.items) == limit.most
            assert read_object(element(kind, item(name, limit) * (limit.most + 1)).encode()) is None
            for inner, rule in limit.fields.items():
                wrong = element(kind, element(name, element(inner, value(rule, over=True)) + "<Position>1</Position>"))
                assert read_object(wrong.encode()) is None, inner
        else:
            screen = read_object(element(kind, element(name, value(limit, over=False))).encode())
            assert screen is not None
            assert screen.fields == {name: value(limit, over=False)}
            assert read_object(element(kind, element(name, value(limit, over=True))).encode()) is None, name


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<CiscoIPPhoneText>",
        b"<CiscoIPPhoneNothing/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><CiscoIPPhoneText/>",
        b"<CiscoIPPhoneText><Title>a</Title><Title>b</Title></CiscoIPPhoneText>",
        b"<CiscoIPPhoneText><SoftKeyItem><Name>Exit</Name></SoftKeyItem></CiscoIPPhoneText>",
        b"<CiscoIPPhoneStatus><Timer>soon</Timer></CiscoIPPhoneStatus>",
        b"<CiscoIPPhoneStatus><Timer>--1</Timer></CiscoIPPhoneStatus>",
        b"<CiscoIPPhoneText>" + b"<a>" * 4000,
    ],
)
def test_what_is_no_object(document: bytes) -> None:
    assert read_object(document) is None


def test_what_the_table_does_not_name_is_ignored():
    screen = read_object(b"<CiscoIPPhoneText><New><Deep>x</Deep></New><Text>a &amp; b</Text></CiscoIPPhoneText>")
    assert screen is not None
    assert screen.fields == {"Text": "a & b"}


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    read_object(data)
    read_object(b"<CiscoIPPhoneText><Title>" + data + b"</Title></CiscoIPPhoneText>")
