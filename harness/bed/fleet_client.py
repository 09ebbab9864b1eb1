"""The harness's side of the phones' control interface: people in front of phones press keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import trio

from harness.bed.json_interface import JsonInterface

AT_ONCE: Final = 20
"""Presses under way; each has a connection and a thread of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetClient:
    """Asks the fleet's control interface."""

    interface: JsonInterface

    async def press(self, phones: Sequence[str], key: str) -> None:
        """Press a soft key at these phones.

        Raises:
            BedError: a phone does not show it.
        """
        left = list(phones)

        async def work() -> None:
            while left:
                await self.interface.ask("POST", f"/phones/{left.pop()}/softkey?name={quote(key)}")

        async with trio.open_nursery() as nursery:
            for _ in range(min(AT_ONCE, len(left))):
                nursery.start_soon(work)
