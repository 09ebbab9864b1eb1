"""One phone's part of a capture, as a small pcap file of its own."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.capture import pcap
from harness.capture.reader import UDP, Packets

PACKETS_MAX: Final = 10_000
"""Packets in one excerpt: 200 s of audio, 2 MB. What is left out is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The packets of one phone."""

    pcap: bytes
    """a whole file, nanosecond time stamps of CLOCK_REALTIME as in the capture that it was cut from"""
    packets: int
    left_out: int
    """packets beyond `PACKETS_MAX`"""


def excerpt(packets: Packets, address: str, groups: Iterable[str] = ()) -> Excerpt:
    """Cut out what went to or came from one address.

    Args:
        packets: The whole capture.
        address: The phone's IPv4 address.
        groups: Multicast addresses that it listened to; UDP to them is cut out too.

    Raises:
        ValueError: an address is no IPv4 address.
    """
    own = int(ipaddress.IPv4Address(address))
    mask = (packets.source == own) | (packets.destination == own)
    for group in groups:
        mask |= (packets.destination == int(ipaddress.IPv4Address(group))) & (packets.protocol == UDP)
    found = np.flatnonzero(mask)
    rows = found[:PACKETS_MAX]
    # The columns have times of CLOCK_MONOTONIC; a pcap file is read beside logs that have the other clock.
    records = pcap.records(packets.raw)
    place = np.searchsorted(records.offset, packets.offset[rows])
    body = pcap.pack(
        packets.raw,
        records.offset[place],
        records.captured[place],
        records.length[place],
        records.realtime_ns[place],
    )
    return Excerpt(pcap=pcap.file_header() + body.tobytes(), packets=len(rows), left_out=len(found) - len(rows))
