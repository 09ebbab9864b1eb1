"""One connection, one request, one answer: exact bytes out, all bytes in, a deadline over all of it."""

import errno
import os
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Final

import trio

from harness.probe.answer import MAX_ANSWER, Answer, is_whole, read_answer
from harness.probe.plan import Connector

CONNECT_S: Final = 3.0
ANSWER_S: Final = 10.0
"""How long a phone waits for its answer (assumed, as `[fleet] authentication_timeout_s`)."""
_RECEIVE: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What became of one request."""

    answer: Answer | None
    """None where nothing that is an HTTP answer came."""
    problem: str
    """Why there is none; empty where there is one."""
    connected: bool
    ended: bool
    """Whether the server closed or reset the connection."""
    answer_ms: float
    """From before the request was sent to the first byte of the answer."""
    whole_ms: float
    """From before the request was sent to the answer's end."""
    received: int
    """Bytes that came."""

    @property
    def authorises(self) -> bool:
        """Whether a phone may take it for a yes."""
        return self.answer is not None and self.answer.authorises

    @property
    def says_yes(self) -> bool:
        """Whether the body is a yes, whatever the status: no refusal."""
        return self.answer is not None and self.answer.says_yes

    @property
    def told(self) -> str:
        """The outcome in a few words."""
        return self.answer.told if self.answer is not None else self.problem


async def exchange(
    connect: Connector,
    request: bytes,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str = "",
    answer_s: float = ANSWER_S,
    linger_s: float = 0.0,
) -> Exchange:
    """Send a request and read until the answer is whole, the server closes, or time is up.

    With `linger_s` what comes behind a whole answer is read as well, for so long.

    Nothing is raised for what the server does.
    """
    try:
        with trio.fail_after(CONNECT_S):
            stream = await opened(connect, tls, server_name)
    except (OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
        return Exchange(
            answer=None,
            problem=f"no connection: {reason(error)}",
            connected=False,
            ended=True,
            answer_ms=0,
            whole_ms=0,
            received=0,
        )
    received, ended, problem, first, last = bytearray(), False, "", 0.0, 0.0
    async with stream:
        sent = trio.current_time()
        try:
            with trio.fail_after(answer_s):
                await stream.send_all(request)
                while len(received) < MAX_ANSWER and not is_whole(bytes(received)):
                    data = await stream.receive_some(_RECEIVE)
                    if not data:
                        ended = True
                        break
                    first = first or trio.current_time()
                    received += data
            last = trio.current_time()
            with trio.move_on_after(linger_s):
                while linger_s and not ended and len(received) < MAX_ANSWER:
                    data = await stream.receive_some(_RECEIVE)
                    ended = not data
                    received += data
        except trio.TooSlowError:
            problem = f"no whole answer within {answer_s:g} s"
        except (trio.BrokenResourceError, OSError) as error:
            ended, problem = True, f"the connection was lost: {reason(error)}"
        await trio.aclose_forcefully(stream)
    raw = bytes(received)
    answer = read_answer(raw, ended=ended) if raw else None
    if answer is None and not problem:
        problem = f"{len(raw)} bytes that are no HTTP answer" if raw else "closed without an answer"
    return Exchange(
        answer=answer,
        problem="" if answer is not None else problem,
        connected=True,
        ended=ended,
        answer_ms=((first or trio.current_time()) - sent) * 1000,
        whole_ms=((last or trio.current_time()) - sent) * 1000,
        received=len(raw),
    )


async def opened(connect: Connector, tls: ssl.SSLContext | None, server_name: str) -> trio.abc.Stream:
    """A connection, with TLS where there is a context for it.

    Raises:
        OSError, trio.BrokenResourceError: there is none, or its certificate is not trusted.
    """
    plain = await connect()
    if tls is None:
        return plain
    secured = trio.SSLStream(plain, tls, server_hostname=server_name, https_compatible=True)
    try:
        await secured.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(plain)
        raise
    return secured


async def reset_half_way(connect: Connector, data: bytes, tls: ssl.SSLContext | None, server_name: str) -> None:
    """Send something and reset the connection (`SO_LINGER` 0). Nothing is raised for what the server does."""
    try:
        with trio.fail_after(CONNECT_S):
            stream = await opened(connect, tls, server_name)
    except (OSError, trio.BrokenResourceError, trio.TooSlowError):
        return
    try:
        with trio.move_on_after(CONNECT_S):
            await stream.send_all(data)
    except (trio.BrokenResourceError, OSError):
        pass
    finally:
        plain = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        assert isinstance(plain, trio.SocketStream)
        plain.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(stream)


def reason(error: BaseException) -> str:
    """An error in a few words."""
    cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) and error.__cause__ else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted ({cause.verify_message}); name its authority with --ca-file"
    if isinstance(cause, trio.TooSlowError):
        return f"not within {CONNECT_S:g} s"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
        # Its own text may name an address as a Python tuple.
        return os.strerror(cause.errno)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__
