"""Reading pushes: forms, caps, URIs."""

from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.phone.execute import (
    Invalid,
    Press,
    Receive,
    StopReceiving,
    Unknown,
    read_credentials,
    read_push,
    read_uri,
)


def body(document: str) -> bytes:
    return b"XML=" + quote_plus(document).encode()


def execute(*urls: str) -> str:
    items = "".join(f"<ExecuteItem URL={quoteattr(url)}/>" for url in urls)
    return f"<CiscoIPPhoneExecute>{items}</CiscoIPPhoneExecute>"


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x24F), min_size=1, max_size=100)


@given(st.lists(printable, min_size=1, max_size=3), st.sampled_from([quote, quote_plus]))
def test_whatever_is_encoded_is_read_again(urls: list[str], encode: Callable[[str], str]) -> None:
    assert read_push(b"XML=" + encode(execute(*urls)).encode(), object_bytes=40960) == read_push(
        b"a=b&XML=" + encode(execute(*urls)).encode() + b"&c", object_bytes=40960
    )
    assert read_push(b"XML=" + encode(execute(*urls)).encode(), object_bytes=40960).urls == tuple(urls)


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    read_push(data, object_bytes=512)
    read_push(b"XML=" + data, object_bytes=512)
    read_credentials(data)
    read_credentials(b"Basic " + data)
    read_uri("RTPRx:" + data.decode("latin-1"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"xml=" + quote_plus(execute("RTPRx:Stop")).encode(),
        body("<CiscoIPPhoneExecute/>"),
        body(execute("a", "b", "c", "d")),
        body(execute("x" * 257)),
        body("<CiscoIPPhoneExecute><ExecuteItem/></CiscoIPPhoneExecute>"),
        body("<CiscoIPPhoneText><ExecuteItem URL='a'/></CiscoIPPhoneText>"),
        body(execute("a")[:-1]),
        body('<!DOCTYPE a [<!ENTITY b "c">]>' + execute("a")),
        body('<CiscoIPPhoneExecute><ExecuteItem URL="a?b&c=d"/></CiscoIPPhoneExecute>'),
        body('<?xml version="1.0" encoding="ebcdic-cp-us"?>' + execute("a")),
    ],
)
def test_what_is_no_execute(data: bytes) -> None:
    assert not read_push(data, object_bytes=512).well_formed


def test_the_models_limit_is_on_the_decoded_object():
    document = execute("RTPRx:Stop")
    assert read_push(body(document), object_bytes=len(document)).well_formed
    assert not read_push(body(document), object_bytes=len(document) - 1).well_formed


def test_deep_nesting_is_refused_at_once():
    assert not read_push(body("<CiscoIPPhoneExecute>" + "<a>" * 4000), object_bytes=40960).well_formed


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("RTPRx:10.0.0.1:32674", Receive("10.0.0.1", 32674)),
        ("RTPRx:10.0.0.1:20480:", Receive("10.0.0.1", 20480)),
        ("RTPRx:10.0.0.1:32768:100", Receive("10.0.0.1", 32768)),
        ("RTPRx:10.0.0.1::50", Receive("10.0.0.1", None)),
        ("RTPRx:10.0.0.1", Receive("10.0.0.1", None)),
        ("RTPRx:10.0.0.1:20480::1", Receive("10.0.0.1", 20480)),
        ("RTPRx:Stop", StopReceiving()),
        ("RTPRx:stop", Invalid()),
        ("RTPRx:10.0.0.1:32675", Invalid()),
        ("RTPRx:10.0.0.1:20478", Invalid()),
        ("RTPRx:10.0.0.1:32770", Invalid()),
        ("RTPRx:10.0.0.1:32674:101", Invalid()),
        ("RTPRx:10.0.0.256:32674", Invalid()),
        ("RTPRx:phone:32674", Invalid()),
        ("rtprx:Stop", Unknown()),
        ("Dial:2001", Unknown()),
        ("Key:Line120", Press("Line120")),
        ("Key:Line121", Invalid()),
    ],
)
def test_uris(url: str, uri: object) -> None:
    assert read_uri(url) == uri


def test_credentials():
    credentials = read_credentials(b"basic YTpiOmM=")
    assert credentials is not None
    assert (credentials.user, credentials.password) == (b"a", b"b:c")
    assert "b:c" not in repr(credentials)
    for nothing in (None, b"", b"Basic", b"Basic YQ==", b"Basic ???", b"Digest YTpi"):
        assert read_credentials(nothing) is None
