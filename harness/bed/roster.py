"""The fleet's roster: which phones there are, by name, number, address and model.

Built from a scenario's figures, the same for the same seed; written as `roster.csv` of docs/design/parts.md. A site's
own phones come from `harness.site`.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from harness.bed.errors import RosterError
from harness.bed.ground import Addresses
from harness.site.phone import Phone
from harness.site.phone_list import write_phone_list

OUI: Final = "001BD4"
"""A block of hardware addresses that IEEE assigned to Cisco Systems."""
FIRST_DIRECTORY_NUMBER: Final = 2001
CONTROL_MAC: Final = f"{OUI}FFFFFE"
CONTROL_DIRECTORY_NUMBER: Final = "99999"
CONTROL_MODEL: Final = "CP-7961G"


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
        path.write_text(write_phone_list([*self.phones, *([self.control] if self.control else [])]), encoding="utf-8")

    def write_gateway(self, path: Path) -> None:
        """Write what the gateway is given: the fleet alone."""
        path.write_text(write_phone_list(self.phones), encoding="utf-8")


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
