"""The pace of failed attempts to be the administrator: one rule for pages, JSON, DeviceListX, RisPort70 and AXL.

There is one administrator and no lock-out of him: failures only make the next attempts from the same address wait, so
that nobody can shut him out by guessing. Times are seconds of a clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ADDRESSES_MAX: Final = 1024
"""Whose failures are remembered; the oldest is forgotten first."""
FAILURES_FREE: Final = 3
"""Anybody mistypes; attempts wait from then on."""
PACE_S: Final = 1.0
"""Between two attempts from an address that has failed too often."""
WAIT_S_MAX: Final = 10.0
"""Whoever would have to wait longer is told to come back."""
FORGOTTEN_S: Final = 300.0
"""So long after its last failure an address is as good as any."""


@dataclass(slots=True)
class _Failures:
    count: int
    failed_s: float
    next_s: float


class Attempts:
    """The pace of login attempts of each address."""

    def __init__(self) -> None:
        """Start with no failure known."""
        self._failures: dict[str, _Failures] = {}

    def wait_s(self, address: str, now_s: float) -> float | None:
        """How long the next attempt of this address has to wait before it is looked at; None: too long, refuse it.

        The place in the queue is taken by asking: attempts at the same time do not wait side by side.
        """
        failures = self._failures.get(address)
        if failures is None:
            return 0.0
        if now_s - failures.failed_s >= FORGOTTEN_S:
            del self._failures[address]
            return 0.0
        if failures.count < FAILURES_FREE:
            return 0.0
        starts_s = max(now_s, failures.next_s)
        if starts_s - now_s > WAIT_S_MAX:
            return None
        failures.next_s = starts_s + PACE_S
        return starts_s - now_s

    def failed(self, address: str, now_s: float) -> None:
        """Wrong credentials came from there."""
        failures = self._failures.pop(address, None) or _Failures(0, now_s, now_s)
        failures.count += 1
        failures.failed_s = now_s
        failures.next_s = max(failures.next_s, now_s + PACE_S)
        if len(self._failures) >= ADDRESSES_MAX:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = failures

    def succeeded(self, address: str) -> None:
        """Right credentials came from there: its failures are forgotten."""
        self._failures.pop(address, None)
