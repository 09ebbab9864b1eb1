"""hypercorn, guarded: serves an application over plain HTTP/1.1, and no request can end the server.

hypercorn 0.18 on trio lets exceptions leave its connection handler, which ends the whole server: an `Upgrade: h2c` with
bad `HTTP2-Settings`, an HTTP/2 preface with a path that is no ASCII, a WebSocket upgrade with a trailing byte. It also
waits for ever for a slow body and for a client that does not read. So

* requests that want another protocol are answered 400 before hypercorn acts on them,
* every connection runs inside a guard that logs whatever else goes wrong and lets only cancellation through,
* reading, writing and the connection as a whole have deadlines, connections have a number.

This relies on internals of hypercorn 0.18, which pyproject.toml pins; tests send the three requests over a real socket.
"""

import contextlib
import logging
import socket
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

_log = logging.getLogger("emulator.callmanager.web")

READ_S: Final = 10
"""Longest silence of a client while something is expected of it."""
WRITE_S: Final = 10.0
"""Longest time that a client may leave an answer unread."""
KEEP_ALIVE_S: Final = 5.0
CONNECTION_S: Final = 60.0
"""Of a whole connection, so that dripping a byte every nine seconds leads nowhere."""
CONNECTIONS_MAX: Final = 64
"""Administration is for a few people and scripts; further connections are closed at once."""
HEAD_BYTES_MAX: Final = 16 * 1024
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""100,000 device names have 2 MB as JSON."""


class _RefusedError(Exception):
    """The connection asked for a protocol that is not spoken here, and has been answered. No defect."""


def _is_target(target: bytes) -> bool:
    """Whether quart can read it (RFC 9112, 3.2): it takes the first character of the path, and urlsplit's word."""
    if not target.isascii() or target.startswith(b"?"):
        return False
    try:
        urlsplit(target)
    except ValueError:  # "http://[::1/"
        return target.startswith(b"/")
    return True


class _PlainProtocol(H11Protocol):
    """HTTP/1.1 that never becomes anything else."""

    async def _check_protocol(self, event: h11.Request) -> None:
        names = {name.lower() for name, _ in event.headers}
        if (
            names & {b"upgrade", b"http2-settings"}
            or {b"content-length", b"transfer-encoding"} <= names  # two lengths: request smuggling (RFC 9112, 6.1)
            or event.method in {b"PRI", b"CONNECT"}
            or event.http_version not in {b"1.0", b"1.1"}
            or not _is_target(event.target)
        ):
            await self._send_error_response(400)
            raise _RefusedError


class _Connection(TCPServer):
    """hypercorn's connection with the plain protocol and with a deadline for writing."""

    async def run(self) -> None:
        sock = self.stream.socket
        try:
            client = parse_socket_addr(sock.family, sock.getpeername())
            server = parse_socket_addr(sock.family, sock.getsockname())
            async with TaskGroup() as task_group:
                self._task_group = task_group
                # TCPServer calls only initiate and handle of it, which the wrapper would pass on.
                self.protocol = _PlainProtocol(  # type: ignore[assignment]
                    self.app,
                    self.config,
                    self.context,
                    task_group,
                    ConnectionState(self.state),
                    False,
                    client,
                    server,
                    self.protocol_send,
                )
                await self.protocol.initiate()
                await self.idle_task.restart(task_group, self._idle_timeout)
                await self._read_data()
                await self.idle_task.stop()  # else a connection that has ended keeps its place for KEEP_ALIVE_S
        except OSError:
            pass  # the client has gone
        finally:
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        """Send with a deadline of its own; everything else is hypercorn's."""
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        async with self.send_lock:
            try:
                # Not shielded, unlike hypercorn's: who does not read must not hold up a stop.
                with trio.move_on_after(WRITE_S) as scope:
                    await self.stream.send_all(event.data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self.protocol.handle(Closed())
                return
        if scope.cancelled_caught:
            await self.stream.aclose()
            await self.protocol.handle(Closed())

    async def _close(self) -> None:
        """Close at once, without a checkpoint before it.

        quart-trio cancels the task that sends an answer as soon as it is out. hypercorn's own close begins with a
        checkpoint, dies there, and leaves a connection open that `Connection: close` should have ended.
        """
        with contextlib.suppress(OSError):
            self.stream.socket.shutdown(socket.SHUT_WR)
        await trio.aclose_forcefully(self.stream)


async def serve(
    app: ASGIFramework,
    listener: socket.socket,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an ASGI application on a listening socket until cancelled; the socket is closed at the end.

    Raises:
        hypercorn.utils.LifespanFailureError: the application does not start.
    """
    config = Config()
    config.accesslog = None
    config.errorlog = None  # its texts may quote a request; the guard below logs what has to be known
    config.read_timeout = READ_S
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.h11_max_incomplete_size = HEAD_BYTES_MAX
    wrapped: AppWrapper = ASGIWrapper(app)
    state: LifespanState = {}
    lifespan = Lifespan(wrapped, config, state)
    async with trio.open_nursery() as nursery:
        await nursery.start(lifespan.handle_lifespan)
        await lifespan.wait_for_startup()
        connection = partial(_Connection, wrapped, config, WorkerContext(None), state)
        await _serve_connections(connection, listener, task_status)


async def _serve_connections(
    connection: "partial[_Connection]", listener: socket.socket, task_status: trio.TaskStatus[None]
) -> None:
    open_now = 0

    async def guarded(stream: trio.SocketStream) -> None:
        nonlocal open_now
        if open_now >= CONNECTIONS_MAX:
            await stream.aclose()
            return
        open_now += 1
        try:
            with trio.move_on_after(CONNECTION_S):
                await connection(stream=stream).run()
        except BaseExceptionGroup as group:
            cancelled, rest = group.split((trio.Cancelled, KeyboardInterrupt, SystemExit))
            _report(rest)
            if cancelled is not None:
                raise cancelled from None
        except Exception as error:  # noqa: BLE001 - a connection's failure must cost that connection alone
            _report(error)
        finally:
            open_now -= 1

    door = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
    task_status.started()  # it listens already: who comes now waits in the backlog
    await trio.serve_listeners(guarded, [door])


def _report(error: BaseException | None) -> None:
    """Log a failed connection by type alone: the text may quote the request, secrets included."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None and not isinstance(error, _RefusedError | OSError):
        _log.warning("administration: a connection failed: %s", type(error).__name__)
