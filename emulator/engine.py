"""The emulator's byte HTTP server: exact bytes in answers, hard limits, cheap enough for bursts of thousands.

Theory of operation: one trio task per connection reads a plain non-blocking socket into httptools' parser. The parser
calls back into `_Reader`, which gathers whole requests; each is handed to the handler, and the handler's bytes are
written as they are. Compared with a trio stream and h11 this costs about a fifth (docs/design/performance.md). One
cancel scope per connection carries the deadline: it is moved, not nested, because opening a scope per read costs more
than the read.

Malformed input is data: it is answered (400, 413, 414, 431, 505) and the connection closed. Nothing that a peer sends
ends the server.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import httptools
import trio

_log = logging.getLogger("emulator.engine")

BACKLOG: Final = 4096
"""A burst of 2,000 connections against a backlog of 100 waits seconds for SYN retries; 4096 is Linux's own ceiling."""
_ACCEPTS_A_PASS: Final = 8
"""More at a time would hold up the timers of the same loop."""
_RECEIVE_BYTES: Final = 65536
_PAUSE_S: Final = 0.1
"""Pause of accepting when descriptors or memory have run out: whoever holds them needs the time to give them back."""
_LINGER_S: Final = 1.0
_LINGER_BYTES: Final = 1 << 20
"""What is still read and thrown away after an error answer: closing with unread bytes would destroy the answer."""
_SO_ATTACH_FILTER: Final = 26
_BPF_RETURN: Final = 0x06
_FILL_S: Final = 1.0
"""A connection within one host takes less than a millisecond."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class BindError(Exception):
    """An address cannot be listened on. It is not a wrong configuration file: another process or a missing right is."""

    exit_code: Final = 5

    def __init__(self, address: str, port: int, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "?")
        super().__init__(f"cannot listen on {address}:{port}: {os.strerror(error.errno or 0)} ({name})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a peer may cost. Every excess ends that connection, nothing else."""

    target_bytes: int = 8192
    """Longest request target; longer is answered 414."""
    header_bytes: int = 16384
    """Names and values of all header fields together; more is answered 431."""
    header_count: int = 64
    body_bytes: int = 65536
    """Longest body; longer is answered 413."""
    roomy_targets: tuple[bytes, ...] = ()
    """Beginnings of targets whose body may have `roomy_body_bytes` instead."""
    roomy_body_bytes: int = 0
    connections: int = 8192
    """Open at a time; further ones wait in the backlog."""
    total_s: float = 30.0
    """From the first byte (or the accept) until the whole answer is written, the handler's time included."""
    idle_s: float = 15.0
    """How long a kept connection may be silent between requests."""


@dataclass(slots=True, kw_only=True)
class Request:
    """One whole request. Not frozen only because freezing costs a microsecond per request; nobody changes it.

    What may hold credentials is left out of the repr.
    """

    method: str
    target: bytes = field(repr=False)
    """As sent, query included."""
    path: str
    """The target without query, not percent-decoded; of an absolute-form target its path."""
    query: bytes = field(repr=False)
    headers: dict[bytes, bytes] = field(repr=False)
    """Names in lower case; values of a repeated name are joined with a comma and a blank (RFC 9110, 5.3)."""
    body: bytes = field(repr=False)
    http_version: str
    """`1.0` or `1.1`."""
    keep_alive: bool
    """Whether the client lets the connection stay open."""
    peer: tuple[str, int]
    local: tuple[str, int]
    """The address that the client connected to: on a wildcard listener this says which phone is meant."""
    connection_ordinal: int
    """1 for the first request on a connection."""


class Wire(Protocol):
    """A connection as somebody sees it who writes an answer of their own, by TCP or TLS."""

    async def send(self, data: bytes) -> None:
        """Write all of it."""

    def reset(self) -> None:
        """Let the close, which follows at once, send RST."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The exact bytes to write, and whether the connection ends after them."""

    data: bytes = field(repr=False)
    close: bool = True
    on_sent: Callable[[bool], None] | None = field(default=None, repr=False)
    """Called once: True when the kernel has all bytes and the peer was still there, False when it had gone."""
    write: Callable[[Wire], Awaitable[None]] | None = field(default=None, repr=False)
    """Writes the answer in place of the engine: for peers that misbehave. It needs `on_sent`."""


