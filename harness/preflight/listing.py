"""The phones that are to be paged: one entry each, from whatever list there is."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"SEP[0-9A-F]{12}")


class ListError(Exception):
    """A list that cannot be read, with all that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A phone as the list has it; what the list does not say is empty."""

    device_name: str
    """Empty for an address of which no phone is known yet."""
    address: str
    directory_number: str = ""
    model: str = ""
    where: str = ""
    """Line of the file, for messages."""
    found: bool = False
    """It was found by looking through a network: there is nothing to compare it with."""

    @property
    def subject(self) -> str:
        """How it is called in results."""
        return self.device_name or self.address


def read_csv(path: Path) -> list[Listed]:
    """Phones of a CSV file with the columns `device_name`, `address`, and any others.

    Raises:
        ListError: with every error of the file.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ListError([f"{path}: {error}"]) from None
    problems, phones = [], []
    for line, row in enumerate(rows, 2):
        name, address = (row.get("device_name") or "").strip().upper(), (row.get("address") or "").strip()
        if not _NAME.fullmatch(name):
            problems.append(f"{path}:{line}: device_name {name!r}: expected SEP and 12 hex digits")
        try:
            IPv4Address(address)
        except ValueError:
            problems.append(f"{path}:{line}: address {address!r}: expected an IPv4 address")
        phones.append(
            Listed(
                device_name=name,
                address=address,
                directory_number=(row.get("directory_number") or "").strip(),
                model=(row.get("model") or "").strip(),
                where=f"{path}:{line}",
            )
        )
    if problems or not phones:
        raise ListError(problems or [f"{path}: no phones in it"])
    return phones
