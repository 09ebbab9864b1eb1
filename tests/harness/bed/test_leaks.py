import base64
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bed import leaks
from harness.bed.secrets import new_password

PASSWORD = new_password()
PAIR = f"agpush:{PASSWORD}".encode()


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD.encode(),
        quote(PASSWORD, safe="").encode(),
        urlencode({"Password": PASSWORD}).encode(),
        base64.b64encode(PAIR),
        base64.b64encode(PASSWORD.encode()),
        base64.b64encode(b"x" + PAIR),
        PASSWORD.encode().hex().encode(),
        repr(PASSWORD).encode(),
    ],
    ids=["plain", "quoted", "form", "base64 with its user", "base64", "base64 behind a byte", "hexadecimal", "repr"],
)
def test_a_password_is_found_however_it_is_written(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "gateway.log").write_bytes(b"2026 info GET /x?" + text + b" HTTP/1.1\n")
    (tmp_path / "phones.log").write_bytes(b"nothing here\n")
    files = [tmp_path / name for name in ("gateway.log", "phones.log", "directory.log")]
    assert leaks.search(files, [new_password(), PASSWORD]) == (2, ["gateway.log"])


@given(st.binary(max_size=5), st.binary(max_size=5))
def test_base64_within_any_text(before: bytes, behind: bytes) -> None:
    encoded = base64.b64encode(before + PAIR + behind)
    assert any(form in encoded for form in leaks.forms(PASSWORD))


def test_a_password_across_two_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "BLOCK_BYTES", 64)
    for offset in range(50, 80):
        (tmp_path / "log").write_bytes(b"." * offset + PASSWORD.encode() + b"." * 200)
        assert leaks.search([tmp_path / "log"], [PASSWORD]) == (1, ["log"])


def test_the_user_alone_and_other_passwords_are_no_leak(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(base64.b64encode(b"agpush:") + new_password().encode())
    assert leaks.search([tmp_path / "log"], [PASSWORD]) == (1, [])
