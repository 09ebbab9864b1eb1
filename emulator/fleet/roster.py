"""Which phones there are: from a CSV file (docs/design/parts.md), or made up from a count."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from emulator.fleet.catalogue import Catalogue, UnknownModelError
from emulator.phone.authentication import Server, read_url, unusable
from emulator.phone.phone import Phone
from emulator.server import ConfigurationError

COLUMNS: Final = (
    "device_name", "directory_number", "mac", "model", "address", "authentication_url", "web_access", "zone", "subnet",
)  # fmt: skip
"""Zone and subnet are for others: phones do not know theirs."""
PHONES: Final = 1_000_000
"""More would not fit into the numbers that made-up names have."""
_FILE_BYTES: Final = 1 << 28
_FIRST_MAC: Final = 0x001BD4000001
"""001BD4 is one of Cisco's address blocks."""
_FIRST_NUMBER: Final = 2001
_NAME: Final = re.compile(r"SEP[0-9A-F]{12}")
_MAC: Final = re.compile(r"[0-9A-F]{12}")
_NUMBER: Final = re.compile(r"[0-9*#+]{0,24}")
_NAMED: Final = re.compile(r"https?://[A-Za-z][A-Za-z0-9.-]{0,252}(?::[0-9]{1,5})?(?:/[!-~]*)?")
"""A URL with a name in it: names are not resolved here, so such a phone asks nobody and refuses every push."""
_PROBLEMS: Final = 100
"""More of them help nobody."""


def read_models(text: str, catalogue: Catalogue) -> dict[str, float]:
    """`CP-7960G` or `CP-7960G=0.5,CP-7961G=0.5`: shares of the models.

    Raises:
        ConfigurationError: an unknown model, a model given twice, or shares that are not positive.
    """
    shares: dict[str, float] = {}
    problems = []
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            model = catalogue.find(name).model
            value = float(share) if share else 1.0
        except UnknownModelError as error:
            problems.append(str(error))
        except ValueError:
            problems.append(f"share of {name}: expected a number, got {share!r}")
        else:
            if model in shares or not 0 < value < 1e6:
                problems.append(f"{name}: given twice, or its share is not positive")
            shares[model] = value
    if problems:
        raise ConfigurationError(problems)
    return shares


def make(
    count: int,
    *,
    network: IPv4Network,
    models: Mapping[str, float],
    seed: int,
    catalogue: Catalogue,
    server: Server | None,
) -> list[Phone]:
    """`count` phones with addresses from the network's first on; the seed decides which phone is of which model.

    Raises:
        ConfigurationError: the network is too small, or the count out of range.
    """
    most = min(PHONES, network.num_addresses - 2)
    if not 1 <= count <= most:
        raise ConfigurationError([f"{count} phones: expected 1 to {most} in {network}"])
    weights = list(models.values())
    kinds = [catalogue.models[name] for name in models]
    chosen = random.Random(seed).choices(kinds, weights, k=count) if len(kinds) > 1 else kinds * count
    first = int(network.network_address) + 1
    return [
        Phone(
            device_name=f"SEP{_FIRST_MAC + index:012X}",
            directory_number=str(_FIRST_NUMBER + index),
            mac=f"{_FIRST_MAC + index:012X}",
            model=chosen[index],
            address=str(IPv4Address(first + index)),
            server=server,
        )
        for index in range(count)
    ]


def read(path: Path, *, catalogue: Catalogue, server: Server | None) -> list[Phone]:
    """The phones of a CSV file. Phones without a URL of their own have the fleet's.

    Raises:
        ConfigurationError: all that is wrong with the file, with line numbers.
    """
    try:
        if path.stat().st_size > _FILE_BYTES:
            raise ConfigurationError([f"{path}: larger than {_FILE_BYTES} bytes"])
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = _Reader(str(path), catalogue, server)
            phones = list(reader.phones(csv.reader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError([f"{path}: {error}"]) from error
    if not phones and not reader.problems:
        reader.problems.append(f"{path}: no phones in it")
    if reader.problems:
        more = len(reader.problems) - _PROBLEMS
        raise ConfigurationError(reader.problems[:_PROBLEMS] + ([f"{path}: and {more} more"] if more > 0 else []))
    return phones


class _Reader:
    def __init__(self, path: str, catalogue: Catalogue, server: Server | None) -> None:
        self.problems: list[str] = []
        self._path = path
        self._catalogue = catalogue
        self._server = server
        self._servers: dict[str, Server | None] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._line = 0

    def phones(self, rows: Iterator[list[str]]) -> Iterator[Phone]:
        header = [name.strip() for name in next(rows, [])]
        self._line = 1
        missing = [name for name in ("device_name", "address") if name not in header]
        unknown = [name for name in header if name not in COLUMNS]
        if missing or unknown or len(set(header)) != len(header):
            self._problem(
                f"expected columns of {', '.join(COLUMNS)}; missing: {', '.join(missing) or 'none'}, "
                f"unknown: {', '.join(unknown) or 'none'}"
            )
            return
        for number, row in enumerate(rows, start=2):
            self._line = number
            if not row:
                continue
            if len(row) != len(header):
                self._problem(f"{len(row)} fields, expected {len(header)}")
                continue
            before = len(self.problems)
            phone = self._phone({name: value.strip() for name, value in zip(header, row, strict=True)})
            if phone is not None and len(self.problems) == before:
                yield phone

    def _problem(self, text: str) -> None:
        self.problems.append(f"{self._path}:{self._line}: {text}")

    def _once(self, column: str, value: str) -> None:
        first = self._seen.setdefault((column, value), self._line)
        if first != self._line:
            self._problem(f"{column} {value} is also in line {first}")

    def _phone(self, row: Mapping[str, str]) -> Phone | None:
        name = row["device_name"].upper()
        mac = row.get("mac", "").replace(":", "").replace("-", "").replace(".", "").upper() or name[3:]
        number = row.get("directory_number", "")
        if not _NAME.fullmatch(name):
            self._problem(f"device_name {row['device_name']!r}: expected SEP and 12 hexadecimal digits")
        if not _MAC.fullmatch(mac):
            self._problem(f"mac {row.get('mac', '')!r}: expected 12 hexadecimal digits")
        if not _NUMBER.fullmatch(number):
            self._problem(f"directory_number {number!r}: expected at most 24 digits, *, # or +")
        self._once("device_name", name)
        self._once("mac", mac)
        address = self._address(row["address"])
        web_access = row.get("web_access", "").lower() or "true"
        if web_access not in {"true", "false"}:
            self._problem(f"web_access {web_access!r}: expected true or false")
        try:
            model = self._catalogue.find(row.get("model", "") or "CP-7960G")
        except UnknownModelError as error:
            self._problem(str(error))
            return None
        return Phone(
            device_name=name,
            directory_number=number,
            mac=mac,
            model=model,
            address=address,
            server=self._server_of(row.get("authentication_url", "")),
            web_access=web_access == "true",
        )

    def _address(self, text: str) -> str:
        try:
            address = str(IPv4Address(text))
        except ValueError:
            self._problem(f"address {text!r}: expected an IPv4 address")
            return text
        self._once("address", address)
        return address

    def _server_of(self, url: str) -> Server | None:
        if not url:
            return self._server
        if url not in self._servers:
            self._servers[url] = read_url(url)
            if self._servers[url] is None and _NAMED.fullmatch(url):
                self._servers[url] = unusable(url)  # as on a phone without a name server
            elif self._servers[url] is None:
                self._problem("authentication_url: expected http:// or https:// and an IPv4 address, or a host's name")
        return self._servers[url]
