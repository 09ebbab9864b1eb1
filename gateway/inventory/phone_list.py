"""Read the phone list, a CSV file: everything wrong with it at once, before anything is sent."""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of a list: 200,000 phones with room to spare."""
MAX_ERRORS = 50
"""Lines of errors that are told; a list of another kind is wrong in every line."""

_DEVICE_NAME = re.compile(r"[A-Z]{3}[0-9A-F]{12}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """A phone that can be pushed to."""

    device_name: str
    """SEP and 12 upper-case hex digits."""
    address: str


class PhoneListError(Exception):
    """The list cannot be used.

    Attributes:
        errors: One line each, with the line of the list.
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


def load_phone_list(path: Path) -> tuple[Phone, ...]:
    """Read ``path``.

    Raises:
        PhoneListError: Unreadable, or wrong lines.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PhoneListError([f"{path}: cannot be read: {error.strerror}"]) from None
    if len(data) > MAX_BYTES:
        raise PhoneListError([f"{path}: longer than {MAX_BYTES} bytes"])
    return parse_phone_list(data, str(path))


def parse_phone_list(data: bytes, name: str) -> tuple[Phone, ...]:
    """Read a list with a header line; ``device_name`` and ``address`` are needed, other columns are left alone.

    Args:
        data: The file's bytes, UTF-8 with or without a byte order mark.
        name: What to call the file in errors.

    Raises:
        PhoneListError: With all errors: missing columns, bad names and addresses, duplicates of either.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PhoneListError([f"{name}: not UTF-8 text (byte {error.start})"]) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = _rows(reader, name)
    _, header = next(rows, (0, []))
    header = [column.strip() for column in header]
    missing = [column for column in ("device_name", "address") if header.count(column) != 1]
    if missing:
        raise PhoneListError([f"{name}: line 1: needs the column {column} exactly once" for column in missing])
    at_name, at_address = header.index("device_name"), header.index("address")
    errors: list[str] = []
    phones: list[Phone] = []
    names: dict[str, int] = {}
    addresses: dict[str, int] = {}
    for line, row in rows:
        if len(row) != len(header):
            errors.append(f"{name}: line {line}: {len(row)} columns, expected {len(header)}")
            continue
        device_name, address = row[at_name].strip(), row[at_address].strip()
        if not _DEVICE_NAME.fullmatch(device_name):
            errors.append(f"{name}: line {line}: {device_name!r:.40} is no device name, such as SEP001BD4000001")
        elif device_name in names:
            errors.append(f"{name}: line {line}: {device_name} is already in line {names[device_name]}")
        if not _is_phone_address(address):
            errors.append(f"{name}: line {line}: {address!r:.40} is no address of a phone")
        elif address in addresses:
            errors.append(f"{name}: line {line}: {address} is already in line {addresses[address]}")
        names.setdefault(device_name, line)
        addresses.setdefault(address, line)
        phones.append(Phone(device_name=device_name, address=address))
    if errors:
        more = len(errors) - MAX_ERRORS
        raise PhoneListError(errors[:MAX_ERRORS] + ([f"{name}: and {more} more errors"] if more > 0 else []))
    return tuple(phones)


def _rows(reader: Iterator[list[str]], name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, with their line numbers."""
    line = 0
    try:
        for row in reader:
            line += 1
            if any(cell.strip() for cell in row):
                yield line, row
    except csv.Error as error:
        raise PhoneListError([f"{name}: line {line + 1}: not CSV: {error}"]) from None


def _is_phone_address(text: str) -> bool:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or address == ipaddress.IPv4Address("255.255.255.255"))
