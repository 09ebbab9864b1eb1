"""Tells phones to reset by the control API of their fleet: in life it goes over the registration, not spoken here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import trio

from emulator.callmanager.cluster import LostError, ResetError

TOTAL_S: Final = 5.0
"""For one phone; the control API answers within milliseconds."""
_ANSWER_BYTES: Final = 65536
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


@dataclass(frozen=True, slots=True)
class PhonesControl:
    """The fleet behind `phones_control`; an implementation of `cluster.Resetting`."""

    address: str
    port: int

    async def __call__(self, name: str) -> None:
        """Reset one phone.

        Raises:
            LostError: the fleet does not know the phone.
            ResetError: the fleet is not there, or the phone is starting already.
        """
        where = f"the fleet at phones_control {self.address}:{self.port}"
        status = None
        with trio.move_on_after(TOTAL_S):
            try:
                status = await self._ask(name)
            except (OSError, trio.BrokenResourceError) as error:
                why = type(error.__cause__ or error).__name__
                raise ResetError(f"{name}: {where} cannot be reached ({why}): is it running?") from None
        match status:
            case HTTPStatus.OK:
                return
            case HTTPStatus.NOT_FOUND:
                raise LostError(f"{name}: {where} has no such phone: compare its phones with devices_csv")
            case HTTPStatus.CONFLICT:
                raise ResetError(f"{name}: it is starting already; try again when it is there")
            case None:
                raise ResetError(f"{name}: {where} did not answer within {TOTAL_S:g} s")
            case other:
                raise ResetError(f"{name}: {where} answered {other}: is it a control API (docs/reference/phones.md)?")

    async def _ask(self, name: str) -> int | None:
        host = f"[{self.address}]" if ":" in self.address else self.address
        request = (
            f"POST /phones/{name}/reset HTTP/1.1\r\nHost: {host}:{self.port}\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n"
        )
        answer = b""
        async with await trio.open_tcp_stream(self.address, self.port) as stream:
            await stream.send_all(request.encode("ascii"))
            async for chunk in stream:
                answer += chunk
                if b"\r\n" in answer or len(answer) > _ANSWER_BYTES:
                    break
        match = _STATUS.match(answer)
        return int(match.group(1)) if match else 0
