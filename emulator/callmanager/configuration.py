"""CallManager's configuration file: strict TOML, all errors at once.

Keys are those of docs/design/parts.md. A file that holds a password, inline or named by `password_file`, must be
readable by its owner alone. No message shows a value of a secret key.
"""

import difflib
import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from emulator.callmanager.users import Devices, UserError, require_name, require_password
from emulator.server import ConfigurationError

_T = TypeVar("_T")

LISTEN_DEFAULT = "127.0.0.1:18081"
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
FILE_BYTES_MAX = 16 * 1024 * 1024
"""A configuration with 100,000 device names has 2 MB."""
SECRET_BYTES_MAX = 4096
"""A password or a token is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEntry:
    """One `[[user]]`."""

    name: str
    password: str = field(repr=False)
    cti: bool
    devices: Devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything the mock CallManager can be told."""

    listen: str = LISTEN_DEFAULT
    administration: str | None = None
    administration_token: str | None = field(default=None, repr=False)
    seed: int = 1
    workers: int = 8
    """Assumed: no public source gives CallManager's."""
    service_p50_ms: float = 60.0
    """Assumed; with `service_p99_ms` and 8 workers about 105 authentications a second."""
    service_p99_ms: float = 300.0
    queue: int = 500
    """Assumed; beyond it 503."""
    credential_cache_s: float = 0.0
    """0 = off; Unified CM may use up to 120."""
    users: tuple[UserEntry, ...] = ()


def split_address(text: str) -> tuple[str, int]:
    """Split `address:port`, IPv6 in brackets.

    Raises:
        ValueError: it is none; the text says what is needed.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'"address:port" is needed, got {text!r}')
    return host.removeprefix("[").removesuffix("]"), int(port)


def load(path: Path) -> Configuration:
    """Read and check a configuration file; paths in it are relative to it.

    Raises:
        ConfigurationError: with every error found.
    """
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    try:
        table = tomllib.loads(data[:FILE_BYTES_MAX].decode("utf-8"))
    except ValueError as error:  # its text shows a place and a character, never a value
        detail = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigurationError([f"{path}: no TOML: {detail}"]) from None
    return _Reader(path, open_to_others=bool(mode & OPEN_TO_OTHERS)).configuration(table)


class _Reader:
    """Collects errors while it reads the tables."""

    def __init__(self, path: Path, *, open_to_others: bool) -> None:
        self._path = path
        self._open_to_others = open_to_others
        self._errors: list[str] = []

    def configuration(self, table: dict[str, Any]) -> Configuration:
        known = {
            "listen": self._address,
            "administration": self._address,
            "administration_token_file": self._text,
            "seed": self._whole(-(2**63)),
            "workers": self._whole(1, 10_000),
            "service_ms": self._table,
            "queue": self._whole(0, 1_000_000),
            "credential_cache_s": self._number(0, 86_400),
            "user": self._tables,
        }
        values = self._read("", table, known)
        percentiles = {"p50": self._number(0.001, 1e6), "p99": self._number(0.001, 1e6)}
        service = self._read("service_ms.", values.pop("service_ms", {}), percentiles)
        default = Configuration()
        p50 = service.get("p50", default.service_p50_ms)
        p99 = service.get("p99", default.service_p99_ms)
        if p99 < p50:
            self._error("service_ms", f"p99 is below p50: {p99} < {p50}")
        token_file = values.pop("administration_token_file", None)
        if token_file is not None:
            values["administration_token"] = self._secret("administration_token_file", token_file)
        if "administration" in values and token_file is None:
            self._error("administration", "administration_token_file is needed with it")
        users = self._users(values.pop("user", []))
        if self._errors:
            raise ConfigurationError(self._errors)
        return Configuration(**values, service_p50_ms=p50, service_p99_ms=p99, users=users)

    def _users(self, tables: list[dict[str, Any]]) -> tuple[UserEntry, ...]:
        known = {
            "name": self._user_name,
            "password": self._password,
            "password_file": self._text,
            "cti": self._flag,
            "devices": self._devices,
        }
        users: list[UserEntry] = []
        for number, table in enumerate(tables, 1):
            where = f"user[{number}]."
            values = self._read(where, table, known)
            if "name" not in table:
                self._error(f"{where}name", "is needed")
            elif values.get("name") in [user.name for user in users]:
                self._error(f"{where}name", f"there is a user {values['name']!r} already")
            if ("password" in table) == ("password_file" in table):
                self._error(f"{where}password", "exactly one of password and password_file is needed")
            elif "password" in table and self._open_to_others:
                self._error(f"{where}password", f"others can read this file: chmod 600 {self._path}")
            if "password_file" in values:
                secret = self._secret(f"{where}password_file", values["password_file"])
                values |= self._read(where, {"password": secret}, known) if secret else {}
            users.append(
                UserEntry(
                    name=values.get("name", ""),
                    password=values.get("password", ""),
                    cti=values.get("cti", True),
                    devices=values.get("devices", Devices(everything=True)),
                )
            )
        return tuple(users)

    def _read(self, where: str, table: dict[str, Any], known: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in table.items():
            check = known.get(key)
            if check is None:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self._error(f"{where}{key}", f"unknown key; {hint}")
                continue
            try:
                values[key] = check(value)
            except ValueError as error:
                self._error(f"{where}{key}", str(error))
        return values

    def _error(self, where: str, what: str) -> None:
        self._errors.append(f"{self._path}: {where}: {what}")

    def _secret(self, where: str, name: str) -> str:
        path = self._path.parent / name
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            self._error(where, f"{path} cannot be read: {error.strerror}")
            return ""
        if mode & OPEN_TO_OTHERS:
            self._error(where, f"others can read it: chmod 600 {path}")
        try:
            secret = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            self._error(where, f"{path} is not UTF-8")
            return ""
        if not secret or len(data) > SECRET_BYTES_MAX or "\n" in secret:
            self._error(where, f"{path} must hold one line of 1 to {SECRET_BYTES_MAX} bytes")
            return ""
        return secret

    @staticmethod
    def _text(value: object) -> str:
        if not isinstance(value, str) or not value:
            raise ValueError("a text is needed")
        return value

    @staticmethod
    def _user_name(value: object) -> str:
        return _valid(require_name, _Reader._text(value))

    @staticmethod
    def _password(value: object) -> str:
        return _valid(require_password, _Reader._text(value))

    @staticmethod
    def _flag(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("true or false is needed")  # noqa: TRY004 - collected with the wrong values
        return value

    @staticmethod
    def _table(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("a table is needed, as { p50 = 60, p99 = 300 }")  # noqa: TRY004 - collected with the wrong values
        return value

    @staticmethod
    def _tables(value: object) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ValueError("tables are needed: [[user]]")
        return value

    @staticmethod
    def _devices(value: object) -> Devices:
        return _valid(Devices.of, value)

    @staticmethod
    def _address(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError('"address:port" is needed')  # noqa: TRY004 - collected with the wrong values
        split_address(value)
        return value

    @staticmethod
    def _whole(least: int, most: int = 2**63 - 1) -> Callable[[object], int]:
        def check(value: object) -> int:
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"a whole number from {least} to {most} is needed")
            return value

        return check

    @staticmethod
    def _number(least: float, most: float) -> Callable[[object], float]:
        def check(value: object) -> float:
            if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"a number from {least:g} to {most:g} is needed")
            return float(value)

        return check


def _valid(check: Callable[[Any], _T], value: object) -> _T:
    """The user directory's own check, its text without the name of the field."""
    try:
        return check(value)
    except UserError as error:
        raise ValueError(str(error).partition(": ")[2]) from None
