"""The doors to the parts: the only place that imports gateway and emulator."""

from collections.abc import Sequence
from pathlib import Path

from harness.bed.errors import BedError


def gateway(argv: Sequence[str]) -> int:
    """`pushlab gateway ...`."""
    from gateway.command import main  # noqa: PLC0415 - a fleet does not load the gateway

    return main(argv)


def phones(argv: Sequence[str]) -> int:
    """`pushlab phones ...`."""
    from emulator.fleet.command import main  # noqa: PLC0415 - a gateway does not load the emulator

    return main(argv)


def callmanager(argv: Sequence[str]) -> int:
    """`pushlab callmanager ...`."""
    from emulator.callmanager.command import main  # noqa: PLC0415 - a gateway does not load the emulator

    return main(argv)


def make_certificate(certificate: Path, key: Path, *, address: str) -> None:
    """A self-signed certificate for an address, as the emulator makes its own.

    Raises:
        BedError: none can be made.
    """
    from emulator.callmanager.certificate import CertificateError, ensure_certificate  # noqa: PLC0415 - as above

    try:
        ensure_certificate(certificate, key, address=address)
    except CertificateError as error:
        raise BedError(str(error)) from None
