"""The gateway's configuration file: strict TOML, all errors at once (docs/design/parts.md)."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import socket
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from gateway.authentication import OwnUserMismatch
from gateway.media.multicast import RangeError, read_range

MAX_CONCURRENCY = 2000
"""Pushes in flight. 200 are enough (docs/design/performance.md); more only adds queueing."""
MAX_SECRET = 256
"""Bytes of a secret file. CallManager's passwords have at most 127 characters."""
RTP_PORTS = range(20480, 32769, 2)
"""Ports on which phones receive: even, 20480 to 32768 (Cisco XSI development notes, RTP URIs)."""
MAX_URL = 255
"""Characters of an authentication URL that phones take (usecallmanagernz, SEPMAC.cnf.xml)."""

_URL = re.compile(r"[!-~]+")


class ConfigurationError(Exception):
    """The configuration cannot be used. Not for trouble at run time, such as an address that is taken.

    Attributes:
        errors: One line each: where, what was expected, what to do. No secret is quoted.
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """Everything the gateway is told."""

    phone_port: Endpoint
    """Where phones' authentication requests are answered."""
    secured_phone_port: Endpoint | None
    """Where they are answered by HTTPS; None: nowhere."""
    certificate: Path | None
    """Of the secured phone port, PEM."""
    certificate_key: Path | None
    administration: Endpoint | None
    """Where the Administration Tool and its JSON interface listen; None: nowhere."""
    token: str | None = field(repr=False)
    """A bearer token with all rights; None: only accounts and tokens that the store knows."""
    administration_tls: bool = True
    """Whether that port speaks HTTPS; else plain HTTP, for a proxy in front of it or a test bed."""
    administration_certificate: Path | None = None
    """The certificate chain, PEM; None: one is made in the data folder."""
    administration_key: Path | None = None
    metrics_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    """From where `/metrics` is answered without a token."""
    accepted_password: str | None = field(repr=False)
    """What phones' questions are compared with; None: the push user's password."""
    store_folder: Path | None
    """Where the database is; None: in memory, and nothing survives a restart."""
    key_file: Path | None
    """The key of the secrets in it, outside of that folder."""
    fixed: Mapping[str, object] = field(repr=False)
    """Settings (`gateway.settings.Settings`) that this file gives: they hold, whatever the store says."""
    source: str | None
    """Address that pushes and RTP leave from; None: the system's choice."""
    concurrency: int
    """Pushes in flight, over all pages."""
    connect_s: float
    """Limit for a connection to a phone."""
    total_s: float
    """Limit for a whole push, connecting included."""
    phones_csv: Path | None
    """The phone list."""
    phones_port: int
    """Port of the phones' web servers."""
    rtp_port: int
    """Port on which phones receive audio."""
    multicast_ttl: int = 16
    """Routers that a packet to a group may pass."""
    catch_up_ms: int = 60
    """Audio that is sent at once after a stall of the machine; what is overdue beyond it is left out."""


