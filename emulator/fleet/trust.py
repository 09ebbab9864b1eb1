"""Which certificates phones trust when they ask a secured URL.

In life that is the trust list (ITL) that a phone gets from CallManager when it boots, and CallManager's trust
verification service for what is not in it. Here a certificate is trusted when it, or who signed it, is in the list;
names in certificates are not compared (assumed: the list names certificates, not hosts), validity is. Neither the
list's signature nor the verification service is modelled.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from emulator.server import ConfigurationError

LIST_BYTES: Final = 1 << 18
"""A hundred certificates."""


class Trust:
    """Trusted certificates; none at first."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self.known = False
        """Whether there is a list."""

    def add(self, pem: bytes) -> None:
        """Trust these certificates.

        Raises:
            ValueError: they are none.
        """
        if len(pem) > LIST_BYTES:
            raise ValueError(f"more than {LIST_BYTES} bytes")
        try:
            self.context.load_verify_locations(cadata=pem.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError):
            raise ValueError("no PEM certificates") from None
        self.known = True

    @classmethod
    def read(cls, path: Path) -> Trust:
        """Trust the certificates of a file.

        Raises:
            ConfigurationError: it cannot be read, or holds none.
        """
        trust = cls()
        try:
            with path.open("rb") as file:
                trust.add(file.read(LIST_BYTES + 1))
        except OSError as error:
            raise ConfigurationError([f"--trust {path}: cannot be read: {error.strerror}"]) from None
        except ValueError as error:
            raise ConfigurationError([f"--trust {path}: {error}; certificates in PEM are expected"]) from None
        return trust
