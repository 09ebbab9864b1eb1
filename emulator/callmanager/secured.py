"""The secured authentication page: TLS in front of the byte engine's parser and handler.

The engine's own loop reads plain sockets, because a stream's layers cost a burst too much. Behind TLS they cost little
next to the handshake, so this loop reads a `trio.SSLStream`, and shares with the engine what makes the bytes: its
reader with all limits, its requests, its errors. What a client gets is byte for byte what it gets on the plain port.
"""

import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

import trio

from emulator.engine import (
    Answer,
    Connections,
    Handler,
    Limits,
    Request,
    _error_bytes,
    _Reader,
    _request,
    reset_at_close,
)

_log = logging.getLogger("emulator.callmanager.secured")

HANDSHAKE_S: Final = 10.0
"""A phone's processor takes seconds for RSA; who takes longer does not mean it."""
_RECEIVE_BYTES: Final = 16384
"""A TLS record."""
_SEND_BYTES: Final = 65536
_LINGER_S: Final = 1.0
_LINGER_READS: Final = 64
"""What is still read and thrown away after an error answer, as in the engine: else a reset would destroy the answer."""
_THERE: Final = frozenset({1, 8})
"""States of TCP (tcp_states.h): ESTABLISHED, and CLOSE_WAIT of a client that has only ended its own half."""


async def serve(
    listener: socket.socket,
    context: ssl.SSLContext,
    handle: Handler,
    *,
    limits: Limits,
    admit: Callable[[tuple[str, int], tuple[str, int]], bool] | None = None,
    connections: Connections | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve HTTPS on a listening socket until cancelled; the socket is closed at the end.

    Args:
        listener: from `engine.listen`.
        context: with the certificate.
        handle: as `engine.serve` takes it; what it raises ends that connection alone, as there.
        limits: as `engine.serve` takes them; connections beyond their number are closed at once.
        admit: as `engine.serve` takes it, but who is not admitted is closed.
        connections: as `engine.serve` takes it.
        task_status: started when connections are accepted.
    """
    open_now = 0

    async def connection(plain: trio.SocketStream) -> None:
        nonlocal open_now
        open_now += 1
        try:
            ends = plain.socket.getpeername()[:2], plain.socket.getsockname()[:2]
            if open_now <= limits.connections and (admit is None or admit(*ends)):
                with trio.move_on_after(limits.total_s) as scope:
                    if connections is not None:
                        connections.add(ends[1][0], scope, plain.socket)
                    try:
                        await _connection(plain, context, handle, limits)
                    finally:
                        if connections is not None:
                            connections.remove(ends[1][0], scope)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer has gone, or spoke no TLS: its own business
        finally:
            open_now -= 1
            await trio.aclose_forcefully(plain)

    door = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
    task_status.started()  # it listens already: who comes now waits in the backlog
    await trio.serve_listeners(connection, [door])


async def _connection(plain: trio.SocketStream, context: ssl.SSLContext, handle: Handler, limits: Limits) -> None:
    peer, local = plain.socket.getpeername()[:2], plain.socket.getsockname()[:2]
    stream = trio.SSLStream(plain, context, server_side=True)
    with trio.move_on_after(HANDSHAKE_S) as scope:
        await stream.do_handshake()
    if scope.cancelled_caught:
        return
    reader = _Reader(limits)
    ordinal = 0
    readable = True
    while readable:
        with trio.move_on_after(limits.idle_s if ordinal and not reader.in_message else limits.total_s) as scope:
            data = await stream.receive_some(_RECEIVE_BYTES)
        if scope.cancelled_caught or not data:
            return
        readable = reader.feed(bytes(data))
        while reader.messages:
            ordinal += 1
            request = _request(reader.messages.popleft(), peer, local, ordinal)
            answer = await _answered(handle, request)
            await _send(stream, answer)
            if answer.close or not request.keep_alive:
                await stream.aclose()  # with TLS's farewell: a client tells a whole answer from a cut one
                return
    if reader.status:
        await stream.send_all(_error_bytes(reader.status))
        plain.socket.shutdown(socket.SHUT_WR)
        with trio.move_on_after(_LINGER_S):
            for _ in range(_LINGER_READS):
                if not await plain.receive_some(_RECEIVE_BYTES):
                    return


class _Wire:
    def __init__(self, stream: "trio.SSLStream[trio.SocketStream]") -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        # In pieces: three megabytes encrypted at once would hold up everybody else.
        for start in range(0, len(data), _SEND_BYTES):
            await self._stream.send_all(data[start : start + _SEND_BYTES])

    def reset(self) -> None:
        reset_at_close(self._stream.transport_stream.socket)


async def _send(stream: "trio.SSLStream[trio.SocketStream]", answer: Answer) -> None:
    there = False
    try:
        wire = _Wire(stream)
        await (wire.send(answer.data) if answer.write is None else answer.write(wire))
        state = stream.transport_stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        there = state[0] in _THERE
    finally:
        if answer.on_sent is not None:
            answer.on_sent(there)


async def _answered(handle: Handler, request: Request) -> Answer:
    try:
        return await handle(request)
    except Exception as error:  # noqa: BLE001 - our bug in a handler must cost one request, as in the engine
        _log.error("handler failed: %s", type(error).__name__)  # its text may quote the request
        return Answer(_error_bytes(500))
