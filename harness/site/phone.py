"""One phone of a site, and the words that describe it: name, number, address, subnet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

SUBNET_BITS: Final = 24
"""Length of the mask that is assumed where nobody gives one: no export of CallManager has phones' masks."""
DEVICE_NAME: Final = re.compile(r"SEP[0-9A-F]{12}")
MAC: Final = re.compile(r"[0-9A-F]{12}")
NUMBER: Final = re.compile(r"[0-9*#+]{0,50}")
"""A directory number: digits, * # and +, at most 50 (CallManager's own limit)."""
ZONE_CHARACTERS_MAX: Final = 64
"""A zone of the gateway has a name of at most 64 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One phone.

    Attributes:
        device_name: `SEP` + 12 upper-case hex digits.
        mac: those 12 digits.
        model: in Cisco's spelling where it is known, else as it was told.
        authentication_url: empty: the fleet's.
        web_access: False: its web server is off by configuration.
        zone: the place where it hangs; empty: none is known.
        subnet: its network as CIDR; empty: none is known.
    """

    device_name: str
    directory_number: str
    mac: str
    model: str
    address: str
    authentication_url: str = ""
    web_access: bool = True
    zone: str = ""
    subnet: str = ""


def ipv4(text: str) -> IPv4Address | None:
    """The address that a text is; None where it is none that a phone can have."""
    try:
        address = IPv4Address(text)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified or int(address) >> 28 == 0xF:
        return None
    return address


def subnet_of(address: str, bits: int = SUBNET_BITS) -> str:
    """The subnet around an address, with a mask of that length."""
    return str(IPv4Network(f"{address}/{bits}", strict=False))
