"""Canaries: packets sent before and after a run to prove that a tap sees.

They come from reserved addresses that nobody else uses, so they are known on the wire by their source alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.capture.reader import Packets, address


@dataclass(frozen=True, kw_only=True, slots=True)
class Canary:
    """A canary as seen on the wire.

    Attributes:
        t_ns: CLOCK_MONOTONIC.
        protocol: 17 (UDP) or 6 (TCP).
        source: reserved address.
        destination: whom it was sent to; with protocol and port it says which clause took it.
        destination_port: UDP or TCP port.
        row: in the packets searched.
    """

    t_ns: int
    protocol: int
    source: str
    destination: str
    destination_port: int
    row: int


def is_canary(packets: Packets, reserved: Collection[str]) -> npt.NDArray[np.bool_]:
    """Mask of the packets from reserved addresses, shape (n,). Its negation is what metrics count.

    Args:
        packets: of a capture.
        reserved: dotted IPv4 addresses.
    """
    numbers = np.array([int(ipaddress.IPv4Address(text)) for text in reserved], np.uint32)
    found: npt.NDArray[np.bool_] = np.isin(packets.source, numbers) & (packets.protocol != 0)
    return found


def find(packets: Packets, reserved: Collection[str]) -> list[Canary]:
    """The canaries in a capture, in time order."""
    return [
        Canary(
            t_ns=int(packets.t_ns[row]),
            protocol=int(packets.protocol[row]),
            source=address(packets.source[row]),
            destination=address(packets.destination[row]),
            destination_port=int(packets.destination_port[row]),
            row=row,
        )
        for row in np.flatnonzero(is_canary(packets, reserved)).tolist()
    ]
