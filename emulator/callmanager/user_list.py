"""CallManager's users from a CSV file, as an engineer exports them from a spreadsheet.

Columns: `name`, and any of `password`, `password_file`, `first_name`, `last_name`, `cti`, `devices`, `directory`, in
any order; `devices` is `all`, `none`, or names with blanks between. Defaults are those of `[[user]]`. A file with
passwords in it must be readable by its owner alone.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emulator.callmanager.secret import OPEN_TO_OTHERS, read_secret
from emulator.callmanager.users import (
    USERS_MAX,
    Devices,
    UserError,
    require_name,
    require_password,
    require_person_names,
)
from emulator.server import ConfigurationError

COLUMNS: Final = (
    "name", "password", "password_file", "first_name", "last_name", "cti", "devices", "directory",
)  # fmt: skip
FILE_BYTES_MAX: Final = 1 << 25
"""10,000 users with some phones each have 2 MB."""
FIELD_CHARACTERS_MAX: Final = 1 << 22
"""One user with 100,000 phones by name has 1.6 MB in one field; the csv module's own limit is 128 kB."""
PROBLEMS_MAX: Final = 100
"""More of them help nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEntry:
    """One user of the configuration: a `[[user]]`, or a line of `users_csv`."""

    name: str
    password: str | None = field(repr=False)
    """None: a user of the directory."""
    cti: bool
    devices: Devices
    first_name: str = ""
    last_name: str = ""


def is_same(name: str, of_directory: bool, other: UserEntry) -> bool:  # noqa: FBT001 - both are about one user
    """Whether two users cannot be told apart: a directory does not go by case."""
    both = of_directory and other.password is None
    return name == other.name or (both and name.casefold() == other.name.casefold())


def read_user_list(path: Path, *, has_directory: bool, before: Sequence[UserEntry] = ()) -> tuple[UserEntry, ...]:
    """The users of a CSV file, after those that are known before; paths in it are relative to it.

    Raises:
        ConfigurationError: all that is wrong with the file, with line numbers. It quotes names, never passwords.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            status = os.fstat(file.fileno())
            if status.st_size > FILE_BYTES_MAX:
                raise ConfigurationError([f"{path}: larger than {FILE_BYTES_MAX} bytes"])
            limit = csv.field_size_limit(FIELD_CHARACTERS_MAX)
            try:
                rows = csv.DictReader(file, restkey="", restval=None)
                return _Lines(path, open_to_others=bool(status.st_mode & OPEN_TO_OTHERS)).read(
                    rows, before, has_directory=has_directory
                )
            finally:
                csv.field_size_limit(limit)
    except UnicodeDecodeError:  # its text would show what stands there
        raise ConfigurationError([f"{path}: is not UTF-8"]) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    except csv.Error as error:
        raise ConfigurationError([f"{path}: no CSV: {error}"]) from None


class _Lines:
    """Collects problems while it reads the lines."""

    def __init__(self, path: Path, *, open_to_others: bool) -> None:
        self._path = path
        self._open_to_others = open_to_others
        self._problems: list[str] = []

    def read(
        self, rows: csv.DictReader[str], before: Sequence[UserEntry], *, has_directory: bool
    ) -> tuple[UserEntry, ...]:
        header = [name.strip() for name in rows.fieldnames or ()]
        if set(header) - set(COLUMNS) or "name" not in header or len(set(header)) != len(header):
            # A file without a header has a password here: what stands there is not shown.
            known = ", ".join(COLUMNS)
            raise ConfigurationError([f"{self._path}:1: expected a header of {known}, each at most once, with name"])
        if "password" in header and self._open_to_others:
            self._problems.append(f"{self._path}: others can read this file: chmod 600 {self._path}")
        rows.fieldnames = header
        users = list(before)
        names = {user.name for user in users}
        folded = {user.name.casefold() for user in users if user.password is None}
        for row in rows:
            where = f"{self._path}:{rows.line_num}"
            if len(self._problems) >= PROBLEMS_MAX or len(users) >= USERS_MAX:
                self._problems.append(f"{where}: the rest was not read")
                break
            if "" in row or None in row.values():
                self._problems.append(f"{where}: expected {len(header)} fields")
                continue
            # A password is taken as it stands, blanks included.
            values = {name: value if name == "password" else value.strip() for name, value in row.items()}
            user = self._user(where, values, has_directory=has_directory)
            if user.name in names or (user.password is None and user.name.casefold() in folded):
                self._problems.append(f"{where}: name: there is a user {user.name!r} already")
            names.add(user.name)
            if user.password is None:
                folded.add(user.name.casefold())
            users.append(user)
        if self._problems:
            raise ConfigurationError(self._problems)
        return tuple(users)

    def _user(self, where: str, values: dict[str, str], *, has_directory: bool) -> UserEntry:
        of_directory = self._flag(where, values, "directory", default=False)
        password = None if of_directory else self._password(where, values)
        if of_directory:
            if not has_directory:
                self._problems.append(f"{where}: directory: there is no [directory]")
            for key in ("password", "password_file", "first_name", "last_name"):
                if values.get(key):
                    self._problems.append(f"{where}: {key}: a user of the directory has none here")
        first_name, last_name = values.get("first_name", ""), values.get("last_name", "")
        devices = Devices()
        try:
            require_name(values["name"])
            require_person_names(first_name, last_name)
            listed = values.get("devices", "") or "all"
            devices = Devices.of(listed if listed in {"all", "none"} else listed.split())
            if password:
                require_password(password)
        except UserError as error:
            self._problems.append(f"{where}: {error}")
        return UserEntry(
            name=values["name"],
            password=password,
            cti=self._flag(where, values, "cti", default=True),
            devices=devices,
            first_name=first_name,
            last_name=last_name,
        )

    def _password(self, where: str, values: dict[str, str]) -> str:
        given, file = values.get("password", ""), values.get("password_file", "")
        if bool(given) == bool(file):
            self._problems.append(f"{where}: password: exactly one of password and password_file is needed")
            return ""
        if given:
            return given
        secret, problems = read_secret(self._path.parent / file)
        self._problems += [f"{where}: password_file: {problem}" for problem in problems]
        return secret

    def _flag(self, where: str, values: dict[str, str], key: str, *, default: bool) -> bool:
        text = values.get(key, "").lower()
        if text not in {"", "true", "false"}:
            self._problems.append(f"{where}: {key}: true or false is needed")
        return default if not text else text == "true"
