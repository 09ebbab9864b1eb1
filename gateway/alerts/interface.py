"""What the Administration Tool and the JSON interface see of alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.alerts.alert import Alert, PhoneState, Recipient
from gateway.alerts.request import AlertRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipientView:
    """What became of an alert at one phone."""

    phone: str
    directory_number: str
    state: PhoneState
    words: str
    pushed_s: float | None
    displayed_s: float | None
    acknowledged_s: float | None
    response: str | None

    @classmethod
    def of(cls, alert: Alert, recipient: Recipient, now_s: float) -> RecipientView:
        """As it is now."""
        return cls(
            phone=recipient.device_name,
            directory_number=recipient.directory_number,
            state=alert.state(recipient, now_s),
            words=alert.words(recipient, now_s),
            pushed_s=recipient.pushed_s,
            displayed_s=recipient.displayed_s,
            acknowledged_s=recipient.acknowledged_s,
            response=recipient.response,
        )

    def as_json(self) -> dict[str, object]:
        """For the JSON interface."""
        return {
            "phone": self.phone,
            "directory_number": self.directory_number or None,
            "state": str(self.state),
            "words": self.words,
            "pushed_s": self.pushed_s,
            "displayed_s": self.displayed_s,
            "acknowledged_s": self.acknowledged_s,
            "response": self.response,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertView:
    """One alert. Times are seconds since 1970."""

    number: str
    request: AlertRequest
    created_s: float
    expires_s: float
    state: str
    """active, expired or withdrawn."""
    sending: bool
    """Whether pushes are still to be sent or answered."""
    ended_s: float | None
    outcomes: Mapping[str, int]
    """`PhoneState` to the number of phones; the sum is the number of phones."""
    phones: Sequence[RecipientView] = ()
    """Only where one alert is asked for."""

    @classmethod
    def of(
        cls, alert: Alert, now_s: float, *, counts: Mapping[str, int] | None = None, sending: bool = False
    ) -> AlertView:
        """As it is now.

        Args:
            alert: with its phones, unless ``counts`` says what they came to.
            now_s: the time.
            counts: as they were kept.
            sending: see above.
        """
        over = alert.ending or ("active" if alert.is_active(now_s) else "expired")
        return cls(
            number=str(alert.number),
            request=alert.request,
            created_s=alert.created_s,
            expires_s=alert.expires_s,
            state=over,
            sending=sending,
            ended_s=alert.ended_s,
            outcomes=alert.counts(now_s) if counts is None else counts,
            phones=[RecipientView.of(alert, each, now_s) for each in alert.recipients.values()],
        )

    def as_json(self, *, phones: bool) -> dict[str, object]:
        """For the JSON interface."""
        request = self.request
        document: dict[str, object] = {
            "alert": self.number,
            "state": self.state,
            "sending": self.sending,
            "text": request.text,
            "title": request.title,
            "prompt": request.prompt,
            "priority": str(request.priority),
            "softkeys": list(request.softkeys),
            "page": request.page,
            "created_s": self.created_s,
            "expires_s": self.expires_s,
            "ended_s": self.ended_s,
            "outcomes": dict(self.outcomes),
        }
        if phones:
            document["phones"] = [each.as_json() for each in self.phones]
        return document


class AlertService(Protocol):
    """What `gateway.alerts.Alerts` offers."""

    async def send(self, request: AlertRequest, *, key: str | None = None) -> str:
        """Begin an alert; its number. Raises AlertError."""

    async def get(self, number: str) -> AlertView | None:
        """One alert with all its phones."""

    async def history(self, *, before: str | None = None, limit: int = 100) -> Sequence[AlertView]:
        """Alerts without their phones, the newest first."""

    async def withdraw(self, number: str) -> AlertView:
        """End one now. Raises AlertError."""
