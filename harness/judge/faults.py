"""Whether the faults of a scenario are seen: by exactly the phones that have them, and by nobody else.

A fault shows in two ways. Each of its phones ends in one of the states that the catalogue names; and where the state
alone says too little, the phone's diary carries a *mark* of it (asked twice, answered before it asked). A phone of the
fault that lacks either is named; so is a phone that has the state or the mark without the fault: it failed by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from harness.judge.diaries import PushDiary
from harness.judge.end_states import Rival
from harness.judge.evidence import Evidence, place_of
from harness.judge.ledger import Row
from harness.judge.sight import AUDIO, Integrity
from harness.judge.verdict import Check, Kind, Verdict
from harness.observe.records import Record
from harness.scenario.faults import FAULTS, IMPAIRMENT, NOT_RESET, UNREMARKABLE, Carrier, FaultKind
from harness.scenario.model import SAME

LATE_MS: Final = 2900.0
"""A question this long after its push is asked late: the emulated phone waits for 3 s (docs/reference/phones.md), and
a healthy one for milliseconds."""
EXAMPLES: Final = 3
"""Phones named in a check's `why`; the ledger has all."""

_SILENT: Final = frozenset({"no_audio", "partial_audio"})

Mark = Callable[[Evidence, Row], bool]


def faults_seen(evidence: Evidence, rows: Sequence[Row], sight: Integrity) -> list[Check]:
    """One check for each kind of fault of the scenario that strikes phones."""
    kinds = sorted({fault.kind for fault in evidence.scenario.faults if FAULTS[fault.kind].strikes_phones})
    return [_seen(evidence, rows, FAULTS[kind], sight) for kind in kinds]


def _seen(evidence: Evidence, rows: Sequence[Row], kind: FaultKind, sight: Integrity) -> Check:
    wrong: list[str] = []
    made: set[str] = set()
    # What an administrator left undone shows by whom a phone asks; how its page ended is another matter.
    by_state = kind.carrier is not Carrier.PROCEDURE
    telling = set(kind.states) - UNREMARKABLE
    mark = MARKS.get(kind.name)
    for row in rows:
        fault = evidence.excused.get(row.phone.name)
        marked = mark is not None and mark(evidence, row)
        if fault == kind.name:
            made.add(row.phone.name)
            # What another page of the run did to it, it did to phones without the fault as well.
            if by_state and row.rival is Rival.NONE and row.state.value not in kind.states:
                wrong.append(f"{row.phone.name} has it and is {row.state.value}")
            elif mark is not None and not marked:
                wrong.append(f"{row.phone.name} has it, and its diary shows nothing of it")
            elif kind.name == IMPAIRMENT and (why := impairment_mistake(row)):
                wrong.append(f"{row.phone.name} {why}")
        elif marked:
            wrong.append(f"{row.phone.name} does so without the fault")
        elif row.rival is Rival.NONE and row.state.value in telling and row.state.value not in _states(fault):
            wrong.append(f"{row.phone.name} is {row.state.value} without the fault")
    # A pacer that fell behind makes silences of its own: then a fault that shows by silence cannot be told from it.
    scopes = ("rtp", AUDIO) if telling & _SILENT else ("rtp",)
    blind = sight.why_blind(("phones", "gateway"), scopes)
    verdict = Verdict.INCONCLUSIVE if blind else Verdict.FAIL if wrong else Verdict.PASS
    more = len(wrong) - EXAMPLES
    named = "; ".join(wrong[:EXAMPLES]) + (f"; and {more} more" if more > 0 else "")
    return Check(
        name=f"fault {kind.name} is seen",
        kind=Kind.CONTROL,
        verdict=verdict,
        observed=len(made),
        witnesses=("phones", "gateway"),
        why=blind or named or f"exactly {len(made)} phones named",
    )


def _states(fault: str | None) -> tuple[str, ...]:
    kind = FAULTS.get(fault or "")
    return () if kind is None else kind.states


def impairment_mistake(row: Row) -> str:
    """Where a phone counted other than what was injected at its door; empty where it counted right.

    What was lost before the first or behind the last packet that it heard shows in no gap: of losses it may have
    counted fewer, and the wire tells the rest (law `wire-agrees-with-phones`).
    """
    heard = {(r.text("source"), r.whole("ssrc"), r.push): r for r in row.story.heard}
    for door in row.story.impaired:
        record = heard.get((door.text("source"), door.whole("ssrc"), door.push))
        for injected, counted in (("duplicated", "duplicates"), ("reordered", "reordered"), ("lost", "lost")):
            at_door, own = door.whole(injected), 0 if record is None else record.whole(counted)
            if own != at_door and not (injected == "lost" and own < at_door):
                return f"counted {own} {counted}, {at_door} were injected"
    return ""


def _starts(row: Row) -> Sequence[PushDiary]:
    return row.story.starts


def _spoilt(name: str) -> Mark:
    def mark(_: Evidence, row: Row) -> bool:
        return any(push.reply is not None and push.reply.text("spoilt") == name for push in _starts(row))

    return mark


def _first_questions(push: PushDiary) -> Sequence[Record]:
    """Questions to the first server since the push came.

    A later push of the same phone may have left from the same port, and so have the same name.
    """
    since = push.received.t_ns if push.received is not None else 0
    return [asked for asked in push.asked if asked.whole("hop") == 0 and asked.t_ns >= since]


def _asks_twice(_: Evidence, row: Row) -> bool:
    return any(len(_first_questions(push)) > 1 for push in _starts(row))


def _asks_late(_: Evidence, row: Row) -> bool:
    return any(
        push.received is not None and asked.t_ns - push.received.t_ns >= LATE_MS * 1e6
        for push in _starts(row)
        for asked in _first_questions(push)[:1]
    )


def _without_asking(_: Evidence, row: Row) -> bool:
    return any(push.executed is not None and not push.asked for push in _starts(row))


def _answers_first(_: Evidence, row: Row) -> bool:
    return any(push.answered_first for push in _starts(row))


def _refuses_unasked(_: Evidence, row: Row) -> bool:
    return any(
        push.reply is not None
        and push.reply.text("answer") in ("unauthorized", "error")
        and not push.asked
        and push.executed is None
        for push in _starts(row)
    )


def _asks_as_before(evidence: Evidence, row: Row) -> bool:
    """Its first question went where phones were told to ask when they booted, not where they are told now."""
    wish = evidence.scenario.fleet.authentication_url_at_boot
    before, now = place_of(evidence, wish), place_of(evidence, evidence.scenario.fleet.authentication_url)
    if wish == SAME or before == now:
        return False
    return any(push.asked and push.asked[0].text("server") == before for push in _starts(row))


def _web_access_off(_: Evidence, row: Row) -> bool:
    return not row.phone.web_access


def _impaired(_: Evidence, row: Row) -> bool:
    return bool(row.story.impaired)


MARKS: Final[Mapping[str, Mark]] = {
    **{
        name: _spoilt(name)
        for name in (
            "hang",
            "slow-drip",
            "reset-before",
            "reset-within",
            "reset-after",
            "garbage",
            "truncated",
            "giant-body",
            "wrong-length",
            "two-answers",
        )
    },
    "web-access-disabled": _web_access_off,
    NOT_RESET: _asks_as_before,
    "wrong-credentials-cached": _refuses_unasked,
    "without-asking": _without_asking,
    "answers-first": _answers_first,
    "asks-twice": _asks_twice,
    "asks-late": _asks_late,
    IMPAIRMENT: _impaired,
}
"""What the diaries show of a fault beside the end state."""
