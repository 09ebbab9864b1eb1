"""The port that phones talk to: accept, read one request, answer, close. Strict and bounded.

Theory of operation: in a burst a phone's request has nearly always arrived when its connection is accepted, so it is
read and answered on the spot, without a task or a deadline. Only a connection that has nothing whole to read yet gets
a task, with one deadline for everything. Each connection carries one request, as CallManager's own answer says
(`Connection: close`), which leaves no idle connections to look after. When too many wait, the one that waited longest
is closed: slow clients push each other out, never a phone that speaks. A small number of connections is accepted per
pass, so that the loop's other timers stay within milliseconds.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

import trio

from gateway.authentication.decision import Decision
from gateway.authentication.endpoint import rejection, status_response
from gateway.authentication.request import Rejection, Request, RequestReader

Network = IPv4Network | IPv6Network

BACKLOG = 4096
"""Connections that wait to be accepted. 100 turns a burst of 2,000 into seconds of SYN retries."""
ACCEPTS_PER_PASS = 8
"""Connections accepted before other tasks run."""
REQUEST_S = 5.0
"""From accepting to the whole request. A phone sends it in one segment."""
DRAIN_S = 1.0
"""How long bytes behind a refused request are read away, so that closing does not destroy the answer."""
MAX_DRAIN = 64 * 1024
MAX_WAITING = 2000
"""Connections without a whole request. Far more than phones need, far fewer than descriptors."""
MAX_SLOWED = 1000
"""Failures that wait for their answers. Beyond it they are closed without one; right answers are not among them."""
RECEIVE_BYTES = 16 * 1024

_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_log = logging.getLogger("gateway.phone_port")


class Observer(Protocol):
    """Hears of every answer."""

    def __call__(self, decision: Decision, *, connection: str, answer_ms: float) -> None:
        """One answer was given on ``connection`` (the phone's end), ``answer_ms`` after it was accepted."""


def open_listener(host: str, port: int) -> socket.socket:
    """Bind and listen.

    Raises:
        OSError: The address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class PhonePort:
    """Serves one listening socket.

    Args:
        listener: Non-blocking and listening. Stays the caller's to close.
        respond: From a request to its decision.
        observe: Told of every answer.
        slow: From a decision, and the address that asked, to the seconds that the answer is held back; None: the
            connection is closed without one.
        others: Answers a request that is no question, or does not know it (None); told the address that asks.
        networks: Where phones are, asked for each request. Requests from elsewhere are answered 403 and not looked
            at. Empty: anywhere.
    """

    def __init__(
        self,
        *,
        listener: socket.socket,
        respond: Callable[[Request], Decision],
        observe: Observer,
        slow: Callable[[Decision, str], float | None] = lambda _decision, _source: 0.0,
        others: Callable[[Request, str], Decision | None] | None = None,
        networks: Callable[[], Sequence[Network]] = tuple,
    ) -> None:
        self._listener = listener
        self._respond = respond
        self._observe = observe
        self._slow = slow
        self._others = others
        self._slowed = 0
        self._networks = networks
        self._waiting: dict[socket.socket, trio.CancelScope] = {}

    async def serve(self) -> None:
        """Accept and answer until cancelled."""
        async with trio.open_nursery() as nursery:
            try:
                while True:
                    await trio.lowlevel.wait_readable(self._listener)
                    if not self._accept(nursery):
                        await trio.sleep(0.05)  # no descriptors: those of closed connections come back first
            finally:
                nursery.cancel_scope.cancel()

    def _accept(self, nursery: trio.Nursery) -> bool:
        for _ in range(ACCEPTS_PER_PASS):
            try:
                connection, peer = self._listener.accept()
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    continue  # the client was gone before it was accepted
                _log.warning("no more connections can be accepted: %s", errno.errorcode.get(error.errno, "?"))
                self._make_room()
                return False
            # A port that listens on :: sees phones as ::ffff:10.20.0.1; they and the configuration do not.
            peer = (peer[0].removeprefix("::ffff:"), peer[1])
            try:
                self._begin(connection, peer, nursery)
            except Exception as error:  # noqa: BLE001  one connection's trouble is never the port's
                # The type alone: a text might quote what the phone sent.
                _log.error("a connection failed: %s", type(error).__name__)
                connection.close()
        return True

    def _begin(self, connection: socket.socket, peer: tuple[str, int], nursery: trio.Nursery) -> None:
        accepted_ns = time.monotonic_ns()
        reader = RequestReader()
        try:
            data = connection.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            data = None
        except OSError:
            connection.close()
            return
        result = reader.receive(data) if data else None
        if isinstance(result, Request):
            decision = self.decide(peer, result)
            delay_s = self.delay_s(decision, peer)
            if delay_s:
                nursery.start_soon(self._answer_later, connection, peer, decision, accepted_ns, delay_s)
                return
            if delay_s is not None:
                self._send(connection, peer, decision, accepted_ns)
            connection.close()
        elif data == b"":
            connection.close()
        else:
            if len(self._waiting) >= MAX_WAITING:
                self._make_room()
            nursery.start_soon(self._converse, connection, peer, reader, result, accepted_ns)

    async def _converse(
        self,
        connection: socket.socket,
        peer: tuple[str, int],
        reader: RequestReader,
        result: Rejection | None,
        accepted_ns: int,
    ) -> None:
        """Read on until there is a request, a rejection, the end, or no time left."""
        try:
            with trio.move_on_after(REQUEST_S) as scope:
                self._waiting[connection] = scope
                request: Request | Rejection | None = result
                while request is None:
                    if reader.continue_wanted:
                        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n", _SEND_FLAGS)
                    await trio.lowlevel.wait_readable(connection)
                    data = connection.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
                    if not data:
                        return
                    request = reader.receive(data)
                if isinstance(request, Rejection):
                    await self._refuse(connection, peer, request, accepted_ns)
                    return
            self._waiting.pop(connection, None)
            if not isinstance(request, Request):
                return  # there was none in time
            decision = self.decide(peer, request)
            delay_s = self.delay_s(decision, peer)
            if delay_s:
                await self.hold(delay_s)
            if delay_s is not None:
                self._send(connection, peer, decision, accepted_ns)
        except OSError:
            pass  # the phone is gone, or does not take its answer
        except Exception as error:  # noqa: BLE001  one connection's trouble is never the port's
            _log.error("a connection failed: %s", type(error).__name__)
        finally:
            self._waiting.pop(connection, None)
            connection.close()

    async def _answer_later(
        self, connection: socket.socket, peer: tuple[str, int], decision: Decision, accepted_ns: int, delay_s: float
    ) -> None:
        with connection:
            await self.hold(delay_s)
            self._send(connection, peer, decision, accepted_ns)

    async def hold(self, delay_s: float) -> None:
        """Hold one answer back."""
        self._slowed += 1
        try:
            await trio.sleep(delay_s)
        finally:
            self._slowed -= 1

    def delay_s(self, decision: Decision, peer: tuple[str, int]) -> float | None:
        """How long the answer is held back; None: for ever."""
        delay_s = self._slow(decision, peer[0])
        return None if delay_s and self._slowed >= MAX_SLOWED else delay_s

    def decide(self, peer: tuple[str, int], request: Request) -> Decision:
        """What the request of that peer is answered."""
        networks = self._networks()
        if networks and not _is_inside(networks, peer[0]):
            return rejection(403)
        try:
            decision = self._respond(request)
            if decision.answer == "rejected" and self._others is not None:
                return self._others(request, peer[0]) or decision
            return decision
        except Exception as error:  # noqa: BLE001  a defect of ours must not end the port
            _log.error("no answer was found: %s", type(error).__name__)
            return rejection(500)

    async def _refuse(
        self, connection: socket.socket, peer: tuple[str, int], refusal: Rejection, accepted_ns: int
    ) -> None:
        if refusal.status == 0:
            return
        self._send(connection, peer, rejection(refusal.status), accepted_ns)
        connection.shutdown(socket.SHUT_WR)
        drained = 0
        with trio.move_on_after(DRAIN_S):
            while drained < MAX_DRAIN:
                await trio.lowlevel.wait_readable(connection)
                data = connection.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
                if not data:
                    break
                drained += len(data)

    def _send(self, connection: socket.socket, peer: tuple[str, int], decision: Decision, accepted_ns: int) -> None:
        # An answer always fits into the empty buffer of a new connection; nobody waits for one who does not read.
        with suppress(OSError):
            connection.send(decision.response, _SEND_FLAGS)
        self.tell(peer, decision, accepted_ns)

    def tell(self, peer: tuple[str, int], decision: Decision, accepted_ns: int) -> None:
        """An answer was given: tell the observer."""
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        answer_ms = (time.monotonic_ns() - accepted_ns) / 1e6
        self._observe(decision, connection=f"{host}:{peer[1]}", answer_ms=answer_ms)

    def _make_room(self) -> None:
        """Close the connection that has waited longest."""
        oldest = next(iter(self._waiting), None)
        if oldest is not None:
            self._waiting.pop(oldest).cancel()


def local_address(peer: str) -> str:
    """The address of this machine that connections to ``peer`` have; nothing is sent.

    Raises:
        OSError: There is no route.
    """
    with socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))
        address: str = probe.getsockname()[0]
        return address


def _is_inside(networks: Sequence[Network], host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    return any(address in network for network in networks)


__all__ = ["BACKLOG", "Network", "Observer", "PhonePort", "local_address", "open_listener", "status_response"]
