"""Where phones hear and what they send: a reception per port, a membership per group, RTP at its pace.

The phones' usual RTP port has a reception from the start. Another port gets one while somebody listens there. A group
is joined once, whatever the number of phones, and each packet to it is delivered to every phone that listens to it.
"""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import trio

from emulator.engine import BindError
from emulator.fleet.impairment import Door
from emulator.fleet.reception import Listener, Reception, Unlistened
from emulator.phone.phone import Transmission
from emulator.phone.stream import PAYLOAD_BYTES, Period

_log = logging.getLogger("emulator.fleet.streams")

PORTS: Final = 64
"""Ports heard at a time beside the usual one: each costs a socket and 100 kB."""
GROUPS: Final = 64
"""Groups joined at a time."""
TRANSMISSIONS: Final = 500
"""Phones that send at a time: 25,000 packets a second."""
TRANSMISSION_S: Final = 600.0
"""A phone that nobody stops falls silent then; its stream counts as active until it is stopped (the bound is ours)."""
_FRAME_S: Final = 0.02
_HOPS: Final = 16
"""TTL of multicast that phones send (assumed)."""
_SILENCE: Final = b"\xff" * PAYLOAD_BYTES


@dataclass(slots=True)
class _Port:
    reception: Reception
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    periods: set[Period] = field(default_factory=set)


@dataclass(slots=True)
class _Group:
    membership: socket.socket
    listeners: int = 0


