"""Rows of accounts, sessions and tokens: functions that get a connection, for the gateway and the console command."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import sqlite3
from dataclasses import dataclass, field
from typing import Final

from gateway.accounts.roles import Role

SET_UP_S: Final = 3600
"""How long a set-up token opens the set-up page."""
TOKEN_PREFIX: Final = "pushlab_"  # noqa: S105  what tokens begin with, so that scanners for leaked secrets find them
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?")
_TOKEN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?")


class AccountError(Exception):
    """Something about an account or token cannot be so.

    Attributes:
        field: what it is about: name, role, password, token.
    """

    def __init__(self, field_name: str, text: str) -> None:
        super().__init__(text)
        self.field = field_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A person."""

    name: str
    role: Role
    password: str = field(repr=False)
    """As a hash."""
    created_s: int
    changed_s: int
    """When the password was last set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiToken:
    """A program."""

    name: str
    role: Role
    digest: bytes = field(repr=False)
    created_by: str
    created_s: int
    expires_s: int | None


def new_secret() -> str:
    """A random secret of 256 bits for a cookie or a token."""
    return secrets.token_urlsafe(32)


def new_set_up_token() -> str:
    """100 random bits that can be read from a console and typed: five groups of four."""
    text = base64.b32encode(secrets.token_bytes(13)).decode()[:20]
    return "-".join(text[at : at + 4] for at in range(0, 20, 4))


def digest_of(secret: str) -> bytes:
    """How a random secret is kept. It needs no slow hash: nobody guesses 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def set_up_digest(token: str) -> bytes:
    """As `digest_of`, whatever case and dashes were typed."""
    return digest_of("".join(token.upper().replace("-", "").split()))


def normal_name(name: str) -> str:
    """How an account's name is kept and compared."""
    return name.strip().lower()


def checked_name(name: str) -> str:
    """The normal form of a new account's name.

    Raises:
        AccountError: it is none.
    """
    name = normal_name(name)
    if not _NAME.fullmatch(name):
        raise AccountError("name", "must be 1 to 64 letters, digits, dots, dashes, underscores or @")
    return name


def checked_token_name(name: str) -> str:
    """A new token's name.

    Raises:
        AccountError: it is none.
    """
    name = name.strip()
    if not _TOKEN_NAME.fullmatch(name):
        raise AccountError("name", "must be 1 to 64 letters, digits, blanks, dots, dashes or underscores")
    return name


def add_account(connection: sqlite3.Connection, name: str, role: Role, password: str, now_s: int) -> None:
    """Keep a new account; `password` is a hash.

    Raises:
        AccountError: the name is taken.
    """
    try:
        connection.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?)", (name, role, password, now_s, now_s))
    except sqlite3.IntegrityError:
        raise AccountError("name", f"there is an account {name} already") from None


def set_password(connection: sqlite3.Connection, name: str, password: str, now_s: int) -> None:
    """Give an account another password, and end its sessions.

    Raises:
        AccountError: there is no such account.
    """
    changed = connection.execute(
        "UPDATE account SET password = ?, changed_s = ? WHERE name = ?", (password, now_s, name)
    )
    if not changed.rowcount:
        raise AccountError("name", f"there is no account {name}")
    connection.execute("DELETE FROM session WHERE account = ?", (name,))


def set_role(connection: sqlite3.Connection, name: str, role: Role) -> None:
    """Give an account another role.

    Raises:
        AccountError: there is no such account, or nobody could administer any more.
    """
    if not connection.execute("UPDATE account SET role = ? WHERE name = ?", (role, name)).rowcount:
        raise AccountError("name", f"there is no account {name}")
    _keep_an_administrator(connection)


def remove_account(connection: sqlite3.Connection, name: str) -> None:
    """Remove an account and its sessions.

    Raises:
        AccountError: there is no such account, or nobody could administer any more.
    """
    if not connection.execute("DELETE FROM account WHERE name = ?", (name,)).rowcount:
        raise AccountError("name", f"there is no account {name}")
    _keep_an_administrator(connection)


def _keep_an_administrator(connection: sqlite3.Connection) -> None:
    (left,) = connection.execute("SELECT count(*) FROM account WHERE role = ?", (Role.ADMINISTRATOR,)).fetchone()
    if not left:
        raise AccountError("role", "there must be an administrator: make another one first")


def accounts(connection: sqlite3.Connection) -> dict[str, Account]:
    """All of them, by name."""
    rows = connection.execute("SELECT name, role, password, created_s, changed_s FROM account ORDER BY name")
    return {
        name: Account(name=name, role=Role(role), password=password, created_s=created_s, changed_s=changed_s)
        for name, role, password, created_s, changed_s in rows
    }


def set_set_up_token(connection: sqlite3.Connection, token: str, now_s: int) -> None:
    """Keep a set-up token; any earlier one is void."""
    connection.execute("DELETE FROM set_up_token")
    connection.execute("INSERT INTO set_up_token VALUES (?, ?)", (set_up_digest(token), now_s + SET_UP_S))


def take_set_up_token(connection: sqlite3.Connection, token: str, now_s: int) -> None:
    """Use up a set-up token.

    Raises:
        AccountError: it is not the one, or its time is over.
    """
    row = connection.execute(
        "DELETE FROM set_up_token WHERE digest = ? RETURNING expires_s", (set_up_digest(token),)
    ).fetchone()
    if row is None or row[0] < now_s:
        raise AccountError(
            "token", "this is not the set-up token, or its hour is over; a new one: pushlab gateway account set-up"
        )


def add_token(connection: sqlite3.Connection, token: ApiToken) -> None:
    """Keep a new token.

    Raises:
        AccountError: the name is taken.
    """
    try:
        connection.execute(
            "INSERT INTO api_token VALUES (?, ?, ?, ?, ?, ?)",
            (token.name, token.digest, token.role, token.created_by, token.created_s, token.expires_s),
        )
    except sqlite3.IntegrityError:
        raise AccountError("name", f"there is a token {token.name} already") from None


def remove_token(connection: sqlite3.Connection, name: str) -> None:
    """Remove a token.

    Raises:
        AccountError: there is none of this name.
    """
    if not connection.execute("DELETE FROM api_token WHERE name = ?", (name,)).rowcount:
        raise AccountError("name", f"there is no token {name}")


def tokens(connection: sqlite3.Connection) -> dict[bytes, ApiToken]:
    """All of them, by digest."""
    rows = connection.execute(
        "SELECT name, digest, role, created_by, created_s, expires_s FROM api_token ORDER BY name"
    )
    return {
        digest: ApiToken(
            name=name, digest=digest, role=Role(role), created_by=by, created_s=created_s, expires_s=expires_s
        )
        for name, digest, role, by, created_s, expires_s in rows
    }
