"""Certificates of a secured URL: shown by a real server on loopback, each with one thing wrong."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.preflight.certificate import check_certificate, matches

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _made(
    folder: Path, *, host: str = "127.0.0.1", since: int = -10, until: int = 400, alternative: bool = True
) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW + timedelta(days=since))
        .not_valid_after(NOW + timedelta(days=until))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if alternative:
        kind = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        builder = builder.add_extension(x509.SubjectAlternativeName([kind]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    file = folder / f"{host}{since}{until}{alternative}.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


async def _checked(certificate: Path, ca_file: Path | None = None) -> set[tuple[str, str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(stream: trio.SSLStream) -> None:
        try:
            await stream.do_handshake()
            await stream.receive_some(1)
        except (trio.BrokenResourceError, ssl.SSLError):
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_ssl_over_tcp(serve, 0, context, host="127.0.0.1", task_status=task_status)
        )
        port = listeners[0].transport_listener.socket.getsockname()[1]
        url = f"https://127.0.0.1:{port}/ccmcip/authenticate.jsp"
        results = await check_certificate(url, ca_file=ca_file, now=NOW)
        nursery.cancel_scope.cancel()
    assert {result.subject for result in results} == {url}
    return {(result.word, result.cause) for result in results}


async def test_sound(tmp_path: Path) -> None:
    certificate = _made(tmp_path)
    assert await _checked(certificate) == {("ok", ""), ("not-checked", "")}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"until": -1}, ("fault", "expired")),
        ({"since": 1}, ("fault", "not-yet")),
        ({"until": 20}, ("remark", "soon")),
        ({"host": "ccm.example"}, ("fault", "other-name")),
        ({"host": "127.0.0.1", "alternative": False}, ("ok", "")),
    ],
)
async def test_each_fault(tmp_path: Path, change: dict[str, int], found: tuple[str, str]) -> None:
    assert await _checked(_made(tmp_path, **change)) == {found, ("not-checked", "")}  # type: ignore[arg-type]


async def test_signed_by_nobody_that_phones_trust(tmp_path: Path) -> None:
    other = _made(tmp_path, host="other.example")
    assert await _checked(_made(tmp_path), ca_file=other) == {("ok", ""), ("fault", "untrusted")}


async def test_nobody_answers() -> None:
    (result,) = await check_certificate("https://127.0.0.1:1/x", ca_file=None, now=NOW)
    assert (result.cause, result.observed) == ("no-answer", "connection refused")


@pytest.mark.parametrize(
    ("name", "host", "fits"),
    [
        ("ccm.example", "CCM.example", True),
        ("*.example", "ccm.example", True),
        ("*.example", "a.ccm.example", False),
        ("*.example", "example", False),
        ("10.1.1.1", "10.1.1.1", True),
        ("10.1.1.1", "10.1.1.10", False),
    ],
)
def test_names(name: str, host: str, *, fits: bool) -> None:
    assert matches(name, host) is fits
