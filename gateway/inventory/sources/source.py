"""One place where phones are found: its kind, its settings, how often it is asked. Reading is strict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final, Literal, cast
from urllib.parse import urlsplit

Kind = Literal["csv", "range", "devicelistx", "risport"]
KINDS: Final[tuple[Kind, ...]] = ("csv", "range", "devicelistx", "risport")
MAX_RANGE: Final = 65_536
"""Addresses of one network range; with 200 at once and 2 s each that is eleven minutes."""
MAX_CSV: Final = 16 * 1024 * 1024
LEAST_MINUTES: Final = 5
"""DeviceListX may be asked once a minute (OL20949, chapter 10), and hourly is the advice."""
MOST_MINUTES: Final = 10_080
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


class SourceError(Exception):
    """A source cannot be so, or did not say which phones there are. The text holds no credentials."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A source as an operator set it up."""

    name: str
    kind: Kind
    url: str = ""
    """Of DeviceListX and RisPort70: CallManager's address, `https://10.0.0.5` or with a port and a path."""
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    """PEM of whom to trust; empty: the system's authorities."""
    verify: bool = True
    """False: whoever answers is believed. CallManager's certificate is self-signed until somebody has it signed."""
    networks: tuple[str, ...] = ()
    """Of a range."""
    csv: str = field(default="", repr=False)
    """Of a CSV source: the file's text."""
    only: str = field(default="", repr=False)
    """Text of a CSV file whose device names are the only ones taken of the report; empty: all."""
    every_minutes: int | None = None
    """None: only when somebody asks."""


def read_source(values: Mapping[str, object]) -> Source:
    """Check what an operator gave.

    Raises:
        SourceError: with everything that is wrong.
    """
    errors: list[str] = []
    texts = {"name", "kind", "url", "user", "password", "ca_file", "csv", "only"}
    known = texts | {"verify", "networks", "every_minutes"}
    errors += [f"{name[:40]}: unknown" for name in values if name not in known]
    given = {name: values.get(name, "") for name in texts}
    errors += [f"{name}: a text is needed" for name, value in given.items() if not isinstance(value, str)]
    text = {name: value if isinstance(value, str) else "" for name, value in given.items()}
    if not _NAME.fullmatch(text["name"]):
        errors.append("name: 1 to 64 letters, digits, blanks, dots, hyphens and underscores are needed")
    kind = text["kind"]
    if kind not in KINDS:
        errors.append(f"kind: one of {', '.join(KINDS)} is needed")
    networks = values.get("networks", [])
    if not isinstance(networks, list | tuple) or not all(isinstance(each, str) for each in networks):
        errors.append('networks: a list is needed, as ["10.20.0.0/24"]')
        networks = []
    if kind == "range":
        errors += _range_errors([str(each) for each in networks])
    if kind == "csv" and not text["csv"]:
        errors.append("csv: the file's text is needed")
    errors += [f"{name}: more than {MAX_CSV >> 20} MiB" for name in ("csv", "only") if len(text[name]) > MAX_CSV]
    if kind in {"devicelistx", "risport"}:
        parts = urlsplit(text["url"])
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            errors.append("url: http:// or https:// and CallManager's address are needed, without user and query")
        errors += [f"{name}: is needed" for name in ("user", "password") if not text[name]]
    verify = values.get("verify", True)
    if not isinstance(verify, bool):
        errors.append("verify: true or false is needed")
    every = values.get("every_minutes")
    if every is not None and (
        isinstance(every, bool) or not isinstance(every, int) or not LEAST_MINUTES <= every <= MOST_MINUTES
    ):
        errors.append(f"every_minutes: {LEAST_MINUTES} to {MOST_MINUTES} minutes, or nothing")
    if errors:
        raise SourceError("; ".join(errors))
    return Source(
        **{name: value for name, value in text.items() if name != "kind"},
        kind=cast("Kind", kind),
        verify=bool(verify),
        networks=tuple(str(each) for each in networks),
        every_minutes=cast("int | None", every),
    )


def _range_errors(networks: list[str]) -> list[str]:
    if not networks:
        return ["networks: at least one is needed"]
    errors, total = [], 0
    for text in networks:
        try:
            total += IPv4Network(text).num_addresses
        except ValueError:
            errors.append(f"networks: {text[:40]!r} is no IPv4 network, as 10.20.0.0/24")
    if total > MAX_RANGE:
        errors.append(f"networks: {total} addresses, at most {MAX_RANGE}: name smaller networks, or another source")
    return errors