Handler = Callable[[Request], Awaitable[Answer]]


def listen(
    address: str, port: int, *, backlog: int = BACKLOG, reuse_port: bool = False, interface: str | None = None
) -> socket.socket:
    """A listening non-blocking socket.

    Args:
        address: IPv4 or IPv6 address; `0.0.0.0` for every address of the host.
        port: TCP port, 0 for any.
        backlog: Connections that may wait for being accepted.
        reuse_port: Several processes share the port.
        interface: Only accept what comes in by this network interface (`SO_BINDTODEVICE`).

    Raises:
        BindError: the address, the port or the interface cannot be had.
    """
    sock = None
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if interface is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        sock.bind((address, port))
        sock.listen(backlog)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise BindError(address, port, error) from error
    return sock


def deaf(address: str, port: int, *, interface: str | None = None) -> list[socket.socket]:
    """A listener that never sees a connection: what would begin one is dropped unanswered, as if nothing were there.

    It takes its address away from a listener on every address, which shares the port (`reuse_port`). A socket filter
    does it. Where the kernel keeps filters of TCP to CAP_NET_ADMIN (seen with Linux 6.18), the listener's queue of
    one is filled by a connection of our own instead: behind a full queue Linux drops what comes.

    Returns:
        The listener, and our connection to it if there is one; all are to be kept, and closed together.

    Raises:
        BindError: the address or one more socket cannot be had.
    """
    sock = listen(address, port, backlog=1, reuse_port=True, interface=interface)
    try:
        _hear_nothing(sock)
    except PermissionError:
        try:
            sock.listen(0)
            return [sock, socket.create_connection((address, port), timeout=_FILL_S)]
        except OSError as error:
            sock.close()
            raise BindError(address, port, error) from error
    return [sock]


def _hear_nothing(sock: socket.socket) -> None:
    # One instruction of a socket filter (include/uapi/linux/filter.h): return 0, of no packet anything.
    code = ctypes.create_string_buffer(struct.pack("@HBBI", _BPF_RETURN, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(code)))


def claim(part: str, address: str, port: int) -> socket.socket:
    """A lock on an address and port of this network namespace, held until the socket is closed.

    Listeners that share a port with those of other addresses (`reuse_port`) need it: two of a kind would silently
    split their connections.

    Args:
        part: Who claims; two claims of one part exclude each other.
        address: As listened on.
        port: 0 claims nothing, the system chooses one that is free.

    Raises:
        BindError: it is claimed.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if port:
        try:
            lock.bind(f"\0pushlab-{part}-{address}-{port}")
        except OSError as error:
            lock.close()
            raise BindError(address, port, error) from error
    return lock


async def serve(
    listeners: Sequence[socket.socket],
    handle: Handler,
    *,
    limits: Limits | None = None,
    admit: Callable[[tuple[str, int], tuple[str, int]], bool] | None = None,
    connections: Connections | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; the listeners are closed at the end.

    Args:
        listeners: Sockets from `listen`.
        handle: Answers one request. An exception that it raises is our bug: it is logged by type and place, answered
            500, and the server goes on.
        limits: What a peer may cost.
        admit: Asked with (peer, local) for each connection; where it says no the connection is reset at once.
        connections: Knows each connection while it is open; None: nobody needs to.
        task_status: Started when connections are accepted.
    """
    server = _Server(handle, limits or Limits(), admit, connections)
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.callback(listener.close)
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(server.accept_all, listener, nursery)
            task_status.started()


class Connections:
    """Open connections by the local address, for whoever must drop all of a host at once."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[str, dict[trio.CancelScope, socket.socket | trio.socket.SocketType]] = {}

    def add(self, address: str, scope: trio.CancelScope, sock: socket.socket | trio.socket.SocketType) -> None:
        """A connection to that address stands; the scope's end closes the socket."""
        self._open.setdefault(address, {})[scope] = sock

    def remove(self, address: str, scope: trio.CancelScope) -> None:
        """It has ended."""
        scopes = self._open[address]
        del scopes[scope]
        if not scopes:
            del self._open[address]

    def reset(self, address: str) -> None:
        """Drop them: what is being answered there is not."""
        for scope, sock in self._open.get(address, {}).items():
            reset_at_close(sock)
            scope.cancel()


