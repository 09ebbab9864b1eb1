"""Which phones have which fault: from a file, or by shares of the fleet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emulator import misbehaviour
from emulator.fleet.impairment import NAME as IMPAIRMENT
from emulator.fleet.impairment import Impairment, ImpairmentError, read_impairment
from emulator.phone.phone import Phone
from emulator.server import ConfigurationError

COLUMNS: Final = ("device_name", "fault", "parameters")
_FILE_BYTES: Final = 1 << 26
"""32,000 phones take 2 MB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Faulty phones by address: each has at most one fault."""

    misbehaving: Mapping[str, str] = field(default_factory=dict)
    """Name in emulator/misbehaviour.py."""
    impaired: Mapping[str, Impairment] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Address, name and parameters of each, for the records."""
        for address, name in self.misbehaving.items():
            yield address, name, ""
        for address, impairment in self.impaired.items():
            yield address, IMPAIRMENT, impairment.text


def by_share(phones: Sequence[Phone], misbehaviours: Sequence[str], impairments: Sequence[str], *, seed: int) -> Faults:
    """`NAME=SHARE` and `loss=0.01,jitter_ms=20@SHARE`: exactly these shares, rounded, of different phones.

    Raises:
        ConfigurationError: all that is wrong.
    """
    problems: list[str] = []
    shares: dict[str, float] = {}
    doors: dict[str, Impairment] = {}
    try:
        shares.update(misbehaviour.read_shares(misbehaviours))
    except misbehaviour.MisbehaviourError as error:
        problems += [f"--misbehaviour: {line}" for line in str(error).splitlines()]
    for text in impairments:
        what, _, share = text.rpartition("@") if "@" in text else (text, "", "1")
        try:
            value = float(share)
            if not 0 <= value <= 1 or what in shares:
                raise ValueError
            doors[what] = read_impairment(what.split(","))
            shares[what] = value
        except ImpairmentError as error:
            problems.append(f"--impairment {text!r}: {error}")
        except ValueError:
            problems.append(f"--impairment {text!r}: given twice, or its share is not from 0 to 1")
    if not problems and sum(shares.values()) > 1 + 1e-9:
        problems.append("the shares of --misbehaviour and --impairment are more than 1 together")
    if problems:
        raise ConfigurationError(problems)
    chosen = misbehaviour.choose([phone.address for phone in phones], shares, seed)
    return Faults(
        misbehaving={address: name for address, name in chosen.items() if name not in doors},
        impaired={address: doors[name] for address, name in chosen.items() if name in doors},
    )


def read(path: Path, phones: Sequence[Phone]) -> Faults:
    """The faults of a CSV file with the columns `device_name`, `fault` and, if there is one, `parameters`.

    Raises:
        ConfigurationError: all that is wrong with the file, with line numbers.
    """
    try:
        if path.stat().st_size > _FILE_BYTES:
            raise ConfigurationError([f"{path}: larger than {_FILE_BYTES} bytes"])
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError([f"{path}: {error}"]) from error
    header = [name.strip() for name in rows[0]] if rows else []
    if header not in (list(COLUMNS), list(COLUMNS[:2])):
        raise ConfigurationError([f"{path}:1: expected the columns {', '.join(COLUMNS)}"])
    addresses = {phone.device_name: phone.address for phone in phones}
    misbehaving: dict[str, str] = {}
    impaired: dict[str, Impairment] = {}
    problems: list[str] = []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        device_name, name, parameters = (*(value.strip() for value in row), "", "", "")[:3]
        address = addresses.get(device_name.upper())
        if len(row) != len(header):
            problems.append(f"{path}:{line}: {len(row)} fields, expected {len(header)}")
        elif address is None:
            problems.append(f"{path}:{line}: {device_name!r} is no phone of the fleet")
        elif address in misbehaving or address in impaired:
            problems.append(f"{path}:{line}: {device_name} has a fault already")
        elif name == IMPAIRMENT:
            try:
                impaired[address] = read_impairment(parameters.split())
            except ImpairmentError as error:
                problems.append(f"{path}:{line}: {error}")
        elif name not in misbehaviour.NAMES:
            problems.append(f"{path}:{line}: {name!r}: expected {', '.join((*misbehaviour.NAMES, IMPAIRMENT))}")
        elif parameters:
            problems.append(f"{path}:{line}: {name} takes no parameters")
        else:
            misbehaving[address] = name
    if problems:
        raise ConfigurationError(problems)
    return Faults(misbehaving=misbehaving, impaired=impaired)
