"""The end states of a phone in the ledger, decided in one place.

The table of docs/reference/end-states.md, top down: the first row that applies. It is total and exclusive: every
combination of what the gateway says and what is true of the phone has exactly one state (a test goes through all).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class EndState(StrEnum):
    """Where a phone's page ended."""

    WEB_ACCESS_DISABLED = "web_access_disabled"
    UNREACHABLE = "unreachable"
    REFUSED_AUTHENTICATION = "refused_authentication"
    REFUSED_BUSY = "refused_busy"
    GARBLED = "garbled"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"
    PREEMPTED = "preempted"
    NO_AUDIO = "no_audio"
    WRONG_AUDIO = "wrong_audio"
    PARTIAL_AUDIO = "partial_audio"
    DELIVERED_LATE = "delivered_late"
    DELIVERED = "delivered"
    NOT_DISPLAYED = "not_displayed"
    DISPLAYED_LATE = "displayed_late"
    DISPLAYED = "displayed"
    ACKNOWLEDGED = "acknowledged"


class GatewaySays(StrEnum):
    """The outcome of the last start push, and `nothing` where none was sent."""

    NOTHING = "nothing"
    UNREACHABLE = "unreachable"
    REFUSED_AUTHENTICATION = "refused_authentication"
    REFUSED_BUSY = "refused_busy"
    REFUSED = "refused"
    GARBLED = "garbled"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"
    EXECUTED = "executed"


class PhoneTruth(StrEnum):
    """How far a start push came at the phone."""

    WEB_ACCESS_OFF = "web_access_off"
    NOT_SEEN = "not_seen"
    """It never saw a request."""
    MALFORMED = "malformed"
    """It saw one that is none, or that asks for what it cannot do, and refused it."""
    REFUSED = "refused"
    """It asked and was refused, or could not ask."""
    BUSY = "busy"
    """A stream or a call was active."""
    GARBLED = "garbled"
    """It sent an answer that is none."""
    EXECUTED = "executed"
    UNKNOWN = "unknown"
    """It got the request; its diary says no more."""


class Heard(StrEnum):
    """What came out of its loudspeaker, as far as its diary and the wire tell."""

    NOTHING = "nothing"
    FOREIGN = "foreign"
    PART = "part"
    ALL = "all"
    UNKNOWN = "unknown"
    """Only the phone knows, and it keeps no diary."""


class Rival(StrEnum):
    """What another page of the run has to do with it."""

    NONE = "none"
    HELD = "held"
    """It had the phone and did not have to give it up: the phone was left alone."""
    TOOK = "took"
    """It took the phone, and might."""
    ROBBED = "robbed"
    """It took the phone, and might not."""


class Shown(StrEnum):
    """What came onto its screen, by its diary."""

    NOTHING = "nothing"
    OTHER = "other"
    """Another text, or an error of its own."""
    UNKNOWN = "unknown"
    """Only the phone knows, and it keeps no diary."""
    ALERT = "alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCase:
    """All that decides an end state of an alert."""

    says: GatewaySays
    truth: PhoneTruth
    shown: Shown
    late: bool
    """It showed the alert later than `late_after_ms` after Send."""
    pressed: bool
    """A key of the alert was pressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that decides an end state."""

    says: GatewaySays
    truth: PhoneTruth
    heard: Heard
    late: bool
    """It listened later than `late_after_ms` after Send."""
    rival: Rival = Rival.NONE


WHOSE: Final = {
    EndState.WEB_ACCESS_DISABLED: "configuration",
    EndState.UNREACHABLE: "network or phone",
    EndState.REFUSED_AUTHENTICATION: "configuration, gateway or CallManager",
    EndState.REFUSED_BUSY: "phone",
    EndState.GARBLED: "phone",
    EndState.TIMED_OUT: "phone, CallManager or gateway",
    EndState.INDETERMINATE: "",
    EndState.PREEMPTED: "",
    EndState.NO_AUDIO: "network or gateway",
    EndState.WRONG_AUDIO: "gateway or attacker",
    EndState.PARTIAL_AUDIO: "network or gateway",
    EndState.DELIVERED_LATE: "",
    EndState.DELIVERED: "",
    EndState.NOT_DISPLAYED: "network, phone or gateway",
    EndState.DISPLAYED_LATE: "",
    EndState.DISPLAYED: "",
    EndState.ACKNOWLEDGED: "",
}
"""Where to look first."""

