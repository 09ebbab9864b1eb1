"""Read each phone's web server for its directory number and MAC address (row 3 of the modelled system)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import trio

from gateway.cisco import DeviceInformation, Outcome, XmlDefectError, get_request, parse_device_information
from gateway.inventory.phone_list import Phone
from gateway.push.exchange import Exchange, Limits, exchange
from gateway.records import Records

PATH = "/DeviceInformationX"

ReadOutcome = Literal["read", "unreachable", "timed_out", "garbled"]


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryEntry:
    """One phone and what it last said of itself."""

    phone: Phone
    outcome: ReadOutcome | None = None
    """None: not read yet."""
    information: DeviceInformation | None = None
    answer_ms: float | None = None
    detail: str | None = None

    def as_json(self) -> dict[str, str | float | None]:
        """For the JSON interface."""
        said = self.information
        return {
            "phone": self.phone.device_name,
            "address": self.phone.address,
            "outcome": self.outcome,
            "directory_number": said.directory_number if said else None,
            "mac": said.mac if said else None,
            "model": said.model if said else None,
            "answer_ms": round(self.answer_ms, 3) if self.answer_ms is not None else None,
            "detail": self.detail,
        }


class Inventory:
    """All phones of the list, by device name."""

    def __init__(
        self,
        phones: Sequence[Phone],
        *,
        source: str | None,
        port: int,
        limits: Limits,
        concurrency: int,
        records: Records,
    ) -> None:
        self._source = source
        self._port = port
        self._limits = limits
        self._concurrency = concurrency
        self._records = records
        self.entries = {phone.device_name: InventoryEntry(phone=phone) for phone in phones}

    @property
    def phones(self) -> tuple[Phone, ...]:
        """In the order of the list."""
        return tuple(entry.phone for entry in self.entries.values())

    async def read(self) -> dict[str, int]:
        """Ask every phone, a bounded number at once.

        Returns:
            Outcome to count; sums to the number of phones.
        """
        phones_left = iter(self.phones)
        async with trio.open_nursery() as nursery:
            for _ in range(min(self._concurrency, len(self.entries))):
                nursery.start_soon(self._work, phones_left)
        counts: dict[str, int] = {}
        for entry in self.entries.values():
            if entry.outcome is not None:
                counts[entry.outcome] = counts.get(entry.outcome, 0) + 1
        return counts

    async def _work(self, phones: Iterator[Phone]) -> None:
        for phone in phones:
            entry = await self._read(phone)
            self.entries[phone.device_name] = entry
            said = entry.information
            self._records.write(
                "inventory.read",
                t_ns=time.monotonic_ns(),
                phone=phone.device_name,
                address=phone.address,
                outcome=entry.outcome,
                directory_number=said.directory_number if said else None,
                mac=said.mac if said else None,
                model=said.model if said else None,
                answer_ms=entry.answer_ms,
                detail=entry.detail,
            )

    async def _read(self, phone: Phone) -> InventoryEntry:
        host = phone.address if self._port == 80 else f"{phone.address}:{self._port}"
        state = Exchange()
        await exchange(
            state,
            address=phone.address,
            port=self._port,
            source=self._source,
            limits=self._limits,
            request=lambda _: get_request(host=host, path=PATH),
        )
        if state.response is None:
            outcome: ReadOutcome = "garbled"
            if state.failure is Outcome.UNREACHABLE:
                outcome = "unreachable"
            elif state.failure is Outcome.TIMED_OUT:
                outcome = "timed_out"
            return InventoryEntry(phone=phone, outcome=outcome, detail=state.detail)
        try:
            if state.response.status != 200:
                raise XmlDefectError(f"status {state.response.status}")
            information = parse_device_information(state.response.body)
        except XmlDefectError as error:
            return InventoryEntry(phone=phone, outcome="garbled", answer_ms=state.answer_ms, detail=str(error))
        detail = None
        if phone.device_name[3:] != information.mac:
            detail = "another phone than the list says answers at this address"
        return InventoryEntry(
            phone=phone, outcome="read", information=information, answer_ms=state.answer_ms, detail=detail
        )
