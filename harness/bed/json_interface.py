"""One question to a part's JSON interface, asked from a host of the ground.

Each question is a connection of its own, made inside that host by a thread, so that the event loop stays free.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from harness.bed.errors import BedError, RefusedError
from harness.bed.ground import Host

TIMEOUT_S: Final = 60.0
"""Reading the inventory of 10,000 phones took 12 s; a part that says nothing for a minute is broken."""
MAX_ANSWER_BYTES: Final = 16 * 2**20
"""An inventory of 32,000 phones is 6 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonInterface:
    """Where a part answers."""

    host: Host
    """Who asks."""
    part: str
    """As errors name it."""
    address: str
    port: int
    token: str = field(default="", repr=False)
    """Bearer token; empty: none is needed."""
    context: ssl.SSLContext | None = None
    """Whom to trust, of a part that speaks HTTPS; None: plain HTTP."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with each question."""

    async def ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        """The answer's JSON object.

        Raises:
            RefusedError: it was refused.
            BedError: it was not answered.
        """

        def ask() -> tuple[int, bytes]:
            connection = connect(self.host, self.address, self.port, self.context)
            try:
                body = None if document is None else json.dumps(document)
                headers = {"Content-Type": "application/json", **self.headers}
                if self.token:
                    headers["Authorization"] = f"Bearer {self.token}"
                connection.request(method, path, body=body, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read(MAX_ANSWER_BYTES)
            finally:
                connection.close()

        try:
            status, body = await trio.to_thread.run_sync(lambda: self.host.call(ask), abandon_on_cancel=True)
            answered: dict[str, Any] = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BedError(f"{self.part}: {method} {path} was not answered: {error}") from None
        if status >= 400:
            why = answered.get("error") or "; ".join(map(str, answered.get("errors", ())))
            raise RefusedError(f"{self.part}: {method} {path} was refused ({status}): {why}", status)
        return answered


def connect(host: Host, address: str, port: int, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """A connection from a host's own address, not opened yet; to be used inside `host.call`."""
    return _Connection(address, port, source=host.address, context=context)


class _Connection(http.client.HTTPConnection):
    """From an address of its own, and without a name look-up: a lab has no name server."""

    def __init__(self, address: str, port: int, *, source: str, context: ssl.SSLContext | None) -> None:
        super().__init__(address, port, timeout=TIMEOUT_S)
        self._source = source
        self._context = context

    def connect(self) -> None:
        self.sock = socket.create_connection((self.host, self.port), TIMEOUT_S, (self._source, 0))
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)
