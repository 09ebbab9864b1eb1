"""Hypercorn's connections behind a guard: no request ends the process. With TLS or without.

Hypercorn 0.18 on trio lets exceptions of three requests out of the connection handler and ends with them: an h2c
upgrade with bad settings, an HTTP/2 preface with a foreign path, a WebSocket upgrade with a trailing byte. So the
accepting is done here, each connection is guarded, and everything that is not plain HTTP/1 is refused before
hypercorn changes protocols. It also shields its sending without a limit, so that a client that does not read holds up
the end: sending is limited here. Look again at each upgrade of hypercorn.

With TLS the first byte is looked at before the handshake: who speaks plain HTTP to the port is told so, and nothing
else is answered without encryption.
"""

from __future__ import annotations

import logging
import socket
import ssl

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app
from quart_trio import QuartTrio

READ_S = 10.0
"""Between two pieces of a request. Not for its answer: reading an inventory takes as long as the slowest phones."""
HEAD_S = 5
"""For a request's head, and for a connection that says nothing."""
HANDSHAKE_S = 10.0
"""For the TLS handshake (hypercorn's own default is 60)."""
WRITE_S = 5.0
"""For a client to take its answer."""
CONNECTION_S = 600.0
"""For a connection, whatever goes on in it."""
DRAIN_S = 1.0
"""How long the rest of a refused request is read away."""
MAX_CONNECTIONS = 100
"""Those who page are few; the rest of the descriptors is the phones'."""
MAX_HEAD = 16 * 1024
RECEIVE_BYTES = 64 * 1024
TLS_HANDSHAKE = 0x16
"""First byte of a TLS connection (RFC 8446, 5.1)."""
_PLAIN_TEXT = b"This port speaks HTTPS only: use https:// in the address.\n"
PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
    % (len(_PLAIN_TEXT), _PLAIN_TEXT)
)
"""What plain HTTP on the TLS port gets. No redirect: whoever sent a secret in plain text should notice."""

_log = logging.getLogger("gateway.administration")


class _ForeignProtocolError(Exception):
    """The client wants another protocol than HTTP/1."""


class _PlainProtocol(H11Protocol):
    """HTTP/1 and nothing else."""

    async def _check_protocol(self, event: h11.Request) -> None:
        names = {name.lower() for name, _ in event.headers}
        if (
            b"upgrade" in names
            or {b"content-length", b"transfer-encoding"} <= names  # two ends: h11 takes one, others the other
            or event.http_version not in (b"1.0", b"1.1")
            or event.method in (b"PRI", b"CONNECT")
        ):
            await self._send_error_response(400)
            raise _ForeignProtocolError


class _GuardedServer(TCPServer):
    async def _read_data(self) -> None:
        wrapper = self.protocol
        plain = wrapper.protocol = _PlainProtocol(
            wrapper.app,
            wrapper.config,
            wrapper.context,
            wrapper.task_group,
            wrapper.state,
            wrapper.ssl,
            wrapper.client,
            wrapper.server,
            wrapper.send,
        )
        while True:
            answering = plain.connection.their_state in (h11.DONE, h11.MUST_CLOSE)
            try:
                with trio.fail_after(CONNECTION_S if answering else READ_S):
                    data = await self.stream.receive_some(RECEIVE_BYTES)
            except (trio.ClosedResourceError, trio.BrokenResourceError, trio.TooSlowError, trio.BusyResourceError):
                break  # busy: the connection is being closed at this moment
            await wrapper.handle(RawData(bytes(data)))
            if not data:
                break
        await wrapper.handle(Closed())
        await self.idle_task.stop()  # else a connection that has ended keeps its place for HEAD_S

    async def protocol_send(self, event: Event) -> None:
        if not isinstance(event, RawData):
            # Shielded: the end of a response cancels the task that sends it, in the middle of closing the connection.
            with trio.CancelScope(shield=True), trio.move_on_after(WRITE_S):
                await super().protocol_send(event)
            return
        async with self.send_lock:
            try:
                with trio.fail_after(WRITE_S):
                    await self.stream.send_all(event.data)
            except (trio.BrokenResourceError, trio.BusyResourceError, trio.ClosedResourceError, trio.TooSlowError):
                await self.protocol.handle(Closed())  # busy: the connection is being closed at this moment


async def serve_administration(
    application: QuartTrio, listener: socket.socket, context: ssl.SSLContext | None = None
) -> None:
    """Serve ``application`` on a listening socket until cancelled. Takes the socket over. ``context``: with TLS."""
    config = Config()
    config.keep_alive_timeout = HEAD_S
    config.ssl_handshake_timeout = HANDSHAKE_S
    config.h11_max_incomplete_size = MAX_HEAD
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = None  # its texts may quote a request; the guard below and quart log what has to be known
    wrapped = wrap_app(application, MAX_HEAD, "asgi")
    worker = WorkerContext(None)
    open_now = 0

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal open_now
        if open_now >= MAX_CONNECTIONS:
            await trio.aclose_forcefully(stream)
            return
        open_now += 1
        try:
            with trio.move_on_after(CONNECTION_S):
                if context is None:
                    # Hypercorn's annotation names TLS streams only; it serves both.
                    await _GuardedServer(wrapped, config, worker, ConnectionState({}), stream)  # type: ignore[arg-type]
                elif await _speaks_tls(stream):
                    secured = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
                    await _GuardedServer(wrapped, config, worker, ConnectionState({}), secured)
        except* _ForeignProtocolError:
            pass
        except* Exception as group:  # noqa: BLE001  the guard: one connection never ends the process
            _log.error("a connection failed: %s", ", ".join(sorted({type(e).__name__ for e in group.exceptions})))
        finally:
            open_now -= 1
            await trio.aclose_forcefully(stream)

    await trio.serve_listeners(handle, [trio.SocketListener(trio.socket.from_stdlib_socket(listener))])


async def _speaks_tls(stream: trio.SocketStream) -> bool:
    """Look at the first byte; whoever speaks HTTP in plain text is told so."""
    with trio.move_on_after(HEAD_S):
        first = await stream.socket.recv(1, socket.MSG_PEEK)
        if first and first[0] == TLS_HANDSHAKE:
            return True
        if first.isalpha():
            # Read what has come, so that closing does not destroy the answer.
            await stream.receive_some(RECEIVE_BYTES)
            await stream.send_all(PLAIN_ANSWER)
            await stream.send_eof()
            with trio.move_on_after(DRAIN_S):
                while await stream.receive_some(RECEIVE_BYTES):
                    pass
    return False
