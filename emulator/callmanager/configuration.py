"""CallManager's configuration file: strict TOML, all errors at once.

Keys are those of docs/design/parts.md. A file that holds a password, inline or named by `password_file`, must be
readable by its owner alone. No message shows a value of a secret key.
"""

import difflib
import importlib.util
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from emulator.callmanager.cluster import Administrator
from emulator.callmanager.device_list import read_device_list
from emulator.callmanager.directory import DirectorySettings, Kind, Tls
from emulator.callmanager.enterprise import IDLE_S_MAX, URLS, Enterprise, EnterpriseParameters
from emulator.callmanager.finding.settings import FindingSettings
from emulator.callmanager.policy import CredentialPolicy
from emulator.callmanager.registry import DEVICES_MAX, Device, DeviceError
from emulator.callmanager.secret import OPEN_TO_OTHERS, read_secret
from emulator.callmanager.user_list import UserEntry, is_same, read_user_list
from emulator.callmanager.users import (
    PERSON_NAME_CHARACTERS_MAX,
    Devices,
    UserError,
    require_name,
    require_password,
)
from emulator.server import ConfigurationError

_T = TypeVar("_T")

LISTEN_DEFAULT = "127.0.0.1:18081"
FILE_BYTES_MAX = 16 * 1024 * 1024
"""A configuration with 100,000 device names has 2 MB."""
CREDENTIAL_CACHE_S_MAX = 120.0
"""Unified CM's own limit (Security Guide, "Enable Caching")."""
CERTIFICATE_DEFAULT = "callmanager-certificate.pem"
KEY_DEFAULT = "callmanager-key.pem"


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
    credential_policy: CredentialPolicy = field(default_factory=CredentialPolicy)
    directory: DirectorySettings | None = None
    secured_listen: str | None = None
    secured_certificate: Path = Path(CERTIFICATE_DEFAULT)
    """Made with `secured_key` at the first start where both are missing."""
    secured_key: Path = Path(KEY_DEFAULT)
    users: tuple[UserEntry, ...] = ()
    """Those of `[[user]]`, then those of `users_csv`."""
    administrator: Administrator | None = None
    """Of the pages, DeviceListX, RisPort70 and AXL."""
    devices: tuple[Device, ...] = ()
    """Of `devices_csv`."""
    enterprise: EnterpriseParameters = field(default_factory=EnterpriseParameters)
    url_authentication_given: bool = False
    """Whether `[enterprise]` says URL Authentication; else it is CallManager's own page, as after an installation."""
    finding: FindingSettings = field(default_factory=FindingSettings)
    """Limits of DeviceListX, RisPort70 and AXL."""
    phones_control: str | None = None
    """`address:port` of the fleet's control API, which is told to reset phones."""
    configuration_listen: str | None = None
    """Where phones fetch their configuration by HTTP; in life port 6970."""
    tftp_listen: str | None = None
    """Where they do by TFTP, IPv4; in life port 69."""


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
            "credential_cache_s": self._number(0, CREDENTIAL_CACHE_S_MAX),
            "credential_policy": self._table,
            "directory": self._table,
            "secured_listen": self._address,
            "secured_certificate_file": self._text,
            "secured_key_file": self._text,
            "user": self._tables,
            "administrator": self._table,
            "devices_csv": self._text,
            "users_csv": self._text,
            "enterprise": self._table,
            "phones_control": self._control,
            "configuration_listen": self._address,
            "tftp_listen": self._address,
            "finding": self._table,
        }
        values = self._read("", table, known)
        values |= self._phones(values)
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
        if "administration" in values and token_file is None and "administrator" not in table:
            self._error("administration", "[administrator] or administration_token_file is needed with it")
        certificate = values.pop("secured_certificate_file", CERTIFICATE_DEFAULT)
        key = values.pop("secured_key_file", KEY_DEFAULT)
        if "secured_listen" in values:
            values["secured_certificate"] = self._path.parent / certificate
            values["secured_key"] = self._path.parent / key
        policy = {
            "failures": self._whole(0, 1_000),
            "lock_minutes": self._number(0, 1_000_000),
            "reset_minutes": self._number(0, 1_000_000),
        }
        given = self._read("credential_policy.", values.pop("credential_policy", {}), policy)
        values["credential_policy"] = CredentialPolicy(**given)
        if "directory" in values:
            values["directory"] = self._directory(values["directory"])
        users = self._users(values.pop("user", []), directory="directory" in values)
        if "users_csv" in values:
            path = self._path.parent / values.pop("users_csv")
            try:
                users = read_user_list(path, has_directory="directory" in values, before=users)
            except ConfigurationError as error:
                self._errors += error.problems
        if self._errors:
            raise ConfigurationError(self._errors)
        return Configuration(**values, service_p50_ms=p50, service_p99_ms=p99, users=users)

    def _phones(self, given: dict[str, Any]) -> dict[str, Any]:
        """What CallManager knows of phones: their list, the enterprise parameters, and who may change that."""
        values: dict[str, Any] = {}
        if "administrator" in given:
            known = {"name": self._user_name, "password_file": self._text}
            entry = self._read("administrator.", given.pop("administrator"), known)
            for key in known:
                if key not in entry:
                    self._error(f"administrator.{key}", "is needed")
            if len(entry) == len(known):
                password = self._secret("administrator.password_file", entry["password_file"])
                values["administrator"] = Administrator(name=entry["name"], password=password)
        if "devices_csv" in given:
            try:
                values["devices"] = tuple(read_device_list(self._path.parent / given.pop("devices_csv")))
            except ConfigurationError as error:
                self._errors += error.problems
        urls = dict.fromkeys(URLS | {"ip_phone_proxy_address"}, self._text)
        known_parameters = {**urls, "url_idle_time_s": self._whole(0, IDLE_S_MAX)}
        parameters = self._read("enterprise.", given.pop("enterprise", {}), known_parameters)
        try:
            values["enterprise"] = Enterprise(EnterpriseParameters(**parameters)).parameters
            values["url_authentication_given"] = "url_authentication" in parameters
        except DeviceError as error:
            self._error("enterprise", str(error))
        limits = {
            "device_list_interval_s": self._number(0, 86_400),
            "ris_requests_per_minute": self._whole(0, 1_000_000),
            "ris_devices_max": self._whole(1, DEVICES_MAX),
            "node": self._text,
        }
        values["finding"] = FindingSettings(**self._read("finding.", given.pop("finding", {}), limits))
        return values

    def _directory(self, table: dict[str, Any]) -> DirectorySettings | None:
        known = {
            "kind": self._one_of(Kind),
            "server": self._address,
            "tls": self._one_of(Tls),
            "ca_file": self._text,
            "server_name": self._text,
            "manager_dn": self._text,
            "manager_password_file": self._text,
            "base_dn": self._text,
            "name_attributes": self._attributes,
            "filter": self._text,
            "total_s": self._number(0.1, 60),
            "connections": self._whole(1, 1_000),
        }
        values = self._read("directory.", table, known)
        for key in ("server", "manager_dn", "manager_password_file", "base_dn"):
            if key not in table:
                self._error(f"directory.{key}", "is needed")
        if "server" in values:
            values["server"] = split_address(values["server"])
        if "ca_file" in values:
            values["ca_file"] = self._path.parent / values["ca_file"]
        if "manager_password_file" in values:
            # An empty one would bind as nobody and succeed (RFC 4513, 5.1.2); _secret refuses it.
            name = values.pop("manager_password_file")
            values["manager_password"] = self._secret("directory.manager_password_file", name)
        if importlib.util.find_spec("sansldap") is None:
            self._error("directory", "needs the package sansldap: pip install 'pushlab[directory]'")
        if self._errors:
            return None
        settings = DirectorySettings(**values)
        from emulator.callmanager.ldap import Directory  # noqa: PLC0415 - only where a directory is configured

        try:
            Directory(settings)
        except OSError as error:  # ssl.SSLError is one
            self._error("directory.ca_file", f"{settings.ca_file}: no certificates can be read: {error.strerror}")
        except ValueError as error:
            self._error("directory.filter", f"no filter (RFC 4515): {error}")
        return settings

    def _users(self, tables: list[dict[str, Any]], *, directory: bool) -> tuple[UserEntry, ...]:
        known = {
            "name": self._user_name,
            "password": self._password,
            "password_file": self._text,
            "cti": self._flag,
            "devices": self._devices,
            "directory": self._flag,
            "first_name": self._person_name,
            "last_name": self._person_name,
        }
        users: list[UserEntry] = []
        for number, table in enumerate(tables, 1):
            where = f"user[{number}]."
            values = self._read(where, table, known)
            of_directory = values.get("directory", False)
            if "name" not in table:
                self._error(f"{where}name", "is needed")
            elif any(is_same(values.get("name", ""), of_directory, user) for user in users):
                self._error(f"{where}name", f"there is a user {values['name']!r} already")
            if of_directory:
                if not directory:
                    self._error(f"{where}directory", "there is no [directory]")
                for key in ("password", "password_file", "first_name", "last_name"):
                    if key in table:
                        self._error(f"{where}{key}", "a user of the directory has none here")
            elif ("password" in table) == ("password_file" in table):
                self._error(f"{where}password", "exactly one of password and password_file is needed")
            elif "password" in table and self._open_to_others:
                self._error(f"{where}password", f"others can read this file: chmod 600 {self._path}")
            if "password_file" in values and not of_directory:
                secret = self._secret(f"{where}password_file", values["password_file"])
                values |= self._read(where, {"password": secret}, known) if secret else {}
            users.append(
                UserEntry(
                    name=values.get("name", ""),
                    password=None if of_directory else values.get("password", ""),
                    cti=values.get("cti", True),
                    devices=values.get("devices", Devices(everything=True)),
                    first_name=values.get("first_name", ""),
                    last_name=values.get("last_name", ""),
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
        secret, problems = read_secret(self._path.parent / name)
        for problem in problems:
            self._error(where, problem)
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
    def _person_name(value: object) -> str:
        name = _Reader._text(value)
        if len(name) > PERSON_NAME_CHARACTERS_MAX or not name.isprintable():
            raise ValueError(f"at most {PERSON_NAME_CHARACTERS_MAX} printable characters")
        return name

    @staticmethod
    def _flag(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("true or false is needed")  # noqa: TRY004 - collected with the wrong values
        return value

    @staticmethod
    def _table(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("a table is needed, as { key = value }")  # noqa: TRY004 - collected with the wrong values
        return value

    @staticmethod
    def _tables(value: object) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ValueError("tables are needed: [[user]]")
        return value

    @staticmethod
    def _attributes(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
            raise ValueError('a list of attribute names is needed, as ["sAMAccountName"]')
        return tuple(value)

    @staticmethod
    def _one_of(words: type[Enum]) -> Callable[[object], Enum]:
        def check(value: object) -> Enum:
            known = [str(each.value) for each in words]
            if value not in known:
                raise ValueError(f"one of {', '.join(known)} is needed")
            return words(value)

        return check

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
    def _control(value: object) -> str:
        try:
            parts = urlsplit(value if isinstance(value, str) else "")
            if parts.scheme != "http" or "@" in parts.netloc or parts.path not in {"", "/"}:
                raise ValueError
            split_address(parts.netloc)
        except ValueError:
            raise ValueError('"http://address:port" of a fleet\'s control API is needed') from None
        return parts.netloc

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
