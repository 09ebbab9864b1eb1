"""Who is authorised, who is redirected, and with which bytes."""

from __future__ import annotations

import hmac
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authentication import Authenticator, Decision, OwnUserMismatch, Request, answer_request
from gateway.authentication.question import parse_question

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway"
URL = "http://10.20.128.20/CCMCIP/authenticate.asp"
PATH = b"/cisco_auth/authenticate.html"
RIGHT = b"UserID=agpush&Password=right+pass%26&devicename=SEP001BD4000001"


def authenticator(url: str = URL, mismatch: str = "redirect") -> Authenticator:
    return Authenticator(
        user="agpush",
        password="right pass&",
        callmanager_url=url,
        own_user_mismatch=OwnUserMismatch(mismatch),
        key=b"k" * 32,
    )


def get(query: bytes, **settings: str) -> Decision:
    return answer_request(Request(method=b"GET", target=PATH + b"?" + query, body=b""), authenticator(**settings))


def post(body: bytes, query: bytes = b"") -> Decision:
    return answer_request(Request(method=b"POST", target=PATH + query, body=body), authenticator())


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def test_the_stored_credentials_are_authorised_by_get_and_post() -> None:
    for decision in (get(RIGHT), post(RIGHT), post(RIGHT + b"\r\n")):
        assert decision == Decision(
            answer="authorized", own_user=True, device_name="SEP001BD4000001", response=golden("authorized.http")
        )


def test_another_user_is_redirected_with_everything_encoded() -> None:
    query = b"UserID=other%20user&Password=p%26%3d\xc3\xa9&devicename=SEP001BD4000001"
    decision = post(query)
    assert decision.response == golden("redirect.http")
    assert (decision.answer, decision.own_user) == ("redirected", False)


@pytest.mark.parametrize(
    ("query", "own_user"),
    [
        (b"UserID=agpush&Password=right+pass&devicename=SEP001BD4000001", True),
        (b"UserID=agpush&Password=right+pass%26x&devicename=SEP001BD4000001", True),
        (b"UserID=agpush&Password=right+pa&devicename=SEP001BD4000001", True),
        (b"UserID=agpush&Password=RIGHT+PASS%26&devicename=SEP001BD4000001", True),
        (b"UserID=AGPUSH&Password=right+pass%26&devicename=SEP001BD4000001", False),
        (b"UserID=agpush+&Password=right+pass%26&devicename=SEP001BD4000001", False),
        (b"UserID=agpush%00&Password=right+pass%26&devicename=SEP001BD4000001", False),
        (b"UserID=%FF%FE&Password=%FF&devicename=SEP001BD4000001", False),
    ],
)
def test_anything_else_is_redirected(query: bytes, own_user: bool) -> None:  # noqa: FBT001  a column of the table
    decision = get(query)
    assert (decision.answer, decision.own_user) == ("redirected", own_user)
    assert b"AUTHORIZED" not in decision.response


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"UserID=agpush&Password=right+pass%26",
        b"Password=right+pass%26&devicename=SEP001BD4000001",
        b"UserID=agpush&devicename=SEP001BD4000001",
        RIGHT.replace(b"agpush", b""),
        RIGHT.replace(b"right+pass%26", b""),
        RIGHT.replace(b"SEP001BD4000001", b""),
        RIGHT + b"&Password=right+pass%26",
        RIGHT + b"&Password=x",
        RIGHT + b"&userid=agpush",
        RIGHT + b"&p%61ssword=x",
        RIGHT + b"&devicename=",
        RIGHT.replace(b"agpush", b"a" * 257),
        RIGHT + b"&x=1" * 40,
    ],
)
def test_missing_empty_repeated_and_oversized_fields_are_rejected(query: bytes) -> None:
    for decision in (get(query), post(query)):
        assert (decision.answer, decision.response) == ("rejected", golden("error.http"))


def test_a_field_in_query_and_body_is_repeated() -> None:
    assert post(RIGHT, b"?UserID=agpush").answer == "rejected"
    assert post(b"Password=right+pass%26&devicename=SEP001BD4000001", b"?UserID=agpush").answer == "authorized"


def test_own_user_with_a_wrong_password() -> None:
    wrong = RIGHT.replace(b"right", b"wrong")
    refused = get(wrong, mismatch="refuse")
    assert (refused.answer, refused.own_user, refused.response) == ("refused", True, golden("unauthorized.http"))
    assert get(wrong).answer == "redirected"
    assert get(wrong.replace(b"agpush", b"other"), mismatch="refuse").answer == "redirected"
    assert get(RIGHT, mismatch="refuse").answer == "authorized"


