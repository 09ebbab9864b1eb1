"""Which phones have a push in flight, or had one a moment ago. No I/O.

A phone asks because it was pushed to. A question without a push is somebody's replay of one, or another gateway's push
with the same user; an operator may have such questions refused (setting `authorise = "in-flight"`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 100_000
"""Phones whose last push is remembered; more than one gateway pages."""


class Flights:
    """Pushes by device name. Times are seconds on any clock, always the same one."""

    def __init__(self) -> None:
        self._flying: dict[str, int] = {}
        self._asked: set[str] = set()
        self._ended: OrderedDict[str, float] = OrderedDict()

    def begun(self, phone: str) -> None:
        """A push to `phone` is about to be sent."""
        self._flying[phone] = self._flying.get(phone, 0) + 1

    def asked(self, phone: str | None) -> None:
        """`phone` has asked, and was told that it may."""
        if phone in self._flying:
            self._asked.add(phone)

    def ended(self, phone: str, now: float) -> bool:
        """A push to `phone` is over, however it ended; whether it asked while it had one."""
        asked = phone in self._asked
        left = self._flying.get(phone, 0) - 1
        if left > 0:
            self._flying[phone] = left
        else:
            self._flying.pop(phone, None)
            self._asked.discard(phone)
        self._ended[phone] = now
        self._ended.move_to_end(phone)
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        return asked

    def expects(self, phone: str | None, now: float, *, within_s: float) -> bool:
        """Whether a question of `phone` has a push behind it: in flight, or ended no longer than `within_s` ago."""
        if phone is None:
            return False
        if phone in self._flying:
            return True
        ended = self._ended.get(phone)
        return ended is not None and now - ended <= within_s
