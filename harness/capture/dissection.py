"""scapy as the second reader: written by others, sharing no line with the fast one.

Both must agree on every field, or the run's evidence is worth nothing. Full dissection costs some hundred times the
fast reader's time, so it sees a seeded sample of every stream, and every packet that looks wrong, both bounded; what
the bounds left out is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.capture import pcap
from harness.capture.reader import RTP_HEADER_BYTES, TAGS_MAX, TCP, UDP, Packets
from harness.capture.rtp import Stream

SAMPLE_MAX = 1200
"""Packets of the sample, one of each stream of 1,000 phones; scapy dissects about 2,000 to 7,000 a second."""
SUSPICIOUS_MAX = 1000
"""Packets dissected because they look wrong: more of the same kind show nothing new."""
DISAGREEMENTS_MAX = 100
PER_STREAM = 2

_SYN = 0x02
_SOURCES_BYTES_MAX = 15 * 4
_RTP_FIELDS = ("version", "payload_type", "marker", "sequence", "timestamp", "ssrc")
_FIELDS = (
    "protocol",
    "source",
    "destination",
    "source_port",
    "destination_port",
    "time_to_live",
    "tcp_flags",
    "udp_length",
    *_RTP_FIELDS,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagreement:
    """One field of one packet that the readers see differently.

    Attributes:
        row: of the packet in the packets checked.
        field: name of the column.
        fast: value of the fast reader.
        scapy: value of scapy.
    """

    row: int
    field: str
    fast: int
    scapy: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossCheck:
    """What the second reader looked at.

    Attributes:
        checked: packets dissected.
        sampled: of these, from the sample.
        suspicious: packets that look wrong, all of them.
        suspicious_left_out: of these, not dissected because of `SUSPICIOUS_MAX`.
        streams_left_out: streams without a packet in the sample because of `SAMPLE_MAX`.
        disagreements: the first `DISAGREEMENTS_MAX`; empty if the readers agree.
    """

    checked: int
    sampled: int
    suspicious: int
    suspicious_left_out: int
    streams_left_out: int
    disagreements: list[Disagreement]


def cross_check(packets: Packets, streams: list[Stream], *, seed: int) -> CrossCheck:
    """Compares the fast reader with scapy, field by field.

    Args:
        packets: as the fast reader gave them.
        streams: of these packets, from `rtp.analyse` without or with a selection.
        seed: which packets are sampled; the same seed takes the same.
    """
    generator = np.random.default_rng(seed)
    sample, streams_left_out = _sample(packets, streams, generator)
    odd = suspicious(packets)
    looked = odd if len(odd) <= SUSPICIOUS_MAX else np.sort(generator.choice(odd, SUSPICIOUS_MAX, replace=False))
    rows = np.union1d(sample, looked)
    disagreements: list[Disagreement] = []
    for row, seen in zip(rows.tolist(), _dissect(packets, rows), strict=True):
        for name in _FIELDS:
            fast = int(getattr(packets, name)[row])
            if fast != seen[name] and len(disagreements) < DISAGREEMENTS_MAX:
                disagreements.append(Disagreement(row=row, field=name, fast=fast, scapy=seen[name]))
    return CrossCheck(
        checked=len(rows),
        sampled=len(sample),
        suspicious=len(odd),
        suspicious_left_out=len(odd) - len(looked),
        streams_left_out=streams_left_out,
        disagreements=disagreements,
    )


def suspicious(packets: Packets) -> npt.NDArray[np.int64]:
    """Rows that look wrong: neither UDP nor TCP, UDP that is not 160 bytes of G.711 in RTP 2, TCP that is not a SYN."""
    udp, tcp = packets.protocol == UDP, packets.protocol == TCP
    wrong_rtp = (packets.version != 2) | (packets.payload_type != 0) | (packets.payload_offset < 0)
    return np.flatnonzero(~(udp | tcp) | (udp & wrong_rtp) | (tcp & (packets.tcp_flags & 0x12 != _SYN)))


def _sample(
    packets: Packets, streams: list[Stream], generator: np.random.Generator
) -> tuple[npt.NDArray[np.int64], int]:
    """Some rows of every stream, and of TCP at most a tenth of the bound."""
    connections = np.flatnonzero(packets.protocol == TCP)
    chosen = [generator.choice(connections, min(len(connections), SAMPLE_MAX // 10), replace=False)]
    room = SAMPLE_MAX - len(chosen[0])
    order = generator.permutation(len(streams))[:room].tolist()
    each = PER_STREAM if len(streams) * PER_STREAM <= room else 1
    chosen += [generator.choice(streams[index].rows, each) for index in order]
    return np.unique(np.concatenate(chosen)).astype(np.int64), len(streams) - len(order)


def _dissect(packets: Packets, rows: npt.NDArray[np.int64]) -> list[dict[str, int]]:
    # Imported late and layer by layer: scapy.all takes a second, and who only reads a capture need not pay for it.
    from scapy import packet  # noqa: PLC0415
    from scapy.config import conf  # noqa: PLC0415

    conf.route_autoload = False
    conf.route6_autoload = False
    from scapy.layers import inet, l2, rtp  # noqa: PLC0415

    # scapy raises where its first layer is cut off, and only there.
    layer, shortest = {
        pcap.LINK_TYPE_ETHERNET: (l2.Ether, 14),
        pcap.LINK_TYPE_COOKED: (l2.CookedLinux, 16),
        pcap.LINK_TYPE_COOKED_2: (l2.CookedLinuxV2, 20),
    }[packets.link_type]

    def fields_of(frame: bytes) -> dict[str, int]:
        seen = dict.fromkeys(_FIELDS, 0)
        if len(frame) < shortest:
            return seen
        internet: Any = layer(frame).payload
        for _ in range(TAGS_MAX):
            if isinstance(internet, l2.Dot1Q | l2.Dot1AD):
                internet = internet.payload
        if not isinstance(internet, inet.IP) or internet.version != 4:
            return seen
        transport: Any = internet.payload
        if not isinstance(transport, inet.UDP | inet.TCP):
            return seen
        seen["protocol"], seen["time_to_live"] = int(internet.proto), int(internet.ttl)
        seen["source"], seen["destination"] = _number(internet.src), _number(internet.dst)
        seen["source_port"], seen["destination_port"] = int(transport.sport), int(transport.dport)
        if isinstance(transport, inet.TCP):
            seen["tcp_flags"] = int(transport.flags) & 0xFF
            return seen
        seen["udp_length"] = max(int(transport.len) - 8, 0)
        # Padding of the link hangs behind the last layer, which may be the UDP header.
        content: bytes = b"" if isinstance(transport.payload, packet.Padding) else transport.payload.original
        if min(seen["udp_length"], len(content)) >= RTP_HEADER_BYTES:
            # Zeros behind: scapy raises where the list of contributing sources is cut off, and only the fixed header,
            # which is all there, is compared.
            header: Any = rtp.RTP(content + bytes(_SOURCES_BYTES_MAX))
            names = ("version", "payload_type", "marker", "sequence", "timestamp", "sourcesync")
            seen.update(zip(_RTP_FIELDS, (int(getattr(header, name)) for name in names), strict=True))
        return seen

    return [fields_of(packets.frame(row)) for row in rows.tolist()]


def _number(dotted: str) -> int:
    return int.from_bytes(bytes(int(part) for part in dotted.split(".")), "big")
