"""The doors to the parts: the only place that imports gateway and emulator."""

from collections.abc import Sequence


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
