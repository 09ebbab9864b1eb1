"""The password: read from a file or asked for, and never seen again."""

import argparse
import base64
import getpass
import html
import re
import stat
import sys
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus

MAX_BYTES: Final = 1024
"""Of a password file. CallManager takes 128 characters."""
_ESCAPE: Final = re.compile("%[0-9A-F]{2}")
_SHORTEST: Final = 4
"""A shorter password is too much like other text to be looked for in it."""


class PasswordError(Exception):
    """No password that can be used; the text says why. Not: the endpoint refuses it."""


def read_password(path: Path) -> str:
    """Read a password file: one line, of mode 0600.

    Raises:
        PasswordError: it cannot be read, others may read it, or there is no password in it.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PasswordError(f"{path}: cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise PasswordError(f"{path}: others may read it (mode {mode:04o}); expected 0600: chmod 600 {path}")
    if len(data) > MAX_BYTES:
        raise PasswordError(f"{path}: more than {MAX_BYTES} bytes; expected one line with the password")
    try:
        password = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise PasswordError(f"{path}: not UTF-8; expected one line with the password") from None
    if not password or "\n" in password:
        raise PasswordError(f"{path}: expected one line with the password")
    return password


def ask_password(user: str) -> str:
    """Ask for it at the terminal, without showing it.

    Raises:
        PasswordError: there is no terminal, or nothing was given.
    """
    if not sys.stdin.isatty():
        raise PasswordError("no terminal to ask for the password: give --password-file FILE (mode 0600)")
    password = getpass.getpass(f"Password of {user}: ")
    if not password:
        raise PasswordError("no password was given")
    return password


def forms(password: bytes) -> tuple[bytes, ...]:
    """How a password may be written where a server sends it back; none of one that is too short to be looked for."""
    if len(password) < _SHORTEST:
        return ()
    found = {password, html.escape(password.decode("latin-1")).encode("latin-1"), password.hex().encode("ascii")}
    for escaped in (quote(password, safe=""), quote(password), quote_plus(password)):
        found |= {escaped.encode("ascii"), _ESCAPE.sub(lambda match: match[0].lower(), escaped).encode("ascii")}
    found.add(base64.b64encode(password))
    return tuple(sorted(found, key=len, reverse=True))


def masked(text: str, password: str) -> str:
    """The text without the password, in whatever way it is written: what a server sends back is not ours to choose."""
    data = password.encode()
    written = {form.decode("utf-8", "replace") for form in forms(data)}
    # As `place` writes what a URL's path holds.
    written |= {form.decode("latin-1").encode("unicode_escape").decode("ascii") for form in forms(data)}
    for each in sorted(written, key=len, reverse=True):
        text = text.replace(each, "(password)")
    return text


class RefusePassword(argparse.Action):
    """An option `--password`, which there is not: ends with what to do instead, and without what was given."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """End as wrong usage."""
        parser.error(
            "there is no --password, every user of this machine could read it: --password-file FILE (mode 0600)"
        )
