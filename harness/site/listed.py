"""What one export says: phones as listed there, and what it lists beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["phone list", "DeviceListX", "RisPort", "AXL listPhone", "All Phone Details"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One phone as one file has it; empty means that the file does not say.

    Attributes:
        place: file and line.
        model: in Cisco's spelling where it is known, else as it was told.
        registered: None where the file does not know of registration.
        status: the file's own word for why it is not registered.
    """

    place: str
    device_name: str
    directory_number: str = ""
    model: str = ""
    address: str = ""
    registered: bool | None = None
    status: str = ""
    web_access: bool | None = None
    authentication_url: str = ""
    device_pool: str = ""
    location: str = ""
    zone: str = ""
    subnet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A device that is no desk phone with a web server: a gateway, a soft phone, a port."""

    place: str
    name: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One file, read.

    Attributes:
        file: its name.
        kind: what it was taken for.
        phones: in the file's order; the same name may come several times (several nodes of a cluster).
        others: devices of other kinds.
    """

    file: str
    kind: Kind
    phones: Sequence[Listed]
    others: Sequence[Other] = ()
