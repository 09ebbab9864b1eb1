"""The scenario's faults: which phones have them, and how each is made.

The draw is one shuffled order of the whole fleet from which each fault takes its share, so no phone has two, and the
same seed strikes the same phones. What phones do themselves is handed to the fleet as a file (`--faults`), what is a
setting of theirs goes into the roster before anything starts; the rest is made once all parts stand.
"""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from harness.bed.errors import BedError
from harness.bed.ground import Ground
from harness.bed.roster import Roster
from harness.observe import EventWriter
from harness.scenario.faults import CREDENTIAL_DRIFT, FAULTS, PARAMETERS, Carrier, FaultKind
from harness.scenario.model import Fault, Scenario, share_of
from harness.site import Phone

COLUMNS: Final = ("device_name", "fault", "parameters")
"""Of the file that the fleet is given (docs/reference/phones.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """One fault of the scenario, and its phones by device name in the roster's order; none where it strikes none."""

    fault: Fault
    phones: tuple[str, ...]

    @property
    def kind(self) -> FaultKind:
        """Its entry in the catalogue."""
        return FAULTS[self.fault.kind]

    @property
    def parameters(self) -> str:
        """`loss=0.01 jitter_ms=20`, of an impairment."""
        given = ((name, getattr(self.fault, name)) for name in PARAMETERS)
        return " ".join(f"{name}={value:g}" for name, value in given if value)


def draw(scenario: Scenario, roster: Roster) -> tuple[Struck, ...]:
    """Which phones have which fault. The scenario was checked: there are enough phones."""
    order = random.Random(f"faults-{scenario.seed}").sample(range(len(roster.phones)), len(roster.phones))
    drawn = []
    for fault in scenario.faults:
        count = share_of(len(roster.phones), fault.phones) if FAULTS[fault.kind].strikes_phones else 0
        chosen, order = order[:count], order[count:]
        drawn.append(Struck(fault=fault, phones=tuple(roster.phones[at].device_name for at in sorted(chosen))))
    return tuple(drawn)


def drifts_at(scenario: Scenario, where: str) -> bool:
    """Whether the push user's password is changed there (`gateway`, `callmanager`) while the page runs."""
    return any(fault.kind == CREDENTIAL_DRIFT and fault.where in (where, "both") for fault in scenario.faults)


def settle(roster: Roster, struck: Sequence[Struck]) -> Roster:
    """The roster with the faults that are settings of phones."""
    off = {name for one in struck if one.fault.kind == "web-access-disabled" for name in one.phones}
    phones = tuple(replace(p, web_access=False) if p.device_name in off else p for p in roster.phones)
    return replace(roster, phones=phones)


def fleet_file(struck: Sequence[Struck]) -> str:
    """The file for `pushlab phones --faults`: a line for each phone that makes its fault itself."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in struck:
        if one.kind.carrier is Carrier.PHONES:
            writer.writerows((name, one.fault.kind, one.parameters) for name in one.phones)
    return text.getvalue()


def apply(ground: Ground, roster: Roster, struck: Sequence[Struck], writer: EventWriter) -> None:
    """Bring into force what is made from outside before anything is sent, and record it.

    Raises:
        BedError: this ground cannot.
    """
    by_name = {phone.device_name: phone for phone in roster.phones}
    for one in struck:
        if one.fault.at_s:
            continue  # its time comes (harness/bed/incidents.py)
        detail = make(ground, one, [by_name[name] for name in one.phones])
        writer.write("fault.applied", fault=one.fault.kind, phones=list(one.phones), detail=detail)


def make(ground: Ground, one: Struck, phones: Sequence[Phone] = ()) -> str:
    """Bring one fault into force; what was done, in words.

    Raises:
        BedError: this ground cannot.
    """
    addresses = ground.addresses
    match one.fault.kind:
        case "port-blocked":
            ground.block_udp([phone.address for phone in phones], addresses.rtp_port)
            return f"UDP {addresses.rtp_port} is dropped between gateway and phones"
        case "canary-blocked":
            ground.block_host(addresses.canary_source)
            return f"everything from {addresses.canary_source} is dropped"
        case "control-blocked":
            ground.block_host(addresses.control_phone)
            return f"everything to {addresses.control_phone} is dropped"
        case "callmanager-blocked":
            ground.block_host(addresses.callmanager)
            return f"everything from and to {addresses.callmanager} is dropped"
        case "directory-blocked":
            ground.block_host(addresses.directory)
            return f"everything from and to {addresses.directory} is dropped"
        case other if one.kind.carrier is Carrier.BARRIER:
            raise BedError(f"fault {other!r} is not available on ground {ground.name}")
        case _:
            return f"{one.kind.done}{': ' if one.parameters else ''}{one.parameters}"
