"""Verdicts on answers, and where a redirect leads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.phone.authentication import ANSWER_BYTES, AnswerReader, Server, read_url, redirected


def verdict(data: bytes, *, hop: int = 0, step: int = 65536, closed: bool = True) -> str:
    reader = AnswerReader()
    for at in range(0, len(data), step):
        if reader.feed(data[at : at + step]):
            return reader.verdict(hop)
    if closed:
        assert reader.feed(b"")
    return reader.verdict(hop)


def answer(status: str, body: bytes, *fields: str) -> bytes:
    head = "".join(field + "\r\n" for field in (f"Content-Length: {len(body)}", *fields))
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@pytest.mark.parametrize("step", [1, 65536])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (answer("200 OK", b"AUTHORIZED"), "authorized"),
        (b"HTTP/1.0 200 OK\r\n\r\nAUTHORIZED", "authorized"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nAUTHORIZED\r\n0\r\n\r\n", "authorized"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answer("200 OK", b"AUTHORIZED"), "authorized"),
        (answer("200 OK", b"AUTHORIZED\n"), "refused"),
        (answer("200 OK", b"AUTHORIZED "), "refused"),
        (answer("200 OK", b"Authorized"), "refused"),
        (answer("200 OK", b"UN-AUTHORIZED"), "refused"),
        (answer("200 OK", b""), "refused"),
        (answer("201 Created", b"AUTHORIZED"), "refused"),
        (answer("503 Busy", b""), "refused"),
        (answer("302 Found", b"AUTHORIZED"), "refused"),
        (answer("302 Found", b"", "Location: http://10.0.0.1/a"), "redirected"),
        (answer("307 Temporary Redirect", b"", "location: /a"), "redirected"),
        (answer("304 Not Modified", b"", "Location: /a"), "refused"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nAUTHORIZED", "garbled"),
        (b"AUTHORIZED", "garbled"),
        (b"SSH-2.0-x\r\n", "garbled"),
        (b"", "garbled"),
    ],
)
def test_verdicts(data: bytes, expected: str, step: int) -> None:
    assert verdict(data, step=step) == expected


def test_a_second_redirect_is_refused():
    assert verdict(answer("302 Found", b"", "Location: /a"), hop=1) == "refused"


def test_a_long_answer_is_cut():
    reader = AnswerReader()
    assert not reader.feed(b"HTTP/1.0 200 OK\r\n\r\n" + b"A" * (ANSWER_BYTES - 19))
    assert reader.feed(b"A")
    assert reader.verdict(0) == "garbled"


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    verdict(data)
    verdict(b"HTTP/1.1 200 OK\r\n" + data)


def test_urls():
    assert read_url("http://10.0.0.1/a?b=c") == Server("10.0.0.1", 80, "/a?b=c")
    assert read_url("HTTP://10.0.0.1:8080") == Server("10.0.0.1", 8080, "/")
    assert read_url("https://10.0.0.1/a") == Server("10.0.0.1", 443, "/a", secured=True)
    strange = ("ftp://10.0.0.1/", "https://name/", "http://10.0.0.1:0/", "http://10.0.0.999/", "/a", "http://10.0.0.1/ä")
    for wrong in strange:
        assert read_url(wrong) is None
    for disguised in ("http://010.0.0.1/", "http://1\u0663.0.0.1/", "http://10.0.0.1:\u0663/"):
        assert read_url(disguised) is None


def test_redirects():
    asked = Server("10.0.0.1", 8080, "/a/b?c=d")
    assert redirected(asked, b"http://10.0.0.2/x?UserID=a") == Server("10.0.0.2", 80, "/x?UserID=a")
    assert redirected(asked, b"/x") == Server("10.0.0.1", 8080, "/x")
    assert redirected(asked, b"x?y") == Server("10.0.0.1", 8080, "/a/x?y")
    assert redirected(asked, b"https://10.0.0.2/") == Server("10.0.0.2", 443, "/", secured=True)
    secured = Server("10.0.0.1", 8443, "/a", secured=True)
    assert redirected(secured, b"/x") == Server("10.0.0.1", 8443, "/x", secured=True)
    assert redirected(asked, b"http://10.0.0.2/\r\nX: y") is None
    for no_url in (b"http://[::1", b"//[", b"http://[x]/"):
        assert redirected(asked, no_url) is None


@given(st.one_of(st.binary(max_size=60), st.text("htp:/[]@.%?#0123456789a", max_size=30).map(str.encode)))
def test_no_location_raises(location: bytes) -> None:
    redirected(Server("10.0.0.1", 80, "/a"), location)
