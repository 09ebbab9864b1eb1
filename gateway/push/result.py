"""How a page ended at one phone, and what that means in words: the one place where outcomes become sentences."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from gateway.cisco import Outcome


class Unheard(enum.StrEnum):
    """Ends of a page at a phone that no push's answer tells."""

    NOT_SENT = "not_sent"
    SKIPPED = "skipped"
    BUSY_THROUGHOUT = "busy_throughout"
    PREEMPTED = "preempted"
    TOO_LATE = "too_late"


PhoneOutcome = Outcome | Unheard

WORDS: Final[dict[PhoneOutcome, str]] = {
    Outcome.EXECUTED: "It listened to the page.",
    Outcome.UNREACHABLE: "It could not be reached: switched off, not on the network, or its web access is disabled.",
    Outcome.REFUSED_AUTHENTICATION: "It refused the push user: the authentication server that it asks did not say yes. "
    "Look at its authentication URL, the push user's password, and the association of the phone with that user.",
    Outcome.REFUSED_BUSY: "It was busy: another stream was active there.",
    Outcome.REFUSED: "It refused the page.",
    Outcome.GARBLED: "It answered with something that is no answer. It may have listened, and was told to stop.",
    Outcome.TIMED_OUT: "It took the page but did not answer in time. It may have listened, and was told to stop.",
    Outcome.INDETERMINATE: "The connection was lost before it answered. It may have listened, and was told to stop.",
    Unheard.NOT_SENT: "The page ended before it was this phone's turn.",
    Unheard.SKIPPED: "It was in another page, and this page leaves busy phones alone.",
    Unheard.BUSY_THROUGHOUT: "It was in another page or busy until this page ended.",
    Unheard.PREEMPTED: "Another page of the same or a higher priority took it.",
    Unheard.TOO_LATE: "It listened only when the multicast audio was over, and heard nothing.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PhoneResult:
    """How a page ended at one phone."""

    phone: str
    address: str
    outcome: str | None
    """A value of `PhoneOutcome`; None while it is awaited."""
    detail: str | None = None
    """What is known beyond that: the phone's own words, the system's error, the page that took it."""
    stop: str | None = None
    """Outcome of the last stop push; None where none was sent or is known."""

    @property
    def words(self) -> str:
        """The outcome as a sentence, with the detail."""
        if self.outcome is None:
            return "Not answered yet."
        text = _BY_VALUE.get(self.outcome, self.outcome)
        return f"{text} ({self.detail})" if self.detail else text


_BY_VALUE: Final[dict[str, str]] = {str(outcome): text for outcome, text in WORDS.items()}
