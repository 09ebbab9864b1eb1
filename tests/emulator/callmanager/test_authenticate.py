"""The wire of the authentication pages: what is read, and the bytes of the answers."""

import traceback
from pathlib import Path
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.callmanager.authenticate import (
    FIELDS_MAX,
    Face,
    Question,
    Word,
    answer,
    busy,
    face_of,
    not_found,
    read_question,
    wrong_method,
)

GOLDEN = Path(__file__).parent / "golden"
CAPTURED_S = 1653653459.0
"""Fri, 27 May 2022 12:10:59 GMT."""
GOOD = b"UserID=agpush&Password=cisco&devicename=SEP001BD4000001"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.mark.parametrize("face", list(Face))
@pytest.mark.parametrize("word", list(Word))
def test_answers_are_golden_bytes(face: Face, word: Word):
    golden = (GOLDEN / f"{face.value}-{word.name.lower()}.http").read_bytes()
    assert answer(face, word, seed=1, ordinal=0, unix_s=CAPTURED_S) == golden
    head, _, body = golden.partition(b"\r\n\r\n")
    assert body == word.value
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")


@pytest.mark.parametrize("face", list(Face))
def test_busy_answers_are_golden_bytes(face: Face):
    assert busy(face, unix_s=CAPTURED_S) == (GOLDEN / f"{face.value}-busy.http").read_bytes()


def test_session_is_new_for_each_arrival_and_the_same_for_the_same_seed():
    def cookie(seed: int, ordinal: int) -> bytes:
        data = answer(Face.JSP, Word.ERROR, seed=seed, ordinal=ordinal, unix_s=0)
        return data.partition(b"JSESSIONID=")[2].partition(b";")[0]

    assert cookie(1, 5) == cookie(1, 5)
    assert len({cookie(1, 5), cookie(1, 6), cookie(2, 5)}) == 3


def test_other_paths_and_methods_have_answers():
    assert not_found(unix_s=0).startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"\r\nAllow: GET, POST\r\n" in wrong_method(unix_s=0)


@pytest.mark.parametrize(
    ("path", "face"),
    [
        ("/CCMCIP/authenticate.asp", Face.ASP),
        ("/ccmcip/Authenticate.ASP", Face.ASP),
        ("/ccmcip/authenticate.jsp", Face.JSP),
        ("/CCMCIP/authenticate.jsp", None),
        ("/ccmcip/authenticate.jsp/", None),
        ("//ccmcip/authenticate.jsp", None),
        ("/ccmcip/authenticate%2ejsp", None),
        ("/", None),
        ("", None),
    ],
)
def test_paths(path: str, face: Face | None):
    assert face_of(path) is face


@given(user=TEXT, password=TEXT, device=TEXT, as_form=st.booleans())
def test_every_text_comes_through_encoded_as_phones_do(user: str, password: str, device: str, as_form: bool):  # noqa: FBT001
    data = urlencode({"UserID": user, "Password": password, "devicename": device}).encode()
    question = read_question(query=b"" if as_form else data, body=data if as_form else b"")
    assert question == Question(user=user, password=password, device=device)
    assert repr(password) not in repr(Question(user="", password=password, device=""))


def test_order_is_free_and_other_parameters_are_ignored():
    question = read_question(query=b"x=1&devicename=SEP1&Password=p%2Bq+r&y&UserID=u&x=2", body=b"")
    assert question == Question(user="u", password="p+q r", device="SEP1")


def test_a_post_may_split_between_query_and_body():
    assert read_question(query=b"UserID=u", body=b"Password=p&devicename=SEP1") is not None


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"", b""),
        (b"UserID=u&Password=p", b""),
        (b"UserID=u&Password=&devicename=SEP1", b""),
        (b"UserID=u&Password&devicename=SEP1", b""),
        (b"userid=u&Password=p&devicename=SEP1", b""),
        (b"UserID=u&Password=p&deviceName=SEP1", b""),
        (GOOD + b"&Password=cisco", b""),
        (GOOD + b"&UserID=other", b""),
        (GOOD, b"Password=other"),
        (GOOD + b"&Password=", b""),
        (b"UserID=u&Password=%ff&devicename=SEP1", b""),
        (b"UserID=u&Password=\xff&devicename=SEP1", b""),
        (GOOD + b"&x=1" * FIELDS_MAX, b""),
        (b"", b'{"UserID": "u", "Password": "p", "devicename": "SEP1"}'),
    ],
)
def test_what_is_no_question(query: bytes, body: bytes):
    assert read_question(query=query, body=body) is None


@given(query=st.binary(max_size=200), body=st.binary(max_size=200))
def test_no_bytes_raise(query: bytes, body: bytes):
    question = read_question(query=query, body=body)
    assert question is None or question.password


def test_a_wrong_encoding_raises_nothing_that_could_show_the_password():
    try:
        read_question(query=b"Password=" + quote_plus("geheim").encode() + b"%ff", body=b"")
    except ValueError:  # pragma: no cover - the failure that this test looks for
        pytest.fail(traceback.format_exc())
