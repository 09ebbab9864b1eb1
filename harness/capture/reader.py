"""The fast reader of a capture: every packet, as numpy columns.

Headers of all packets are copied into one matrix and read as big-endian columns. Rows with VLAN tags or options in
their IPv4 header are shifted and read again. No packet is judged here: what is not IPv4 with UDP or TCP inside keeps
its row, with protocol 0, so that counts agree with the file.

Sources: IEEE 802.1Q clauses 9.5 and 9.6 (VLAN tags), RFC 791 (IPv4), RFC 768 (UDP), RFC 9293 (TCP), RFC 3550 section
5.1 (RTP header); LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2 of the Tcpdump Group's link types (cooked captures).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.capture import pcap
from harness.capture.clock import monotonic_ns, uncertainty_ns
from harness.capture.pcap import CaptureError

TCP = 6
UDP = 17
PAYLOAD_BYTES = 160
"""20 ms of G.711 at 8,000 Hz (docs: limits of the modelled system)."""
RTP_HEADER_BYTES = 12
_RTP_MORE = 0x3F
"""Padding, extension and the number of contributing sources, in the first byte: with any of them the payload neither
begins behind 12 bytes nor fills the rest."""

TAGS = (0x8100, 0x88A8)
"""Customer and service VLAN tag."""
TAGS_MAX = 2
"""One of each; what has more is not read."""
_TAG_BYTES = 4
_ETHERTYPE_AT = {pcap.LINK_TYPE_ETHERNET: 12, pcap.LINK_TYPE_COOKED: 14, pcap.LINK_TYPE_COOKED_2: 0}
_NETWORK_AT = {pcap.LINK_TYPE_ETHERNET: 14, pcap.LINK_TYPE_COOKED: 16, pcap.LINK_TYPE_COOKED_2: 20}
"""Bytes of the link's header; in front of the network header lies the EtherType, in SLL2 it is the first field."""
_UDP_BYTES = 8
_TCP_BYTES = 20
_HEAD = np.dtype(
    {
        "names": ["version_ihl", "total", "fragment", "time_to_live", "protocol", "source", "destination"],
        "formats": ["u1", ">u2", ">u2", "u1", "u1", ">u4", ">u4"],
        "offsets": [0, 2, 6, 8, 9, 12, 16],
        "itemsize": 20,
    }
)
_TRANSPORT = np.dtype(
    {
        "names": [
            "source_port",
            "destination_port",
            "udp_length",
            "rtp_first",
            "rtp_second",
            "sequence",
            "timestamp",
            "ssrc",
            "tcp_flags",
        ],
        "formats": [">u2", ">u2", ">u2", "u1", "u1", ">u2", ">u4", ">u4", "u1"],
        "offsets": [0, 2, 4, 8, 9, 10, 12, 16, 13],
        "itemsize": 20,
    }
)
assert max(_NETWORK_AT.values()) + TAGS_MAX * _TAG_BYTES + _HEAD.itemsize <= pcap.PADDING_BYTES


