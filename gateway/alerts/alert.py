"""One alert and what became of it at each phone: states and transitions. No I/O; times come in.

Theory of operation: of each phone three facts are kept, each at most once: how its push ended, when it fetched the
object, and when somebody pressed which key. The state that is shown follows from them and from the time, so that facts
may come in any order: a phone whose push timed out and that fetches all the same has displayed the alert. Times are
seconds since 1970, because facts are kept over a restart and shown to people; a deadline that a step of the clock moves
is an alert's expiry and nothing that a phone waits for.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.alerts.request import AlertRequest, Priority
from gateway.cisco import Outcome

FETCH_S: Final = 10.0
"""A phone that executed the push fetches at once; one that has not after so long shows nothing yet (assumed)."""

Ending = Literal["expired", "withdrawn"]


class PhoneState(enum.StrEnum):
    """What became of an alert at one phone."""

    LISTED = "listed"
    WAITING = "waiting"
    PUSHED = "pushed"
    NOT_DISPLAYED = "not_displayed"
    DISPLAYED = "displayed"
    ACKNOWLEDGED = "acknowledged"
    NOT_SENT = "not_sent"
    LEFT_OUT = "left_out"
    UNREACHABLE = "unreachable"
    REFUSED_AUTHENTICATION = "refused_authentication"
    REFUSED_BUSY = "refused_busy"
    REFUSED = "refused"
    GARBLED = "garbled"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"


@dataclass(kw_only=True, slots=True)
class Recipient:
    """One phone of an alert."""

    device_name: str
    address: str
    token: str = field(repr=False, default="")
    """What the phone's URLs carry; empty: it gets none."""
    directory_number: str = ""
    left_out: str | None = None
    """Why it gets nothing."""
    outcome: Outcome | None = None
    detail: str | None = None
    pushed_s: float | None = None
    displayed_s: float | None = None
    acknowledged_s: float | None = None
    response: str | None = None
    """Name of the key that was pressed first."""

    def pushed(self, outcome: Outcome, detail: str | None, now_s: float) -> None:
        """The push has ended."""
        self.outcome, self.detail, self.pushed_s = outcome, detail, now_s

    def displayed(self, now_s: float) -> bool:
        """It has fetched the object; whether that is new."""
        if self.displayed_s is not None:
            return False
        self.displayed_s = now_s
        return True

    def acknowledged(self, response: str, now_s: float) -> bool:
        """Somebody pressed a key; whether that is new. The first press counts: a second may be a retransmission."""
        if self.acknowledged_s is not None:
            return False
        self.displayed(now_s)  # nobody presses a key that is not there
        self.acknowledged_s, self.response = now_s, response
        return True


@dataclass(kw_only=True, slots=True)
class Alert:
    """One alert and its phones."""

    number: int
    request: AlertRequest
    created_s: float
    recipients: dict[str, Recipient]
    """By device name."""
    key: str | None = None
    """Idempotency key of the request."""
    ended_s: float | None = None
    ending: Ending | None = None

    @property
    def expires_s(self) -> float:
        """When it is over by itself."""
        return self.created_s + self.request.expires_s

    @property
    def priority(self) -> Priority:
        """When a phone shows it."""
        return self.request.priority

    def is_active(self, now_s: float) -> bool:
        """Whether phones are shown it."""
        return self.ended_s is None and now_s < self.expires_s

    def end(self, ending: Ending, now_s: float) -> bool:
        """It is over; whether that is new."""
        if self.ended_s is not None:
            return False
        self.ended_s, self.ending = now_s, ending
        return True

    def due(self) -> list[Recipient]:
        """Phones that have to be pushed to and were not."""
        if self.ended_s is not None or self.priority is Priority.BACKGROUND:
            return []
        return [each for each in self.recipients.values() if each.left_out is None and each.outcome is None]

    def state(self, recipient: Recipient, now_s: float) -> PhoneState:
        """What became of it at one phone, so far."""
        if recipient.left_out is not None:
            return PhoneState.LEFT_OUT
        if recipient.acknowledged_s is not None:
            return PhoneState.ACKNOWLEDGED
        if recipient.displayed_s is not None:
            return PhoneState.DISPLAYED
        if recipient.outcome is None:
            if self.priority is Priority.BACKGROUND:
                return PhoneState.LISTED
            return PhoneState.WAITING if self.is_active(now_s) else PhoneState.NOT_SENT
        if recipient.outcome is not Outcome.EXECUTED:
            return PhoneState(recipient.outcome)
        assert recipient.pushed_s is not None
        over = not self.is_active(now_s) or now_s - recipient.pushed_s > FETCH_S
        return PhoneState.NOT_DISPLAYED if over else PhoneState.PUSHED

    def counts(self, now_s: float) -> dict[str, int]:
        """State to the number of phones; the sum is the number of phones."""
        return dict(Counter(str(self.state(each, now_s)) for each in self.recipients.values()))

    def words(self, recipient: Recipient, now_s: float) -> str:
        """What became of it at one phone, for people."""
        state = self.state(recipient, now_s)
        if state is PhoneState.LEFT_OUT:
            return f"left out: {recipient.left_out}"
        if state is PhoneState.ACKNOWLEDGED:
            number = f" at number {recipient.directory_number}" if recipient.directory_number else ""
            return f'"{recipient.response}" pressed{number}'
        if state is PhoneState.NOT_DISPLAYED:
            if not self.is_active(now_s):
                return "took the push and never fetched the alert"
            if self.priority is Priority.NORMAL:
                return f"not displayed within {FETCH_S:g} s: the phone shows it when it is idle"
            return f"not displayed within {FETCH_S:g} s: the phone may not reach the gateway's phone port"
        words = _WORDS[state]
        return f"{words}: {recipient.detail}" if recipient.detail and recipient.displayed_s is None else words


_WORDS: Final[Mapping[PhoneState, str]] = {
    PhoneState.LISTED: "in the phone's list of alerts",
    PhoneState.WAITING: "about to be pushed",
    PhoneState.PUSHED: "the phone took the push and is about to fetch the alert",
    PhoneState.DISPLAYED: "the phone fetched the alert",
    PhoneState.NOT_SENT: "over before it was pushed",
    PhoneState.UNREACHABLE: "no connection to the phone",
    PhoneState.REFUSED_AUTHENTICATION: "the phone asked who may push and was told no",
    PhoneState.REFUSED_BUSY: "the phone was busy",
    PhoneState.REFUSED: "the phone refused",
    PhoneState.GARBLED: "the phone's answer is none",
    PhoneState.TIMED_OUT: "the phone did not answer in time",
    PhoneState.INDETERMINATE: "the connection was lost before the phone answered",
}
