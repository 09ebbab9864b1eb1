"""What phones ask for beside authentication: an alert by its token, a key that was pressed, the list. No I/O.

    /alerts                 the alerts of the phone that asks, for a service button (`CiscoIPPhoneMenu`)
    /alerts/TOKEN           the alert: what a push leads to
    /alerts/TOKEN/1         its first own key was pressed, /2 its second

A token is 128 random bits for one phone and one alert; it opens that alert's object and nothing else, and is forgotten
`KEPT_S` after the alert is over. The list is given by the address that asks, since everybody can read a device name on
its label. What is none of these is not answered here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from gateway.alerts.alert import Alert, Recipient
from gateway.alerts.request import Priority
from gateway.authentication import Request
from gateway.cisco.phone_objects import EXIT, MenuItem, SoftKey, menu_object, object_response, text_object

PATH: Final = b"/alerts"
TOKEN_BYTES: Final = 16
KEPT_S: Final = 3600.0
"""A key pressed on a text that is still on a screen is counted for so long after the alert is over."""
LISTED: Final = 30
"""Alerts in a phone's list; the oldest are left out."""
_NAME: Final = 64
_EXIT_KEY: Final = SoftKey("Exit", EXIT)
_ORDER: Final = {Priority.EMERGENCY: 0, Priority.NORMAL: 1, Priority.BACKGROUND: 2}


@dataclass(frozen=True, slots=True)
class Fact:
    """What a phone's request tells of an alert, once."""

    kind: Literal["displayed", "acknowledged"]
    alert: Alert
    recipient: Recipient


@dataclass(frozen=True, slots=True)
class Answer:
    """To a phone."""

    response: bytes
    device_name: str | None
    facts: tuple[Fact, ...] = ()


class Desk:
    """The alerts that phones may ask for."""

    def __init__(self, base: Callable[[str], str]) -> None:
        """Without alerts.

        Args:
            base: from a phone's address to this gateway's URL as that phone reaches it, `http://10.0.0.10`.
        """
        self._base = base
        self._tokens: dict[bytes, tuple[Alert, Recipient]] = {}
        self._lists: dict[str, dict[int, tuple[Alert, Recipient]]] = {}

    def take(self, alert: Alert) -> None:
        """Answer for this alert from now on."""
        for recipient in alert.recipients.values():
            if recipient.token:
                self._tokens[recipient.token.encode("ascii")] = alert, recipient
                self._lists.setdefault(recipient.address, {})[alert.number] = alert, recipient

    def forget(self, alert: Alert) -> None:
        """Its URLs lead nowhere from now on."""
        for recipient in alert.recipients.values():
            self._tokens.pop(recipient.token.encode("ascii"), None)
            listed = self._lists.get(recipient.address, {})
            listed.pop(alert.number, None)
            if not listed:
                self._lists.pop(recipient.address, None)

    def url(self, recipient: Recipient) -> str:
        """Where a phone finds its alert."""
        return f"{self._base(recipient.address)}/alerts/{recipient.token}"

    def answer(self, request: Request, source: str, now_s: float) -> Answer | None:
        """Answer a request of the phone at address ``source``; None: it is for nothing that is here."""
        if request.method != b"GET":
            return None
        path = request.target.partition(b"?")[0]
        if path[: len(PATH)] != PATH:
            return None
        if path == PATH:
            return self._list(source, now_s)
        token, _, key = path[len(PATH) + 1 :].partition(b"/")
        alert, recipient = self._tokens.get(token, (None, None))
        if alert is None or recipient is None or path[len(PATH) : len(PATH) + 1] != b"/":
            return None
        if not key:
            return self._show(alert, recipient, now_s) if path.endswith(token) else None
        names = alert.request.softkeys
        if key not in (b"1", b"2")[: len(names)]:
            return None
        return self._press(alert, recipient, names[int(key) - 1], now_s)

    def _show(self, alert: Alert, recipient: Recipient, now_s: float) -> Answer:
        if not alert.is_active(now_s):
            return Answer(_over(alert), recipient.device_name)
        url = self.url(recipient)
        request = alert.request
        keys = [SoftKey(name, f"{url}/{index}") for index, name in enumerate(request.softkeys, 1)]
        document = text_object(
            title=request.title, prompt=request.prompt, text=request.text, keys=[*keys, _EXIT_KEY]
        )
        facts = (Fact("displayed", alert, recipient),) if recipient.displayed(now_s) else ()
        # Past its expiry a phone that still shows it asks again, and learns that it is over.
        refresh_s = int(alert.expires_s - now_s) + 1
        return Answer(object_response(document, refresh_s=refresh_s), recipient.device_name, facts)

    def _press(self, alert: Alert, recipient: Recipient, name: str, now_s: float) -> Answer:
        unseen = recipient.displayed_s is None
        facts: list[Fact] = []
        if recipient.acknowledged(name, now_s):
            facts = [Fact("displayed", alert, recipient)] if unseen else []
            facts.append(Fact("acknowledged", alert, recipient))
        document = text_object(
            title=alert.request.title, prompt="", text=f"Noted: {recipient.response}", keys=[_EXIT_KEY]
        )
        return Answer(object_response(document), recipient.device_name, tuple(facts))

    def _list(self, source: str, now_s: float) -> Answer:
        active = [pair for pair in self._lists.get(source, {}).values() if pair[0].is_active(now_s)]
        active.sort(key=lambda pair: (_ORDER[pair[0].priority], -pair[0].number))
        name = active[0][1].device_name if active else None
        if not active:
            document = text_object(title="Alerts", prompt="", text="No alerts.", keys=[_EXIT_KEY])
        else:
            items = [MenuItem(_line(alert), self.url(recipient)) for alert, recipient in active[:LISTED]]
            keys = [SoftKey("Select", "SoftKey:Select"), _EXIT_KEY]
            document = menu_object(title="Alerts", prompt="", items=items, keys=keys)
        return Answer(object_response(document), name)


def _line(alert: Alert) -> str:
    line = " ".join(f"{alert.request.title}: {alert.request.text}".split())
    return line if len(line) <= _NAME else line[: _NAME - 1] + "…"


def _over(alert: Alert) -> bytes:
    words = "This alert was withdrawn." if alert.ending == "withdrawn" else "This alert is over."
    return object_response(text_object(title=alert.request.title, prompt="", text=words, keys=[_EXIT_KEY]))