class DamagedCaptureError(CaptureError):
    """A capture ends early or is damaged.

    Attributes:
        whole: the packets before the damage. They were captured; what followed is unknown, so no absence can be
            shown with them.
    """

    def __init__(self, message: str, whole: Packets) -> None:
        super().__init__(message)
        self.whole = whole


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Packets:
    """All packets of a capture, one row a packet, in time order. All columns have shape (n,).

    Attributes:
        t_ns: CLOCK_MONOTONIC, nanoseconds: when the kernel saw the packet.
        protocol: 17 (UDP), 6 (TCP), 0 for what was not read further: not IPv4, a fragment behind the first, cut off.
        source: IPv4 address as a number, 10.20.0.1 is 0x0A140001.
        destination: likewise.
        source_port: UDP or TCP port.
        destination_port: likewise.
        time_to_live: of the IPv4 header; 0 for what was not read further.
        tcp_flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16; 0 for UDP.
        udp_length: payload bytes by the UDP header; 0 for TCP.
        version: RTP version, 2 in every good packet. This and all other RTP fields are 0 where fewer than 12 bytes of
            UDP payload were captured.
        payload_type: 0 is G.711 mu-law.
        marker: RTP marker bit.
        sequence: RTP sequence number, 16 bits.
        timestamp: RTP timestamp, 32 bits, 8,000 a second.
        ssrc: RTP synchronisation source.
        offset: of the frame in `raw`.
        captured: bytes of the frame that the file holds.
        payload_offset: of the RTP payload in `raw`; -1 where it is not exactly 160 bytes behind a header of 12, all
            captured.
        raw: the unpacked file, uint8, shape (bytes,).
        link_type: of the frames, one of `pcap.LINK_TYPES`.
        uncertainty_ns: how wrong `t_ns` may be against CLOCK_MONOTONIC of other records.
    """

    t_ns: npt.NDArray[np.int64]
    protocol: npt.NDArray[np.uint8]
    source: npt.NDArray[np.uint32]
    destination: npt.NDArray[np.uint32]
    source_port: npt.NDArray[np.uint16]
    destination_port: npt.NDArray[np.uint16]
    time_to_live: npt.NDArray[np.uint8]
    tcp_flags: npt.NDArray[np.uint8]
    udp_length: npt.NDArray[np.uint16]
    version: npt.NDArray[np.uint8]
    payload_type: npt.NDArray[np.uint8]
    marker: npt.NDArray[np.bool_]
    sequence: npt.NDArray[np.uint16]
    timestamp: npt.NDArray[np.uint32]
    ssrc: npt.NDArray[np.uint32]
    offset: npt.NDArray[np.int64]
    captured: npt.NDArray[np.int64]
    payload_offset: npt.NDArray[np.int64]
    raw: npt.NDArray[np.uint8]
    link_type: int
    uncertainty_ns: int

    def __len__(self) -> int:
        """Number of packets."""
        return len(self.t_ns)

    def payloads(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Copies the RTP payloads of these rows, shape (len(rows), 160).

        Raises:
            ValueError: a row has no payload of 160 bytes (`payload_offset` is -1).
        """
        offsets = self.payload_offset[rows]
        if (offsets < 0).any():
            row = int(rows[int((offsets < 0).argmax())])
            raise ValueError(f"row {row} has no RTP payload of {PAYLOAD_BYTES} bytes")
        copied = pcap.rows_of(self.raw, offsets, PAYLOAD_BYTES)
        return np.frombuffer(copied.data, np.uint8).reshape(len(offsets), PAYLOAD_BYTES)

    def frame(self, row: int) -> bytes:
        """The bytes of one frame, from the link's header on, as far as captured."""
        start = int(self.offset[row])
        return self.raw[start : start + int(self.captured[row])].tobytes()

    def select(self, rows: npt.NDArray[Any]) -> Packets:
        """These rows only (a mask or row numbers in time order); the raw bytes are shared."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return Packets(**{k: v if k in {"raw", "link_type", "uncertainty_ns"} else v[rows] for k, v in columns.items()})


def address(number: int) -> str:
    """Dotted form of an address column's number: 0x0A140001 is 10.20.0.1."""
    return ".".join(str(byte) for byte in int(number).to_bytes(4, "big"))


def read(path: Path, capture: Mapping[str, Any]) -> Packets:
    """Reads a capture.

    Args:
        path: capture.pcap.gz or a pcap file that is not packed.
        capture: content of capture.json; its `clock` turns the file's CLOCK_REALTIME into CLOCK_MONOTONIC.

    Raises:
        DamagedCaptureError: the file ends early or is damaged; its `whole` holds the packets before that.
        CaptureError: it cannot be read at all, or capture.json says no clock.
    """
    raw, damage = pcap.unpack(path)
    try:
        found = pcap.records(raw)
    except CaptureError as error:
        raise CaptureError(f"{path}: {error}" + (f"; {damage}" if damage else "")) from error
    packets = _columns(raw, found, capture)
    problem = damage or found.problem
    if problem:
        raise DamagedCaptureError(f"{path}: {problem}; {len(packets)} packets before that are whole", packets)
    return packets


def _columns(raw: npt.NDArray[np.uint8], found: pcap.Records, capture: Mapping[str, Any]) -> Packets:
    samples = capture.get("clock", [])
    t_ns = monotonic_ns(found.realtime_ns, samples)
    offset, captured = found.offset, found.captured
    if (t_ns[1:] < t_ns[:-1]).any():
        order = np.argsort(t_ns, kind="stable")
        t_ns, offset, captured = t_ns[order], offset[order], captured[order]

    network_offset, ethertype = _network(raw, offset, found.link_type)
    head = pcap.rows_of(raw, np.minimum(network_offset, len(raw) - _HEAD.itemsize), _HEAD.itemsize).view(_HEAD)
    internet_bytes = (head["version_ihl"] & 0x0F).astype(np.int64) * 4
    # A first fragment has its transport header, a later one would have payload read as ports.
    readable = (
        (captured >= network_offset - offset + _HEAD.itemsize)
        & (ethertype == 0x0800)
        & (head["version_ihl"] >> 4 == 4)
        & (internet_bytes >= 20)
        & (head["fragment"] & 0x1FFF == 0)
    )
    transport_offset = network_offset + np.where(readable, internet_bytes, 20)
    # What lies behind the datagram's own end is padding of the link, not payload.
    # A total length below the header's is no statement (segmentation offload writes 0).
    held = captured - (transport_offset - offset)
    inside = head["total"] - internet_bytes
    held = np.where(inside >= 0, np.minimum(held, inside), held)
    udp = readable & (head["protocol"] == UDP) & (held >= _UDP_BYTES)
    tcp = readable & (head["protocol"] == TCP) & (held >= _TCP_BYTES)
    known = udp | tcp

    transport = pcap.rows_of(raw, np.minimum(transport_offset, len(raw) - _TRANSPORT.itemsize), _TRANSPORT.itemsize)
    field = transport.view(_TRANSPORT)
    udp_length = np.where(udp, np.maximum(field["udp_length"].astype(np.int32) - _UDP_BYTES, 0), 0)
    rtp = udp & (udp_length >= RTP_HEADER_BYTES) & (held >= _UDP_BYTES + RTP_HEADER_BYTES)
    payload_at = _UDP_BYTES + RTP_HEADER_BYTES
    exact = rtp & (udp_length == RTP_HEADER_BYTES + PAYLOAD_BYTES) & (held >= payload_at + PAYLOAD_BYTES)
    exact &= field["rtp_first"] & _RTP_MORE == 0
    second = np.where(rtp, field["rtp_second"], 0)
    return Packets(
        t_ns=t_ns,
        protocol=np.where(known, head["protocol"], 0).astype(np.uint8),
        source=np.where(known, head["source"], 0).astype(np.uint32),
        destination=np.where(known, head["destination"], 0).astype(np.uint32),
        source_port=np.where(known, field["source_port"], 0).astype(np.uint16),
        destination_port=np.where(known, field["destination_port"], 0).astype(np.uint16),
        time_to_live=np.where(known, head["time_to_live"], 0).astype(np.uint8),
        tcp_flags=np.where(tcp, field["tcp_flags"], 0).astype(np.uint8),
        udp_length=udp_length.astype(np.uint16),
        version=np.where(rtp, field["rtp_first"] >> 6, 0).astype(np.uint8),
        payload_type=(second & 0x7F).astype(np.uint8),
        marker=second >= 0x80,
        sequence=np.where(rtp, field["sequence"], 0).astype(np.uint16),
        timestamp=np.where(rtp, field["timestamp"], 0).astype(np.uint32),
        ssrc=np.where(rtp, field["ssrc"], 0).astype(np.uint32),
        offset=offset,
        captured=captured,
        payload_offset=np.where(exact, transport_offset + payload_at, -1),
        raw=raw,
        link_type=found.link_type,
        uncertainty_ns=uncertainty_ns(samples),
    )


def _network(
    raw: npt.NDArray[np.uint8], offset: npt.NDArray[np.int64], link_type: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]:
    """Where each packet's network header begins, and the EtherType that says what it is."""
    begin = offset + _NETWORK_AT[link_type]
    ethertype = pcap.rows_of(raw, offset + _ETHERTYPE_AT[link_type], 2).view(">u2").astype(np.uint16)
    for _ in range(TAGS_MAX):
        tagged = np.flatnonzero((ethertype == TAGS[0]) | (ethertype == TAGS[1]))
        if not len(tagged):
            break
        # A tag: two bytes of it, then the EtherType of what follows.
        ethertype[tagged] = pcap.rows_of(raw, begin[tagged] + 2, 2).view(">u2")
        begin[tagged] += _TAG_BYTES
    return begin, ethertype
