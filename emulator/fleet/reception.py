"""All phones' RTP port in one socket: recvmmsg into arrays prepared once, the kernel's time of each packet, drops.

The destination address (IP_PKTINFO) says which phone is meant. The kernel stamps each packet when it comes in, so the
figures do not depend on when this process gets to read it; that allows it to let packets gather for a few milliseconds
and read them in large batches, which costs far less than waking up for each.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from emulator.engine import BindError

_BATCH: Final = 256
_BATCHES_A_PASS: Final = 4
"""About five milliseconds of work; then the HTTP side has its turn."""
_BATCHES_BEFORE_A_STOP: Final = 8
_GATHER_S: Final = 0.004
_PACKET_BYTES: Final = 256
"""Room for a packet: larger ones are malformed whatever they hold, and their size is reported all the same."""
_CONTROL_BYTES: Final = 64
_BUFFER_BYTES: Final = 32 << 20
"""A tenth of a second of 500,000 packets a second. Beyond rmem_max it needs CAP_NET_ADMIN; else the limit is taken."""
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_IP_PKTINFO: Final = 8
_MSG_TRUNC: Final = 0x20
_MSG_DONTWAIT: Final = 0x40
_UNLISTENED: Final = 65536
"""(phone, source) pairs counted; further ones are only counted in total."""

_CONTROL: Final = struct.Struct("@QiiqqQiii4s4sxxxx")
"""SCM_TIMESTAMPNS and IP_PKTINFO in the kernel's order (net/socket.c, then net/ipv4/ip_sockglue.c)."""
_NAME: Final = struct.Struct("!2xHI8x")
_PACKET: Final = struct.Struct("!BBHII160s84x")
_LENGTH: Final = struct.Struct("@56xI4x")


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),  # the end of struct msghdr inside struct mmsghdr
        ("received", ctypes.c_uint32),
    )


assert _CONTROL.size == _CONTROL_BYTES
assert _PACKET.size == _PACKET_BYTES
assert ctypes.sizeof(_Header) == _LENGTH.size == 64

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
_recvmmsg.restype = ctypes.c_int


@dataclass(slots=True)
class Unlistened:
    """What came to a phone from one source while it did not listen."""

    packets: int
    first_t_ns: int
    last_t_ns: int


class Listener(Protocol):
    """Who hears what comes to a phone: its listening period, or a bad door before that."""

    since_ns: int

    def hear(
        self,
        t_ns: int,
        source: int,
        source_port: int,
        size: int,
        first: int,
        second: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
        /,
    ) -> None:
        """Take one datagram (`emulator.phone.stream.Period.hear`)."""


