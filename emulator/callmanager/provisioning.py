"""CallManager's TFTP service, by which phones get their configuration: HTTP (in life port 6970) and TFTP (port 69).

Both doors give the same files: `SEP<MAC>.cnf.xml` of a known device, made anew at each request, and the list of
certificates that phones trust. Who fetches its configuration is registered from there (`Registry.seen`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from emulator import engine
from emulator.callmanager import tftp
from emulator.callmanager.cluster import Cluster
from emulator.callmanager.configuration_file import TRUST_LIST, configuration_file, device_name_of
from emulator.engine import Answer, BindError, Limits, Request
from emulator.records import Records

TRANSFERS: Final = 512
"""TFTP transfers at a time, each with a socket of its own; a request beyond them is not answered, and comes again."""
TRANSFER_S: Final = 60.0
"""For one file, whatever the client's timeout."""
_LIMITS: Final = Limits(target_bytes=1024, body_bytes=0, total_s=15.0, idle_s=5.0)
_BUFFER_BYTES: Final = 4 << 20
"""Requests of 10,000 phones that boot at once wait in it; beyond rmem_max the system's limit is taken."""
_REQUESTS_A_PASS: Final = 32


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    device_name: str = ""
    """Whose configuration it is."""


class Provisioning:
    """The files, and what is recorded about them."""

    def __init__(
        self,
        cluster: Cluster,
        records: Records,
        *,
        callmanager: str,
        trusted: bytes = b"",
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        """Serve these.

        Args:
            cluster: its devices and enterprise parameters, read at each request.
            records: `configuration.served` of each request for a device's file.
            callmanager: the address that phones are told.
            trusted: certificates that phones trust, PEM; empty: there is no such file.
            unix_s: when a phone registers, seconds since 1970.
        """
        self._cluster = cluster
        self._records = records
        self._callmanager = callmanager
        self._trusted = trusted
        self._unix_s = unix_s

    def _find(self, name: str) -> _File | None:
        if name.removeprefix("/") == TRUST_LIST:
            return _File(self._trusted) if self._trusted else None
        device_name = device_name_of(name)
        device = self._cluster.registry.get(device_name) if device_name is not None else None
        if device is None:
            return None
        parameters = self._cluster.enterprise.parameters
        return _File(configuration_file(device, parameters, callmanager=self._callmanager), device.name)

    def _record(self, name: str, way: str, peer: tuple[str, int], outcome: str, size: int | None = None) -> None:
        device_name = device_name_of(name)
        if device_name is None:
            return
        self._records.write(
            "configuration.served",
            phone=device_name,
            way=way,
            connection=f"{peer[0]}:{peer[1]}",
            outcome=outcome,
            bytes=size,
        )
        if outcome == "sent":
            self._cluster.registry.seen(device_name, peer[0], int(self._unix_s()))

    async def handle(self, request: Request) -> Answer:
        """Answer one request by HTTP. The head's form is ours: no capture of port 6970 is known."""
        await trio.lowlevel.checkpoint()
        close = not request.keep_alive
        if request.method not in {"GET", "HEAD"}:
            return Answer(_http("405 Method Not Allowed", b"", close=True, more="Allow: GET, HEAD\r\n"))
        name = request.path
        found = self._find(name)
        if found is None:
            self._record(name, "http", request.peer, "not_found")
            return Answer(_http("404 Not Found", b"", close=close), close)
        data = _http("200 OK", found.data, close=close)
        if request.method == "HEAD":
            return Answer(data[: data.index(b"\r\n\r\n") + 4], close)

        def on_sent(there: bool) -> None:  # noqa: FBT001 - the engine's callback
            self._record(name, "http", request.peer, "sent" if there else "abandoned", len(found.data))

        return Answer(data, close, on_sent)

    async def serve_http(
        self, listener: socket.socket, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve by HTTP until cancelled."""
        await engine.serve([listener], self.handle, limits=_LIMITS, task_status=task_status)

    async def serve_tftp(
        self, door: socket.socket, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve by TFTP until cancelled; the socket is closed at the end."""
        address = door.getsockname()[0]
        running: set[tuple[str, int]] = set()
        with door:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    await trio.lowlevel.wait_readable(door)
                    for _ in range(_REQUESTS_A_PASS):
                        try:
                            data, peer = door.recvfrom(tftp.REQUEST_BYTES + 1)
                        except BlockingIOError:
                            break
                        except OSError:
                            continue  # an ICMP error of an earlier answer: it has been taken off by reporting it
                        request = tftp.read_request(data)
                        if isinstance(request, tftp.Refusal):
                            _send(door, request.data, peer)
                        elif request is not None and peer not in running and len(running) < TRANSFERS:
                            # A client that asks twice from one port has its answer on the way.
                            running.add(peer)
                            nursery.start_soon(partial(self._transfer, address, peer, request, running))

    async def _transfer(
        self, address: str, peer: tuple[str, int], request: tftp.ReadRequest, running: set[tuple[str, int]]
    ) -> None:
        found = self._find(request.name)
        outcome = "abandoned"
        try:
            # A port of its own is this transfer's name (RFC 1350, 4); connected, it hears this client alone.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.bind((address, 0))
                sock.connect(peer)
                if found is None:
                    outcome = "not_found"
                    _send(sock, tftp.error(tftp.NOT_FOUND, "File not found"))
                    return
                transfer = tftp.Transfer(request, found.data, now=trio.current_time())
                with trio.move_on_after(TRANSFER_S):
                    await _run(sock, transfer)
                outcome = "sent" if transfer.done else "abandoned"
        except OSError:
            pass  # the client is not there any more
        finally:
            running.discard(peer)
            size = len(found.data) if found is not None else None
            self._record(request.name, "tftp", peer, outcome, size)


async def _run(sock: socket.socket, transfer: tftp.Transfer) -> None:
    _send(sock, transfer.packet)
    while not transfer.done and not transfer.failed:
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            with trio.move_on_at(transfer.due) as waiting:
                await trio.lowlevel.wait_readable(sock)
            packet = transfer.late(trio.current_time()) if waiting.cancelled_caught else None
        else:
            packet = transfer.received(data, trio.current_time())
        if packet is not None:
            _send(sock, packet)


def _send(sock: socket.socket, data: bytes, peer: tuple[str, int] | None = None) -> None:
    with contextlib.suppress(BlockingIOError):  # as good as lost on the way; it is sent again
        sock.send(data) if peer is None else sock.sendto(data, peer)


def tftp_door(address: str, port: int) -> socket.socket:
    """The socket for `serve_tftp`.

    Raises:
        BindError: the address or the port cannot be had.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise BindError(address, port, error) from error
    except OverflowError as error:  # an IPv6 address
        sock.close()
        raise BindError(address, port, OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))) from error
    return sock


def _http(status: str, body: bytes, *, close: bool, more: str = "") -> bytes:
    kind = "Content-Type: text/xml\r\n" if body else ""
    connection = "Connection: close\r\n" if close else ""
    return f"HTTP/1.1 {status}\r\n{more}{kind}Content-Length: {len(body)}\r\n{connection}\r\n".encode() + body
