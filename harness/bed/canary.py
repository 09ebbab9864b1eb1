"""Canaries: packets sent only to be seen by the taps, before and after a run.

One for each clause of the capture, from a reserved address to where the clause's tap stands. A canary that is missing
in the capture says that the tap was blind, so that nothing may be concluded from what else it did not see.
"""

import contextlib
import socket
from dataclasses import dataclass
from typing import Final, Literal

import trio

from harness.bed import frames
from harness.bed.errors import BedError
from harness.bed.ground import Addresses, Ground, Host, HostName, TapPlace

Clause = Literal["rtp", "authentication-gateway", "authentication-callmanager"]
When = Literal["before", "after"]

CLAUSE_HOSTS: Final[dict[Clause, HostName]] = {
    "rtp": "phones",
    "authentication-gateway": "gateway",
    "authentication-callmanager": "callmanager",
}
"""At whose door each clause of the capture stands."""
FRAME_PORT: Final = 9
"""Source port of canaries that are written as frames: discard, which nobody sends from."""

CONNECT_S: Final = 5.0
"""A server under a burst accepts within its backlog; the SYN itself leaves at once."""
PAYLOAD: Final = b"pushlab canary "
"""Begins every RTP canary: its first byte, `p`, is RTP version 1, so that no reader takes it for a stream's packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A canary that was sent; fields as in the record `canary.sent`.

    Attributes:
        answered: whether a TCP connection came about; a SYN was sent in any case. True for UDP.
    """

    clause: Clause
    source: str
    destination: str
    when: When
    answered: bool


async def send_canaries(ground: Ground, when: When, *, clauses: tuple[Clause, ...] | None = None) -> list[Canary]:
    """Send one canary for each clause from the harness's host, one after the other.

    Where a clause has no tap on this ground, none is sent for it.

    Raises:
        BedError: one cannot be sent.
    """
    host = ground.host("harness")
    addresses = ground.addresses
    wanted = clauses or tuple(CLAUSE_HOSTS)
    if ground.canaries_by_frame:
        places = [(clause, place) for clause in wanted if (place := ground.tap(CLAUSE_HOSTS[clause])) is not None]
        return [_write(place, addresses, clause, when) for clause, place in places]
    return [await _send(host, addresses, clause, when) for clause in wanted]


async def _send(host: Host, addresses: Addresses, clause: Clause, when: When) -> Canary:
    try:
        match clause:
            case "rtp":
                target = (addresses.canary_phone, addresses.rtp_port)
                source, answered = await _send_datagram(host, addresses.canary_source, target, when)
            case "authentication-gateway":
                target = (addresses.gateway, addresses.authentication_port)
                source, answered = await _send_syn(host, addresses.canary_source, target)
            case "authentication-callmanager":
                target = (addresses.callmanager, addresses.callmanager_authentication_port)
                source, answered = await _send_syn(host, addresses.canary_source, target)
    except OSError as error:
        raise BedError(f"the canary for {clause} cannot be sent: {error.strerror}") from None
    return Canary(clause=clause, source=source, destination=f"{target[0]}:{target[1]}", when=when, answered=answered)


async def _send_datagram(host: Host, source: str, target: tuple[str, int], when: When) -> tuple[str, bool]:
    with trio.socket.from_stdlib_socket(host.socket(socket.SOCK_DGRAM, source)) as sender:
        await sender.sendto(PAYLOAD + when.encode("ascii"), target)
        address, port = sender.getsockname()
        return f"{address}:{port}", True


async def _send_syn(host: Host, source: str, target: tuple[str, int]) -> tuple[str, bool]:
    # By hand and not by trio's connect, which closes the socket when it is given up: the name is needed in any case.
    with host.socket(socket.SOCK_STREAM, source) as client:
        with contextlib.suppress(BlockingIOError):
            client.connect(target)
        address, port = client.getsockname()
        answered = False
        with trio.move_on_after(CONNECT_S):
            await trio.lowlevel.wait_writable(client)
            # A refusal is no failure here: the SYN has passed the tap; that nobody listens is the part's own trouble.
            answered = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        return f"{address}:{port}", answered


def _write(place: TapPlace, addresses: Addresses, clause: Clause, when: When) -> Canary:
    """One canary as a frame on the tap's own interface, to that interface: nobody else gets it."""
    source = (addresses.canary_source, FRAME_PORT if when == "before" else FRAME_PORT + 1)
    target = {
        "rtp": (addresses.canary_phone, addresses.rtp_port),
        "authentication-gateway": (addresses.gateway, addresses.authentication_port),
        "authentication-callmanager": (addresses.callmanager, addresses.callmanager_authentication_port),
    }[clause]
    try:
        own = frames.hardware_address(place.interface)
        payload = PAYLOAD + when.encode("ascii")
        frame = (
            frames.udp_frame(own, source, target, payload) if clause == "rtp" else frames.syn_frame(own, source, target)
        )
        frames.send(place.interface, frame)
    except PermissionError:
        pass  # without the right to write a frame there is none to read one: nothing is captured at all
    except OSError as error:
        raise BedError(f"the canary for {clause} cannot be written: {error.strerror}") from None
    return Canary(
        clause=clause,
        source=f"{source[0]}:{source[1]}",
        destination=f"{target[0]}:{target[1]}",
        when=when,
        answered=clause == "rtp",
    )
