"""What phones answer, and what is made of it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cisco import HttpResponse, Outcome, PushAnswer, ResponseReader, XmlDefectError, read_push_answer
from gateway.cisco.http_response import MAX_RESPONSE, ResponseDefectError
from gateway.cisco.xml_elements import read_elements

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway"


def read(data: bytes, *, piece: int = 1 << 20) -> HttpResponse | None:
    """Feed bytes in pieces, then the end."""
    reader = ResponseReader()
    for at in range(0, len(data), piece):
        response = reader.receive(data[at : at + piece])
        if response is not None:
            return response
    return reader.end()


def answer(body: bytes, status: int = 200) -> PushAnswer:
    return read_push_answer(HttpResponse(status=status, body=body))


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("name", "outcome", "number"),
    [
        ("response-7960.http", "executed", None),
        ("response-chunked.http", "executed", None),
        ("response-8851.http", "executed", None),
        ("error-4.http", "refused_authentication", 4),
        ("unauthorized-7960.http", "refused_authentication", None),
    ],
)
def test_goldens_in_pieces_of_any_size(name: str, outcome: str, number: int | None, piece: int) -> None:
    response = read((GOLDEN / name).read_bytes(), piece=piece)
    assert response is not None
    result = read_push_answer(response)
    assert (result.outcome, result.error_number) == (outcome, number)


ITEM = b'<ResponseItem Status="%s" Data="%s" URL=""/>'


@pytest.mark.parametrize(
    ("status", "body", "outcome", "number"),
    [
        (200, b'<CiscoIPPhoneError Number="1"/>', "refused_busy", 1),
        (200, b'<CiscoIPPhoneError Number="2"/>', "refused", 2),
        (200, b'<CiscoIPPhoneError Number="3">internal</CiscoIPPhoneError>', "refused", 3),
        (200, b'<CiscoIPPhoneError Number="4">no</CiscoIPPhoneError>', "refused_authentication", 4),
        (500, b'<CiscoIPPhoneError Number="4"/>', "refused_authentication", 4),
        (200, b'<CiscoIPPhoneError Number=""/>', "garbled", None),
        (200, b"<CiscoIPPhoneError/>", "garbled", None),
        (401, b"", "refused_authentication", None),
        (200, b"<CiscoIPPhoneResponse>" + ITEM % (b"0", b"Success") + b"</CiscoIPPhoneResponse>", "executed", None),
        (299, b"<CiscoIPPhoneResponse>" + ITEM % (b"0", b"") + b"</CiscoIPPhoneResponse>", "executed", None),
        (500, b"<CiscoIPPhoneResponse>" + ITEM % (b"0", b"") + b"</CiscoIPPhoneResponse>", "garbled", None),
        (999, b"<CiscoIPPhoneResponse>" + ITEM % (b"0", b"") + b"</CiscoIPPhoneResponse>", "garbled", None),
        (
            200,
            b"<CiscoIPPhoneResponse>"
            + ITEM % (b"0", b"")
            + ITEM % (b"6", b"URI not found")
            + b"</CiscoIPPhoneResponse>",
            "refused",
            6,
        ),
        (200, b"<CiscoIPPhoneResponse></CiscoIPPhoneResponse>", "garbled", None),
        (200, b"<CiscoIPPhoneResponse>" + ITEM % (b"", b"") + b"</CiscoIPPhoneResponse>", "garbled", None),
        (200, b"<CiscoIPPhoneResponse>" + ITEM % (b"0", b""), "garbled", None),
        (200, b"<html><body>hello</body></html>", "garbled", None),
        (200, b"", "garbled", None),
        (204, b"", "garbled", None),
        (302, b"", "garbled", None),
        (404, b"Not found", "garbled", None),
    ],
)
def test_c13_c14_c16_one_outcome_for_each_answer(status: int, body: bytes, outcome: str, number: int | None) -> None:
    result = answer(body, status)
    assert (result.outcome, result.error_number, result.http_status) == (outcome, number, status)


def test_quirks_of_old_phones() -> None:
    item = b'<ResponseItem URL="http://a/b?c=1&d=2" Data="" Status="0"/>'
    for prolog in (
        b"",
        b'<?xml version="1.0" encoding=""?>',
        b'<?xml version="1.0" encoding="iso-8859-1"?><?xml version="1.0"?>\r\n',
        b"\xef\xbb\xbf",
        b"\r\n  ",
    ):
        body = prolog + b"<CiscoIPPhoneResponse>" + item + b"</CiscoIPPhoneResponse>\r\n"
        assert answer(body).outcome is Outcome.EXECUTED
    elements = read_elements(b"<CiscoIPPhoneResponse>" + item + b"</CiscoIPPhoneResponse>")
    assert elements[1].attributes["URL"] == "http://a/b?c=1&d=2"


def test_a_phones_words_are_kept_short_and_on_one_line() -> None:
    result = answer(b'<CiscoIPPhoneError Number="9">one\r\n\x7ftwo ' + b"x" * 500 + b"</CiscoIPPhoneError>")
    assert result.detail is not None
    assert result.detail.startswith("one two xxx")
    assert len(result.detail) <= 80


def test_a_redirect_is_not_followed_and_said_so() -> None:
    for body in (b"", b"<html/>"):
        assert answer(body, 303).detail == "a redirect, which is not followed"


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 9000,
        b"<a>" + b"<b/>" * 9000 + b"</a>",
        b"\0\0\0\0",
        b"<a" + b" " * 70000 + b"/>",
        b"&" * 60000,
        b"\xff\xfe<\0a\0/\0>\0",
    ],
)
def test_c15_bombs_are_refused_quickly(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(XmlDefectError):
        read_elements(body)
    assert time.process_time() - started < 0.2


@given(st.binary(max_size=300))
def test_no_bytes_bring_the_xml_reader_down(body: bytes) -> None:
    result = answer(body)
    assert result.outcome in tuple(Outcome)
    assert result.outcome is not Outcome.EXECUTED


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_bring_the_http_reader_down(tail: bytes, piece: int) -> None:
    for data in (tail, b"HTTP/1.1 200 OK\r\n" + tail):
        with contextlib.suppress(ResponseDefectError):
            read(data, piece=piece)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 11,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MAX_RESPONSE,
    ],
)
def test_c12_c13_what_is_no_response(data: bytes) -> None:
    for piece in (1, 1000):
        with pytest.raises(ResponseDefectError):
            read(data, piece=piece)


def test_ten_informational_responses_are_passed_over() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    for piece in (1, 1000):
        assert read(data, piece=piece) == HttpResponse(status=200, body=b"hi")


def test_the_end_of_the_connection_ends_only_what_has_no_length() -> None:
    assert read(b"HTTP/1.0 200 OK\r\n\r\nhi") == HttpResponse(status=200, body=b"hi")
    assert read(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhi") is None
    assert read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe") is None
    assert read(b"HTTP/1.1 200") is None
    assert read(b"HTTP/1.1 100 Continue\r\n\r\n") is None
    assert read(b"") is None


def test_a_status_without_a_reason_and_bytes_behind() -> None:
    assert read(b"HTTP/1.1 200\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi\r\n") == HttpResponse(
        status=200, body=b"hi"
    )
    assert read(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc") == HttpResponse(status=204, body=b"")
