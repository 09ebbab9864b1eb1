"""What goes into the directories, and what does not."""

import base64
import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bed.directory import samba, slapd
from harness.bed.directory.account import Account, DirectoryServerError

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(TEXT)
def test_a_password_is_kept_as_a_salted_digest(password: str) -> None:
    kept = slapd.hashed(password)
    assert kept != slapd.hashed(password)
    scheme, packed = kept[:6], base64.b64decode(kept[6:])
    digest, salt = packed[:20], packed[20:]
    assert scheme == "{SSHA}"
    assert digest == hashlib.sha1(password.encode() + salt).digest()  # noqa: S324 - slapd's own
    assert len(salt) == 8


@given(TEXT, TEXT)
def test_no_name_and_no_password_is_read_as_ldif(name: str, password: str) -> None:
    accounts = [Account(name=name, password=password), Account(name="agpush", password="x")]
    lines = slapd.entries(accounts).splitlines()
    assert [line for line in lines if line.startswith("dn:")] == [
        f"dn: {slapd.SUFFIX}",
        f"dn: cn=person 1,{slapd.SUFFIX}",
        f"dn: cn=person 2,{slapd.SUFFIX}",
    ]
    named = [base64.b64decode(line[6:]).decode() for line in lines if line.startswith("uid:: ")]
    assert named == [name, "agpush"]
    assert all(line.isascii() for line in lines)


def test_repr_shows_no_password() -> None:
    assert "secret" not in repr(Account(name="agpush", password="secret"))


class TestCache:
    def test_it_follows_the_xdg_variable_and_is_for_its_owner(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        folder = samba.cache_folder()
        assert folder == tmp_path / "cache" / "pushlab"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_one_that_others_may_write_is_not_used(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        (tmp_path / "pushlab").mkdir()
        (tmp_path / "pushlab").chmod(0o777)
        assert samba.cache_folder() is None

    def test_where_there_is_no_place_nothing_is_kept(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        assert samba.cache_folder() is None

    def test_a_domain_is_made_once_and_older_ones_go(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        made: list[Path] = []

        def provision(target: Path) -> Path:
            made.append(target)
            private = target / "made" / "private"
            private.mkdir(parents=True)
            (private / "sam.ldb").write_text("a domain")
            return private

        monkeypatch.setattr(samba, "_provision", provision)
        monkeypatch.setattr(samba, "_installed", lambda _: "/bin/true")
        old, left, busy = (tmp_path / name for name in ("samba-of-before", "making-left", "making-busy"))
        for folder in (old, left, busy):
            folder.mkdir()
        os.utime(left, (0, 0))
        for name in ("first", "second"):
            folder = tmp_path / name
            paths = {"certificate": tmp_path / "c", "key": tmp_path / "k"}
            samba.Domain(folder, address="127.77.3.1", cache=tmp_path, **paths)
            assert (folder / "private" / "sam.ldb").read_text() == "a domain"
            assert "127.77.3.1" in (folder / "smb.conf").read_text()
        assert len(made) == 1
        assert len(list(tmp_path.glob("samba-*"))) == 1
        assert not old.exists()
        assert not left.exists()
        assert busy.exists()
        samba.Domain(tmp_path / "third", address="127.77.3.1", cache=None, **paths)
        assert len(made) == 2

    def test_a_folder_whose_name_is_too_long_for_sockets(self, tmp_path: Path) -> None:
        with pytest.raises(DirectoryServerError, match="set TMPDIR"):
            samba.Domain(tmp_path / ("x" * 90), address="127.1.1.1", certificate=tmp_path, key=tmp_path, cache=None)

    @pytest.mark.parametrize("name", ["", "-x", "a" * 21, "a/b", "a@b", "ä"])
    def test_names_that_active_directory_has_not(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
    ) -> None:
        monkeypatch.setattr(samba, "_bring", lambda *_: None)
        domain = samba.Domain(tmp_path / "d", address="127.1.1.1", certificate=tmp_path, key=tmp_path, cache=None)
        with pytest.raises(DirectoryServerError, match="cannot be an account"):
            domain.add(Account(name=name, password="x"))
