"""The harness's side of the phones' control interface: people in front of phones press keys."""

import http.client
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import trio

from harness.bed.errors import BedError
from harness.bed.ground import Host

TIMEOUT_S: Final = 10.0
AT_ONCE: Final = 20
"""Presses under way; each has a connection and a thread of its own."""
MAX_ANSWER_BYTES: Final = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetClient:
    """Asks the fleet's control interface from one host of the ground."""

    host: Host
    address: str
    port: int

    async def press(self, phones: Sequence[str], key: str) -> int:
        """Press a soft key at these phones; at how many it could be pressed.

        Raises:
            BedError: the control interface does not answer.
        """
        left, pressed = list(phones), 0

        async def work() -> None:
            nonlocal pressed
            while left:
                pressed += await self._press(left.pop(), key)

        async with trio.open_nursery() as nursery:
            for _ in range(min(AT_ONCE, len(left))):
                nursery.start_soon(work)
        return pressed

    async def _press(self, phone: str, key: str) -> bool:
        path = f"/phones/{phone}/softkey?name={quote(key)}"

        def ask() -> tuple[int, bytes]:
            # An address, and no name look-up: a lab has no name server.
            connection = http.client.HTTPConnection(self.address, self.port, timeout=TIMEOUT_S)
            connection.sock = socket.create_connection((self.address, self.port), TIMEOUT_S, (self.host.address, 0))
            try:
                connection.request("POST", path)
                answer = connection.getresponse()
                return answer.status, answer.read(MAX_ANSWER_BYTES)
            finally:
                connection.close()

        try:
            status, body = await trio.to_thread.run_sync(lambda: self.host.call(ask), abandon_on_cancel=True)
        except (OSError, http.client.HTTPException) as error:
            raise BedError(f"phones: POST {path} was not answered: {error}") from None
        if status not in (200, 409):
            raise BedError(f"phones: POST {path} was refused ({status}): {json.loads(body).get('error', '')}")
        return status == 200