def load_configuration(path: Path) -> Configuration:
    """Read and check a configuration file.

    Raises:
        ConfigurationError: With every error found.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([f"{path}: not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None
    return _Reader(document, path).configuration()


_CERTIFICATE = ("certificate_file", "key_file")
_KEYS: dict[str, tuple[str, ...]] = {
    "phone_port": ("listen", "secured_listen", "certificate_file", "key_file"),
    "administration": ("listen", "token_file", "tls", "certificate_file", "key_file", "metrics_networks"),
    "push_user": ("name", "password_file"),
    "authentication": ("callmanager_url", "own_user_mismatch", "accepted_password_file"),
    "push": ("source", "concurrency", "connect_s", "total_s"),
    "phones": ("csv", "port", "networks"),
    "media": ("rtp_port", "multicast_ttl", "catch_up_ms"),
    "multicast": ("first", "last", "port"),
    "store": ("folder", "key_file"),
}


class _Reader:
    """Reads one document, collecting errors; values after an error are placeholders that are never used."""

    def __init__(self, document: dict[str, object], path: Path) -> None:
        self._path = path
        self._errors: list[str] = []
        self._sections: dict[str, dict[str, object]] = {}
        for name, section in document.items():
            if name not in _KEYS:
                self._error(f"[{name}]", f"unknown section{_nearest(name, tuple(_KEYS))}")
            elif not isinstance(section, dict):
                self._error(name, "must be a section")
            else:
                self._sections[name] = section
                for key in section:
                    if key not in _KEYS[name]:
                        self._error(f"{name}.{key}", f"unknown key{_nearest(key, _KEYS[name])}")

    def configuration(self) -> Configuration:
        phone_port = self._endpoint("phone_port")
        secured = None
        if "secured_listen" in self._sections.get("phone_port", {}):
            secured = self._endpoint("phone_port", "secured_listen")
        certificate, key = (self._certificate_part(name, needed=bool(secured)) for name in _CERTIFICATE)
        administration = self._endpoint("administration") if "administration" in self._sections else None
        stored = "store" in self._sections
        folder, key_file = (self._text("store", "folder"), self._text("store", "key_file")) if stored else ("", "")
        accepts_another = "accepted_password_file" in self._sections.get("authentication", {})
        source = self._source()
        csv = self._text("phones", "csv", "")
        administration_certificate, administration_key = self._administration_certificate()
        connect_s = self._number("push", "connect_s", 2.0, 0.05, 60.0)
        total_s = self._number("push", "total_s", 10.0, 0.05, 300.0)
        if connect_s > total_s:
            self._error("push.connect_s", f"must not be longer than push.total_s ({total_s:g})")
        result = Configuration(
            phone_port=phone_port,
            secured_phone_port=secured,
            certificate=certificate,
            certificate_key=key,
            administration=administration,
            token=self._token(stored=stored),
            administration_tls=self._tls(),
            administration_certificate=administration_certificate,
            administration_key=administration_key,
            metrics_networks=self._networks("administration", "metrics_networks"),
            accepted_password=self._secret("authentication", "accepted_password_file") if accepts_another else None,
            store_folder=self._beside(folder) if folder else None,
            key_file=self._beside(key_file) if key_file else None,
            fixed=self._fixed(phone_port, source, stored=stored),
            source=source,
            concurrency=int(self._number("push", "concurrency", 200, 1, MAX_CONCURRENCY, whole=True)),
            connect_s=connect_s,
            total_s=total_s,
            phones_csv=self._beside(csv) if csv else None,
            phones_port=int(self._number("phones", "port", 80, 1, 65535, whole=True)),
            rtp_port=self._port("media", "rtp_port"),
            multicast_ttl=int(self._number("media", "multicast_ttl", 16, 1, 255, whole=True)),
            catch_up_ms=int(self._number("media", "catch_up_ms", 60, 20, 1000, whole=True)),
        )
        if self._errors:
            raise ConfigurationError(self._errors)
        return result

    def _fixed(self, phone_port: Endpoint, source: str | None, *, stored: bool) -> dict[str, object]:
        """Settings that the file gives. Without a store it has to give those that nothing works without."""
        fixed: dict[str, object] = {}
        if not stored or "push_user" in self._sections:
            fixed["push_user"] = self._user()
            fixed["push_password"] = self._secret("push_user", "password_file")
        authentication = self._sections.get("authentication", {})
        if not stored or "callmanager_url" in authentication:
            fixed["callmanager_url"] = self._callmanager_url(phone_port, source)
        if not stored or "own_user_mismatch" in authentication:
            fixed["own_user_mismatch"] = self._own_user_mismatch()
        if "networks" in self._sections.get("phones", {}):
            fixed["phone_networks"] = self._networks("phones", "networks")
        if "multicast" in self._sections:
            fixed |= self._multicast()
        return fixed

    # values

    def _error(self, where: str, what: str) -> None:
        self._errors.append(f"{self._path}: {where}: {what}")

    def _beside(self, name: str) -> Path:
        return self._path.parent / name

    def _text(self, section: str, key: str, default: str | None = None) -> str:
        value = self._sections.get(section, {}).get(key, default)
        if value is None:
            self._error(f"{section}.{key}", "is missing")
        elif not isinstance(value, str):
            self._error(f"{section}.{key}", f"must be text, got {type(value).__name__}")
        elif not value and default is None:
            self._error(f"{section}.{key}", "must not be empty")
        else:
            return value
        return ""

    def _number(self, section: str, key: str, default: float, low: float, high: float, *, whole: bool = False) -> float:
        value = self._sections.get(section, {}).get(key, default)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            self._error(f"{section}.{key}", f"must be a {'whole ' if whole else ''}number")
        elif not low <= value <= high:
            self._error(f"{section}.{key}", f"must be from {low:g} to {high:g}, got {value:g}")
        else:
            return value
        return default

    def _certificate_part(self, name: str, *, needed: bool) -> Path | None:
        if not needed and name not in self._sections.get("phone_port", {}):
            return None
        text = self._text("phone_port", name)
        return self._beside(text) if text else None

    def _endpoint(self, section: str, key: str = "listen") -> Endpoint:
        text = self._text(section, key)
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if text and not (
            _is_address(host) and port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536
        ):
            self._error(f"{section}.{key}", f'must be "address:port", such as "10.0.0.10:80", got "{text}"')
        elif text:
            return Endpoint(host=host, port=int(port))
        return Endpoint(host="0.0.0.0", port=0)

    def _secret(self, section: str, key: str) -> str:
        name = self._text(section, key)
        if not name:
            return ""
        try:
            return read_secret(self._beside(name), f"{self._path}: {section}.{key}")
        except ConfigurationError as error:
            self._errors.extend(error.errors)
            return ""

    def _user(self) -> str:
        name = self._text("push_user", "name")
        if name and (":" in name or not name.isprintable()):
            self._error("push_user.name", "must be printable and without a colon (RFC 7617)")
        return name

    def _source(self) -> str | None:
        source = self._text("push", "source", "")
        if source and not _is_address(source):
            self._error("push.source", f'must be an address, got "{source}"')
            return None
        if source and ipaddress.ip_address(source).is_unspecified:
            self._error("push.source", "must be one of this machine's addresses: phones only take audio from it")
        return source or None

    def _own_user_mismatch(self) -> OwnUserMismatch:
        value = self._text("authentication", "own_user_mismatch", OwnUserMismatch.REDIRECT)
        try:
            return OwnUserMismatch(value)
        except ValueError:
            if value:
                self._error("authentication.own_user_mismatch", f'must be "redirect" or "refuse", got "{value}"')
            return OwnUserMismatch.REDIRECT

    def _tls(self) -> bool:
        value = self._text("administration", "tls", "on")
        if value not in ("on", "off"):
            self._error("administration.tls", f'must be "on" or "off", got "{value}"')
        return value != "off"

    def _token(self, *, stored: bool) -> str | None:
        """The file's token. Without a store it is the only way in that survives a restart, and so it is asked for."""
        section = self._sections.get("administration")
        if section is None or (stored and "token_file" not in section):
            return None
        return self._secret("administration", "token_file")

    def _administration_certificate(self) -> tuple[Path | None, Path | None]:
        section = self._sections.get("administration", {})
        given = [key for key in ("certificate_file", "key_file") if key in section]
        if len(given) == 1:
            self._error(f"administration.{given[0]}", "certificate_file and key_file belong together: give both")
        certificate, key = (self._text("administration", name, "") for name in ("certificate_file", "key_file"))
        return (self._beside(certificate), self._beside(key)) if certificate and key else (None, None)

    def _callmanager_url(self, phone_port: Endpoint, source: str | None) -> str:
        url = self._text("authentication", "callmanager_url")
        defect = callmanager_url_defect(url, phone_port, source) if url else None
        if defect is not None:
            self._error("authentication.callmanager_url", defect)
        return url

    def _networks(self, section: str, key: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        value = self._sections.get(section, {}).get(key, [])
        if not isinstance(value, list):
            self._error(f"{section}.{key}", 'must be a list, such as ["10.20.0.0/17"]')
            return ()
        networks = []
        for text in value:
            try:
                networks.append(ipaddress.ip_network(text if isinstance(text, str) else ""))
            except ValueError:
                self._error(f"{section}.{key}", f'"{text}" is no network, such as "10.20.0.0/17"')
        return tuple(networks)

    def _port(self, section: str, key: str) -> int:
        port = int(self._number(section, key, 32674, 1, 65535, whole=True))
        if port not in RTP_PORTS:
            self._error(f"{section}.{key}", f"phones receive on even ports from 20480 to 32768, got {port}")
        return port

    def _multicast(self) -> dict[str, object]:
        first, last = self._text("multicast", "first"), self._text("multicast", "last")
        if first and last:
            try:
                read_range(first, last)
            except RangeError as error:
                self._error("multicast", str(error))
        port = self._port("multicast", "port")
        return {"multicast": True, "multicast_first": first, "multicast_last": last, "multicast_port": port}


def read_secret(path: Path, where: str) -> str:
    """The one line of a secret file that nobody but its owner can read.

    Raises:
        ConfigurationError: What is wrong with it, beginning with `where`.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_SECRET + 1)
    except OSError as error:
        raise ConfigurationError([f"{where}: {path} cannot be read: {error.strerror}"]) from None
    errors = []
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        errors.append(f"{where}: {path} can be read by others: chmod 600 {path}")
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        secret = data.decode("utf-8")
    except UnicodeDecodeError:
        secret = ""
    if not secret or len(data) > MAX_SECRET or not secret.isprintable():
        errors.append(f"{where}: {path} must hold one line of 1 to {MAX_SECRET} printable bytes of UTF-8")
    if errors:
        raise ConfigurationError(errors)
    return secret


def callmanager_url_defect(url: str, phone_port: Endpoint, source: str | None) -> str | None:
    """What is wrong with a CallManager authentication URL; None: nothing.

    Args:
        url: not empty.
        phone_port: where this gateway answers phones: a URL that leads there sends phones in circles.
        source: the address that pushes leave from, one of this machine's.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no URL"
    if not _URL.fullmatch(url) or parts.scheme not in ("http", "https") or not parts.hostname or len(url) > MAX_URL:
        return f"must be an absolute http or https URL of at most {MAX_URL} ASCII characters"
    if parts.username is not None or parts.fragment:
        return "must hold neither a user nor a fragment"
    if _is_own_port(parts, port or (443 if parts.scheme == "https" else 80), phone_port, source):
        return f"points at this gateway's own phone port {phone_port}: phones would be sent in circles"
    return None


def _nearest(name: str, valid: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f", did you mean {near[0]}?" if near else f"; known are {', '.join(valid)}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_own_port(url: SplitResult, port: int, listen: Endpoint, source: str | None) -> bool:
    """Whether a URL leads to ``listen``. No name is looked up except those that always mean this machine."""
    if port != listen.port:
        return False
    host = (url.hostname or "").rstrip(".").lower()
    if host == socket.gethostname().lower():
        return True
    own = _plain_address(listen.host)
    for target in _addresses(host):
        if target == own or target.is_unspecified:
            return True
        if own is not None and own.is_unspecified and (str(target) == source or _is_local(str(target))):
            return True
    return False


def _addresses(host: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    """What a URL's host certainly means, without looking it up."""
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")
    address = _plain_address(host)
    return (address,) if address is not None else ()


def _plain_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, however it is written: 127.1, 0x7f000001 and ::ffff:127.0.0.1 are all 127.0.0.1."""
    try:
        address = ipaddress.ip_address(host if ":" in host else socket.inet_aton(host))
    except (OSError, ValueError):
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_local(host: str) -> bool:
    """Whether an address is one of this machine's: only such can be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