def test_no_lockout_and_no_memory() -> None:
    unit = authenticator(mismatch="refuse")
    for _ in range(50):
        assert unit.decide(RIGHT.replace(b"right", b"wrong"), b"").answer == "refused"
        assert unit.decide(RIGHT.replace(b"agpush", b"other"), b"").answer == "redirected"
        assert unit.decide(RIGHT, b"").answer == "authorized"


@pytest.mark.parametrize(
    ("url", "start"),
    [
        (URL, URL + "?UserID="),
        (URL + "?a=b", URL + "?a=b&UserID="),
        (URL + "?a=b&", URL + "?a=b&UserID="),
        (URL + "?", URL + "?UserID="),
    ],
)
def test_an_existing_query_is_kept(url: str, start: str) -> None:
    decision = get(RIGHT.replace(b"agpush", b"x"), url=url)
    assert f"\r\nLocation: {start}x&Password=".encode() in decision.response


@given(st.binary(min_size=1, max_size=60), st.binary(min_size=1, max_size=60), st.binary(min_size=1, max_size=60))
def test_whatever_the_values_the_redirect_carries_them_and_nothing_else(
    user: bytes, password: bytes, name: bytes
) -> None:
    query = urlencode({"UserID": user, "Password": password, "devicename": name}).encode()
    decision = get(query)
    assert decision.answer == "redirected"
    head = decision.response.decode("ascii").split("\r\n")
    assert head[0] == "HTTP/1.1 302 Found"
    assert head[2:] == ["Content-Length: 0", "Connection: close", "", ""]
    location = urlsplit(head[1].removeprefix("Location: "))
    assert (location.scheme, location.netloc, location.path) == ("http", "10.20.128.20", "/CCMCIP/authenticate.asp")
    values = parse_qsl(location.query, encoding="latin-1", strict_parsing=True)
    assert [(key, value.encode("latin-1")) for key, value in values] == [
        ("UserID", user),
        ("Password", password),
        ("devicename", name),
    ]


@given(st.binary(max_size=300))
def test_no_bytes_are_authorised_by_accident(query: bytes) -> None:
    assert get(query).answer in ("rejected", "redirected")
    assert post(query).answer in ("rejected", "redirected")


def test_other_paths_and_methods() -> None:
    unit = authenticator()

    def status(method: bytes, target: bytes) -> bytes:
        return answer_request(Request(method=method, target=target, body=RIGHT), unit).response.split(b"\r\n")[0][9:12]

    assert status(b"GET", b"/") == b"404"
    assert status(b"GET", b"/cisco_auth/Authenticate.html?" + RIGHT) == b"404"
    assert status(b"GET", PATH + b"/?" + RIGHT) == b"404"
    assert status(b"GET", b"//evil" + PATH + b"?" + RIGHT) == b"404"
    for method in (b"HEAD", b"PUT", b"TRACE", b"CONNECT", b"OPTIONS", b"DELETE"):
        assert status(method, PATH + b"?" + RIGHT) == b"405"
    assert status(b"OPTIONS", b"*") == b"405"
    assert status(b"GET", b"http://evil.example" + PATH + b"?" + RIGHT) == b"200"
    assert status(b"GET", b"http://evil.example") == b"404"


def test_a_device_name_that_is_none_is_not_recorded() -> None:
    decision = get(RIGHT.replace(b"SEP001BD4000001", b"a%0aFAKE"))
    assert (decision.answer, decision.device_name) == ("authorized", None)


def test_both_comparisons_are_made_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = authenticator()
    compared: list[tuple[int, int]] = []
    original = hmac.compare_digest

    def counting(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return original(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    for query in (RIGHT, RIGHT.replace(b"agpush", b"x"), RIGHT.replace(b"right", b"x" * 200)):
        unit.decide(query, b"")
    assert compared == [(32, 32)] * 6


def test_no_password_in_any_repr() -> None:
    decision = get(b"UserID=x&Password=canary&devicename=y")
    question = parse_question(b"UserID=x&Password=canary&devicename=y", b"")
    request = Request(method=b"GET", target=b"/?Password=canary", body=b"Password=canary")
    for thing in (decision, question, request):
        assert "canary" not in repr(thing)
