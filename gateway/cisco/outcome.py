"""What a phone's answer to a push means: exactly one outcome, whatever it said."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from gateway.cisco.http_response import HttpResponse
from gateway.cisco.xml_elements import Element, XmlDefectError, read_elements

MAX_DETAIL = 80
"""Characters of a phone's own words that are kept."""

ERROR_BUSY = 1
"""A stream is already active (development notes, RTP URIs); also a parse error of the object, which ours are not."""
ERROR_AUTHENTICATION = 4

_NUMBER = re.compile(r"\s{0,8}[-+]?[0-9]{1,9}\s{0,8}")


class Outcome(enum.StrEnum):
    """How a push ended (docs/reference/events.md)."""

    EXECUTED = "executed"
    UNREACHABLE = "unreachable"
    REFUSED_AUTHENTICATION = "refused_authentication"
    REFUSED_BUSY = "refused_busy"
    REFUSED = "refused"
    GARBLED = "garbled"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"


UNKNOWN_OUTCOMES = frozenset({Outcome.GARBLED, Outcome.TIMED_OUT, Outcome.INDETERMINATE})
"""Outcomes after which the phone may have executed the push all the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PushAnswer:
    """One phone's answer, understood."""

    outcome: Outcome
    http_status: int | None = None
    error_number: int | None = None
    detail: str | None = None


def read_push_answer(response: HttpResponse) -> PushAnswer:
    """Understand the answer to an Execute.

    7940 and 7960 answer bad credentials with 401, the Java phones with 200 and error 4 (CUAE, SendExecute.cs). A
    redirect is not followed: it would lead the gateway wherever the phone likes. Success is only a status 2xx with a
    CiscoIPPhoneResponse whose items all have status 0.
    """
    status = response.status
    if status == 401:
        return PushAnswer(outcome=Outcome.REFUSED_AUTHENTICATION, http_status=status)
    try:
        elements = read_elements(response.body)
    except XmlDefectError as error:
        return PushAnswer(outcome=Outcome.GARBLED, http_status=status, detail=_without_xml(status, str(error)))
    root = elements[0]
    if root.name == "CiscoIPPhoneError":
        return _error(status, root)
    if not 200 <= status < 300:
        return PushAnswer(outcome=Outcome.GARBLED, http_status=status, detail=_without_xml(status, "no phone object"))
    if root.name == "CiscoIPPhoneResponse":
        return _items(
            status, [element for element in elements if element.depth == 1 and element.name == "ResponseItem"]
        )
    return PushAnswer(outcome=Outcome.GARBLED, http_status=status, detail="neither a response nor an error object")


def _error(status: int, root: Element) -> PushAnswer:
    number = _integer(root.attributes.get("Number"))
    if number is None:
        return PushAnswer(outcome=Outcome.GARBLED, http_status=status, detail="an error without a number")
    outcomes = {ERROR_BUSY: Outcome.REFUSED_BUSY, ERROR_AUTHENTICATION: Outcome.REFUSED_AUTHENTICATION}
    return PushAnswer(
        outcome=outcomes.get(number, Outcome.REFUSED), http_status=status, error_number=number, detail=_clean(root.text)
    )


def _items(status: int, items: list[Element]) -> PushAnswer:
    numbers = [_integer(item.attributes.get("Status")) for item in items]
    if not items or None in numbers:
        return PushAnswer(
            outcome=Outcome.GARBLED, http_status=status, detail="a response without the status of its items"
        )
    for item, number in zip(items, numbers, strict=True):
        if number != 0:
            return PushAnswer(
                outcome=Outcome.REFUSED,
                http_status=status,
                error_number=number,
                detail=_clean(item.attributes.get("Data", "")),
            )
    return PushAnswer(outcome=Outcome.EXECUTED, http_status=status)


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


def _clean(text: str) -> str | None:
    """A phone's own words: printable, on one line, short."""
    words = "".join(character if character.isprintable() else " " for character in text[: 4 * MAX_DETAIL]).split()
    return " ".join(words)[:MAX_DETAIL] or None


def _without_xml(status: int, why: str) -> str:
    if 300 <= status < 400:
        return "a redirect, which is not followed"
    return why if 200 <= status < 300 else f"status {status}"
