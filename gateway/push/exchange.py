"""One request to a phone and its answer, over a connection of its own, within one total deadline.

Plain non-blocking sockets: 121 microseconds of CPU a push where a trio stream needs 208 and httpx 1280
(docs/design/performance.md). A single cancel scope holds the connect limit first and the total limit afterwards.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import trio

from gateway.cisco import HttpResponse, Outcome, ResponseReader
from gateway.cisco.http_response import ResponseDefectError

RECEIVE_BYTES = 16 * 1024
DESCRIPTOR_S = 0.05
"""Between two tries to get a descriptor where the system has none."""
IP_BIND_ADDRESS_NO_PORT = 24
"""Not in Python's socket module on 3.11. Without it a bound source takes a port for all destinations at once, and ports
run out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long a phone may take."""

    connect_s: float
    total_s: float


@dataclass(kw_only=True, slots=True)
class Exchange:
    """What happened so far; complete when `exchange` returns, and readable when it was cancelled."""

    connection: str | None = None
    """This end, ``address:port``, once connected."""
    sent_ns: int | None = None
    """When the whole request was handed to the kernel (CLOCK_MONOTONIC)."""
    answer_ms: float | None = None
    """From then to the whole answer."""
    response: HttpResponse | None = None
    failure: Outcome | None = None
    """Why there is no response: `unreachable`, `timed_out`, `indeterminate` or `garbled`."""
    detail: str | None = None


async def exchange(
    state: Exchange,
    *,
    address: str,
    port: int,
    source: str | None,
    limits: Limits,
    request: Callable[[str], bytes],
    on_sent: Callable[[Exchange], None] | None = None,
) -> None:
    """Connect, send, read one response, close. What a phone or the network does wrong ends up in ``state``.

    Args:
        state: Filled step by step, so that a cancelled exchange leaves what it knew.
        address: The phone's.
        port: Its web server's.
        source: Address to connect from; None: the system's choice.
        limits: For connecting, and for everything.
        request: From this end's address to the bytes to send.
        on_sent: Called as soon as the whole request was handed to the kernel.
    """
    started = trio.current_time()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = False
    with trio.CancelScope(deadline=started + limits.total_s) as scope:
        try:
            with await _socket(family) as connection:
                opened = True
                scope.deadline = min(trio.current_time() + limits.connect_s, scope.deadline)
                if source is not None:
                    connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                    connection.bind((source, 0))
                await _connect(connection, (address, port))
                scope.deadline = started + limits.total_s
                host, local_port = connection.getsockname()[:2]
                state.connection = f"[{host}]:{local_port}" if ":" in host else f"{host}:{local_port}"
                await _send(connection, request(host))
                state.sent_ns = time.monotonic_ns()
                if on_sent is not None:
                    on_sent(state)
                await _receive(connection, state)
        except OSError as error:
            state.failure = Outcome.UNREACHABLE if state.connection is None else Outcome.INDETERMINATE
            state.detail = os.strerror(error.errno) if error.errno else type(error).__name__
        except ResponseDefectError as error:
            state.failure = Outcome.GARBLED
            state.detail = str(error)
    if scope.cancelled_caught:
        state.failure = Outcome.UNREACHABLE if state.connection is None else Outcome.TIMED_OUT
        if not opened:
            state.detail = f"this system had no descriptor free within {limits.total_s:g} s"
        elif state.connection is None:
            state.detail = f"no connection within {limits.connect_s:g} s"
        else:
            state.detail = f"no whole answer within {limits.total_s:g} s"


async def _socket(family: int) -> socket.socket:
    """A socket, waited for while the system has no descriptor: that is not the phone's fault."""
    while True:
        try:
            return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS):
                raise
        await trio.sleep(DESCRIPTOR_S)


async def _connect(connection: socket.socket, address: tuple[str, int]) -> None:
    error = connection.connect_ex(address)
    if error == errno.EINPROGRESS:
        await trio.lowlevel.wait_writable(connection)
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


async def _send(connection: socket.socket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[connection.send(view, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(connection)


async def _receive(connection: socket.socket, state: Exchange) -> None:
    assert state.sent_ns is not None
    reader = ResponseReader()
    while state.response is None:
        await trio.lowlevel.wait_readable(connection)
        try:
            data = connection.recv(RECEIVE_BYTES)
        except BlockingIOError:
            continue
        state.response = reader.receive(data) if data else reader.end()
        if not data and state.response is None:
            state.failure = Outcome.INDETERMINATE
            state.detail = "closed within the answer" if reader.started else "closed without an answer"
            return
    state.answer_ms = (time.monotonic_ns() - state.sent_ns) / 1e6
