"""The certificate of the Administration Tool: the owner's, or one that is made at the first start."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import ssl
import stat
import tempfile
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERTIFICATE: Final = "administration.crt"
KEY: Final = "administration.key"
VALID_DAYS: Final = 825
"""The longest that browsers take of a certificate that was trusted by hand (Apple's limit)."""
BEGINS_BEFORE_DAYS: Final = 1
"""For clocks that are slow."""
RENEW_DAYS: Final = 30
"""One that this gateway made is made anew at a start so long before its end."""
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 with forward secrecy and authenticated encryption only; TLS 1.3 has nothing else."""


class CertificateError(Exception):
    """There is no certificate that can be used. Says which file and what to do."""


def own_certificate(folder: Path | None, host: str) -> tuple[Path, Path] | None:
    """The certificate and key in the data folder, made where they are missing or soon over.

    One that is soon over, or is, serves on where the disk takes no other.

    Args:
        folder: the data folder; None: there is none, and None is returned.
        host: the address that the port listens on.

    Raises:
        CertificateError: they cannot be written.
    """
    if folder is None:
        return None
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not (certificate.exists() and key.exists() and _still_good(certificate)):
        chain, secret = make_certificate(host)
        try:
            _write(key, secret, 0o600)
            _write(certificate, chain, 0o644)
        except OSError as error:
            if not (certificate.exists() and key.exists()):
                raise CertificateError(f"{folder}: no certificate can be made: {error.strerror}") from None
    return certificate, key


def make_certificate(host: str) -> tuple[bytes, bytes]:
    """A self-signed certificate for this machine and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    machine = socket.gethostname()[:64] or "gateway"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"pushlab gateway {machine}"[:64])])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    if all(part.isascii() and part for part in machine.split(".")):
        names.insert(0, x509.DNSName(machine))
    address = ipaddress.ip_address(host)
    if not address.is_unspecified and str(address) != "127.0.0.1":
        names.append(x509.IPAddress(address))
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=BEGINS_BEFORE_DAYS))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), secret


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with this certificate.

    Raises:
        CertificateError: the files cannot be read, do not belong together, or others can read the key.
    """
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise CertificateError(f"{key}: cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CertificateError(f"{key}: can be read by others: chmod 600 {key}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key that wants a passphrase is refused and not asked for: nobody sits at this console.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        raise CertificateError(
            f"{certificate} and {key} are no certificate with its key: {getattr(error, 'reason', '') or error.strerror}"
        ) from None
    return context


def temporary_context(host: str) -> ssl.SSLContext:
    """TLS with a certificate that nobody keeps: for a gateway without a data folder."""
    chain, secret = make_certificate(host)
    with tempfile.TemporaryDirectory(prefix="pushlab-") as name:
        certificate, key = Path(name) / CERTIFICATE, Path(name) / KEY
        key.write_bytes(secret)
        key.chmod(0o600)
        certificate.write_bytes(chain)
        return server_context(certificate, key)


def expiry_s(certificate: Path) -> float:
    """When a certificate ends, in seconds since 1970.

    Raises:
        CertificateError: it cannot be read.
    """
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        raise CertificateError(f"{certificate}: is no certificate that can be read") from None


def fingerprint(context_certificate: Path) -> str:
    """SHA-256 of a certificate, to compare with what a browser shows."""
    made = x509.load_pem_x509_certificate(context_certificate.read_bytes())
    return made.fingerprint(hashes.SHA256()).hex(":").upper()


def _still_good(certificate: Path) -> bool:
    try:
        left_s = expiry_s(certificate) - dt.datetime.now(dt.UTC).timestamp()
    except CertificateError:
        return False
    return left_s > RENEW_DAYS * 86_400


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all."""
    made = path.with_name(path.name + ".new")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
