"""What stops a bed from standing."""

from typing import Final

EXIT_BED: Final = 5
EXIT_CONFIGURATION: Final = 4


class BedError(Exception):
    """The bed cannot start, or lost a part while it stood.

    Not: anything that gateway, phones or CallManager do wrong on the wire.

    Attributes:
        exit_code: what `pushlab` ends with (docs/reference/exit-codes.md).
    """

    exit_code = EXIT_BED


class RefusedError(BedError):
    """A part answered, and did not grant what was asked.

    Attributes:
        status: of its HTTP answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RosterError(Exception):
    """A fleet that cannot be built, with every error found.

    Attributes:
        errors: one line each, with file and line number where there is one.
    """

    exit_code = EXIT_CONFIGURATION

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors
