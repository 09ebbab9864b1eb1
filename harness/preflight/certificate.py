"""The certificate of the secured authentication URL: in force, in the host's name, and by whom."""

import ssl
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import trio
from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.preflight.addresses import told
from harness.preflight.asking import CONNECT_S, Asked, connected
from harness.preflight.checks import fault
from harness.preflight.finding import Result, not_checked, ok
from harness.preflight.servers import look_up, unchecked
from harness.probe.exchange import reason
from harness.probe.target import Target

SOON: Final = timedelta(days=30)
"""Before the end: time enough to renew it and to reset phones in a quiet night."""
_CHECK: Final = "certificate"


async def check_certificate(url: str, *, ca_file: Path | None, now: datetime) -> list[Result]:
    """Look at the certificate that the URL's server shows.

    Args:
        url: https.
        ca_file: authorities that phones trust, PEM; None: who signed it cannot be judged.
        now: UTC.
    """
    target = Target.parse(url)
    place = await look_up(target.host, target.port)
    if not place.address:
        return [fault(_CHECK, "no-answer", told(url), why=place.why, url=told(url))]
    data, why = await _shown(place.address, target, unchecked())
    if data is None:
        return [fault(_CHECK, "no-answer", told(url), why=why, observed=why, url=told(url))]
    try:
        certificate = x509.load_der_x509_certificate(data)
        found = judge(certificate, target.host, url, now)
    except ValueError:
        return [fault(_CHECK, "untrusted", told(url), why="its certificate cannot be read", url=told(url))]
    if ca_file is None:
        why = "who signed it: no --ca-file was given"
        return [*found, not_checked(_CHECK, told(url), why, needed=False)]
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = False  # names are judged above, with the words of phones
    trusted, why = await _shown(place.address, target, context)
    date = any(result.cause in {"expired", "not-yet"} for result in found)
    if trusted is None and not date:
        found.append(fault(_CHECK, "untrusted", told(url), why=why, observed=why, url=told(url)))
    return found


def judge(certificate: x509.Certificate, host: str, url: str, now: datetime) -> list[Result]:
    """Dates and names of a certificate."""
    shown, until = told(url), certificate.not_valid_after_utc
    found = []
    if now >= until:
        found.append(fault(_CHECK, "expired", shown, observed=f"until {until:%Y-%m-%d}", url=shown))
    elif now < certificate.not_valid_before_utc:
        since = certificate.not_valid_before_utc
        found.append(fault(_CHECK, "not-yet", shown, observed=f"from {since:%Y-%m-%d}", url=shown))
    elif until - now < SOON:
        days = str((until - now).days)
        found.append(fault(_CHECK, "soon", shown, observed=f"until {until:%Y-%m-%d}", url=shown, days=days))
    names = names_of(certificate)
    if not any(matches(name, host) for name in names):
        told_names = ", ".join(names[:5])
        found.append(fault(_CHECK, "other-name", shown, observed=told_names, wanted=host, url=shown))
    return found or [ok(_CHECK, shown, observed=f"until {until:%Y-%m-%d}", why=", ".join(names[:5]))]


def names_of(certificate: x509.Certificate) -> list[str]:
    """Hosts that it is for: the subject's alternative names, or its common name where there are none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = list(names.get_values_for_type(x509.DNSName))
        found += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        found = []
    if not found:
        found = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return found


def matches(name: str, host: str) -> bool:
    """Whether a name of a certificate stands for the host; a `*` stands for the first label (RFC 6125, 6.4.3)."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    try:
        return ip_address(name) == ip_address(host)
    except ValueError:
        pass
    if name.startswith("*."):
        return "." in host and host.partition(".")[2] == name[2:]
    return name == host


async def _shown(address: str, target: Target, context: ssl.SSLContext) -> tuple[bytes | None, str]:
    """The certificate that is shown, or why the handshake failed."""
    plain = await connected(address, target.port)
    if isinstance(plain, Asked):
        return None, plain.why
    stream = trio.SSLStream(plain, context, server_hostname=target.host, https_compatible=True)
    try:
        with trio.fail_after(CONNECT_S):
            await stream.do_handshake()
        data = stream.getpeercert(binary_form=True)
    except (OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
        return None, reason(error)
    finally:
        await trio.aclose_forcefully(plain)
    return data, ""
