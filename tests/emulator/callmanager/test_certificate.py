"""The certificate of the secured page: made once, kept, closed to others."""

import os
import pty
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.callmanager.certificate import CertificateError, ensure_certificate, server_context

AT_A_TERMINAL = """
import os, pathlib, sys
os.open(os.ttyname(0), os.O_RDWR)  # the first one that a new session opens is its own
from emulator.callmanager.certificate import CertificateError, server_context
try:
    server_context(*map(pathlib.Path, sys.argv[1:]))
except CertificateError as error:
    print(error)
"""


def test_it_is_made_once_and_kept(tmp_path: Path):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    ensure_certificate(certificate, key, address="127.0.0.1")
    made = certificate.read_bytes(), key.read_bytes()
    ensure_certificate(certificate, key, address="127.0.0.1")
    assert (certificate.read_bytes(), key.read_bytes()) == made
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o644
    assert server_context(certificate, key).minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("there", ["c.pem", "k.pem"])
def test_half_of_it_is_not_overwritten(tmp_path: Path, there: str):
    (tmp_path / there).write_text("mine")
    with pytest.raises(CertificateError, match="both or neither"):
        ensure_certificate(tmp_path / "c.pem", tmp_path / "k.pem", address="127.0.0.1")
    assert [path.name for path in tmp_path.iterdir()] == [there]


def test_without_openssl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CertificateError, match="openssl command is needed"):
        ensure_certificate(tmp_path / "c.pem", tmp_path / "k.pem", address="cm.lab.example")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path):
    with pytest.raises(CertificateError, match="could not make"):
        ensure_certificate(tmp_path / "no" / "c.pem", tmp_path / "no" / "k.pem", address="127.0.0.1")


def test_what_is_no_certificate_is_refused(tmp_path: Path):
    (tmp_path / "c.pem").write_text("mine")
    (tmp_path / "k.pem").write_text("mine")
    with pytest.raises(CertificateError, match="no certificate with its key"):
        server_context(tmp_path / "c.pem", tmp_path / "k.pem")


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path):
    certificate, key, locked = (tmp_path / name for name in ("c.pem", "k.pem", "locked.pem"))
    ensure_certificate(certificate, key, address="127.0.0.1")
    command = ["openssl", "rsa", "-aes256", "-passout", "pass:x", "-in", str(key), "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    ours, terminal = pty.openpty()
    try:
        refused = subprocess.run(
            [sys.executable, "-c", AT_A_TERMINAL, certificate, locked],
            stdin=terminal,
            capture_output=True,
            start_new_session=True,
            timeout=20,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(ours)
    assert b"no certificate with its key" in refused.stdout, refused.stderr
