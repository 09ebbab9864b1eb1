"""The strict reader of requests. Numbers such as A6 are rows of the list of faults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authentication import Rejection, Request, RequestReader

H = b"Host: a\r\n"


def read(data: bytes, piece: int = 1 << 20) -> Request | Rejection | None:
    reader = RequestReader()
    for at in range(0, len(data), piece):
        result = reader.receive(data[at : at + piece])
        if result is not None:
            return result
    return None


@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("data", "request_"),
    [
        (b"GET /x?y HTTP/1.1\r\n" + H + b"\r\n", Request(method=b"GET", target=b"/x?y", body=b"")),
        (b"GET /x HTTP/1.0\r\n\r\n", Request(method=b"GET", target=b"/x", body=b"")),
        (
            b"POST /x HTTP/1.1\r\nHost:a\r\nContent-Length: 3\r\n\r\nabc",
            Request(method=b"POST", target=b"/x", body=b"abc"),
        ),
        (
            b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            Request(method=b"POST", target=b"/x", body=b"abc"),
        ),
        (b"TRACE / HTTP/1.1\r\n" + H + b"\r\n", Request(method=b"TRACE", target=b"/", body=b"")),
        (b"CONNECT a:80 HTTP/1.1\r\n" + H + b"\r\n", Request(method=b"CONNECT", target=b"a:80", body=b"")),
        (b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n", Request(method=b"OPTIONS", target=b"*", body=b"")),
        (  # A1: an upgrade is not made, the request is answered
            b"GET /x HTTP/1.1\r\n" + H + b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: !\r\n\r\n",
            Request(method=b"GET", target=b"/x", body=b""),
        ),
        (  # A4
            b"GET /x HTTP/1.1\r\n" + H + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81",
            Request(method=b"GET", target=b"/x", body=b""),
        ),
    ],
)
def test_whole_requests(data: bytes, request_: Request, piece: int) -> None:
    assert read(data, piece) == request_


@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("row", "data", "status"),
    [
        ("A2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
        ("A6", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("A6", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
        ("A7", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        ("A8", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n\r\n", 400),
        ("A8", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +4\r\n\r\nabcd", 400),
        ("A8", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 100000000000000000000000000\r\n\r\n", 400),
        ("A9", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n\r\nabc", 501),
        ("A11", b"GET / HTTP/1.1\nHost: a\n\n", 400),
        ("A11", b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n", 400),
        ("A12", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("A12", b"GET / HTTP/1.1\r\n" + H + b"X: a\0b\r\n\r\n", 400),
        ("A12", b"GET /\xff HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("A13", b"GET / HTTP/1.1\r\n\r\n", 400),
        ("A13", b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", 400),
        ("A15", b"GET /\r\n\r\n", 400),
        ("A15", b"GET / HTTP/3.7\r\n" + H + b"\r\n", 505),
        ("A15", b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505),
        ("A15", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        ("limit", b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
        ("limit", b"GET / HTTP/1.1\r\n" + H + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
        ("limit", b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n" * 70 + b"\r\n", 431),
        ("limit", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 9000\r\n\r\n", 413),
        ("limit", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n2400\r\n" + b"a" * 9216, 413),
        ("limit", b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 7000, 413),
    ],
)
def test_rejections(row: str, data: bytes, status: int, piece: int) -> None:
    assert read(data, piece) == Rejection(status=status)


def test_continue_is_wanted_once_and_only_before_the_body() -> None:
    reader = RequestReader()
    assert not reader.continue_wanted
    assert reader.receive(b"POST / HTTP/1.1\r\n" + H + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n") is None
    assert reader.continue_wanted
    assert not reader.continue_wanted
    assert reader.receive(b"ab") == Request(method=b"POST", target=b"/", body=b"ab")


def test_only_the_first_request_counts() -> None:
    one = b"GET /one HTTP/1.1\r\n" + H + b"\r\n"
    two = b"GET /two HTTP/1.1\r\n\r\n"
    assert read(one + two) == Request(method=b"GET", target=b"/one", body=b"")
    assert read(one + b"\x00garbage") == Request(method=b"GET", target=b"/one", body=b"")


WHOLE = b"POST /cisco_auth/authenticate.html HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nUserID"


@given(st.data())
def test_mutations_never_raise_and_never_hang_on_to_too_much(data: st.DataObject) -> None:
    """A5."""
    mutated = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(mutated)))
    result = read(bytes(mutated), cut)
    assert result is None or isinstance(result, Request | Rejection)


@given(st.binary(max_size=400), st.integers(1, 100))
def test_any_bytes(data: bytes, piece: int) -> None:
    result = read(data, piece)
    assert result is None or isinstance(result, Request | Rejection)
