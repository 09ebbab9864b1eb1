"""One question to one address: how far it came, and what was answered.

Bounded in time and bytes. Nothing is raised for what the network or the other side does; it is told apart:
`refused`, `no-route` and `timed-out` are about the connection, `lost` and `no-answer` about what came on it.
"""

import errno
import os
import ssl
from dataclasses import dataclass
from typing import Final, Literal

import trio

from harness.probe.answer import Answer
from harness.probe.exchange import exchange

CONNECT_S: Final = 2.5
"""Long enough for one SYN to be sent again (after 1 s)."""
ANSWER_S: Final = 5.0
"""Of a page of 4 kB from a slow phone of 2004."""

Reach = Literal["answered", "no-answer", "lost", "refused", "no-route", "timed-out", "not-asked"]
_REACH: Final[dict[int, Reach]] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "lost",  # accepted, and reset at once
    errno.ETIMEDOUT: "timed-out",
}
"""Of an attempt to connect; the other errors are about the way: EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, EACCES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of one question."""

    reach: Reach
    answer: Answer | None = None
    why: str = ""
    """A few words, where nothing was answered."""


async def connected(address: str, port: int) -> trio.SocketStream | Asked:
    """A connection, or why there is none."""
    family = trio.socket.AF_INET6 if ":" in address else trio.socket.AF_INET
    client = trio.socket.socket(family, trio.socket.SOCK_STREAM)
    reach: Reach
    try:
        with trio.fail_after(CONNECT_S):
            await client.connect((address, port))
        return trio.SocketStream(client)
    except trio.TooSlowError:
        reach, why = "timed-out", f"no answer within {CONNECT_S:g} s"
    except OSError as error:
        reach = _REACH.get(error.errno or 0, "no-route")
        why = os.strerror(error.errno).lower() if error.errno else type(error).__name__
    except BaseException:
        client.close()
        raise
    client.close()
    return Asked(reach=reach, why=why)


async def ask(
    address: str,
    port: int,
    request: bytes,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str = "",
    answer_s: float = ANSWER_S,
) -> Asked:
    """Send a request and read its answer."""
    stream = await connected(address, port)
    if isinstance(stream, Asked):
        return stream

    async def connect() -> trio.SocketStream:
        await trio.lowlevel.checkpoint()
        return stream

    found = await exchange(connect, request, tls=tls, server_name=server_name, answer_s=answer_s)
    if found.answer is not None:
        return Asked(reach="answered", answer=found.answer)
    return Asked(reach="lost" if found.ended else "no-answer", why=found.problem)


def get(host: str, path: str) -> bytes:
    """A request for a page; each on a connection of its own, as old phones serve them best."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