AGREES: Final = {
    GatewaySays.NOTHING: frozenset({PhoneTruth.WEB_ACCESS_OFF, PhoneTruth.NOT_SEEN}),
    GatewaySays.UNREACHABLE: frozenset({PhoneTruth.WEB_ACCESS_OFF, PhoneTruth.NOT_SEEN}),
    GatewaySays.REFUSED_AUTHENTICATION: frozenset({PhoneTruth.REFUSED}),
    GatewaySays.REFUSED_BUSY: frozenset({PhoneTruth.BUSY}),
    GatewaySays.REFUSED: frozenset({PhoneTruth.MALFORMED, PhoneTruth.BUSY}),
    GatewaySays.GARBLED: frozenset({PhoneTruth.GARBLED, PhoneTruth.NOT_SEEN}),
    GatewaySays.TIMED_OUT: frozenset(
        {PhoneTruth.NOT_SEEN, PhoneTruth.REFUSED, PhoneTruth.EXECUTED, PhoneTruth.UNKNOWN, PhoneTruth.GARBLED}
    ),
    GatewaySays.INDETERMINATE: frozenset(PhoneTruth) - {PhoneTruth.WEB_ACCESS_OFF},
    GatewaySays.EXECUTED: frozenset({PhoneTruth.EXECUTED}),
}
"""For each gateway outcome the phone truths that agree with it (law `gateway-agrees-with-phones`)."""

_NOT_EXECUTED: Final = {
    GatewaySays.UNREACHABLE: EndState.UNREACHABLE,
    GatewaySays.NOTHING: EndState.UNREACHABLE,
    GatewaySays.REFUSED_AUTHENTICATION: EndState.REFUSED_AUTHENTICATION,
    GatewaySays.REFUSED_BUSY: EndState.REFUSED_BUSY,
    GatewaySays.REFUSED: EndState.GARBLED,
    GatewaySays.GARBLED: EndState.GARBLED,
    GatewaySays.TIMED_OUT: EndState.TIMED_OUT,
    GatewaySays.INDETERMINATE: EndState.INDETERMINATE,
}


def end_state(case: Case) -> EndState:
    """The end state of a phone.

    What the gateway was told decides, not what it should have been told: where that is not the phone's truth the state
    stays and the law `gateway-agrees-with-phones` fails.
    """
    left_alone = case.says is GatewaySays.NOTHING and case.truth is not PhoneTruth.WEB_ACCESS_OFF
    if case.rival is Rival.TOOK and (left_alone or case.says is GatewaySays.EXECUTED):
        return EndState.PREEMPTED
    if case.rival is Rival.HELD and left_alone:
        return EndState.REFUSED_BUSY
    before = _before_executing(case.says, case.truth)
    if before is not None:
        return before
    match case.heard:
        case Heard.NOTHING:
            return EndState.NO_AUDIO
        case Heard.FOREIGN:
            return EndState.WRONG_AUDIO
        case Heard.PART:
            return EndState.PARTIAL_AUDIO
        case Heard.ALL if case.rival is Rival.ROBBED:
            return EndState.PARTIAL_AUDIO
        case Heard.UNKNOWN:
            return EndState.INDETERMINATE
        case Heard.ALL:
            return EndState.DELIVERED_LATE if case.late else EndState.DELIVERED


def alert_end_state(case: AlertCase) -> EndState:
    """The end state of a phone in a run with an alert: as `end_state` until the push is executed."""
    before = _before_executing(case.says, case.truth)
    if before is not None:
        return before
    if case.shown is Shown.UNKNOWN:
        return EndState.INDETERMINATE
    if case.shown is not Shown.ALERT:
        return EndState.NOT_DISPLAYED
    if case.pressed:
        return EndState.ACKNOWLEDGED
    return EndState.DISPLAYED_LATE if case.late else EndState.DISPLAYED


def _before_executing(says: GatewaySays, truth: PhoneTruth) -> EndState | None:
    if truth is PhoneTruth.WEB_ACCESS_OFF and says in (GatewaySays.UNREACHABLE, GatewaySays.NOTHING):
        return EndState.WEB_ACCESS_DISABLED
    return None if says is GatewaySays.EXECUTED else _NOT_EXECUTED[says]
