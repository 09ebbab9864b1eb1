"""What the probe is given: URLs, password files, questions."""

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probe import Target, TargetError
from harness.probe.question import every_byte_escaped, get, other_password, parameters, post
from harness.probe.secrecy import PasswordError, masked, read_password

URL = "http://10.1.1.5/cisco_auth/authenticate.html"


@pytest.mark.parametrize(
    "url",
    [
        "", "10.1.1.5", "ftp://10.1.1.5/", "http:///x", "http://10.1.1.5:0/", "http://10.1.1.5:99999/", "http://[::1/",
        "http://user:pw@10.1.1.5/", "http://10.1.1.5/#x", "http://10.1.1.5/a b", "http://10.1.1.5/\r\nX: y",
        "http://10.1.1.5/?UserID=a&Password=b", "http://x/" + "a" * 3000,
    ],
)  # fmt: skip
def test_urls_that_cannot_be_probed(url: str) -> None:
    with pytest.raises(TargetError, match="expected"):
        Target.parse(url)


@pytest.mark.parametrize(
    ("url", "authority", "port"),
    [
        (URL, "10.1.1.5", 80),
        ("http://10.1.1.5:8080/a", "10.1.1.5:8080", 8080),
        ("https://ccm.example/a", "ccm.example", 443),
        ("https://ccm.example:80/a", "ccm.example:80", 80),
        ("http://[::1]:81/a", "[::1]:81", 81),
        ("http://10.1.1.5", "10.1.1.5", 80),
    ],
)
def test_urls_that_can(url: str, authority: str, port: int) -> None:
    target = Target.parse(url)
    assert (target.authority, target.port) == (authority, port)


def test_a_query_of_its_own_stays_in_front() -> None:
    target = Target.parse(URL + "?site=1")
    assert target.with_query(b"UserID=x") == b"/cisco_auth/authenticate.html?site=1&UserID=x"
    assert post(target, b"a=b").startswith(b"POST /cisco_auth/authenticate.html?site=1 HTTP/1.1\r\n")


def test_a_question_byte_for_byte() -> None:
    target = Target.parse(URL)
    question = parameters("agpush", "s3c r:t", "SEP001BD4000001")
    assert get(target, question) == (
        b"GET /cisco_auth/authenticate.html?UserID=agpush&Password=s3c+r%3At&devicename=SEP001BD4000001 HTTP/1.1\r\n"
        b"Host: 10.1.1.5\r\n\r\n"
    )
    assert post(target, question, version="1.0", host=None) == (
        b"POST /cisco_auth/authenticate.html HTTP/1.0\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 59\r\n\r\n" + question
    )


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_parameters_mean_what_they_say(password: str) -> None:
    query = parameters("u", password, "d").decode("ascii")
    assert parse_qs(query, strict_parsing=True)["Password"] == [password]
    for upper in (True, False):
        escaped = every_byte_escaped(password, upper=upper).decode("ascii")
        assert parse_qs(f"Password={escaped}", strict_parsing=True)["Password"] == [password]
    other = other_password(password)
    assert len(other) == len(password)
    assert all(a != b for a, b in zip(other, password, strict=True))


def secret(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(("content", "password"), [(b"geheim\n", "geheim"), (b" a b ", " a b "), (b"x\r\n", "x")])
def test_a_password_file(tmp_path: Path, content: bytes, password: str) -> None:
    assert read_password(secret(tmp_path, content)) == password


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"geheim\n", 0o644, "others may read it"),
        (b"geheim\n", 0o620, "others may read it"),
        (b"", 0o600, "one line"),
        (b"geheim\nzwei\n", 0o600, "one line"),
        (b"\xff\n", 0o600, "not UTF-8"),
        (b"x" * 2000, 0o600, "more than 1024 bytes"),
    ],
)
def test_password_files_that_are_none(tmp_path: Path, content: bytes, mode: int, why: str) -> None:
    with pytest.raises(PasswordError, match=why) as caught:
        read_password(secret(tmp_path, content, mode))
    assert "geheim" not in str(caught.value)


def test_a_password_is_masked_however_it_is_written() -> None:
    assert masked("a b%+c, a+b%25%2Bc and a%20b%25%2Bc", "a b%+c") == "(password), (password) and (password)"
    assert masked("it is", "i") == "it is"
    written = "a%2fb%c3%a9&amp;c, YS9iw6kmYw==, 612f62c3a92663"
    assert masked(written.replace("&amp;", "%26"), "a/b\u00e9&c") == "(password), (password), (password)"
