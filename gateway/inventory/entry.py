"""One phone of the inventory, and one line of a list of phones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Literal

ReadOutcome = Literal["read", "unreachable", "timed_out", "garbled", "another"]
"""How reading a phone's web server ended; `another`: another phone answers at its address."""

DEVICE_NAME = re.compile(r"[A-Z]{3}[0-9A-F]{12}")
"""SEP, or another prefix of three letters (ATA, say), and 12 upper-case hex digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A phone as some source lists it."""

    device_name: str
    address: str
    """Empty: the source does not know it."""
    description: str = ""
    registered: bool = True
    """False: the source says that it is not registered now, so its address may be old."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What one source said at one time."""

    source: str
    phones: Sequence[Listed]
    complete: bool = True
    """Whether phones of this source that are not in it are gone from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One phone: what lists say of it, and what it last said of itself."""

    device_name: str
    address: str
    """Empty: nobody knows it, or another phone has it now."""
    description: str = ""
    source: str = ""
    """The source that listed it last."""
    listed: bool = True
    """False: it has disappeared from its source. It is kept and shown, and not paged."""
    zone: str = ""
    outcome: ReadOutcome | None = None
    """None: not read since its address was learnt."""
    directory_number: str = ""
    mac: str = ""
    model: str = ""
    authentication_url: str | None = None
    """As its own page says; None: it was not read, or does not say."""
    detail: str | None = None
    answer_ms: float | None = None
    seen_s: float | None = None
    """When it was last read, seconds since 1970."""

    @property
    def web_access(self) -> bool | None:
        """Whether its web server is on; None: not known. One that refuses the connection has it off, or is away."""
        return True if self.outcome == "read" else None if self.outcome is None else False

    def as_json(self) -> dict[str, str | float | bool | None]:
        """For the JSON interface."""
        return {
            "phone": self.device_name,
            "address": self.address,
            "description": self.description,
            "source": self.source,
            "listed": self.listed,
            "zone": self.zone or None,
            "outcome": self.outcome,
            "directory_number": self.directory_number or None,
            "mac": self.mac or None,
            "model": self.model or None,
            "web_access": self.web_access,
            "authentication_url": self.authentication_url,
            "answer_ms": round(self.answer_ms, 3) if self.answer_ms is not None else None,
            "seen_s": self.seen_s,
            "detail": self.detail,
        }


def is_phone_address(text: str) -> bool:
    """Whether a phone can have this address: IPv4, of one host."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or address == IPv4Address("255.255.255.255"))