class Reception:
    """The socket, and who listens."""

    def __init__(self, port: int, *, interface: str | None = None, address: str = "0.0.0.0") -> None:
        """Bind the port.

        Raises:
            BindError: the port or the interface cannot be had.
        """
        self.packets = 0
        self.unlistened: dict[tuple[bytes, int], Unlistened] = {}
        self._periods: dict[bytes, Listener] = {}
        self._groups: dict[bytes, dict[Listener, None]] = {}
        self._socket = _open(address, port, interface)
        self.port: int = self._socket.getsockname()[1]
        self.descriptor: int = self._socket.fileno()
        self._packet_bytes = bytearray(_BATCH * _PACKET_BYTES)
        self._name_bytes = bytearray(_BATCH * _NAME.size)
        self._control_bytes = bytearray(_BATCH * _CONTROL_BYTES)
        self._headers = (_Header * _BATCH)()
        self._vectors = (_Vector * _BATCH)()
        packets, names, controls = (
            ctypes.addressof(ctypes.c_char.from_buffer(room))
            for room in (self._packet_bytes, self._name_bytes, self._control_bytes)
        )
        for index in range(_BATCH):
            self._vectors[index] = _Vector(packets + index * _PACKET_BYTES, _PACKET_BYTES)
            self._headers[index] = _Header(
                names + index * _NAME.size,
                _NAME.size,
                ctypes.addressof(self._vectors[index]),
                1,
                controls + index * _CONTROL_BYTES,
                _CONTROL_BYTES,
                0,
                0,
                0,
            )
        # The kernel writes the lengths that it used over those that it may use: they are put back for each call.
        self._pristine = bytes(self._headers)
        self._header_view = memoryview(self._headers).cast("B")
        self._offset_ns = 0

    @property
    def dropped(self) -> int:
        """Packets that the kernel threw away because the receive buffer was full, so far."""
        return int(struct.unpack_from("@9I", self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))[8])

    def listen(self, address: str, period: Listener) -> None:
        """From now on packets to this phone belong to the period."""
        self._periods[socket.inet_aton(address)] = period

    def stop(self, address: str, period: Listener) -> None:
        """The period ends: what the kernel had received before is heard first."""
        key = socket.inet_aton(address)
        if self._periods.get(key) is not period:
            return
        self._drain(_BATCHES_BEFORE_A_STOP)
        del self._periods[key]

    def join(self, group: str, period: Listener) -> None:
        """From now on packets to this group belong to the period, among others."""
        self._groups.setdefault(socket.inet_aton(group), {})[period] = None

    def leave(self, group: str, period: Listener) -> bool:
        """The period ends as with `stop`; False if it had not joined."""
        key = socket.inet_aton(group)
        periods = self._groups.get(key)
        if periods is None or period not in periods:
            return False
        self._drain(_BATCHES_BEFORE_A_STOP)
        del periods[period]
        if not periods:
            del self._groups[key]
        return True

    async def run(self) -> None:
        """Receive until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            if self._drain(_BATCHES_A_PASS):
                await trio.lowlevel.checkpoint()
            else:
                await trio.sleep(_GATHER_S)

    def close(self) -> None:
        """Close the socket; what is unread is lost."""
        self._header_view.release()
        self._socket.close()

    def drain(self) -> None:
        """Hear what has come so far, at the end of a run."""
        self._drain(_BATCHES_BEFORE_A_STOP * 16)

    def _drain(self, batches: int) -> bool:
        """Read up to so many batches; True if there may be more."""
        # CLOCK_REALTIME to CLOCK_MONOTONIC, afresh each time: the wall clock may be stepped.
        self._offset_ns = time.monotonic_ns() - time.time_ns()
        headers = ctypes.addressof(self._headers)
        for _ in range(batches):
            self._header_view[:] = self._pristine
            count = _recvmmsg(self.descriptor, headers, _BATCH, _MSG_DONTWAIT | _MSG_TRUNC, None)
            if count < 0:
                if ctypes.get_errno() in {errno.EAGAIN, errno.EINTR}:
                    return False
                continue  # an ICMP error of an earlier packet: it has been taken off by reporting it
            self._take(count)
            if count < _BATCH:
                return False
        return True

    def _take(self, count: int) -> None:
        self.packets += count
        offset_ns = self._offset_ns
        period_of = self._periods.get
        for (
            (_, _, _, seconds, nanoseconds, _, _, _, _, _, destination),
            (source_port, source),
            (size,),
            (first, second, sequence, timestamp, ssrc, payload),
        ) in zip(
            _CONTROL.iter_unpack(memoryview(self._control_bytes)[: count * _CONTROL_BYTES]),
            _NAME.iter_unpack(memoryview(self._name_bytes)[: count * _NAME.size]),
            _LENGTH.iter_unpack(self._header_view[: count * _LENGTH.size]),
            _PACKET.iter_unpack(memoryview(self._packet_bytes)[: count * _PACKET_BYTES]),
            strict=True,
        ):
            t_ns = seconds * 1_000_000_000 + nanoseconds + offset_ns
            period = period_of(destination)
            if period is None or t_ns < period.since_ns:
                group = self._groups.get(destination)
                if group is None:
                    self._not_heard(destination, source, t_ns)
                else:
                    header = (first, second, sequence, timestamp, ssrc) if size >= 12 else (0, 0, 0, 0, 0)
                    _deliver(group, t_ns, source, source_port, size, header, payload[: max(0, size - 12)])
            elif size == 172:
                period.hear(t_ns, source, source_port, size, first, second, sequence, timestamp, ssrc, payload)
            elif size < 12:
                # The room still holds an older packet's bytes.
                period.hear(t_ns, source, source_port, size, 0, 0, 0, 0, 0, b"")
            else:
                rest = payload[: size - 12]
                period.hear(t_ns, source, source_port, size, first, second, sequence, timestamp, ssrc, rest)

    def _not_heard(self, destination: bytes, source: int, t_ns: int) -> None:
        entry = self.unlistened.get((destination, source))
        if entry is None:
            if len(self.unlistened) < _UNLISTENED:
                self.unlistened[destination, source] = Unlistened(1, t_ns, t_ns)
            return
        entry.packets += 1
        entry.last_t_ns = t_ns


def _deliver(
    group: Iterable[Listener],
    t_ns: int,
    source: int,
    source_port: int,
    size: int,
    header: tuple[int, int, int, int, int],
    payload: bytes,
) -> None:
    for period in group:
        if t_ns >= period.since_ns:
            period.hear(t_ns, source, source_port, size, *header, payload)


def _open(address: str, port: int, interface: str | None) -> socket.socket:
    sock = None
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        if interface is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except OSError:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.bind((address, port))
    except OSError as error:
        if sock is not None:
            sock.close()
        raise BindError(address, port, error) from error
    return sock


def address_text(number: int) -> str:
    """An IPv4 address from its number."""
    return socket.inet_ntoa(number.to_bytes(4, "big"))
