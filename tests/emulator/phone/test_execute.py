"""Reading pushes: forms, caps, URIs."""

from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.fleet.catalogue import load
from emulator.phone.execute import Push, read_credentials, read_push
from emulator.phone.phone import Phone
from emulator.phone.uri import (
    Dial,
    Display,
    Fetch,
    Init,
    Invalid,
    Play,
    Press,
    Receive,
    StopReceiving,
    StopTransmitting,
    Transmit,
    Unknown,
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
        body("<CiscoIPPhoneResponse><ExecuteItem URL='a'/></CiscoIPPhoneResponse>"),
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


def test_one_http_url_and_two_uris_or_three_uris():
    assert read_push(body(execute("http://a/", "Key:Info", "Key:Mute")), object_bytes=512).well_formed
    assert not read_push(body(execute("http://a/", "http://b/")), object_bytes=512).well_formed


def test_priorities():
    item = '<CiscoIPPhoneExecute><ExecuteItem URL="Key:Info"{}/></CiscoIPPhoneExecute>'
    assert read_push(body(item.format("")), object_bytes=512).priorities == (0,)
    assert read_push(body(item.format(' Priority="2"')), object_bytes=512).priorities == (2,)
    assert not read_push(body(item.format(' Priority="4"')), object_bytes=512).well_formed


def test_an_object_to_show():
    push = read_push(body("<CiscoIPPhoneText><Title>Fire</Title></CiscoIPPhoneText>"), object_bytes=512)
    assert push.well_formed
    assert push.urls == ()
    assert push.shown is not None
    assert push.shown.title == "Fire"


def test_deep_nesting_is_refused_at_once():
    assert not read_push(body("<CiscoIPPhoneExecute>" + "<a>" * 4000), object_bytes=40960).well_formed


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("RTPRx:10.0.0.1:32674", Receive("10.0.0.1", 32674)),
        ("RTPRx:10.0.0.1:20480:", Receive("10.0.0.1", 20480)),
        ("RTPRx:10.0.0.1:32768:100", Receive("10.0.0.1", 32768, 100)),
        ("RTPRx:10.0.0.1::50", Receive("10.0.0.1", None, 50)),
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
        ("RTPMRx:239.1.1.1:20480", Receive("239.1.1.1", 20480, None, multicast=True)),
        ("RTPMRx:239.1.1.1:20480:", Receive("239.1.1.1", 20480, None, multicast=True)),
        ("RTPMRx:239.1.1.1:20480:40:1", Receive("239.1.1.1", 20480, 40, multicast=True)),
        ("RTPMRx:10.0.0.1:20480", Invalid()),
        ("RTPMRx:239.1.1.1", Invalid()),
        ("RTPMRx:Stop", StopReceiving()),
        ("RTPTx:10.0.0.1:20480", Transmit("10.0.0.1", 20480)),
        ("RTPTx:10.0.0.1", Invalid()),
        ("RTPTx:10.0.0.1:20480:50", Invalid()),
        ("RTPMTx:239.1.1.1:20480", Transmit("239.1.1.1", 20480, multicast=True)),
        ("RTPTx:Stop", StopTransmitting()),
        ("RTPMTx:Stop", StopTransmitting()),
        ("Play:Chime.raw", Play("Chime.raw")),
        ("Play:Stop", Play(None)),
        ("Play:", Invalid()),
        ("Play:../etc", Invalid()),
        ("Dial:2001", Dial("2001")),
        ("Dial:2001:1:5:0", Dial("2001", "5")),
        ("Dial:", Invalid()),
        ("Init:Services", Init("Services")),
        ("Init:Everything", Invalid()),
        ("Display:Off:60", Display("Off", 60)),
        ("Display:On", Display("On", None)),
        ("Display:On:1441", Invalid()),
        ("SoftKey:Exit", Invalid()),
        ("Notify:http:10.0.0.1:80:a:b:c", Invalid()),
        ("http://10.0.0.1/a.xml", Fetch("http://10.0.0.1/a.xml")),
        ("http:10.0.0.1", Unknown()),
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


MODELS = load().models


def a_phone_of(model: str) -> Phone:
    return Phone(
        device_name="SEP001BD4000001",
        directory_number="2001",
        mac="001BD4000001",
        model=MODELS[model],
        address="10.0.0.1",
        server=None,
    )


def answers(phone: Phone, *urls: str) -> list[tuple[int, str]]:
    """Status and Data of each URL, pushed one after the other."""
    said = []
    for url in urls:
        (item,) = phone.execute(Push((url,), True, (0,)), identity="p", now_ns=1).items
        said.append((item.status, item.data))
    return said


def test_digits_are_sent_into_a_call_of_the_application() -> None:
    no_call, not_its, success = (6, "No Active Call"), (6, "No Active Call for Application"), (0, "Success")
    urls = (
        "SendDigits:12,#:1", "Dial:2001:1:Cisco/Dialer", "SendDigits:12", "SendDigits:1:1:Other",
        "SendDigits:1:1:Cisco/Dialer", "SendDigits:1:0::Cisco/Dialer", "SendDigits:x",
    )  # fmt: skip
    assert answers(a_phone_of("CP-8851"), *urls) == [
        no_call, success, success, not_its, success, success, (1, "Invalid URI"),
    ]  # fmt: skip


def test_applications_are_those_of_the_object_on_the_screen() -> None:
    a_phone = a_phone_of("CP-8851")
    shown = b'XML=<CiscoIPPhoneText appId="Alarm/1"><Title>T</Title></CiscoIPPhoneText>'
    a_phone.execute(read_push(shown, object_bytes=512), identity="p", now_ns=1)
    actions = (
        "Minimize:0:60:Alarm/1", "Close:0::Other", "Close:0::Alarm/1", "RequestFocus:::Alarm/1",
        "Close:0:9:Alarm/1", "Close",
    )  # fmt: skip
    said = answers(a_phone, *(f"App:{action}" for action in actions))
    assert said == [
        (0, "Success"), (6, "Unknown Application ID"), (0, "Success"), (6, "Application is not Active"),
        (1, "Invalid URI"), (1, "Invalid URI"),
    ]  # fmt: skip
    assert a_phone.screen is None


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("CP-7960G", ()),
        ("CP-7961G", ("SendDigits", "App")),
        ("CP-7970G", ("Display", "SendDigits", "App")),
        ("CP-8851", ("Display", "SendDigits", "App", "Device")),
    ],
)
def test_a_uri_that_a_model_does_not_know_is_not_found(model: str, known: tuple[str, ...]) -> None:
    urls = {"Display": "Display:Off", "SendDigits": "SendDigits:1", "App": "App:Close:0::a", "Device": "Device:Unlock"}
    assert [answers(a_phone_of(model), url) != [(6, "URI not found")] for url in urls.values()] == [
        name in known for name in urls
    ]


def test_what_is_refused_in_an_execute() -> None:
    for url in ("SoftKey:Exit", "Notify:http:10.0.0.1:80:a", "QueryStringParam:a=1", "Device:Lock", "EditDial:"):
        assert answers(a_phone_of("CP-8851"), url) == [(1, "Invalid URI")]
    assert answers(a_phone_of("CP-8851"), "EditDial:2001", "Vibrate:1000:0:1") == [(0, "Success"), (6, "URI not found")]
