"""The delivery ledger: one row per phone and page, exactly one end state each."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.capture.rtp import Stream
from harness.judge.diaries import PhoneStory
from harness.judge.diaryless import sent_to
from harness.judge.end_states import (
    WHOSE,
    AlertCase,
    Case,
    EndState,
    GatewaySays,
    PhoneTruth,
    Rival,
    Shown,
    alert_end_state,
    end_state,
)
from harness.judge.evidence import Evidence, Phone, host
from harness.judge.hearing import Hearing, hearing
from harness.judge.sendings import Delivery, Sending

COLUMNS: Final = (
    "phone",
    "directory_number",
    "model",
    "address",
    "zone",
    "subnet",
    "state",
    "whose",
    "gateway_says",
    "phone_truth",
    "authorised_by",
    "sent_ms",
    "authentication_asked_ms",
    "authentication_answered_ms",
    "executed_ms",
    "answered_ms",
    "listening_ms",
    "displayed_ms",
    "acknowledged_ms",
    "first_packet_ms",
    "last_packet_ms",
    "stopped_ms",
    "packets_expected",
    "packets_heard",
    "lost",
    "gap_ms",
    "attempts",
    "why",
)
"""Columns of ledger.csv. Times are milliseconds after Send; a time that never was is empty."""
PAGE: Final = "page"
"""Column of a run with several pages and alerts: which one a row is about."""
NO_RECORDS: Final = "(no records)"
"""What a gateway says that writes none: the state follows from the phone's truth."""
_INFERRED: Final = {
    PhoneTruth.WEB_ACCESS_OFF: GatewaySays.NOTHING,
    PhoneTruth.NOT_SEEN: GatewaySays.NOTHING,
    PhoneTruth.MALFORMED: GatewaySays.REFUSED,
    PhoneTruth.REFUSED: GatewaySays.REFUSED_AUTHENTICATION,
    PhoneTruth.BUSY: GatewaySays.REFUSED_BUSY,
    PhoneTruth.GARBLED: GatewaySays.GARBLED,
    PhoneTruth.EXECUTED: GatewaySays.EXECUTED,
    PhoneTruth.UNKNOWN: GatewaySays.INDETERMINATE,
}

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One page or alert at one phone, with what the laws and metrics need of it."""

    sending: Sending
    streams: tuple[Stream, ...]
    """To this phone on the wire, while it listened to this page."""
    rival: Rival
    """Whether another page of the run had the phone, or took it."""
    rival_name: str
    phone: Phone
    story: PhoneStory
    state: EndState
    says: GatewaySays
    told: bool
    """Whether the gateway said so itself."""
    truth: PhoneTruth
    hearing: Hearing
    listening_ms: float | None
    """Send to the first moment when it listened to the page."""
    displayed_ms: float | None
    """Send to the first moment when it showed the alert."""
    acknowledged_ms: float | None

    @property
    def executed(self) -> bool:
        """Whether it executed the page's push: by its diary, of a real phone by its answer."""
        return self.truth is PhoneTruth.EXECUTED or (
            self.truth is PhoneTruth.UNKNOWN and self.says is GatewaySays.EXECUTED
        )


def ledger(evidence: Evidence, parts: Sequence[Delivery]) -> tuple[Row, ...]:
    """The ledger's rows: page by page, each in the roster's order."""
    told = bool(evidence.of("gateway", "push.sent") or evidence.of("gateway", "push.ended"))
    return tuple(_row(evidence, part, told=told) for part in parts)


