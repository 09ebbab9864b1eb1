"""The harness's side of the gateway's JSON interface: read the inventory, begin a page, watch it, stop it."""

from dataclasses import dataclass
from typing import Any

from harness.bed.json_interface import JsonInterface


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClient:
    """Asks the gateway."""

    interface: JsonInterface

    async def read_inventory(self) -> dict[str, int]:
        """Let the gateway ask all phones who they are; outcome → count."""
        answer = await self.interface.ask("POST", "/api/inventory/read")
        return dict(answer["outcomes"])

    async def begin_page(self, wish: dict[str, object]) -> str:
        """Begin a page; return its number."""
        answer = await self.interface.ask("POST", "/api/pages", wish)
        return str(answer["page"])

    async def page(self, number: str) -> dict[str, Any]:
        """A page's state, outcomes, and size."""
        return await self.interface.ask("GET", f"/api/pages/{number}")

    async def stop_page(self, number: str) -> None:
        """End a page now."""
        await self.interface.ask("POST", f"/api/pages/{number}/stop")

    async def begin_alert(self, wish: dict[str, object]) -> str:
        """Begin an alert; return its number."""
        answer = await self.interface.ask("POST", "/api/alerts", wish)
        return str(answer["alert"])

    async def alert(self, number: str) -> dict[str, Any]:
        """An alert's state, outcomes, and phones."""
        return await self.interface.ask("GET", f"/api/alerts/{number}")
