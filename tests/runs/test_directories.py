"""Who may push, in whole runs: Device Association, a push user who lives in a directory, accounts that are locked."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.bed.directory.software import is_root, missing

if TYPE_CHECKING:
    from tests.runs.conftest import Ended, Pushlab

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("netns")]

needs_slapd = pytest.mark.skipif(bool(missing("slapd")), reason=f"needs the Debian package {missing('slapd')}")
needs_samba = pytest.mark.skipif(
    bool(missing("samba")) or not is_root(), reason=f"needs root and the Debian packages {missing('samba')}"
)
QUICK = ("--set", "callmanager.service_ms={p50=2,p99=4}")
KINDS = [pytest.param("slapd", marks=needs_slapd), pytest.param("samba", marks=[needs_samba, pytest.mark.slow])]


@pytest.fixture(autouse=True)
def _cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def rows(ended: Ended) -> list[dict[str, str]]:
    with (ended.folder / "ledger.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_phones_that_are_not_associated_are_refused_and_named(pushlab: Pushlab) -> None:
    ended = pushlab.run("not-associated", *QUICK, phones=20)
    assert ended.code == 0, ended.stdout + ended.stderr
    refused = [row for row in rows(ended) if row["state"] == "refused_authentication"]
    # Nine of ten by the scenario, in the roster's order: the last two are left out.
    assert [row["phone"] for row in refused] == ["SEP001BD4000013", "SEP001BD4000014"]
    assert {row["why"] for row in refused} == {"callmanager answered refused: association"}
    assert ended.verdict["outcomes"] == {"refused_authentication": 2, "delivered": 18}
    for row in refused:
        assert row["phone"] in ended.stdout


@pytest.mark.slow
def test_with_the_gateway_s_url_nobody_asks_for_the_association(pushlab: Pushlab) -> None:
    ended = pushlab.run("not-associated-unasked", phones=20)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert ended.verdict["verdict"] == "fail"
    assert ended.checks("fail") == {"phones.refused_authentication > 0"}
    assert ended.verdict["outcomes"] == {"delivered": 20}


@pytest.mark.parametrize("tls", ["starttls", pytest.param("ldaps", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_push_user_of_a_directory(pushlab: Pushlab, kind: str, tls: str) -> None:
    settings = ("--set", f"callmanager.directory.kind={kind}", "--set", f"callmanager.directory.tls={tls}")
    ended = pushlab.run("active-directory", *QUICK, *settings, phones=20)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert ended.verdict["outcomes"] == {"delivered": 20}
    assert ended.metric("callmanager.directory_asked") == 40
    assert ended.metric("callmanager.directory_failed") == 0
    assert json.loads((ended.folder / "manifest.json").read_text())["sha256"].keys() >= {"directory.log"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_user_who_is_missing_in_the_directory_is_refused_at_every_phone(pushlab: Pushlab, kind: str) -> None:
    ended = pushlab.run(
        "active-directory-missing", *QUICK, "--set", f"callmanager.directory.kind={kind}", phones=20
    )
    assert ended.code == 0, ended.stdout + ended.stderr
    assert ended.verdict["verdict"] == "fail"
    assert ended.checks("fail") == {"phones.delivered_fraction == 1"}
    assert ended.verdict["outcomes"] == {"refused_authentication": 20}
    assert {row["why"] for row in rows(ended)} == {"callmanager answered refused: user"}


@pytest.mark.parametrize(("failures", "reasons"), [(3, {"password": 3, "locked": 7}), (0, {"password": 10})])
@pytest.mark.slow
def test_a_wrong_password_locks_the_account(pushlab: Pushlab, failures: int, reasons: dict[str, int]) -> None:
    ended = pushlab.run(
        "wrong-password", *QUICK, "--set", f"callmanager.credential_policy.failures={failures}", phones=10
    )
    assert ended.code == 0, ended.stdout + ended.stderr
    refused = [row["why"].rpartition(": ")[2] for row in rows(ended)]
    assert {reason: refused.count(reason) for reason in set(refused)} == reasons


@needs_slapd
@pytest.mark.slow
def test_association_counts_for_users_of_a_directory_too(pushlab: Pushlab) -> None:
    ended = pushlab.run("not-associated", *QUICK, "--set", "callmanager.directory.kind=slapd", phones=20)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert ended.verdict["outcomes"] == {"refused_authentication": 2, "delivered": 18}


@needs_slapd
@pytest.mark.slow
def test_a_directory_that_nobody_reaches_refuses_everybody(pushlab: Pushlab) -> None:
    settings = ("--set", "callmanager.directory.total_s=0.3", "--set", 'fault=[{kind="directory-blocked"}]')
    ended = pushlab.run("active-directory", *QUICK, *settings)
    assert ended.verdict["outcomes"] == {"refused_authentication": 10}
    assert ended.metric("callmanager.directory_failed") == ended.metric("callmanager.directory_asked") == 10
    assert ended.checks("fail") >= {"phones.delivered_fraction == 1", "callmanager.directory_failed == 0"}
    assert {row["why"] for row in rows(ended)} == {"callmanager answered refused: directory"}
    assert "fault directory-blocked is applied" in ended.checks("pass")


@needs_slapd
@pytest.mark.slow
def test_a_directory_that_dies_leaves_no_verdict(pushlab: Pushlab) -> None:
    ended = pushlab.run_and_kill("directory", scenario="active-directory")
    assert ended.code == 5, ended.stdout + ended.stderr
    assert "directory ended by itself (signal SIGKILL)" in ended.stderr
    assert not (ended.folder / "verdict.json").exists()


@needs_slapd
@pytest.mark.slow
def test_on_loopback_as_well(pushlab: Pushlab, own_loopback: tuple[str, ...]) -> None:
    ended = pushlab.run("active-directory", *QUICK, "--ground", "loopback", before=own_loopback)
    assert ended.code in {0, 3}, ended.stdout + ended.stderr
    assert ended.verdict["outcomes"] == {"delivered": 10}


def test_a_missing_package_is_named_before_anything_starts(pushlab: Pushlab) -> None:
    hidden = "import sys; from harness import cli; from harness.bed.directory import software; "
    hidden += "software.program = lambda _: None; sys.exit(cli.main(sys.argv[1:]))"
    ended = subprocess.run(
        [sys.executable, "-c", hidden, "run", "active-directory", "--ground", "loopback"],
        cwd=pushlab.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 5
    assert "needs the Debian packages slapd" in ended.stderr
    assert not list((pushlab.folder / "runs").glob("*/*"))
