"""One ICMP echo: whether anything is at an address that does not answer by TCP."""

import itertools
import os
import struct
from typing import Final

import trio

ANSWER_S: Final = 1.0
_ECHO, _ECHO_REPLY = 8, 0
_NUMBERS: Final = itertools.count(1)


def echo(identifier: int, sequence: int) -> bytes:
    """An echo request (RFC 792)."""
    head = struct.pack("!BBHHH", _ECHO, 0, 0, identifier, sequence)
    data = head + b"pushlab-preflight"
    return struct.pack("!BBHHH", _ECHO, 0, checksum(data), identifier, sequence) + data[8:]


def checksum(data: bytes) -> int:
    """Ones' complement of the ones' complement sum (RFC 1071)."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total: int = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def is_reply(packet: bytes, sequence: int) -> bool:
    """Whether that is a reply to the echo of that number; raw sockets give the IP header as well."""
    if packet[:1] and packet[0] >> 4 == 4:
        packet = packet[(packet[0] & 15) * 4 :]
    return len(packet) >= 8 and packet[0] == _ECHO_REPLY and struct.unpack("!H", packet[6:8])[0] == sequence


async def ping(address: str) -> bool | None:
    """Whether it answers within a second; None where this system does not let us ask."""
    sequence = next(_NUMBERS) & 0xFFFF
    for kind in (trio.socket.SOCK_DGRAM, trio.socket.SOCK_RAW):
        try:
            client = trio.socket.socket(trio.socket.AF_INET, kind, trio.socket.IPPROTO_ICMP)
        except OSError:
            continue
        with client:
            try:
                with trio.move_on_after(ANSWER_S):
                    await client.connect((address, 0))
                    await client.send(echo(os.getpid() & 0xFFFF, sequence))
                    while not is_reply(await client.recv(512), sequence):
                        pass
                    return True
            except OSError:
                pass
            return False
    return None
