"""Who is due for what in a page. No I/O: outcomes and the time in, what to do with the audio out.

`together`: the audio starts when ``start_fraction`` of the phones listen, or at the deadline, or when no more answers
are awaited; phones that listen later join it where it is. A phone that listens only after the end, or so shortly before
it that the rest says nothing, hears it from the beginning on its own: late is better than never. `each`: every phone
hears it from the beginning as soon as it listens.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from dataclasses import dataclass

from gateway.cisco import Outcome
from gateway.cisco.outcome import UNKNOWN_OUTCOMES

JOIN_LEAST_S = 1.0
"""A phone that would hear less of the audio than this does not join: nobody understands the last second of a page."""
NOT_SENT = "not_sent"
"""In a page's outcomes only: phones whose push had not begun when the page was interrupted."""


class Start(enum.StrEnum):
    """How the audio starts."""

    TOGETHER = "together"
    EACH = "each"


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


@dataclass(frozen=True, slots=True)
class Begin:
    """Play the audio to these phones from its first frame."""

    phones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Play the audio to these phones from where it is."""

    phones: tuple[str, ...]


class PageProgress:
    """The state of one page. Times are seconds on any clock, always the same one."""

    def __init__(self, plan: PagePlan, now: float) -> None:
        self._plan = plan
        self._deadline = now + plan.start_deadline_s
        self._needed = max(1, math.ceil(plan.start_fraction * len(plan.phones) - 1e-9))
        self._sent: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._waiting: list[str] = []
        self._listening = 0
        self._audio_began: float | None = None

    @property
    def audio_began(self) -> bool:
        """Whether any phone was given audio."""
        return self._audio_began is not None

    @property
    def listening(self) -> int:
        """Phones that executed the start."""
        return self._listening

    @property
    def settled(self) -> bool:
        """Whether every phone has its outcome."""
        return len(self._outcomes) == len(self._plan.phones)

    @property
    def wake_at(self) -> float:
        """When `due` has to be asked again even if nothing happens."""
        waits = self._plan.start is Start.TOGETHER and self._waiting and self._audio_began is None
        return self._deadline if waits else math.inf

    def begun(self, phone: str) -> None:
        """The start push of ``phone`` is on its way."""
        self._sent.add(phone)

    def ended(self, phone: str, outcome: Outcome) -> None:
        """The start push of ``phone`` has its outcome."""
        self._outcomes[phone] = outcome
        if outcome is Outcome.EXECUTED:
            self._listening += 1
            self._waiting.append(phone)

    def due(self, now: float) -> Begin | Join | None:
        """What to do with the audio now; each phone is named once in a page."""
        if not self._waiting or not self._may_play(now):
            return None
        phones = tuple(self._waiting)
        self._waiting.clear()
        if self._audio_began is None:
            self._audio_began = now
            return Begin(phones)
        if self._plan.start is Start.TOGETHER and now <= self._audio_began + self._plan.duration_s - JOIN_LEAST_S:
            return Join(phones)
        return Begin(phones)

    def due_for_stop(self) -> tuple[str, ...]:
        """Phones that listen, or may: those that executed, and those of which nobody knows."""
        return tuple(
            phone
            for phone in self._plan.phones
            if phone in self._sent
            and (
                (outcome := self._outcomes.get(phone)) is None
                or outcome is Outcome.EXECUTED
                or outcome in UNKNOWN_OUTCOMES
            )
        )

    def executed(self, phone: str) -> bool:
        """Whether ``phone`` said that it executed the start."""
        return self._outcomes.get(phone) is Outcome.EXECUTED

    def outcomes(self) -> dict[str, int]:
        """Outcome to count, so far."""
        return dict(Counter(str(outcome) for outcome in self._outcomes.values()))

    def final_outcomes(self) -> dict[str, int]:
        """As `outcomes`, once nothing is awaited any more: the sum is the number of phones."""
        counts: Counter[str] = Counter(self.outcomes())
        cut_off = len(self._sent - self._outcomes.keys())
        if cut_off:
            counts[Outcome.INDETERMINATE] += cut_off
        never = len(self._plan.phones) - len(self._sent | self._outcomes.keys())
        if never:
            counts[NOT_SENT] += never
        return {str(outcome): count for outcome, count in counts.items()}

    def _may_play(self, now: float) -> bool:
        return (
            self._plan.start is Start.EACH
            or self._audio_began is not None
            or self._listening >= self._needed
            or now >= self._deadline
            or self.settled
        )
