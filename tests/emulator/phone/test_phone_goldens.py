"""Golden bytes: what phones say and understand (tests/golden/SOURCES.md)."""

from dataclasses import replace
from pathlib import Path

import pytest

from emulator.fleet.catalogue import load
from emulator.phone import answer
from emulator.phone.answer import Item
from emulator.phone.authentication import AnswerReader, question, read_url
from emulator.phone.execute import Credentials, read_credentials, read_push
from emulator.phone.uri import Receive, read_uri

GOLDEN = Path(__file__).parents[2] / "golden"
MODELS = load().models
DATE = "Thu, 21 Mar 2013 15:42:33 GMT"
URL = "RTPRx:10.20.128.10:32674"
CREDENTIALS = Credentials(b"agpush", b"s3c r:t")


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("name", ["plus", "percent-20", "unescaped"])
def test_pushes_of_known_clients_are_read(name: str) -> None:
    head, _, body = golden(f"execute/{name}.http").partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    push = read_push(body, object_bytes=512)
    assert (push.urls, push.well_formed) == ((URL,), True)
    field = next(line for line in head.split(b"\r\n") if line.startswith(b"Authorization"))
    assert read_credentials(field.partition(b": ")[2]) == CREDENTIALS


def test_a_trailing_colon_is_no_volume() -> None:
    body = golden("execute/trailing-colon.http").partition(b"\r\n\r\n")[2]
    push = read_push(body, object_bytes=512)
    assert (push.urls, push.well_formed) == ((URL + ":",), True)
    assert read_uri(push.urls[0]) == Receive("10.20.128.10", 32674)


def test_three_items() -> None:
    body = golden("execute/three-items.http").partition(b"\r\n\r\n")[2]
    push = read_push(body, object_bytes=512)
    assert (push.urls, push.priorities) == (("RTPRx:Stop", "RTPTx:Stop", "Init:Services"), (0, 0, 0))


@pytest.mark.parametrize("model", ["CP-7960G", "CP-7961G"])
def test_success(model: str) -> None:
    said = answer.response(MODELS[model], [Item(URL, 0, "Success")], DATE, close=False)
    assert said == golden(f"response/{model}-success.http")


def test_the_old_phones_body_is_as_long_as_the_known_one() -> None:
    # The one fixture that is known (CUAE HttpMessageTest.cs) declares 273 bytes for a push of this URL.
    item = Item("http://209.163.143.103/test.xml", 0, "Success")
    assert b"Content-Length: 273\r\n" in answer.response(MODELS["CP-7960G"], [item], DATE, close=False)


def test_an_invalid_uri_is_an_item_with_status_1() -> None:
    item = Item("RTPRx:10.20.128.10:32675", 1, "Invalid URI")
    assert answer.response(MODELS["CP-7961G"], [item], DATE, close=False) == golden("response/CP-7961G-odd-port.http")


@pytest.mark.parametrize("model", ["CP-7960G", "CP-7970G"])
def test_unauthorized(model: str) -> None:
    assert answer.unauthorized(MODELS[model], DATE, close=False) == golden(f"response/{model}-unauthorized.http")


def test_an_error_is_32_bytes() -> None:
    assert answer.error(MODELS["CP-7961G"], 1, DATE, close=True).endswith(b'\r\n\r\n<CiscoIPPhoneError Number="1" />')
    assert b"Content-Length: 32\r\n" in answer.error(MODELS["CP-7961G"], 1, DATE, close=True)


def test_only_old_phones_echo_a_bare_ampersand() -> None:
    item = Item('http://h/?a=1&b="<', 6, "URI not found")
    assert b"?a=1&b=&quot;&lt;" in answer.response(MODELS["CP-7960G"], [item], DATE, close=False)
    assert b"?a=1&amp;b=&quot;&lt;" in answer.response(MODELS["CP-7970G"], [item], DATE, close=False)


def test_questions() -> None:
    old, new = MODELS["CP-7960G"], MODELS["CP-7961G"]
    gateway = read_url("http://10.20.128.10/cisco_auth/authenticate.html")
    with_query = read_url("http://10.20.128.10:8080/authenticate?site=1")
    callmanager = read_url("http://10.20.128.10/CCMCIP/authenticate.asp")
    assert gateway is not None
    assert with_query is not None
    assert callmanager is not None
    name = "SEP001BD4000001"
    assert question(old, gateway, CREDENTIALS, name) == golden("authentication/CP-7960G-get.http")
    assert question(new, with_query, CREDENTIALS, name) == golden("authentication/CP-7961G-get-kept-query.http")
    posting = replace(old, question_method="POST")
    assert question(posting, callmanager, CREDENTIALS, name) == golden("authentication/CP-7960G-post.http")


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_callmanagers_answer_is_a_yes(step: int) -> None:
    data = golden("authentication/answer-callmanager.http")
    reader = AnswerReader()
    ends = [reader.feed(data[at : at + step]) for at in range(0, len(data), step)]
    assert ends == [False] * (len(ends) - 1) + [True]
    assert (reader.verdict(0), reader.status) == ("authorized", 200)
