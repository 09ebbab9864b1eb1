"""The phone port by HTTPS, for phones whose secured authentication URL is this gateway's.

Beside the handshake's cost that of a trio stream is small, so this port reads one; requests, limits and answers are
the plain port's, byte for byte. Phones of before 2010 know only TLS 1.0 and need the plain URL.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from pathlib import Path
from typing import Final

import trio

from gateway.authentication.endpoint import rejection
from gateway.authentication.request import Rejection, Request, RequestReader
from gateway.phone_port import RECEIVE_BYTES, PhonePort

HANDSHAKE_S: Final = 10.0
"""A phone's processor takes seconds for RSA; who takes longer does not mean it."""
REQUEST_S: Final = 5.0
"""From the handshake to the whole request, as on the plain port."""
SEND_S: Final = 5.0
MAX_CONNECTIONS: Final = 2000
_log = logging.getLogger("gateway.phone_port")


class CertificateError(Exception):
    """The certificate and its key cannot be used. Says which file."""


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate.

    Raises:
        CertificateError: they cannot be read or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise CertificateError(
            f"{certificate} and {key} are no certificate with its key: {error.strerror or error.args[0]}"
        ) from None
    return context


class SecuredPhonePort:
    """Serves one listening socket by TLS.

    Args:
        listener: Non-blocking and listening. Taken over.
        context: With the certificate.
        plain: Decides, slows and tells; its own listener may serve beside this one.
    """

    def __init__(self, *, listener: socket.socket, context: ssl.SSLContext, plain: PhonePort) -> None:
        self._listener = listener
        self._context = context
        self._plain = plain
        self._open = 0

    async def serve(self) -> None:
        """Accept and answer until cancelled."""
        await trio.serve_listeners(
            self._guarded, [trio.SocketListener(trio.socket.from_stdlib_socket(self._listener))]
        )

    async def _guarded(self, stream: trio.SocketStream) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                await self._converse(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # the phone is gone or slow, or spoke no TLS
        except Exception as error:  # noqa: BLE001  one connection's trouble is never the port's
            _log.error("a secured connection failed: %s", type(error).__name__)
        finally:
            self._open -= 1
            await trio.aclose_forcefully(stream)

    async def _converse(self, plain: trio.SocketStream) -> None:
        accepted_ns = time.monotonic_ns()
        host, port = plain.socket.getpeername()[:2]
        peer = (host.removeprefix("::ffff:"), port)
        stream = trio.SSLStream(plain, self._context, server_side=True)
        with trio.fail_after(HANDSHAKE_S):
            await stream.do_handshake()
        request: Request | Rejection | None = None
        reader = RequestReader()
        with trio.move_on_after(REQUEST_S):
            while request is None:
                if reader.continue_wanted:
                    await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                data = await stream.receive_some(RECEIVE_BYTES)
                if not data:
                    return
                request = reader.receive(bytes(data))
        if request is None or (isinstance(request, Rejection) and request.status == 0):
            return
        if isinstance(request, Rejection):
            decision, delay_s = rejection(request.status), 0.0
        else:
            decision = self._plain.decide(peer, request)
            held = self._plain.delay_s(decision, peer)
            if held is None:
                return
            delay_s = held
        if delay_s:
            await self._plain.hold(delay_s)
        with trio.fail_after(SEND_S):
            await stream.send_all(decision.response)
            self._plain.tell(peer, decision, accepted_ns)
            await stream.aclose()  # with TLS's farewell: a phone tells a whole answer from a cut one
