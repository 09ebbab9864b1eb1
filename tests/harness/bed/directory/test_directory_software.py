from pathlib import Path

import pytest

from harness.bed.directory import software
from harness.bed.errors import BedError


def test_no_directory_server_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "program", lambda _: None)
    software.require("builtin")


@pytest.mark.parametrize(("kind", "packages"), [("slapd", "slapd"), ("samba", "samba samba-ad-dc samba-ad-provision")])
def test_what_is_missing_is_named_by_its_packages(monkeypatch: pytest.MonkeyPatch, kind: str, packages: str) -> None:
    monkeypatch.setattr(software, "program", lambda _: None)
    with pytest.raises(BedError, match=f"apt-get install --no-install-recommends {packages}") as caught:
        software.require(kind)
    assert caught.value.exit_code == 5


def test_the_client_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "missing", lambda _: "")
    monkeypatch.setattr(software.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BedError, match=r"pip install 'pushlab\[directory\]'"):
        software.require("slapd")


def test_a_domain_controller_is_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "missing", lambda _: "")
    monkeypatch.setattr(software, "is_root", lambda: False)
    software.require("slapd")
    with pytest.raises(BedError, match="as root only"):
        software.require("samba")


@pytest.mark.parametrize(
    ("user", "uid_map", "expected"),
    [
        (0, "         0          0 4294967295\n", "root"),
        (0, "         0       1000          1\n", "not root"),
        (1000, "         0          0 4294967295\n", "not root"),
    ],
)
def test_user_0_of_a_user_namespace_is_not_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, uid_map: str, expected: str
) -> None:
    monkeypatch.setattr(software.os, "geteuid", lambda: user)
    (tmp_path / "uid_map").write_text(uid_map)
    assert software.is_root(tmp_path / "uid_map") is (expected == "root")
