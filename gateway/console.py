"""Commands for who has the machine: accounts without logging in, the audit trail, backup and restore.

They work on the store directly, beside a running gateway or without one. Whoever can do this can read and write the
gateway's files anyway, so nothing is asked and nothing is ever locked here (faults.md, G1).
"""

from __future__ import annotations

import getpass
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from gateway.accounts import tables
from gateway.accounts.passwords import Passwords, password_defect
from gateway.accounts.roles import Role
from gateway.accounts.tables import AccountError
from gateway.audit import AUDIT_KEY, verify
from gateway.audit.trail import append, fact
from gateway.backup import BackupError, restore, write_backup
from gateway.configuration import Configuration, ConfigurationError
from gateway.store import Cipher, KeyFileError
from gateway.store.database import FILE, migrate

T = TypeVar("T")
OK, FAILED = 0, 1
BUSY_S: Final = 10.0


def print_set_up_token(configuration: Configuration, where: Path) -> int:
    """Print a new set-up token; earlier ones are void. It makes an administrator, also where there are some already."""
    token = tables.new_set_up_token()
    now_s = int(time.time())
    _change(
        configuration,
        where,
        lambda connection: tables.set_set_up_token(connection, token, now_s),
        "account.set-up-token",
        "",
    )
    scheme = "https" if configuration.administration_tls else "http"
    _tell(f"set-up token, good once and for an hour: {token}")
    if configuration.administration is not None:
        _tell(f"enter it at {scheme}://{configuration.administration}/set-up")
    return OK


def reset_password(configuration: Configuration, where: Path, name: str) -> int:
    """Give an account another password and end its sessions."""
    name = tables.normal_name(name)
    hashed = Passwords().hash_now(_asked_password(name))
    now_s = int(time.time())
    return _attempt(
        configuration,
        where,
        lambda connection: tables.set_password(connection, name, hashed, now_s),
        "account.password-changed",
        name,
        f"{name} has another password; its sessions have ended",
    )


def add_account(configuration: Configuration, where: Path, name: str, role: str) -> int:
    """Make an account."""
    try:
        name = tables.checked_name(name)
    except AccountError as error:
        return _fail(f"the name {error}")
    hashed = Passwords().hash_now(_asked_password(name))
    now_s = int(time.time())
    return _attempt(
        configuration,
        where,
        lambda connection: tables.add_account(connection, name, Role(role), hashed, now_s),
        "account.added",
        name,
        f"{name} is {role}",
    )


def list_accounts(configuration: Configuration, where: Path) -> int:
    """Print all accounts."""
    for account in _read(configuration, where, tables.accounts).values():
        _tell(f"{account.name:<32} {account.role}")
    return OK


def verify_audit(configuration: Configuration, where: Path) -> int:
    """Check the audit trail's chain; 1 where it is broken."""
    key = _cipher(configuration, where).derive(AUDIT_KEY)
    count, found = _read(configuration, where, lambda connection: verify(connection, key))
    if found is not None:
        return _fail(f"audit trail broken: {found}")
    _tell(f"audit trail whole: {count} entries")
    return OK


def back_up(configuration: Configuration, where: Path, out: Path, *, version: str, with_key: bool) -> int:
    """Write a backup."""
    folder = _folder(configuration, where)
    try:
        write_backup(folder, out, version=version, key_file=configuration.key_file if with_key else None)
    except BackupError as error:
        return _fail(str(error))
    _tell(f"{out}: {out.stat().st_size:,} bytes")
    if with_key:
        _tell("the key file is in it: whoever has this backup has the push user's password")
    else:
        _tell(f"the key file is not in it: keep a copy of {configuration.key_file} elsewhere")
    return OK


def put_back(configuration: Configuration, where: Path, backup: Path) -> int:
    """Restore a backup."""
    try:
        for line in restore(backup, _folder(configuration, where), key_file=configuration.key_file):
            _tell(line)
    except BackupError as error:
        return _fail(str(error))
    return OK


def _attempt(
    configuration: Configuration,
    where: Path,
    work: Callable[[sqlite3.Connection], object],
    action: str,
    subject: str,
    done: str,
) -> int:
    try:
        _change(configuration, where, work, action, subject)
    except AccountError as error:
        return _fail(str(error))
    _tell(done)
    return OK


def _change(
    configuration: Configuration,
    where: Path,
    work: Callable[[sqlite3.Connection], object],
    action: str,
    subject: str,
) -> None:
    """Do something to the store, and note it in the audit trail, in one transaction."""
    key = _cipher(configuration, where).derive(AUDIT_KEY)
    with closing(_open(_folder(configuration, where))) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            work(connection)
            append(connection, key, [fact(f"console ({getpass.getuser()})", action, subject)])
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _read(configuration: Configuration, where: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    with closing(_open(_folder(configuration, where))) as connection:
        return work(connection)


def _open(folder: Path) -> sqlite3.Connection:
    if not (folder / FILE).exists():
        raise ConfigurationError([f"{folder}: holds no data yet: start the gateway once"])
    connection = sqlite3.connect(folder / FILE, isolation_level=None, timeout=BUSY_S)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    return connection


def _folder(configuration: Configuration, where: Path) -> Path:
    if configuration.store_folder is None:
        raise ConfigurationError([f"{where}: this gateway has no [store]: there is nothing on disk"])
    return configuration.store_folder


def _cipher(configuration: Configuration, where: Path) -> Cipher:
    folder = _folder(configuration, where)
    assert configuration.key_file is not None
    try:
        return Cipher.load(configuration.key_file, data_folder=folder)
    except KeyFileError as error:
        raise ConfigurationError([f"store.key_file: {error}"]) from None


def _asked_password(name: str) -> str:
    """From the terminal, twice; or one line of standard input."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"New password of {name}: ")
        if getpass.getpass("Once more: ") != password:
            raise ConfigurationError(["the two passwords differ"])
    else:
        password = sys.stdin.readline().removesuffix("\n")
    defect = password_defect(password, name)
    if defect:
        raise ConfigurationError([f"the password {defect}"])
    return password


def _tell(line: str) -> None:
    print(line)  # noqa: T201  the command's result


def _fail(line: str) -> int:
    print(line, file=sys.stderr)  # noqa: T201  the command's result
    return FAILED
