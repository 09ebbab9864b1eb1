"""Writing pushes: golden bytes, escaping, limits."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cisco import Credentials, execute_body, execute_request, get_request

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway"
CREDENTIALS = Credentials(user="agpush", password="golden pass")


@pytest.mark.parametrize(
    ("name", "url"), [("execute-start.http", "RTPRx:10.20.128.10:32674"), ("execute-stop.http", "RTPRx:Stop")]
)
def test_push_is_the_golden_bytes(name: str, url: str) -> None:
    request = execute_request(host="10.20.0.5", authorization=CREDENTIALS.basic(), body=execute_body([url]))
    assert request == (GOLDEN / name).read_bytes()


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_the_url_the_phone_reads_it_back(urls: list[str]) -> None:
    body = body_or_none(urls)
    if body is None:
        return
    assert body.isascii()
    xml = parse_qs(body.decode("ascii"), strict_parsing=True)["XML"][0]
    assert len(xml.encode()) <= 512
    # A plain reader on purpose: it is the one that did not write the object.
    assert [item.get("URL") for item in ET.fromstring(xml)] == urls  # noqa: S314  made here


def body_or_none(urls: list[str]) -> bytes | None:
    """None only for what exceeds 512 bytes."""
    try:
        return execute_body(urls)
    except ValueError as error:
        if "512 bytes" in str(error):
            return None
        raise


@given(st.binary(max_size=600), st.sampled_from(["10.0.0.1", "10.0.0.1:18080"]))
def test_content_length_is_exact_and_nothing_is_expected(body: bytes, host: str) -> None:
    head, _, sent = execute_request(host=host, authorization=b"Basic eDp5", body=body).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert sent == body
    assert f"Content-Length: {len(body)}".encode() in lines
    assert f"Host: {host}".encode() in lines
    assert b"expect" not in head.lower()


def test_limits_of_a_phone() -> None:
    with pytest.raises(ValueError, match="1 to 3 items"):
        execute_body([])
    with pytest.raises(ValueError, match="1 to 3 items"):
        execute_body(["a"] * 4)
    with pytest.raises(ValueError, match="256"):
        execute_body(["a" * 257])
    with pytest.raises(ValueError, match="at most 512 bytes"):
        execute_body(["a" * 250, "b" * 250])
    with pytest.raises(ValueError, match="control"):
        execute_body(["RTPRx:\0"])


def test_reading_a_page_carries_no_credentials() -> None:
    assert get_request(host="10.0.0.1", path="/DeviceInformationX") == (
        b"GET /DeviceInformationX HTTP/1.0\r\nHost: 10.0.0.1\r\nConnection: close\r\n\r\n"
    )


def test_password_is_not_in_the_repr() -> None:
    assert "golden" not in repr(CREDENTIALS)
