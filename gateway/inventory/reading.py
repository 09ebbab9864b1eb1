"""Read phones' web servers: who they are, and whom they ask about pushes (row 3 of the modelled system)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.cisco import DeviceInformation, Outcome, XmlDefectError, get_request, parse_device_information
from gateway.cisco.phone_pages import parse_authentication_url, parse_device_information_page
from gateway.inventory.entry import ReadOutcome
from gateway.push.exchange import Exchange, Limits, exchange

DEVICE_PAGES: Final = ("/DeviceInformationX", "/DeviceInformation")
"""The second for phones without the first, or that answer it with something else."""
NETWORK_PAGES: Final = ("/NetworkConfigurationX", "/NetworkConfiguration")


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What came of reading one address."""

    outcome: ReadOutcome
    information: DeviceInformation | None = None
    authentication_url: str | None = None
    answer_ms: float | None = None
    detail: str | None = None


class Reader:
    """Reads phones' pages, each by a connection of its own."""

    def __init__(self, *, source: str | None, port: int, limits: Limits) -> None:
        """Take what all readings have in common: own address (None: the system's choice), port, limits of a page."""
        self._source = source
        self._port = port
        self._limits = limits

    async def read(self, address: str) -> Said:
        """Read one phone; what goes wrong is in the outcome."""
        said = Said(outcome="garbled")
        for path in DEVICE_PAGES:
            state = await self._get(address, path)
            if state.response is None:
                return Said(outcome=_outcome(state), detail=state.detail)
            try:
                if state.response.status != 200:
                    raise XmlDefectError(f"status {state.response.status}")
                parse = parse_device_information if path == DEVICE_PAGES[0] else parse_device_information_page
                said = Said(
                    outcome="read", information=parse(state.response.body), answer_ms=state.answer_ms
                )
                break
            except XmlDefectError as error:
                if said.detail is None:  # of the first page: the second is a last attempt
                    said = Said(outcome="garbled", answer_ms=state.answer_ms, detail=str(error))
        if said.outcome != "read":
            return said
        return Said(
            outcome="read",
            information=said.information,
            authentication_url=await self._authentication_url(address),
            answer_ms=said.answer_ms,
        )

    async def _authentication_url(self, address: str) -> str | None:
        for path in NETWORK_PAGES:
            state = await self._get(address, path)
            if state.response is None:
                return None
            if state.response.status != 200:
                continue
            try:
                url = parse_authentication_url(state.response.body)
            except XmlDefectError:
                continue
            if url is not None:
                return url
        return None

    async def _get(self, address: str, path: str) -> Exchange:
        host = address if self._port == 80 else f"{address}:{self._port}"
        state = Exchange()
        await exchange(
            state,
            address=address,
            port=self._port,
            source=self._source,
            limits=self._limits,
            request=lambda _: get_request(host=host, path=path),
        )
        return state


def _outcome(state: Exchange) -> ReadOutcome:
    if state.failure is Outcome.UNREACHABLE:
        return "unreachable"
    return "timed_out" if state.failure is Outcome.TIMED_OUT else "garbled"