def ledger_csv(rows: Sequence[Mapping[str, Cell]]) -> str:
    """The content of ledger.csv; of a run with several pages and alerts, `PAGE` is the second column."""
    out = io.StringIO()
    columns = (COLUMNS[0], PAGE, *COLUMNS[1:]) if any(PAGE in row for row in rows) else COLUMNS
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _row(evidence: Evidence, part: Delivery, *, told: bool) -> Row:
    phone, story, sending = part.phone, part.story, part.sending
    real = evidence.scenario.fleet.real
    truth = PhoneTruth.UNKNOWN if real else story.truth
    if not phone.web_access and truth is PhoneTruth.NOT_SEEN:
        truth = PhoneTruth.WEB_ACCESS_OFF
    own_word = story.says if told else _INFERRED[truth]
    says = own_word or GatewaySays.INDETERMINATE
    heard = sent_to(evidence, story, part.streams) if real else hearing(evidence, story, part.streams)
    listening_ms = _ms(sending, _first_listening(story))
    shown, displayed_ms, acknowledged_ms = _alerted(sending, story, real=real)
    began_ms = displayed_ms if sending.alert else listening_ms
    late = began_ms is not None and began_ms > sending.wish.late_after_ms
    if sending.alert:
        pressed = acknowledged_ms is not None
        state = alert_end_state(AlertCase(says=says, truth=truth, shown=shown, late=late, pressed=pressed))
    else:
        state = end_state(Case(says=says, truth=truth, heard=heard.heard, late=late, rival=part.rival))
    return Row(
        sending=sending,
        streams=part.streams,
        rival=part.rival,
        rival_name=part.rival_name,
        phone=phone,
        story=story,
        state=state,
        says=says,
        told=told,
        truth=truth,
        hearing=heard,
        listening_ms=listening_ms,
        displayed_ms=displayed_ms,
        acknowledged_ms=acknowledged_ms,
    )


def _alerted(sending: Sending, story: PhoneStory, *, real: bool) -> tuple[Shown, float | None, float | None]:
    """What came onto its screen, when the alert did, and when one of its keys was pressed. Exit is no answer."""
    alert = sending.alert
    if alert is None:
        return Shown.NOTHING, None, None
    if real:
        return Shown.UNKNOWN, None, None
    right = [
        record.t_ns
        for record in story.shown
        if (record.text("object"), record.text("title"), record.text("text"))
        == ("CiscoIPPhoneText", alert.title, alert.text.strip())
    ]
    if not right:
        return Shown.OTHER if story.shown else Shown.NOTHING, None, None
    pressed = [r.t_ns for r in story.pressed if r.t_ns >= min(right) and r.text("name") != "Exit"]
    return Shown.ALERT, _ms(sending, min(right)), _ms(sending, min(pressed, default=None))


def cells(evidence: Evidence, row: Row, *, several: bool) -> Mapping[str, Cell]:
    """A line of ledger.csv; with `several` pages and alerts in the run, it says which one it is about."""
    return _cells(evidence, row) | ({PAGE: row.sending.name} if several else {})


def _cells(evidence: Evidence, row: Row) -> dict[str, Cell]:
    """A line of ledger.csv: a value for each of `COLUMNS`."""
    phone, story, heard, sending = row.phone, row.story, row.hearing, row.sending
    push = story.last_start
    executed = push.executed if push else None
    by = executed.text("authorised_by") if executed else ""
    sent = [attempt.sent.t_ns for attempt in story.start_attempts if attempt.sent]
    answered = [attempt.ended.t_ns for attempt in story.start_attempts if attempt.ended]
    return {
        "phone": phone.name,
        "directory_number": phone.directory_number,
        "model": phone.model,
        "address": phone.address,
        "zone": phone.zone,
        "subnet": phone.subnet,
        "state": row.state.value,
        "whose": "gateway" if _never_tried(row) else WHOSE[row.state],
        "gateway_says": row.says.value if row.told else NO_RECORDS,
        "phone_truth": row.truth.value,
        "authorised_by": evidence.servers.get(by, by),
        "sent_ms": _ms(sending, min(sent, default=None)),
        "authentication_asked_ms": _ms(sending, push.asked[0].t_ns if push and push.asked else None),
        "authentication_answered_ms": _ms(sending, push.answered[-1].t_ns if push and push.answered else None),
        "executed_ms": _ms(sending, executed.t_ns if executed else None),
        "answered_ms": _ms(sending, max(answered, default=None)),
        "listening_ms": row.listening_ms,
        "displayed_ms": row.displayed_ms,
        "acknowledged_ms": row.acknowledged_ms,
        "first_packet_ms": _ms(sending, heard.first_t_ns),
        "last_packet_ms": _ms(sending, heard.last_t_ns),
        "stopped_ms": _ms(sending, max((r.t_ns for r in story.stopped), default=None)),
        "packets_expected": heard.expected,
        "packets_heard": heard.packets,
        "lost": heard.lost,
        "gap_ms": None if heard.gap_ms is None else round(heard.gap_ms, 3),
        "attempts": len(story.start_attempts) or len(story.starts),
        "why": _why(evidence, row),
    }


