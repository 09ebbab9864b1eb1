"""An emulated fleet that is a real site's twin: its phones at their own addresses, the lab's own hosts out of the way.

On ground netns each of the site's subnets is routed to the phones' host as a whole (AnyIP), and what the lab itself
needs, a network of hosts and a few addresses for controls, is laid into the first of `_BASES` that the site does not
touch. On loopback there is only 127.0.0.0/8: addresses are mapped in the list's order, everything else stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Final

from harness.bed.errors import RosterError
from harness.bed.ground import NETNS, Addresses
from harness.bed.roster import CONTROL_MAC, Roster, control_phone
from harness.site import Phone, models
from harness.site.phone import subnet_of

_BASES: Final = ("10.20", "10.21", "10.99", "172.31", "192.168", "198.18", "198.19")
"""Where the lab's own addresses may lie: private networks, then those for measuring (RFC 2544)."""
_CONTROLS: Final = "{base}.127.248/29"
_LINK: Final = "{base}.128.0/24"
_OWN: Final = (
    "control_phone", "canary_phone", "gateway", "callmanager", "phones", "harness", "directory", "canary_source",
    "probe_source",
)  # fmt: skip
_NEVER: Final = (IPv4Network("127.0.0.0/8"), IPv4Network("169.254.0.0/16"))
"""No phone's address can be there: a host's own, and of hosts without a network."""


def networks_of(phones: Sequence[Phone]) -> tuple[IPv4Network, ...]:
    """The subnets of the phones, none inside another."""
    found = {phone.subnet or subnet_of(phone.address) for phone in phones}
    return tuple(collapse_addresses(IPv4Network(text) for text in found))


def netns_addresses(phones: Sequence[Phone]) -> Addresses:
    """The lab's addresses beside those of the site.

    Raises:
        RosterError: an address that no phone can have, or a site that leaves the lab no room.
    """
    networks = networks_of(phones)
    wrong = [
        f"fleet.csv: {phone.device_name}: {phone.address} is not an address of a network that phones can be in"
        for phone in phones
        if any(IPv4Address(phone.address) in never for never in _NEVER)
    ]
    if wrong:
        raise RosterError(wrong)
    for base in _BASES:
        own = [IPv4Network(text.format(base=base)) for text in (_CONTROLS, _LINK)]
        if not any(one.overlaps(network) for one in own for network in networks):
            return _moved(base, networks)
    taken, free = ", ".join(map(str, networks[:5])), ", ".join(_LINK.format(base=base) for base in _BASES)
    message = f"fleet.csv: subnets {taken} leave the lab's own hosts no room; one of {free} must be free"
    raise RosterError([f"{message}: narrow the column subnet"])


def _moved(base: str, networks: Sequence[IPv4Network]) -> Addresses:
    moved = {name: getattr(NETNS, name).replace("10.20.", f"{base}.", 1) for name in _OWN}
    return replace(
        NETNS,
        **moved,
        phones_network=_CONTROLS.format(base=base),
        more_networks=tuple(str(network) for network in networks),
    )


def site_roster(phones: Sequence[Phone], addresses: Addresses, *, mapped: bool) -> Roster:
    """The fleet, with models that are emulated, and the control phone.

    Args:
        phones: of the site.
        addresses: the ground's.
        mapped: whether phones have addresses of the ground, in the list's order, and not their own.

    Raises:
        RosterError: a phone has the control phone's name, or there are more than the ground has addresses.
    """
    if any(phone.mac == CONTROL_MAC for phone in phones):
        raise RosterError([f"fleet.csv: SEP{CONTROL_MAC} is the name of the run's own control phone"])
    first = int(IPv4Address(addresses.first_phone))
    room = int(IPv4Address(addresses.canary_phone)) - first
    if mapped and len(phones) > room:
        raise RosterError([f"fleet.csv: {len(phones)} phones; {addresses.phones_network} has room for {room}"])
    fleet = tuple(
        replace(
            phone,
            model=models.emulated_as(phone.model),
            address=str(IPv4Address(first + index)) if mapped else phone.address,
            # Of the site's own servers there is none here: all phones ask the run's.
            authentication_url="",
            subnet=phone.subnet or subnet_of(phone.address),
        )
        for index, phone in enumerate(phones)
    )
    return Roster(phones=fleet, control=control_phone(addresses.control_phone))


def notices(phones: Sequence[Phone], addresses: Addresses, *, mapped: bool) -> list[str]:
    """What to say of a twin before it is run, a line each."""
    lines = []
    if mapped:
        last = IPv4Address(int(IPv4Address(addresses.first_phone)) + len(phones) - 1)
        lines.append(
            f"site: addresses are mapped to {addresses.first_phone} to {last}, in the list's order, because ground "
            "loopback has no others; names, numbers, models, zones and subnets stay"
        )
    elif addresses.gateway != NETNS.gateway:
        lines.append(f"site: the lab's own hosts are in {addresses.link}, because the site is in {NETNS.link}'s place")
    replaced = Counter(
        (phone.model, models.emulated_as(phone.model))
        for phone in phones
        if models.of_name(phone.model) != models.emulated_as(phone.model)
    )
    if replaced:
        told = ", ".join(f"{count:,} {told} as {taken}" for (told, taken), count in replaced.most_common())
        lines.append(f"site: models that are not emulated have the nearest one stand in: {told}")
    if own := sum(bool(phone.authentication_url) for phone in phones):
        lines.append(f"site: {own:,} phones' own authentication URLs are left out: all ask the run's servers")
    return lines
