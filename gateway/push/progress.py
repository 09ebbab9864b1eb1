"""Who is due for what in a page. No I/O: outcomes and the time in, what to do with the audio out.

`together`: the audio starts when ``start_fraction`` of the phones listen, or at the deadline, or when no more answers
are awaited or come; phones that listen later join it where it is. A phone that listens only after the end, or so
shortly before it that the rest says nothing, hears it from the beginning on its own: late is better than never.
`each`: every phone hears it from the beginning as soon as it listens. By multicast all phones hear one stream, so that
nothing can be played again for one that is too late.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.cisco import Outcome
from gateway.cisco.outcome import UNKNOWN_OUTCOMES
from gateway.push.plan import Delivery, PagePlan, Start
from gateway.push.result import PhoneOutcome, Unheard

QUIET_S = 0.5
"""When every phone has been asked and nobody has answered for so long, those that listen are not kept waiting for those
that hang: ten answers of a slow phone."""
JOIN_LEAST_S = 1.0
"""A phone that would hear less of the audio than this does not join: nobody understands the last second of a page."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Play the audio to these phones from its first frame."""

    phones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Play the audio to these phones from where it is."""

    phones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Miss:
    """The audio is over, and cannot be played again for these phones."""

    phones: tuple[str, ...]


class PageProgress:
    """The state of one page. Times are seconds on any clock, always the same one."""

    def __init__(self, plan: PagePlan, now: float) -> None:
        self._plan = plan
        self._deadline = now + plan.start_deadline_s
        self._needed = max(1, math.ceil(plan.start_fraction * len(plan.phones) - 1e-9))
        self._sent: set[str] = set()
        self._unasked = set(plan.phones)
        self._refused: set[str] = set()
        self._lost: set[str] = set()
        self._inherited: set[str] = set()
        self._outcomes: dict[str, PhoneOutcome] = {}
        self._waiting: list[str] = []
        self._listening = 0
        self._audio_began: float | None = None
        self._audio_ends = math.inf
        self._known = 0
        self._quiet_since = now

    @property
    def audio_began(self) -> bool:
        """Whether any phone was given audio."""
        return self._audio_began is not None

    @property
    def audio_ends(self) -> float:
        """When the last phone that was given the audio from its beginning has heard it; infinite before any was."""
        return self._audio_ends

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
        if not waits:
            return math.inf
        return min(self._deadline, self._quiet_since + QUIET_S) if not self._unasked else self._deadline

    def shortened(self, duration_s: float) -> None:
        """The audio is that long now: it was live, and is over."""
        self._audio_ends += duration_s - self._plan.duration_s
        self._plan = replace(self._plan, duration_s=duration_s)

    def begun(self, phone: str) -> None:
        """The start push of ``phone`` is on its way."""
        self._sent.add(phone)
        self._unasked.discard(phone)

    def inherited(self, phones: Iterable[str]) -> None:
        """These were taken from another page and listen to it: nobody but this page stops them any more."""
        self._inherited.update(phones)

    def inheritance_stopped(self, phone: str) -> None:
        """``phone`` has left the page that it was taken from."""
        self._inherited.discard(phone)

    def is_inherited(self, phone: str) -> bool:
        """Whether ``phone`` may still listen to the page that it was taken from."""
        return phone in self._inherited

    def postponed(self, phone: str) -> None:
        """``phone`` was busy; it will be asked again."""
        self._sent.discard(phone)
        if phone not in self._outcomes:
            self._unasked.add(phone)
        self._refused.add(phone)

    def ended(self, phone: str, outcome: PhoneOutcome) -> None:
        """``phone`` has its outcome."""
        if phone in self._outcomes:
            return  # taken by another page while its push was on its way
        self._outcomes[phone] = outcome
        self._unasked.discard(phone)
        if outcome is Outcome.EXECUTED:
            self._listening += 1
            self._waiting.append(phone)

    def lost(self, phone: str, *, audio_over: bool) -> None:
        """Another page has taken ``phone``: it gets nothing more from this one, nor is it stopped by it."""
        self._lost.add(phone)
        if phone in self._waiting:
            self._waiting.remove(phone)
        if not audio_over:
            self._outcomes[phone] = Unheard.PREEMPTED
            self._unasked.discard(phone)

    def outcome(self, phone: str) -> PhoneOutcome | None:
        """Of ``phone``, once it has one."""
        return self._outcomes.get(phone)

    def due(self, now: float) -> Begin | Join | Miss | None:
        """What to do with the audio now; each phone is named once in a page."""
        if len(self._outcomes) != self._known:
            self._known, self._quiet_since = len(self._outcomes), now
        if not self._waiting or not self._may_play(now):
            return None
        phones = tuple(self._waiting)
        self._waiting.clear()
        if self._audio_began is None:
            self._audio_began = now
        elif self._plan.start is Start.TOGETHER and now <= self._audio_began + self._plan.duration_s - JOIN_LEAST_S:
            return Join(phones)
        elif self._plan.delivery is Delivery.MULTICAST:
            self._outcomes.update(dict.fromkeys(phones, Unheard.TOO_LATE))
            return Miss(phones)
        self._audio_ends = now + self._plan.duration_s
        return Begin(phones)

    def due_for_stop(self) -> tuple[str, ...]:
        """Phones that listen, or may: those that executed, those of which nobody knows, and those taken from others."""
        return tuple(phone for phone in self._plan.phones if self.may_listen(phone))

    def may_listen(self, phone: str) -> bool:
        """Whether ``phone`` has to be stopped by this page."""
        if phone in self._lost:
            return False
        return phone in self._inherited or (phone in self._sent and may_listen(self._outcomes.get(phone)))

    def listens(self, phone: str) -> bool:
        """Whether ``phone`` listens as far as is known: it executed the start, or was taken and not stopped yet."""
        return phone in self._inherited or self._outcomes.get(phone) in (Outcome.EXECUTED, Unheard.TOO_LATE)

    def unanswered(self) -> tuple[str, ...]:
        """Phones whose start is on its way."""
        return tuple(phone for phone in self._plan.phones if phone in self._sent and phone not in self._outcomes)

    def outcomes(self) -> dict[str, int]:
        """Outcome to count, so far."""
        return dict(Counter(str(outcome) for outcome in self._outcomes.values()))

    def settle(self) -> dict[str, PhoneOutcome]:
        """Nothing is awaited any more: give an outcome to each phone that has none, and return those."""
        rest: dict[str, PhoneOutcome] = {}
        for phone in self._plan.phones:
            if phone not in self._outcomes:
                rest[phone] = (
                    Outcome.INDETERMINATE
                    if phone in self._sent
                    else Outcome.REFUSED_BUSY
                    if phone in self._refused
                    else Unheard.NOT_SENT
                )
        self._outcomes.update(rest)
        return rest

    def _may_play(self, now: float) -> bool:
        return (
            self._plan.start is Start.EACH
            or self._audio_began is not None
            or self._listening >= self._needed
            or now >= self._deadline
            or self.settled
            or (now >= self._quiet_since + QUIET_S and not self._unasked)
        )


def may_listen(outcome: PhoneOutcome | str | None) -> bool:
    """Whether a phone that was pushed to may listen: it executed, or nobody knows."""
    return outcome is None or outcome in _MAY_LISTEN


_MAY_LISTEN = frozenset({Outcome.EXECUTED, Unheard.TOO_LATE, *UNKNOWN_OUTCOMES})
