"""The harness's side of the gateway's JSON interface: read the inventory, begin a page, watch it, stop it."""

import http.client
import json
import socket
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from harness.bed.errors import BedError
from harness.bed.ground import Host

TIMEOUT_S: Final = 60.0
"""Reading the inventory of 10,000 phones took 12 s; a gateway that says nothing for a minute is broken."""
MAX_ANSWER_BYTES: Final = 16 * 2**20
"""An inventory of 32,000 phones is 6 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClient:
    """Asks the gateway from one host of the ground.

    Each question is a connection of its own, made inside that host by a thread, so that the event loop stays free.
    """

    host: Host
    address: str
    port: int
    token: str = field(repr=False)

    async def read_inventory(self) -> dict[str, int]:
        """Let the gateway ask all phones who they are; outcome → count."""
        answer = await self._ask("POST", "/api/inventory/read")
        return dict(answer["outcomes"])

    async def begin_page(self, wish: dict[str, object]) -> str:
        """Begin a page; return its number."""
        answer = await self._ask("POST", "/api/pages", wish)
        return str(answer["page"])

    async def page(self, number: str) -> dict[str, Any]:
        """A page's state, outcomes, and size."""
        return await self._ask("GET", f"/api/pages/{number}")

    async def stop_page(self, number: str) -> None:
        """End a page now."""
        await self._ask("POST", f"/api/pages/{number}/stop")

    async def begin_alert(self, wish: dict[str, object]) -> str:
        """Begin an alert; return its number."""
        answer = await self._ask("POST", "/api/alerts", wish)
        return str(answer["alert"])

    async def alert(self, number: str) -> dict[str, Any]:
        """An alert's state and outcomes."""
        return await self._ask("GET", f"/api/alerts/{number}")

    async def _ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        def ask() -> tuple[int, bytes]:
            connection = _Connection(self.address, self.port, source=self.host.address)
            try:
                body = None if document is None else json.dumps(document)
                headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
                connection.request(method, path, body=body, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read(MAX_ANSWER_BYTES)
            finally:
                connection.close()

        try:
            status, body = await trio.to_thread.run_sync(lambda: self.host.call(ask), abandon_on_cancel=True)
            answered: dict[str, Any] = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BedError(f"gateway: {method} {path} was not answered: {error}") from None
        if status >= 400:
            raise BedError(f"gateway: {method} {path} was refused ({status}): {answered.get('error', '')}")
        return answered


class _Connection(http.client.HTTPConnection):
    """From an address of its own, and without a name look-up: a lab has no name server."""

    def __init__(self, address: str, port: int, *, source: str) -> None:
        super().__init__(address, port, timeout=TIMEOUT_S)
        self._source = source

    def connect(self) -> None:
        self.sock = socket.create_connection((self.host, self.port), TIMEOUT_S, (self._source, 0))
