"""What goes into a directory."""

from dataclasses import dataclass, field


class DirectoryServerError(Exception):
    """A directory server cannot be made. Not: a server that ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person of the directory."""

    name: str
    """uid, or sAMAccountName."""
    password: str = field(repr=False)