class Streams:
    """All streams of a fleet."""

    def __init__(self, port: int, *, interface: str | None) -> None:
        """Open the usual port.

        Raises:
            BindError: it or the interface cannot be had.
        """
        self._interface = interface
        self._usual = Reception(port, interface=interface)
        self._ports: dict[int, _Port] = {}
        self._groups: dict[str, _Group] = {}
        self._sending: dict[int, trio.CancelScope] = {}
        self._doors: dict[Period, Door] = {}
        self._nursery: trio.Nursery
        self._packets_before = self._dropped_before = 0

    @property
    def port(self) -> int:
        """The usual one, as bound."""
        return self._usual.port

    @property
    def packets(self) -> int:
        """Received so far, on all ports."""
        return self._usual.packets + self._packets_before + sum(port.reception.packets for port in self._ports.values())

    @property
    def dropped(self) -> int:
        """Thrown away by the kernel so far, on all ports."""
        return self._usual.dropped + self._dropped_before + sum(port.reception.dropped for port in self._ports.values())

    @property
    def unlistened(self) -> Mapping[tuple[bytes, int], Unlistened]:
        """What came to the usual port while its phone did not listen."""
        return self._usual.unlistened

    async def run(self) -> None:
        """Receive and send until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await self._usual.run()

    def drain(self) -> None:
        """Hear what has come so far, at the end of a run."""
        for reception in self._receptions():
            reception.drain()

    def close(self) -> None:
        """Close all sockets."""
        for reception in self._receptions():
            reception.close()
        for group in self._groups.values():
            group.membership.close()

    def _receptions(self) -> list[Reception]:
        return [self._usual, *[port.reception for port in self._ports.values()]]

    def listen(self, address: str, period: Period, door: Door | None = None) -> None:
        """From now on what comes to this phone, or to its group, belongs to the period; by way of the door, if any.

        Where the port or the group cannot be had nothing is heard, and the log says why.
        """
        if period.port == self._usual.port:
            reception = self._usual
        else:
            port = self._ports.get(period.port) or self._open(period.port)
            if port is None:
                return
            port.periods.add(period)
            reception = port.reception
        listener: Listener = period
        if door is not None:
            door.open(period.since_ns, period.hear)
            listener = self._doors[period] = door
        if not period.multicast:
            reception.listen(address, listener)
        elif self._join(period.source, address):
            reception.join(period.source, listener)

    def stop(self, address: str, period: Period) -> None:
        """The period ends: what the kernel had received before is heard first."""
        if period.port == self._usual.port:
            self._leave_or_stop(self._usual, address, period)
            return
        port = self._ports.get(period.port)
        if port is None or period not in port.periods:
            return  # the port could not be had when the period began
        self._leave_or_stop(port.reception, address, period)
        port.periods.remove(period)
        if not port.periods:
            del self._ports[period.port]
            port.scope.cancel()
            trio.lowlevel.notify_closing(port.reception.descriptor)
            self._packets_before += port.reception.packets
            self._dropped_before += port.reception.dropped
            port.reception.close()

    def _leave_or_stop(self, reception: Reception, address: str, period: Period) -> None:
        listener: Listener = self._doors.pop(period, period)
        if not period.multicast:
            reception.stop(address, listener)
        elif reception.leave(period.source, listener):
            group = self._groups[period.source]
            group.listeners -= 1
            if not group.listeners:
                del self._groups[period.source]
                group.membership.close()

    def _open(self, number: int) -> _Port | None:
        if len(self._ports) >= PORTS:
            _log.warning("nothing is heard on port %d: %d ports are open", number, PORTS)
            return None
        try:
            port = self._ports[number] = _Port(Reception(number, interface=self._interface))
        except BindError as error:
            _log.warning("nothing is heard: %s", error)
            return None
        self._nursery.start_soon(self._receive, port)
        return port

    async def _receive(self, port: _Port) -> None:
        with port.scope, contextlib.suppress(trio.ClosedResourceError):
            await trio.lowlevel.checkpoint()  # it may have been closed before this began
            await port.reception.run()

    def _join(self, name: str, address: str) -> bool:
        group = self._groups.get(name)
        if group is None:
            if len(self._groups) >= GROUPS:
                _log.warning("group %s is not joined: %d groups are", name, GROUPS)
                return False
            membership = None
            try:
                membership = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                index = socket.if_nametoindex(self._interface) if self._interface is not None else 0
                wanted = struct.pack("@4s4si", socket.inet_aton(name), socket.inet_aton(address), index)
                membership.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wanted)
            except OSError as error:
                if membership is not None:
                    membership.close()
                _log.warning("group %s cannot be joined: %s", name, error.strerror)
                return False
            group = self._groups[name] = _Group(membership)
        group.listeners += 1
        return True

    def send(self, address: str, transmission: Transmission) -> None:
        """Begin to send a phone's stream from its address."""
        if len(self._sending) >= TRANSMISSIONS:
            _log.warning("%s sends nothing: %d phones are sending", address, TRANSMISSIONS)
            return
        scope = self._sending[id(transmission)] = trio.CancelScope()
        self._nursery.start_soon(self._send, address, transmission, scope)

    def stop_sending(self, transmission: Transmission) -> None:
        """End it."""
        scope = self._sending.pop(id(transmission), None)
        if scope is not None:
            scope.cancel()

    async def _send(self, address: str, transmission: Transmission, scope: trio.CancelScope) -> None:
        # The numbers are random as RFC 3550 5.1 wants them, and the same in every run.
        numbers = random.Random(f"{address} {transmission.push}")
        sequence, timestamp, transmission.ssrc = (numbers.getrandbits(bits) for bits in (16, 32, 32))
        try:
            with scope, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                _prepare(sock, address, transmission)
                scope.deadline = trio.current_time() + TRANSMISSION_S
                due = trio.current_time()
                while True:
                    packet = struct.pack(
                        "!BBHII", 0x80, 0x80 if not transmission.packets else 0, sequence, timestamp, transmission.ssrc
                    )
                    with contextlib.suppress(OSError):  # a full buffer or a receiver that is not there: RTP goes on
                        sock.send(packet + _SILENCE)
                        transmission.packets += 1
                    sequence = (sequence + 1) & 0xFFFF
                    timestamp = (timestamp + PAYLOAD_BYTES) & 0xFFFFFFFF
                    due += _FRAME_S
                    await trio.sleep_until(due)
        except OSError as error:
            _log.warning("%s cannot send to %s: %s", address, transmission.destination, error.strerror)
        finally:
            if self._sending.get(id(transmission)) is scope:
                del self._sending[id(transmission)]


def _prepare(sock: socket.socket, address: str, transmission: Transmission) -> None:
    sock.setblocking(False)
    sock.bind((address, 0))
    if transmission.multicast:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
    sock.connect((transmission.destination, transmission.port))
    transmission.local_port = sock.getsockname()[1]
