"""What a page is to do, decided before anything is sent."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Start(enum.StrEnum):
    """How the audio starts."""

    TOGETHER = "together"
    EACH = "each"


class Delivery(enum.StrEnum):
    """How the audio reaches phones."""

    UNICAST = "unicast"
    MULTICAST = "multicast"


class Priority(enum.StrEnum):
    """Which of two pages gets a phone that both want."""

    EMERGENCY = "emergency"
    NORMAL = "normal"


class Busy(enum.StrEnum):
    """What becomes of a phone that receives something else."""

    NOW = "now"
    """Its stream is stopped and the page started. A page of higher priority is never stopped: then as `QUEUE`."""
    QUEUE = "queue"
    """It is paged as soon as it is free, until the page ends."""
    SKIP = "skip"
    """It is left alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A multicast address of the pool, with its port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PagePlan:
    """What a page is to do."""

    phones: tuple[str, ...]
    """Device names, each once, at least one."""
    duration_s: float
    """Of the audio."""
    start: Start = Start.TOGETHER
    start_fraction: float = 1.0
    """Share of the phones, above 0 and up to 1."""
    start_deadline_s: float = 2.0
    delivery: Delivery = Delivery.UNICAST
    priority: Priority = Priority.NORMAL
    busy: Busy = Busy.SKIP
