"""Whole Ethernet frames: canaries for a wire that nobody else must hear them on.

On ground `lab` a canary is written onto the captured interface itself, addressed to that interface's own hardware
address: the tap sees it, a switch drops it, no host of the user's network receives it. Its source is an address that
is nobody's (RFC 5737).
"""

import socket
import struct
from typing import Final

ETHERTYPE_IPV4: Final = 0x0800
_UDP: Final = 17
_TCP: Final = 6
_SYN: Final = 0x02


def udp_frame(hardware: bytes, source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """A UDP datagram (RFC 768) in a frame to and from `hardware`."""
    segment = struct.pack(">HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    return _frame(hardware, source[0], destination[0], _UDP, _with_checksum(segment, 6, source, destination, _UDP))


def syn_frame(hardware: bytes, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """The beginning of a TCP connection (RFC 9293, 3.1) in a frame to and from `hardware`."""
    segment = struct.pack(">HHIIBBHHH", source[1], destination[1], 0, 0, 5 << 4, _SYN, 0xFFFF, 0, 0)
    return _frame(hardware, source[0], destination[0], _TCP, _with_checksum(segment, 16, source, destination, _TCP))


def send(interface: str, frame: bytes) -> None:
    """Write a frame onto an interface.

    Raises:
        OSError: without CAP_NET_RAW, or no such interface.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind((interface, ETHERTYPE_IPV4))
        out.send(frame)


def hardware_address(interface: str) -> bytes:
    """An interface's own hardware address; zeros for `lo`.

    Raises:
        OSError: no such interface.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as found:
        found.bind((interface, 0))
        return bytes(found.getsockname()[4])[:6].ljust(6, b"\0")


def _frame(hardware: bytes, source: str, destination: str, protocol: int, segment: bytes) -> bytes:
    # RFC 791: version and length, length, no fragments, a time to live of 1: it is to go nowhere.
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 1, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
    return hardware + hardware + struct.pack(">H", ETHERTYPE_IPV4) + head + segment


def _with_checksum(
    segment: bytes, at: int, source: tuple[str, int], destination: tuple[str, int], protocol: int
) -> bytes:
    pseudo = socket.inet_aton(source[0]) + socket.inet_aton(destination[0]) + struct.pack(">HH", protocol, len(segment))
    return segment[:at] + struct.pack(">H", _checksum(pseudo + segment) or 0xFFFF) + segment[at + 2 :]


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
