"""The certificate of the secured authentication page: made at the first start, kept ever after.

A CallManager has a self-signed Tomcat certificate until somebody has it signed; so has this one. The standard library
can use certificates but not make them; the `openssl` command can, and is on every machine that this runs on, where a
package (cryptography) would be a compiled dependency for one file in the life of an installation.
"""

import ipaddress
import ssl
import subprocess
from pathlib import Path
from typing import Final

VALID_DAYS: Final = 1825
"""Five years, as Unified CM's own self-signed Tomcat certificate."""
_OPENSSL_S: Final = 60
"""An RSA key of 2048 bits takes 0.1 s; a small machine without entropy longer."""


class CertificateError(Exception):
    """There is no certificate and none can be made. It is told as wrong configuration."""


def ensure_certificate(certificate: Path, key: Path, *, address: str) -> None:
    """Make a self-signed certificate and its key where both files are missing.

    Args:
        certificate: PEM, made with mode 0644.
        key: PEM, RSA 2048 (phones of the time know nothing else), made with mode 0600.
        address: IP address or host name that the certificate is for.

    Raises:
        CertificateError: one of the two is missing, the `openssl` command is, or it fails.
    """
    if certificate.exists() and key.exists():
        return
    if certificate.exists() or key.exists():
        there, missing = (certificate, key) if certificate.exists() else (key, certificate)
        raise CertificateError(f"{there} is there and {missing} is not: both or neither are needed")
    try:
        ipaddress.ip_address(address)
        name = f"IP:{address}"
    except ValueError:
        name = f"DNS:{address}"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", str(VALID_DAYS)]
    command += ["-subj", f"/O=pushlab/OU=mock CallManager/CN={address}", "-addext", f"subjectAltName={name}"]
    try:
        made = subprocess.run(
            [*command, "-keyout", str(key), "-out", str(certificate)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_OPENSSL_S,
            check=False,
            umask=0o077,
        )
    except FileNotFoundError:
        raise CertificateError(
            "the openssl command is needed to make a certificate: install it, or put a certificate and key there"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CertificateError(f"{certificate}: no certificate can be made: {type(error).__name__}") from None
    if made.returncode:
        key.unlink(missing_ok=True)
        certificate.unlink(missing_ok=True)
        raise CertificateError(f"openssl could not make {certificate}: is its folder writable?")
    certificate.chmod(0o644)


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate.

    Raises:
        CertificateError: they cannot be read or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password="")  # else a key with one is asked for at the terminal
    except OSError:  # ssl.SSLError is one
        raise CertificateError(f"{certificate} and {key} are no certificate with its key") from None
    return context
