"""One packet to many addresses in few system calls: `sendmmsg` through ctypes.

The arrays are made once: 1,024 message headers that point at consecutive addresses and all at the same packet. To send
is to copy the addresses and the packet in and to call. A single `sendto` per packet costs half as much again in Python.
Source: sendmmsg(2): it stops at the first message that fails and tells how many went; the error of that message comes
with the next call.
"""

from __future__ import annotations

import ctypes
import errno
import select
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address

ADDRESS_BYTES = 16
MAX_PACKET_BYTES = 1_500
_MESSAGES = 1_024  # UIO_MAXIOV: more in one call are silently cut off
_WAIT_S = 0.002  # a full send queue is waited for once a call to `send`, one tick at most


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """`struct msghdr`, sendmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iovec", ctypes.c_void_p),
        ("iovec_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """`struct mmsghdr`, sendmmsg(2)."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


def socket_address(address: str, port: int) -> bytes:
    """Return `struct sockaddr_in`.

    Raises:
        ValueError: It is no IPv4 address.
    """
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + IPv4Address(address).packed + bytes(8)


class PacketSender:
    """Sends from one UDP socket, which should not block."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._call = ctypes.CDLL(None, use_errno=True).sendmmsg
        self._call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._addresses = (ctypes.c_char * (_MESSAGES * ADDRESS_BYTES))()
        self._packet = (ctypes.c_char * MAX_PACKET_BYTES)()
        self._iovec = _Iovec(ctypes.addressof(self._packet), 0)
        self._messages = (_Message * _MESSAGES)()
        base = ctypes.addressof(self._addresses)
        for index, message in enumerate(self._messages):
            message.header.name = base + index * ADDRESS_BYTES
            message.header.name_length = ADDRESS_BYTES
            message.header.iovec = ctypes.addressof(self._iovec)
            message.header.iovec_length = 1

    def send(self, packet: bytes, addresses: bytes, failed: Callable[[int, int], None]) -> int:
        """Send one packet to each address, given one after the other as `socket_address` makes them.

        A destination that fails is stepped over.

        Args:
            packet: At most `MAX_PACKET_BYTES`.
            addresses: Any number of them.
            failed: Called with the index of the address and the errno for each that failed.

        Returns:
            How many were sent.

        Raises:
            ValueError: The packet is too long.
        """
        length = len(packet)
        if length > MAX_PACKET_BYTES:
            raise ValueError(f"packet of {length} bytes, at most {MAX_PACKET_BYTES} fit")
        ctypes.memmove(self._packet, packet, length)
        self._iovec.length = length
        total = len(addresses) // ADDRESS_BYTES
        sent = 0
        may_wait = True
        for start in range(0, total, _MESSAGES):
            count = min(_MESSAGES, total - start)
            chunk = addresses[start * ADDRESS_BYTES : (start + count) * ADDRESS_BYTES]
            ctypes.memmove(self._addresses, chunk, len(chunk))
            at = 0
            while at < count:
                done = self._send_from(at, count)
                if done > 0:
                    sent += done
                    at += done
                    continue
                number = ctypes.get_errno()
                if number == errno.EINTR:
                    continue
                if number == errno.EAGAIN and may_wait:
                    may_wait = False
                    select.select([], [self._socket], [], _WAIT_S)
                    continue
                failed(start + at, number)
                at += 1
        return sent

    def _send_from(self, at: int, count: int) -> int:
        base = ctypes.addressof(self._messages) + at * ctypes.sizeof(_Message)
        return int(self._call(self._socket.fileno(), base, count - at, socket.MSG_DONTWAIT))