def _never_tried(row: Row) -> bool:
    """Whether it is the gateway that did nothing, by its own word."""
    untried = row.told and not row.story.start_attempts and not row.story.starts
    return untried and row.state is EndState.UNREACHABLE


def _why(evidence: Evidence, row: Row) -> str:
    story = row.story
    fault = evidence.excused.get(story.name)
    behind = f" (fault {fault})" if fault else ""
    push = story.last_start
    match row.state:
        case EndState.PREEMPTED:
            return f"{row.rival_name} took it{behind}"
        case EndState.REFUSED_BUSY if row.rival is Rival.HELD:
            return f"{row.rival_name} had it, and it was left alone{behind}"
        case EndState.PARTIAL_AUDIO if row.rival is Rival.ROBBED:
            return f"{row.rival_name} took it, and might not{behind}"
        case EndState.UNREACHABLE if row.sending.dropped is not None:
            return f"the gateway did not take the page: {row.sending.dropped.text('why')}"
        case EndState.DELIVERED | EndState.DISPLAYED | EndState.ACKNOWLEDGED:
            return f"fault {fault}" if fault else ""
        case EndState.DISPLAYED_LATE:
            return f"showed it {row.displayed_ms or 0:.0f} ms after Send{behind}"
        case EndState.NOT_DISPLAYED:
            last = story.shown[-1] if story.shown else None
            saw = f"it showed {last.text('object')} {last.text('text')!r}" if last else "it showed nothing"
            return saw + behind
        case EndState.DELIVERED_LATE:
            return f"listened {row.listening_ms or 0:.0f} ms after Send{behind}"
        case EndState.NO_AUDIO | EndState.WRONG_AUDIO | EndState.PARTIAL_AUDIO:
            return row.hearing.why + behind
        case EndState.INDETERMINATE if evidence.scenario.fleet.real and row.says is GatewaySays.EXECUTED:
            return "executed" if row.sending.alert else f"executed; {row.hearing.why}"
        case EndState.REFUSED_AUTHENTICATION if push and push.answered:
            last = push.answered[-1]
            who = evidence.servers.get(last.text("server"), host(last.text("server")))
            reason = evidence.reasons.get(last.text("connection"), "") if who == "callmanager" else ""
            return f"{who} answered {last.text('answer')}{f': {reason}' if reason else ''}{behind}"
        case EndState.UNREACHABLE if not story.start_attempts:
            return f"no push was sent to it{behind}"
        case _:
            ended = [attempt.ended.text("detail") for attempt in story.start_attempts if attempt.ended]
            detail = f"{ended[-1]}; " if ended and ended[-1] else ""
            return f"{detail}the phone's diary: {row.truth.value.replace('_', ' ')}{behind}"


def _first_listening(story: PhoneStory) -> int | None:
    return min((r.t_ns for r in story.listening if r.push in story.page_pushes), default=None)


def _ms(sending: Sending, t_ns: int | None) -> float | None:
    if t_ns is None or sending.sent_t_ns is None:
        return None
    return round((t_ns - sending.sent_t_ns) / 1e6, 3)
