"""A phone's HTTP client for the authentication question: plain sockets, from the phone's own address."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import trio

from emulator.fleet.trust import Trust
from emulator.phone.authentication import AnswerReader, Server, question, question_again, redirected
from emulator.phone.execute import Credentials
from emulator.phone.phone import Phone
from emulator.records import Records

Outcome = Literal["authorized", "refused", "redirected", "timed_out", "unreachable", "garbled", "untrusted"]

_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""Choose the port at connect: the same port then serves other servers, and thousands of phones do not run out."""
_RECEIVE_BYTES: Final = 16384


class UntrustedError(Exception):
    """The server's certificate is none that the phone trusts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How the question ended, and who gave the last answer."""

    authorized: bool
    by: str | None


class Client:
    """Asks, follows one redirect, and keeps the diary of both."""

    def __init__(
        self, records: Records, *, timeout_s: float, clock: Callable[[], int], trust: Trust | None = None
    ) -> None:
        self._records = records
        self._trust = trust or Trust()
        self._timeout_s = timeout_s
        self._clock = clock
        self.questions = 0

    async def ask(self, phone: Phone, server: Server, credentials: Credentials, push: str) -> Asked:
        """Ask whether a push with these credentials is genuine. One total timeout for all of it."""
        if not server.usable:
            return Asked(False, None)
        deadline = trio.current_time() + self._timeout_s
        data = question(phone.model, server, credentials, phone.device_name)
        hop = 0
        while True:
            outcome, location = await self._once(phone, server, data, push, hop, deadline)
            if outcome == "authorized":
                return Asked(True, server.name)
            target = None
            if outcome == "redirected" and location is not None:
                target = redirected(server, location, keep_query=phone.model.redirect != "drop-query")
            if target is None:
                return Asked(False, None)
            server, hop = target, hop + 1
            data = question_again(phone.model, server)

    async def _once(
        self, phone: Phone, server: Server, data: bytes, push: str, hop: int, deadline: float
    ) -> tuple[Outcome, bytes | None]:
        self.questions += 1
        sock = None
        reader = AnswerReader(phone.model.answer_fields)
        begun_ns = self._clock()
        connection = None
        outcome: Outcome = "timed_out"
        try:
            with trio.CancelScope(deadline=deadline):
                try:
                    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                    connection = connect(sock, phone.address, server)
                    self._asked(phone, server, push, hop, connection)
                    if server.secured:
                        await exchange_secured(sock, data, reader, self._trust.context, server.address)
                    else:
                        await exchange(sock, data, reader)
                    outcome = reader.verdict(hop, follow=phone.model.redirect != "refuse")
                except UntrustedError:
                    outcome = "untrusted"
                except OSError:
                    # Reset before the head of an answer came: to the phone the server is not there.
                    outcome = "garbled" if reader.status is not None else "unreachable"
                    if connection is None:
                        self._asked(phone, server, push, hop, None)
        finally:
            if sock is not None:
                sock.close()
        self._records.write(
            "authentication.answered",
            phone=phone.device_name,
            push=push,
            connection=connection,
            server=server.name,
            hop=hop,
            answer=outcome,
            http_status=reader.status,
            answer_ms=round((self._clock() - begun_ns) / 1e6, 3),
        )
        return outcome, reader.location

    def _asked(self, phone: Phone, server: Server, push: str, hop: int, connection: str | None) -> None:
        self._records.write(
            "authentication.asked",
            phone=phone.device_name,
            push=push,
            connection=connection,
            server=server.name,
            hop=hop,
        )


def connect(sock: socket.socket, address: str, server: Server) -> str:
    """Begin to connect from the phone's address; returns the connection's own end.

    Raises:
        OSError: it cannot even begin.
    """
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((address, 0))
    error = sock.connect_ex((server.address, server.port))
    if error not in {0, errno.EINPROGRESS}:
        raise OSError(error, "connect")
    host, port = sock.getsockname()[:2]
    return f"{host}:{port}"


async def exchange(sock: socket.socket, data: bytes, reader: AnswerReader) -> None:
    """Send a request, and read until the answer is there or can be none any more.

    Raises:
        OSError: the server is not there, or resets.
    """
    sent = 0
    while sent < len(data):
        try:
            # On one machine the connection is there by now, and waiting for it would cost more than trying.
            sent += sock.send(data[sent:])
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
    while True:
        try:
            received = sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock)
            continue
        if reader.feed(received):
            return


async def exchange_secured(
    sock: socket.socket, data: bytes, reader: AnswerReader, context: ssl.SSLContext, address: str
) -> None:
    """The same by TLS. What speaks no TLS gives a garbled answer.

    Raises:
        UntrustedError: the certificate is not trusted.
        OSError: the server is not there, or resets.
    """
    await trio.lowlevel.wait_writable(sock)
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
    stream = trio.SSLStream(
        trio.SocketStream(trio.socket.from_stdlib_socket(sock)),
        context,
        server_hostname=address,
        https_compatible=True,  # servers close without TLS's farewell, as they do in life
    )
    try:
        await stream.do_handshake()
        await stream.send_all(data)
        while not reader.feed(bytes(await stream.receive_some(_RECEIVE_BYTES))):
            pass
    except trio.BrokenResourceError as broken:
        cause = broken.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise UntrustedError from None
        if isinstance(cause, ssl.SSLError):
            reader.garbled = True
            return
        raise ConnectionResetError(errno.ECONNRESET, "reset") from None
