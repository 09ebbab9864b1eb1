"""The one CSV of phones: `roster.csv` of docs/design/parts.md, and what `pushlab site` writes. Read and written here.

Of the columns only `device_name`, `model` and `address` are needed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from harness.site.errors import SiteError
from harness.site.phone import DEVICE_NAME, MAC, NUMBER, ZONE_CHARACTERS_MAX, Phone, ipv4

COLUMNS: Final = (
    "device_name",
    "directory_number",
    "mac",
    "model",
    "address",
    "authentication_url",
    "web_access",
    "zone",
    "subnet",
)
REQUIRED: Final = ("device_name", "model", "address")
LIST_BYTES_MAX: Final = 16 * 2**20
"""100,000 phones take 10 MiB."""


def write_phone_list(phones: Iterable[Phone]) -> str:
    """Phones as the text of the list."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for phone in phones:
        writer.writerow(
            (
                phone.device_name,
                phone.directory_number,
                phone.mac,
                phone.model,
                phone.address,
                phone.authentication_url,
                "true" if phone.web_access else "false",
                phone.zone,
                phone.subnet,
            )
        )
    return text.getvalue()


def is_header(line: str) -> bool:
    """Whether a file's first line is that of such a list."""
    return "device_name" in {name.strip().strip('"') for name in line.split(",")}


def parse_phone_list(
    file: str,
    text: str,
    *,
    network: str | None = None,
    reserved: Sequence[str] = (),
    addresses_once: bool = True,
) -> tuple[Phone, ...]:
    """Read the list's text.

    Args:
        file: what to call it in errors.
        text: with a line of column names; spaces around values do not count, nor does case in names and MACs.
        network: CIDR that every address must lie in.
        reserved: addresses that no phone may have (control phone, canary).
        addresses_once: whether an address that two phones have is an error; else that is left to the caller.

    Raises:
        SiteError: with every error of the file, one line each, by line number.
    """
    within = None if network is None else IPv4Network(network)
    return _Reader(file, within, frozenset(reserved), addresses_once=addresses_once).read(text)


class _Reader:
    def __init__(
        self, name: str, network: IPv4Network | None, reserved: frozenset[str], *, addresses_once: bool
    ) -> None:
        self._name = name
        self._network = network
        self._reserved = reserved
        self._addresses_once = addresses_once
        self._errors: list[str] = []
        self._seen: dict[tuple[str, str], int] = {}

    def read(self, text: str) -> tuple[Phone, ...]:
        reader = csv.reader(io.StringIO(text, newline=""))
        phones: list[Phone] = []
        try:
            header = [name.strip() for name in next(reader, [])]
            self._check_header(header)
            rows = ((row, reader.line_num) for row in reader if any(value.strip() for value in row))
            phones = [self._phone(header, row, line) for row, line in rows]
        except csv.Error as error:
            self._complain(reader.line_num, f"not CSV: {error}")
        if not phones and not self._errors:
            self._errors.append(f"{self._name}: no phone in it; at least one is needed")
        if self._errors:
            raise SiteError(self._errors)
        return tuple(phones)

    def _complain(self, line: int, what: str) -> None:
        self._errors.append(f"{self._name}:{line}: {what}")

    def _check_header(self, header: list[str]) -> None:
        wrong = [f"no column {name}" for name in REQUIRED if name not in header]
        wrong += [f"unknown column {name!r}" for name in header if name not in COLUMNS]
        wrong += [f"column {name} twice" for name in sorted({name for name in header if header.count(name) > 1})]
        if wrong:
            # Nothing below can be read by wrong names: these errors stand alone.
            raise SiteError([f"{self._name}:1: {what}; the columns are {', '.join(COLUMNS)}" for what in wrong])

    def _phone(self, header: list[str], row: list[str], line: int) -> Phone:
        if len(row) != len(header):
            self._complain(line, f"{len(row)} values for {len(header)} columns")
        values = dict.fromkeys(COLUMNS, "") | {name: value.strip() for name, value in zip(header, row, strict=False)}
        name = values["device_name"].upper()
        mac = re.sub(r"[:.\-]", "", values["mac"]).upper() or name[3:]
        if not DEVICE_NAME.fullmatch(name):
            self._complain(line, f"device_name {values['device_name']!r}: SEP and 12 hex digits are needed")
        elif not MAC.fullmatch(mac):
            self._complain(line, f"mac {values['mac']!r}: 12 hex digits are needed")
        elif name[3:] != mac:
            self._complain(line, f"mac {values['mac']} does not belong to {name}")
        if not values["model"]:
            self._complain(line, "no model")
        if not NUMBER.fullmatch(values["directory_number"]):
            self._complain(line, f"directory_number {values['directory_number']!r}: digits, * # + only")
        web_access = values["web_access"].lower()
        if web_access not in {"", "true", "false"}:
            self._complain(line, f"web_access {values['web_access']!r}: true or false is needed")
        zone = values["zone"]
        if len(zone) > ZONE_CHARACTERS_MAX or not zone.isprintable():
            self._complain(line, f"zone {zone[:20]!r}: at most {ZONE_CHARACTERS_MAX} characters that can be printed")
        address = ipv4(values["address"])
        self._check_address(values["address"], address, line)
        subnet = self._subnet(values["subnet"], address, line)
        # A MAC is the name's digits: a second row of one is a second row of the other, and one complaint is enough.
        duplicate_name = self._check_unique("device_name", name, line)
        if not duplicate_name:
            self._check_unique("mac", mac, line)
        if self._addresses_once:
            self._check_unique("address", values["address"], line)
        return Phone(
            device_name=name,
            directory_number=values["directory_number"],
            mac=mac,
            model=values["model"],
            address=values["address"],
            authentication_url=values["authentication_url"],
            web_access=web_access != "false",
            zone=zone,
            subnet=subnet,
        )

    def _check_address(self, text: str, address: IPv4Address | None, line: int) -> None:
        if address is None:
            self._complain(line, f"address {text!r}: an IPv4 address is needed")
            return
        if self._network is not None and address not in self._network:
            self._complain(line, f"address {text}: outside the phones' network {self._network}")
        if text in self._reserved:
            self._complain(line, f"address {text}: reserved for controls of the run")

    def _subnet(self, text: str, address: IPv4Address | None, line: int) -> str:
        if not text:
            return ""
        try:
            network = IPv4Network(text)
        except ValueError:
            self._complain(line, f"subnet {text!r}: a network is needed, as 10.30.4.0/24")
            return ""
        if address is not None and address not in network:
            self._complain(line, f"subnet {text}: {address} is not in it")
        return str(network)

    def _check_unique(self, column: str, value: str, line: int) -> bool:
        first = self._seen.setdefault((column, value), line)
        duplicate = first != line and value != ""
        if duplicate:
            self._complain(line, f"{column} {value} is that of line {first} already")
        return duplicate
