"""startMedia and stopMedia: what is read, what a phone makes of it (XSI-4, RTP Streaming API)."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.fleet.catalogue import load
from emulator.phone.execute import read_push
from emulator.phone.media import Handler, Medium, Refusal, StartMedia, StopMedia, notification, read_media
from emulator.phone.phone import Executed, Phone
from emulator.phone.streaming import stream_media

GOLDEN = Path(__file__).parents[2] / "golden" / "execute"
MODELS = load().models
HANDLER = Handler("10.0.0.9", 80, "/stopped/here")


def phone(model: str = "CP-8851") -> Phone:
    return Phone(
        device_name="SEP001BD4000001",
        directory_number="2001",
        mac="001BD4000001",
        model=MODELS[model],
        address="10.0.0.1",
        server=None,
    )


def document(mode: str = "receive", *, codec: str = "G.711", address: str = "10.0.0.9", port: str = "20480") -> str:
    where = f"<port>{port}</port>" if port else ""
    return (
        '<startMedia><mediaStream onStopped="Notify:http:10.0.0.9:80:stopped/here" receiveVolume="50">'
        f"<type>audio</type><codec>{codec}</codec><mode>{mode}</mode><address>{address}</address>{where}"
        "</mediaStream></startMedia>"
    )


def push(a_phone: Phone, text: str) -> Executed:
    media = read_push(b"XML=" + text.encode(), object_bytes=40960).media
    if media is None:
        return a_phone.execute(read_push(b"XML=" + text.encode(), object_bytes=40960), identity="p", now_ns=1)
    return stream_media(a_phone, media, identity="p", now_ns=1)


def said(executed: Executed) -> tuple[int, str]:
    assert executed.reply is not None
    return executed.reply.status, executed.reply.body.decode()


def uri(url: str) -> str:
    return f'<CiscoIPPhoneExecute><ExecuteItem URL="{url}"/></CiscoIPPhoneExecute>'


def test_the_sample_of_the_documents_is_read() -> None:
    read = read_media(document("sendReceive", codec="G.729", address="239.1.2.3").encode())
    assert read == StartMedia(
        mode="sendReceive",
        codec="G.729",
        address="239.1.2.3",
        multicast=True,
        port=20480,
        volume=50,
        on_stopped=HANDLER,
    )
    assert read_media(b'<stopMedia><mediaStream id="abc123"/></stopMedia>') == StopMedia("abc123")
    assert read_media(b"<stopMedia><mediaStream /></stopMedia>") == StopMedia(None)


@pytest.mark.parametrize("name", ["start-media", "stop-media"])
def test_pushes_of_a_public_client_are_read_although_their_declaration_is_none(name: str) -> None:
    head, _, body = (GOLDEN / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    read = read_push(body, object_bytes=512)
    assert read.well_formed
    assert isinstance(read.media, StartMedia if name == "start-media" else StopMedia)
    # What the records say is what the RTP URIs would have been.
    expected = ("RTPRx:10.20.128.10:20480:50",) if name == "start-media" else ("RTPRx:Stop", "RTPTx:Stop")
    assert read.urls == expected


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (document(mode="listen"), "mode: "),
        (document(codec="G.726"), "codec: "),
        (document(address="phone.example"), "address: "),
        (document(port="20481"), "port: "),
        (document("send", port=""), "port: "),
        (document(address="239.1.1.1", port=""), "port: "),
        (document().replace('"50"', '"101"'), "receiveVolume: "),
        (document().replace("<type>audio</type>", ""), "type: "),
        (document().replace("</type>", "</type><type>audio</type>"), "type is given twice"),
        ("<startMedia/>", "expected one mediaStream"),
        ("<stopMedia><x/></stopMedia>", "expected one mediaStream"),
        ("<startMedia><mediaStream>", "no element found"),
        ("<startMedia>" * 3000, "expected one mediaStream"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><startMedia/>', "document type"),
        ("<a><startMedia/></a>", "unexpected element a"),
    ],
)
def test_what_does_not_comply_is_refused_with_a_reason(text: str, data: str) -> None:
    status, body = said(push(phone(), text))
    assert status == 400
    assert body.startswith(f"<errorResponse><type>InvalidXML</type><data>{data}")


def test_an_http_url_is_no_handler() -> None:
    text = document().replace("Notify:http:10.0.0.9:80:stopped/here", "http://10.0.0.9/stopped")
    assert read_media(text.encode()) == Refusal("InvalidURL", "onStopped: an http URL is not allowed")


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer(junk: bytes) -> None:
    assert read_media(b"<startMedia>" + junk) is not None


def test_a_stream_is_heard_by_its_name_and_stopped_by_it() -> None:
    a_phone = phone()
    started = push(a_phone, document())
    assert said(started) == (200, '<mediaStream id="receive:1"/>')
    assert [change.action for change in started.changes] == ["RTPRx"]
    period = a_phone.period
    assert period is not None
    assert (period.source, period.port, period.volume) == ("10.0.0.9", 20480, 50)
    assert said(push(a_phone, '<stopMedia><mediaStream id="other"/></stopMedia>')) == (
        400,
        "<errorResponse><type>InvalidResourceID</type><data>Unknown Media Stream ID: other</data></errorResponse>",
    )
    stopped = push(a_phone, '<stopMedia><mediaStream id="receive:1"/></stopMedia>')
    assert said(stopped) == (200, '<mediaStream id="receive:1"/>')
    assert [(change.action, change.period) for change in stopped.changes] == [("RTPRx:Stop", period), ("Notify", None)]
    assert a_phone.period is None


def test_a_port_that_the_phone_chose_is_in_the_answer() -> None:
    a_phone = phone()
    assert said(push(a_phone, document(port=""))) == (
        200,
        '<mediaStream id="receive:1"><port>32674</port></mediaStream>',
    )
    assert a_phone.period is not None
    assert a_phone.period.port == 32674


def test_one_stream_a_direction_together_with_those_of_uris() -> None:
    busy = (
        400,
        "<errorResponse><type>UnavailableResource</type><data>No Media Resource Available</data></errorResponse>",
    )
    a_phone = phone()
    assert push(a_phone, uri("RTPRx:10.0.0.9:20480")).error is None
    assert said(push(a_phone, document())) == busy
    assert said(push(a_phone, document("send")))[0] == 200
    assert said(push(a_phone, document("send"))) == busy
    assert push(a_phone, uri("RTPTx:10.0.0.9:20480")).error == 1
    assert said(push(phone(), document(codec="G.722"))) == busy


@pytest.mark.parametrize("stop", ["RTPTx:Stop", "RTPRx:Stop"])
def test_a_stop_uri_of_either_direction_ends_the_whole_stream(stop: str) -> None:
    a_phone = phone()
    assert [change.action for change in push(a_phone, document("sendReceive")).changes] == ["RTPRx", "RTPTx"]
    ended = push(a_phone, uri(stop)).changes
    assert sorted(change.action for change in ended if change.period or change.transmission) == [
        "RTPRx:Stop",
        "RTPTx:Stop",
    ]
    assert ended[-1].action == "Notify"
    assert (a_phone.period, a_phone.transmission) == (None, None)
    assert a_phone.extra is not None
    assert a_phone.extra.media == ()


def test_stop_without_a_name_stops_all_service_streams() -> None:
    a_phone = phone()
    push(a_phone, uri("RTPRx:10.0.0.9:20480"))
    push(a_phone, document("send"))
    assert [change.action for change in push(a_phone, "<stopMedia><mediaStream/></stopMedia>").changes] == [
        "RTPTx:Stop", "Notify", "RTPRx:Stop",
    ]  # fmt: skip
    assert (a_phone.period, a_phone.transmission) == (None, None)


def test_a_call_ends_it_and_a_stream_in_a_call_is_mixed_and_not_sent() -> None:
    a_phone = phone()
    push(a_phone, document())
    ended = a_phone.move("call")
    assert [(change.action, change.reason) for change in ended] == [("RTPRx:Stop", "call"), ("Notify", "call")]
    assert said(push(a_phone, document("send")))[0] == 400
    assert said(push(a_phone, document()))[0] == 200
    assert a_phone.period is not None
    assert (a_phone.period.mixed, a_phone.period.volume) == (True, None)


@pytest.mark.parametrize("model", MODELS)
def test_phones_without_the_api_know_no_such_object(model: str) -> None:
    executed = push(phone(model), document())
    assert (executed.error == 1) is not MODELS[model].media_api
    assert (executed.reply is not None) is MODELS[model].media_api


def test_the_answer_to_a_stop_may_be_empty() -> None:
    a_phone = phone()
    a_phone.model = replace(a_phone.model, stop_media="empty")
    assert said(push(a_phone, "<stopMedia><mediaStream/></stopMedia>")) == (200, "")


def test_the_notification_is_that_of_the_documents() -> None:
    body = notification(Medium("abc123", "receive", HANDLER), "user")
    event = '<notifyMediaEvent type="stopped" origin="user"><mediaStream id="abc123"/></notifyMediaEvent>'
    assert unquote(body.decode()) == f"DATA={event}"