class _Rejected(Exception):  # noqa: N818 - the request is at fault, not the program
    """Raised inside parser callbacks: the request goes over a limit or asks for what is not spoken here."""


class _Reader:
    """httptools' callbacks: gathers bytes into whole messages, and holds the limits while they come."""

    __slots__ = (
        "_body", "_body_bytes", "_body_limit", "_complete", "_count", "_header_bytes", "_headers", "_keep_alive",
        "_limits", "_target", "_version", "in_message", "messages", "parser", "status",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._body_limit = limits.body_bytes
        self.parser = httptools.HttpRequestParser(self)
        self.messages: deque[tuple[str, bytes, dict[bytes, bytes], bytes, str, bool]] = deque()
        self.status = 0
        self.in_message = False
        self.on_message_begin()
        self.in_message = False

    def on_message_begin(self) -> None:
        self.in_message = True
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = self._count = self._body_bytes = 0
        self._body: list[bytes] = []
        self._complete = False
        self._keep_alive = False
        self._version = "1.0"

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self._limits.target_bytes:
            self._reject(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._complete:
            return  # a trailer after a chunked body says nothing here
        self._count += 1
        self._header_bytes += len(name) + len(value)
        if self._count > self._limits.header_count or self._header_bytes > self._limits.header_bytes:
            self._reject(431)
        name = name.lower()
        before = self._headers.get(name)
        self._headers[name] = value if before is None else before + b", " + value

    def on_headers_complete(self) -> None:
        self._complete = True
        self._version = self.parser.get_http_version()
        if self._version not in {"1.0", "1.1"}:
            self._reject(505)
        if self._limits.roomy_targets:
            roomy = self._target.startswith(self._limits.roomy_targets)
            self._body_limit = self._limits.roomy_body_bytes if roomy else self._limits.body_bytes
        announced = self._headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._body_limit:
            self._reject(413)  # before the body: who waits for an answer first would never get one
        # Read here: at the message's end the parser has already been reset and would always say yes.
        self._keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._body_limit:
            self._reject(413)
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        method = self.parser.get_method().decode("ascii")
        self.messages.append((method, self._target, self._headers, body, self._version, self._keep_alive))
        self.in_message = False

    def _reject(self, status: int) -> None:
        self.status = status
        raise _Rejected

    def feed(self, data: bytes) -> bool:
        """Parse; whole requests are then in `messages`. False: nothing further can be read from this connection."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return False  # the request itself is whole and is answered as if it had not asked for another protocol
        except httptools.HttpParserError:
            self.status = self.status or 400
            return False
        if self.in_message and not self._complete:
            # Names without end never reach on_header: the bytes themselves are counted.
            self._header_bytes += len(data)
            if self._header_bytes > self._limits.header_bytes + self._limits.target_bytes:
                self.status = 431
                return False
        return True


_REASONS: Final = {
    400: "Bad Request",
    413: "Content Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    505: "HTTP Version Not Supported",
}


def _error_bytes(status: int) -> bytes:
    return f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


class _Server:
    def __init__(
        self,
        handle: Handler,
        limits: Limits,
        admit: Callable[[tuple[str, int], tuple[str, int]], bool] | None,
        connections: Connections | None,
    ) -> None:
        self._handle = handle
        self._limits = limits
        self._admit = admit
        self._connections = connections
        self._open = 0
        self._room = trio.Event()

    async def accept_all(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(_ACCEPTS_A_PASS):
                try:
                    sock, peer = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno in _EXHAUSTED:
                        _log.warning("accepting pauses: %s", os.strerror(error.errno or 0))
                        await trio.sleep(_PAUSE_S)
                        break
                    continue  # that one connection was lost before it was accepted (accept(2), error handling)
                self._open += 1
                nursery.start_soon(self._connection, sock, peer[:2])
            while self._open >= self._limits.connections:
                self._room = trio.Event()
                await self._room.wait()

    async def _connection(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        try:
            sock.setblocking(False)
            local = sock.getsockname()[:2]
            if self._admit is not None and not self._admit(peer, local):
                reset_at_close(sock)
                return
            with trio.CancelScope(deadline=trio.current_time() + self._limits.total_s) as scope:
                if self._connections is None:
                    await self._converse(sock, peer, local, scope)
                    return
                self._connections.add(local[0], scope, sock)
                try:
                    await self._converse(sock, peer, local, scope)
                finally:
                    self._connections.remove(local[0], scope)
        except OSError:
            pass  # the peer has gone, in whatever way: its own business
        finally:
            sock.close()
            self._open -= 1
            self._room.set()

    async def _converse(
        self, sock: socket.socket, peer: tuple[str, int], local: tuple[str, int], scope: trio.CancelScope
    ) -> None:
        reader = _Reader(self._limits)
        ordinal = 0
        readable = True
        while readable:
            try:
                data = sock.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(sock)
                continue
            if not data:
                return  # nothing whole is waiting: a half-closed connection's requests were answered before this read
            if ordinal and not reader.in_message:
                scope.deadline = trio.current_time() + self._limits.total_s
            readable = reader.feed(data)
            while reader.messages:
                ordinal += 1
                request = _request(reader.messages.popleft(), peer, local, ordinal)
                if ordinal > 1:
                    # A client that pipelines for ever must not keep the loop for itself.
                    await trio.lowlevel.checkpoint()
                answer = await self._answer(request)
                closing = answer.close or not request.keep_alive
                await _send_answer(sock, answer)
                if closing:
                    return
                scope.deadline = trio.current_time() + (
                    self._limits.total_s if reader.messages or reader.in_message else self._limits.idle_s
                )
        if reader.status:
            await _send(sock, _error_bytes(reader.status))
            await _linger(sock)

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._handle(request)
        except Exception as error:  # noqa: BLE001 - our bug in a handler must cost one request, not the fleet
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "?"
            # The text of the exception may quote the request, credentials included: type and place must do.
            _log.error("handler failed: %s at %s", type(error).__name__, where)
            return Answer(_error_bytes(500))


def _request(
    message: tuple[str, bytes, dict[bytes, bytes], bytes, str, bool],
    peer: tuple[str, int],
    local: tuple[str, int],
    ordinal: int,
) -> Request:
    method, target, headers, body, version, keep_alive = message
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/") and b"://" in path:
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    return Request(
        method=method,
        target=target,
        path=path.decode("latin-1"),
        query=query,
        headers=headers,
        body=body,
        http_version=version,
        keep_alive=keep_alive,
        peer=peer,
        local=local,
        connection_ordinal=ordinal,
    )


async def _send(sock: socket.socket, data: bytes) -> None:
    sent = 0
    while sent < len(data):
        try:
            sent += sock.send(data[sent:] if sent else data)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)


async def _send_answer(sock: socket.socket, answer: Answer) -> None:
    if answer.on_sent is None:
        await _send(sock, answer.data)
        return
    there = False
    try:
        if answer.write is None:
            await _send(sock, answer.data)
        else:
            await answer.write(_Wire(sock))
        there = _peer_is_there(sock)
    finally:
        answer.on_sent(there)


class _Wire:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def send(self, data: bytes) -> None:
        await _send(self._sock, data)

    def reset(self) -> None:
        reset_at_close(self._sock)


def _peer_is_there(sock: socket.socket) -> bool:
    """After a send: a peer that had closed altogether has reset the connection by now (or will; then it is missed)."""
    try:
        if sock.recv(1, socket.MSG_PEEK):
            return True
    except BlockingIOError:
        return True
    except OSError:
        return False
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


async def _linger(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)
    rest = _LINGER_BYTES
    with trio.move_on_after(_LINGER_S):
        while rest > 0:
            await trio.lowlevel.wait_readable(sock)
            data = sock.recv(_RECEIVE_BYTES)
            if not data:
                return
            rest -= len(data)


_LINGER_ZERO: Final = b"\x01\x00\x00\x00\x00\x00\x00\x00"


def reset_at_close(sock: socket.socket | trio.socket.SocketType) -> None:
    """Make the close send RST: to the client the connection is refused as well as a shared listener can."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
