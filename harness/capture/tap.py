"""A tap: an AF_PACKET socket with a TPACKET_V3 ring, in any network namespace.

Theory of operation. The kernel writes packets that pass the filter into blocks of a shared ring and hands over a block
when it is full or 50 ms old. Python never touches a packet: a whole block is written from the ring to a spool file
with one system call and given back. What the blocks hold is taken apart at the end of the run (spool.py).

Whether anything was lost is known from PACKET_STATISTICS alone. It resets at each reading, so it is added up, and for
this ring version the kernel counts dropped packets as received, too: received = kept + dropped exactly, which `finish`
waits for.

Source: Linux Documentation/networking/packet_mmap.rst, include/uapi/linux/if_packet.h.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import struct
import threading
import time
from typing import Protocol

from harness.capture.clause import REJECT, Clause, Instruction, Program

_SOL_PACKET = 263
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_VERSION = 10
_PACKET_IGNORE_OUTGOING = 23
_TPACKET_V3 = 2
_SO_ATTACH_FILTER = 26
_ETH_P_ALL = 3
_CLONE_NEWNET = 0x40000000
_FRAME_BYTES = 2048
_RETIRE_MS = 50
"""Age at which the kernel hands over a block that is not full: status lines lag by that much."""
_FINISH_S = 1.0
"""Longest wait for the last block: the kernel needs two periods of `_RETIRE_MS`, a busy machine some more."""
_TP_STATUS_USER = 1
_STATUS_AT = 8
_BLOCK_HEADER = struct.Struct("<IIIIII")


class TapError(Exception):
    """A tap cannot be opened; the message says where and what to do. It is never raised once packets are taken."""


class Spool(Protocol):
    """Takes whole ring blocks."""

    def take(self, tap: int, block: memoryview, packets: int) -> None:
        """Stores a block of tap number `tap`, or counts its packets as left out."""


class Tap:
    """Packets of one clause. Open from construction to `close`.

    Raises:
        TapError: the namespace, the interface or the right to capture is missing.
    """

    def __init__(self, clause: Clause, program: Program, *, number: int, spool: Spool) -> None:
        self.clause = clause
        self.program = program
        self.received = 0
        self.dropped = 0
        self.taken = 0
        self._number = number
        self._spool = spool
        self._next = 0
        try:
            self._socket = _in_namespace(clause)
        except OSError as error:
            raise TapError(_explained(clause, error)) from error
        try:
            self._ring = self._set_up()
        except OSError as error:
            self._socket.close()
            raise TapError(_explained(clause, error)) from error
        self._blocks = memoryview(self._ring)

    def _set_up(self) -> mmap.mmap:
        """Ring and filter stand before the socket is bound: nothing unfiltered is ever taken."""
        clause, sock = self.clause, self._socket
        if clause.incoming_only:
            sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        frames = clause.blocks * (clause.block_bytes // _FRAME_BYTES)
        request = struct.pack("7I", clause.block_bytes, clause.blocks, _FRAME_BYTES, frames, _RETIRE_MS, 0, 0)
        sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        ring = mmap.mmap(sock.fileno(), clause.block_bytes * clause.blocks, mmap.MAP_SHARED)
        _attach(sock, self.program.instructions)
        # A name is looked up in the socket's namespace, an index would be in the process's.
        sock.bind((clause.interface, _ETH_P_ALL))
        sock.setblocking(False)
        return ring

    def fileno(self) -> int:
        """Readable when a block has been handed over."""
        return self._socket.fileno()

    def drain(self) -> int:
        """Moves all blocks handed over to the spool; returns how many packets."""
        moved = 0
        size = self.clause.block_bytes
        for _ in range(self.clause.blocks):
            start = self._next * size
            _, _, status, packets, _, used = _BLOCK_HEADER.unpack_from(self._ring, start)
            if not status & _TP_STATUS_USER:
                break
            self._spool.take(self._number, self._blocks[start : start + used], packets)
            struct.pack_into("<I", self._ring, start + _STATUS_AT, 0)
            self._next = (self._next + 1) % self.clause.blocks
            moved += packets
        self.taken += moved
        return moved

    def count(self) -> None:
        """Brings `received` (dropped included) and `dropped` up to date."""
        packets, drops, _freezes = struct.unpack("3I", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12))
        self.received += packets
        self.dropped += drops

    def finish(self) -> bool:
        """Lets nothing more in and takes what is left.

        Returns:
            Whether every packet is accounted for: received = taken + dropped.
        """
        _attach(self._socket, REJECT)
        deadline = time.monotonic() + _FINISH_S
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            self.drain()
            self.count()
            settled = self.received == self.taken + self.dropped
            if settled or time.monotonic() > deadline:
                return settled
            poll.poll(_RETIRE_MS)

    def close(self) -> None:
        """Gives socket and ring back."""
        self._blocks.release()
        self._ring.close()
        self._socket.close()


def _attach(sock: socket.socket, instructions: tuple[Instruction, ...]) -> None:
    packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in instructions))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(instructions), ctypes.addressof(packed))
    )


def _in_namespace(clause: Clause) -> socket.socket:
    """Makes the socket in the clause's namespace. A socket stays where it was made."""
    if clause.namespace is None:
        return _packet_socket()
    result: list[socket.socket] = []
    failure: list[OSError] = []

    def enter_and_make() -> None:
        # setns moves only the calling thread: this one, which ends here.
        try:
            _enter(clause.namespace)
            result.append(_packet_socket())
        except OSError as error:
            failure.append(error)

    thread = threading.Thread(target=enter_and_make)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _enter(namespace: str | int | None) -> None:
    assert namespace is not None
    descriptor = namespace if isinstance(namespace, int) else os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):  # os.setns came with Python 3.12
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), f"network namespace {namespace}")
    finally:
        if not isinstance(namespace, int):
            os.close(descriptor)


def _packet_socket() -> socket.socket:
    # Protocol 0: it receives nothing until it is bound.
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)


def _explained(clause: Clause, error: OSError) -> str:
    where = f"clause {clause.name}: cannot capture on {clause.interface}"
    if clause.namespace is not None:
        where += f" in network namespace {clause.namespace}"
    advice = {
        1: "; capturing needs CAP_NET_RAW: run as root, or let the run make its own namespace (--ground netns)",
        12: f"; the ring has {clause.blocks} blocks of {clause.block_bytes} bytes, ask for less",
        19: "; there is no such interface (list: ls /sys/class/net)",
        92: "; the kernel is older than 4.20 and cannot leave outgoing packets out",
    }.get(error.errno or 0, "")
    return f"{where}: {error.strerror} (errno {error.errno}){advice}"
