"""Answers read from their bytes."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probe.answer import is_whole, place, read_answer, same_place

GOLDEN = Path(__file__).parents[2] / "golden"
RIGHT = (GOLDEN / "gateway" / "authorized.http").read_bytes()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nAUTH\r\n6;x=y\r\nORIZED\r\n0\r\n\r\n"


@pytest.mark.parametrize("raw", [RIGHT, CHUNKED])
def test_an_answer_is_whole_with_its_last_byte_and_not_before(raw: bytes) -> None:
    assert [at for at in range(len(raw) + 1) if is_whole(raw[:at])] == [len(raw)]
    answer = read_answer(raw, ended=False)
    assert answer is not None
    assert answer.exact
    assert answer.problem == ""
    assert answer.told == "200 AUTHORIZED"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nAUTHORIZED", "Content-Length says 9, 10 bytes came"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 10\r\n\r\nAUTHORIZED", "no single Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nAUTHORIZED", "no single Content-Length"),
        (b"HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 10\r\n\r\nAUTHORIZED", "a header line that is none"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "it ends within its header"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nAUTH", "chunks that do not end"),
        (b"HTTP/1.1 200 OK\r\n\r\nAUTHORIZED", ""),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(raw: bytes, problem: str) -> None:
    answer = read_answer(raw, ended=True)
    assert answer is not None
    assert answer.problem.startswith(problem)
    assert answer.exact == (problem == "")


def test_without_a_length_an_answer_needs_an_end() -> None:
    answer = read_answer(b"HTTP/1.0 200 OK\r\n\r\nAUTHORIZED", ended=False)
    assert answer is not None
    assert answer.problem == "no length and no end"


def test_interim_answers_are_left_out() -> None:
    answer = read_answer(b"HTTP/1.1 100 Continue\r\n\r\n" + RIGHT, ended=True)
    assert answer is not None
    assert answer.exact


def test_a_value_full_of_blanks_is_read_at_once() -> None:
    raw = b"HTTP/1.1 200 OK\r\nServer: x" + b" " * 60_000 + b"y\r\nContent-Length: 10\r\n\r\nAUTHORIZED"
    began = time.process_time()
    answer = read_answer(raw, ended=True)
    assert answer is not None
    assert answer.exact
    assert time.process_time() - began < 0.5  # it was 1.4 s, at each packet


def test_an_interim_answer_is_not_the_whole() -> None:
    """IIS 5 says 100 before each answer to a POST."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not is_whole(interim)
    assert not is_whole(interim + RIGHT[:-1])
    assert is_whole(interim + RIGHT)
    assert is_whole(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xef\xbb\xbfAUTHORIZED", "13 bytes: AUTHORIZED, 3 bytes before it (a byte-order mark)"),
        (b"AUTHORIZED\r\n", "12 bytes: AUTHORIZED, 2 behind it (0D 0A)"),
        (b"Authorized", "10 bytes: Authorized"),
        (b"AUTHORIZED geheim", "17 bytes: AUTHORIZED, 7 behind it"),
        (b"geheim", "6 bytes"),
    ],
)
def test_a_body_is_told_without_what_a_server_may_have_put_in(body: bytes, told: str) -> None:
    answer = read_answer(b"HTTP/1.1 200 OK\r\n\r\n" + body, ended=True)
    assert answer is not None
    assert answer.body_told == told


@pytest.mark.parametrize(
    "body",
    [b"AUTHORIZED\n", b"Authorized", b" AUTHORIZED", b"AUTHORIZED\0", b"\xef\xbb\xbfAUTHORIZED", b"AUTHORIZED ok"],
)
def test_what_some_phone_may_take_for_a_yes(body: bytes) -> None:
    answer = read_answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body, ended=True)
    assert answer is not None
    assert answer.authorises
    assert not answer.exact


@pytest.mark.parametrize("word", [b"UN-AUTHORIZED", b"UNAUTHORIZED", b"ERROR", b"", b"<p>AUTHORIZED</p>"])
def test_what_no_phone_takes_for_a_yes(word: bytes) -> None:
    answer = read_answer(b"HTTP/1.1 200 OK\r\n\r\n" + word, ended=True)
    assert answer is not None
    assert not answer.authorises


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_are_no_answer(raw: bytes) -> None:
    is_whole(raw)
    for prefix in (b"", b"HTTP/1.1 200 OK\r\n"):
        answer = read_answer(prefix + raw, ended=True)
        assert answer is None or answer.status >= 0


def test_a_redirect_is_told_without_its_query() -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/a?Password=geheim\r\nContent-Length: 0\r\n\r\n"
    answer = read_answer(raw, ended=True)
    assert answer is not None
    assert answer.told == "302 to http://10.0.0.1/a"
    assert "geheim" not in repr(answer)
    assert place("http://x/\x1b[31m") == "http://x/\\x1b[31m"


@pytest.mark.parametrize(
    ("location", "same"),
    [
        ("http://10.0.0.1/CCMCIP/authenticate.asp?UserID=x", True),
        ("http://10.0.0.1:80/CCMCIP/authenticate.asp", True),
        ("https://10.0.0.1/CCMCIP/authenticate.asp", False),
        ("http://10.0.0.1:8080/CCMCIP/authenticate.asp", False),
        ("http://10.0.0.1/ccmcip/authenticate.asp", False),
        ("http://10.0.0.1@10.0.0.2/CCMCIP/authenticate.asp", False),
        ("http://x@10.0.0.1/CCMCIP/authenticate.asp", False),
        ("/CCMCIP/authenticate.asp", False),
        ("http://[/", False),
        ("http://10.0.0.1:99999/CCMCIP/authenticate.asp", False),
    ],
)
def test_where_a_redirect_points(location: str, *, same: bool) -> None:
    assert same_place(location, "http://10.0.0.1/CCMCIP/authenticate.asp") is same
