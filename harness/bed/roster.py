"""The fleet's roster: which phones there are, by name, number, address and model.

Built from a scenario's figures (the same for the same seed) or read from a site's CSV file; written as `roster.csv` of
docs/design/parts.md.
"""

import csv
import io
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from harness.bed.errors import RosterError
from harness.bed.ground import Addresses

COLUMNS: Final = (
    "device_name",
    "directory_number",
    "mac",
    "model",
    "address",
    "authentication_url",
    "web_access",
)
REQUIRED: Final = ("device_name", "model", "address")
OUI: Final = "001BD4"
"""A block of hardware addresses that IEEE assigned to Cisco Systems."""
FIRST_DIRECTORY_NUMBER: Final = 2001
CONTROL_MAC: Final = f"{OUI}FFFFFE"
CONTROL_DIRECTORY_NUMBER: Final = "99999"
CONTROL_MODEL: Final = "CP-7961G"
SITE_LIMIT_BYTES: Final = 16 * 2**20
"""100,000 phones take 10 MiB."""

_NAME: Final = re.compile(r"SEP[0-9A-F]{12}")
_MAC: Final = re.compile(r"[0-9A-F]{12}")
_NUMBER: Final = re.compile(r"[0-9*#+]{0,50}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One phone.

    Attributes:
        device_name: `SEP` + 12 upper-case hex digits.
        mac: those 12 digits.
        authentication_url: empty: the fleet's.
        web_access: False: its web server is off by configuration.
    """

    device_name: str
    directory_number: str
    mac: str
    model: str
    address: str
    authentication_url: str = ""
    web_access: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The phones of a run.

    Attributes:
        phones: the fleet, which is judged.
        control: the positive control phone, which is not; None in a site without one.
    """

    phones: Sequence[Phone]
    control: Phone | None

    def write(self, path: Path) -> None:
        """Write what the fleet is built from: all phones, the control phone last."""
        path.write_text(to_csv([*self.phones, *([self.control] if self.control else [])]), encoding="utf-8")

    def write_gateway(self, path: Path) -> None:
        """Write what the gateway is given: the fleet alone."""
        path.write_text(to_csv(self.phones), encoding="utf-8")


def build_roster(*, phones: int, models: Mapping[str, float], seed: int, addresses: Addresses) -> Roster:
    """Make a fleet of `phones` phones on addresses in a row, and the control phone.

    Args:
        phones: how many, at least 1; a ground has room for 32,252.
        models: model → share; the shares sum to 1. Counts are exact by the largest remainder.
        seed: decides which phone is of which model, nothing else.
        addresses: the ground's.

    Raises:
        RosterError: no phone, too many, or shares that are not shares.
    """
    errors = []
    first = int(IPv4Address(addresses.first_phone))
    room = int(IPv4Address(addresses.canary_phone)) - first
    if phones < 1:
        errors.append(
            f"fleet: {phones} phones; at least 1 is needed, for a run in which nothing can happen shows nothing"
        )
    if phones > room:
        errors.append(f"fleet: {phones} phones; {addresses.phones_network} has room for {room}")
    if not models or any(share < 0 for share in models.values()) or abs(sum(models.values()) - 1) > 1e-6:
        errors.append(f"fleet: shares of models must be positive and sum to 1, they sum to {sum(models.values()):g}")
    if errors:
        raise RosterError(errors)
    assigned = [model for model, count in apportion(phones, models).items() for _ in range(count)]
    random.Random(f"roster-{seed}").shuffle(assigned)
    fleet = tuple(_generated(index, model, first) for index, model in enumerate(assigned))
    return Roster(phones=fleet, control=control_phone(addresses.control_phone))


def _generated(index: int, model: str, first: int) -> Phone:
    mac = f"{OUI}{index + 1:06X}"
    return Phone(
        device_name=f"SEP{mac}",
        directory_number=str(FIRST_DIRECTORY_NUMBER + index),
        mac=mac,
        model=model,
        address=str(IPv4Address(first + index)),
    )


def control_phone(address: str) -> Phone:
    """The positive control phone."""
    return Phone(
        device_name=f"SEP{CONTROL_MAC}",
        directory_number=CONTROL_DIRECTORY_NUMBER,
        mac=CONTROL_MAC,
        model=CONTROL_MODEL,
        address=address,
    )


def apportion(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Split `total` by shares so that the counts sum to it exactly (largest remainder; ties to the earlier name)."""
    whole = sum(shares.values())
    quotas = {name: total * share / whole for name, share in shares.items()}
    counts = {name: int(quota) for name, quota in quotas.items()}
    left = total - sum(counts.values())
    by_remainder = sorted(shares, key=lambda name: (counts[name] - quotas[name], list(shares).index(name)))
    for name in by_remainder[:left]:
        counts[name] += 1
    return counts


def to_csv(phones: Iterable[Phone]) -> str:
    """Phones as the text of a `roster.csv`."""
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
            )
        )
    return text.getvalue()


def read_site(path: Path, *, network: str | None = None, reserved: Sequence[str] = ()) -> tuple[Phone, ...]:
    """Read a site's phones, or a `roster.csv`: the same columns, of which only REQUIRED are needed.

    Args:
        path: UTF-8, with a line of column names; spaces around values do not count, nor does case in names and MACs.
        network: CIDR that every address must lie in.
        reserved: addresses that no phone may have (control phone, canary).

    Raises:
        RosterError: with every error of the file, one line each, by line number.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(SITE_LIMIT_BYTES + 1)
    except OSError as error:
        raise RosterError([f"{path}: cannot be read: {error.strerror}"]) from None
    if len(raw) > SITE_LIMIT_BYTES:
        raise RosterError([f"{path}: larger than {SITE_LIMIT_BYTES // 2**20} MiB, so no list of phones"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RosterError([f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8"]) from None
    return _Site(str(path), None if network is None else IPv4Network(network), frozenset(reserved)).read(text)


class _Site:
    def __init__(self, name: str, network: IPv4Network | None, reserved: frozenset[str]) -> None:
        self._name = name
        self._network = network
        self._reserved = reserved
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
            raise RosterError(self._errors)
        return tuple(phones)

    def _complain(self, line: int, what: str) -> None:
        self._errors.append(f"{self._name}:{line}: {what}")

    def _check_header(self, header: list[str]) -> None:
        wrong = [f"no column {name}" for name in REQUIRED if name not in header]
        wrong += [f"unknown column {name!r}" for name in header if name not in COLUMNS]
        wrong += [f"column {name} twice" for name in sorted({name for name in header if header.count(name) > 1})]
        if wrong:
            # Nothing below can be read by wrong names: these errors stand alone.
            raise RosterError([f"{self._name}:1: {what}; the columns are {', '.join(COLUMNS)}" for what in wrong])

    def _phone(self, header: list[str], row: list[str], line: int) -> Phone:
        if len(row) != len(header):
            self._complain(line, f"{len(row)} values for {len(header)} columns")
        values = dict.fromkeys(COLUMNS, "") | {name: value.strip() for name, value in zip(header, row, strict=False)}
        name = values["device_name"].upper()
        mac = re.sub(r"[:.\-]", "", values["mac"]).upper() or name[3:]
        if not _NAME.fullmatch(name):
            self._complain(line, f"device_name {values['device_name']!r}: SEP and 12 hex digits are needed")
        elif not _MAC.fullmatch(mac):
            self._complain(line, f"mac {values['mac']!r}: 12 hex digits are needed")
        elif name[3:] != mac:
            self._complain(line, f"mac {values['mac']} does not belong to {name}")
        if not values["model"]:
            self._complain(line, "no model")
        if not _NUMBER.fullmatch(values["directory_number"]):
            self._complain(line, f"directory_number {values['directory_number']!r}: digits, * # + only")
        web_access = values["web_access"].lower()
        if web_access not in {"", "true", "false"}:
            self._complain(line, f"web_access {values['web_access']!r}: true or false is needed")
        self._check_address(values["address"], line)
        # A MAC is the name's digits: a second row of one is a second row of the other, and one complaint is enough.
        duplicate_name = self._check_unique("device_name", name, line)
        if not duplicate_name:
            self._check_unique("mac", mac, line)
        self._check_unique("address", values["address"], line)
        return Phone(
            device_name=name,
            directory_number=values["directory_number"],
            mac=mac,
            model=values["model"],
            address=values["address"],
            authentication_url=values["authentication_url"],
            web_access=web_access != "false",
        )

    def _check_address(self, text: str, line: int) -> None:
        try:
            address = IPv4Address(text)
        except ValueError:
            self._complain(line, f"address {text!r}: an IPv4 address is needed")
            return
        if self._network is not None and address not in self._network:
            self._complain(line, f"address {text}: outside the phones' network {self._network}")
        if text in self._reserved:
            self._complain(line, f"address {text}: reserved for controls of the run")

    def _check_unique(self, column: str, value: str, line: int) -> bool:
        first = self._seen.setdefault((column, value), line)
        duplicate = first != line and value != ""
        if duplicate:
            self._complain(line, f"{column} {value} is that of line {first} already")
        return duplicate
