"""What is wrong with a list of phones, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

EXIT_CONFIGURATION: Final = 4
ERRORS_MAX: Final = 50
"""Lines of errors that are told; a file of another kind is wrong in every line."""


class SiteError(Exception):
    """A list of phones that cannot be used, with every error found.

    Not: phones that are left out because they are not registered; those are told of and counted.

    Attributes:
        errors: one line each, with file and line where there is one.
    """

    exit_code = EXIT_CONFIGURATION

    def __init__(self, errors: Sequence[str]) -> None:
        told = list(errors[:ERRORS_MAX])
        if len(errors) > ERRORS_MAX:
            told.append(f"and {len(errors) - ERRORS_MAX} more errors")
        super().__init__("\n".join(told))
        self.errors = told
