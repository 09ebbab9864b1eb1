"""Secrets at rest: encrypted with a key that lies elsewhere, for its owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.store import Cipher, KeyFileError


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "gateway.key"


def load(key: Path) -> Cipher:
    return Cipher.load(key, data_folder=key.parent.parent / "data")


def test_the_key_is_made_once_and_kept(key: Path) -> None:
    token = load(key).encrypt("gehêim")
    assert key.stat().st_mode & 0o777 == 0o600
    assert load(key).decrypt(token) == "gehêim"
    assert "geh" not in token


def test_another_key_does_not_fit(key: Path) -> None:
    token = load(key).encrypt("secret")
    key.unlink()
    with pytest.raises(KeyFileError, match="another key"):
        load(key).decrypt(token)
    with pytest.raises(KeyFileError, match="another key"):
        load(key).decrypt("no token")


def test_a_key_that_others_can_read_is_refused(key: Path) -> None:
    load(key)
    key.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load(key)


def test_what_is_no_key_is_refused_and_kept(key: Path) -> None:
    load(key)
    key.write_text("x")
    with pytest.raises(KeyFileError, match="is no key"):
        load(key)
    assert key.read_text() == "x"


def test_a_key_in_the_data_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="data folder"):
        Cipher.load(tmp_path / "data" / "keys" / "gateway.key", data_folder=tmp_path / "data")
