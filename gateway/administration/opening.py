"""Bring the Administration Tool up: its certificate, its desk, and what a first start prints.

Loads quart and hypercorn, which takes longer than everything else: imported where it serves.
"""

from __future__ import annotations

import logging
import ssl
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.administration.certificate import (
    CertificateError,
    expiry_s,
    fingerprint,
    own_certificate,
    server_context,
    temporary_context,
)
from gateway.administration.desk import Desk
from gateway.alarms import Alarms
from gateway.configuration import Configuration, ConfigurationError
from gateway.product import Gateway

EXPIRING_S: Final = 14 * 86_400
ALARM: Final = "certificate-ending"
_log = logging.getLogger("gateway.administration")


def secure_port(configuration: Configuration, alarms: Alarms) -> tuple[ssl.SSLContext | None, str | None]:
    """The TLS context, or None for plain HTTP; and the certificate's fingerprint.

    Raises:
        ConfigurationError: the certificate cannot be used.
    """
    if not configuration.administration_tls or configuration.administration is None:
        return None, None
    host = configuration.administration.host
    try:
        if configuration.administration_certificate is not None and configuration.administration_key is not None:
            files: tuple[Path, Path] | None = (
                configuration.administration_certificate,
                configuration.administration_key,
            )
        else:
            files = _own(configuration.store_folder, host, alarms)
        if files is None:
            return temporary_context(host), None
        context = server_context(*files)
        _warn_of_its_end(files[0], alarms)
        return context, fingerprint(files[0])
    except CertificateError as error:
        raise ConfigurationError([f"administration.certificate_file: {error}"]) from None


def _own(folder: Path | None, host: str, alarms: Alarms) -> tuple[Path, Path] | None:
    """None: one that nobody keeps is used. A disk that takes none is no reason for a gateway not to start."""
    try:
        return own_certificate(folder, host)
    except CertificateError as error:
        alarms.sound("certificate-not-kept", f"the Administration Tool has another certificate at each start: {error}")
        return None


def _warn_of_its_end(certificate: Path, alarms: Alarms) -> None:
    """An old certificate is used all the same: a browser that warns is better than no tool in an emergency."""
    left_s = expiry_s(certificate) - time.time()
    if left_s < EXPIRING_S:
        ends = "has ended" if left_s < 0 else f"ends in {max(1, round(left_s / 86_400))} days"
        alarms.sound(ALARM, f"the Administration Tool's certificate {certificate} {ends}: put another one there")


def make_desk(gateway: Gateway, *, version: str, authentication_url: str, certificate: str | None) -> Desk:
    """What the pages and the JSON interface stand on."""
    return Desk(
        pages=gateway.pages,
        recordings=gateway.recordings,
        alerts=gateway.alerts,
        counters=gateway.status,
        phonebook=gateway.phonebook,
        synchronisation=gateway.synchronisation,
        accounts=gateway.accounts,
        audit=gateway.audit,
        settings=gateway.settings,
        alarms=gateway.alarms,
        database=gateway.database,
        configuration=gateway.configuration,
        version=version,
        began_s=time.time(),
        authentication_url=authentication_url,
        certificate=certificate,
    )


async def announce_first_start(gateway: Gateway, url: str) -> None:
    """Where nobody has an account yet: print a set-up token on the console, if a person can be there to read it.

    What is no terminal may be a log file, which a token must not get into: there the log names the command that prints
    one.
    """
    if not gateway.accounts.nobody_yet or gateway.configuration.token is not None:
        return
    if not sys.stdout.isatty():
        _log.warning("nobody has an account yet: pushlab gateway account set-up prints a token for %s/set-up", url)
        return
    token = await gateway.accounts.new_set_up_token()
    with suppress(OSError):
        print(f"\n  First start: open {url}/set-up\n  Set-up token, good once and for an hour: {token}\n", flush=True)  # noqa: T201  for the person at the console
