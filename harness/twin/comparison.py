"""What the twin predicted of each pilot phone, and what the phone did.

Of a real phone nobody knows whether it was heard, nor why it did not answer: it keeps no diary. What both sides know is
what the gateway was told, so a phone agrees where the gateway was told the same by both. Only where a gateway tells
nothing are the end states held against each other, as far as they are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from harness.report.result import Result

Agreement = Literal["agrees", "differs", "unknown"]
UNKNOWN_STATE: Final = "indeterminate"
"""The end state of a real phone that said it executed: whether it was heard is not known."""
NO_RECORDS: Final = "(no records)"
"""What a gateway says that writes none."""
METRICS: Final = (
    "push.answer_ms.p50",
    "push.answer_ms.p99",
    "push.per_s",
    "authentication.gateway",
    "authentication.redirected",
    "authentication.refused",
    "callmanager.authentications",
    "callmanager.answer_ms.p50",
    "rtp.packets_on_wire",
    "rtp.foreign_packets",
)
"""Figures that mean the same on both sides, though one is of a whole site and the other of a few phones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One phone in one of the two runs; all empty where it is not in the ledger.

    Attributes:
        state: its end state.
        says: what the gateway was told.
        answer_ms: from sent to answered.
    """

    state: str = ""
    says: str = ""
    authorised_by: str = ""
    answer_ms: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A pilot phone's row beside its twin's row."""

    phone: str
    directory_number: str
    address: str
    zone: str
    model: str
    """As the site lists it."""
    emulated_as: str
    twin: Side
    pilot: Side
    agreement: Agreement
    because: str
    """What differs, or why nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both runs."""

    twin: Result
    pilot: Result
    rows: Sequence[Row]
    notes: Sequence[str]
    """What is not asked of the pilot."""

    def count(self, agreement: Agreement) -> int:
        """How many pilot phones."""
        return sum(row.agreement == agreement for row in self.rows)

    @property
    def reading(self) -> str:
        """The whole in a sentence."""
        total, agree = len(self.rows), self.count("agrees")
        phones = "1 pilot phone" if total == 1 else f"{total:,} pilot phones"
        if agree == total:
            return f"The twin predicted what {phones if total > 1 else 'the pilot phone'} did"
        parts = [f"{agree:,} of {phones} did as the twin predicted"]
        if differ := self.count("differs"):
            parts.append(f"{differ:,} did not")
        if unknown := self.count("unknown"):
            parts.append(f"of {unknown:,} nothing can be said")
        return ", ".join(parts)

    @property
    def exit_code(self) -> int:
        """1 where a phone did not do as predicted, 3 where nothing can be said of one, else 0."""
        if self.count("differs"):
            return 1
        return 3 if self.count("unknown") else 0


def compare(
    twin: Result, pilot: Result, *, models: Mapping[str, str], notes: Sequence[str] = ()
) -> Comparison:
    """Lay the pilot's ledger beside the twin's.

    Args:
        twin: of the whole site, emulated.
        pilot: of the real phones.
        models: the site's own model of each pilot phone, in the order of rows.
        notes: what is not asked of the pilot.
    """
    predicted = {row["phone"]: row for row in twin.ledger}
    seen = {row["phone"]: row for row in pilot.ledger}
    return Comparison(
        twin=twin,
        pilot=pilot,
        rows=[_row(name, model, predicted.get(name, {}), seen.get(name, {})) for name, model in models.items()],
        notes=tuple(notes),
    )


def _row(name: str, model: str, predicted: Mapping[str, str], seen: Mapping[str, str]) -> Row:
    twin, pilot = _side(predicted), _side(seen)
    agreement, because = _agreement(twin, pilot)
    known = seen or predicted
    return Row(
        phone=name,
        directory_number=known.get("directory_number", ""),
        address=known.get("address", ""),
        zone=known.get("zone", ""),
        model=model,
        emulated_as=predicted.get("model", ""),
        twin=twin,
        pilot=pilot,
        agreement=agreement,
        because=because,
    )


def _side(row: Mapping[str, str]) -> Side:
    sent, answered = _number(row.get("sent_ms", "")), _number(row.get("answered_ms", ""))
    return Side(
        state=row.get("state", ""),
        says=row.get("gateway_says", ""),
        authorised_by=row.get("authorised_by", ""),
        answer_ms=None if sent is None or answered is None else answered - sent,
        why=row.get("why", ""),
    )


def _agreement(twin: Side, pilot: Side) -> tuple[Agreement, str]:
    if not twin.state or not pilot.state:
        return "unknown", f"it is not in the ledger of the {'twin' if not twin.state else 'pilot'}"
    if twin.says and pilot.says and NO_RECORDS not in {twin.says, pilot.says}:
        if twin.says == pilot.says:
            return "agrees", ""
        return "differs", f"{twin.says} predicted, {pilot.says} seen" + (f": {pilot.why}" if pilot.why else "")
    if UNKNOWN_STATE in {pilot.state, twin.state}:
        return "unknown", "the gateway tells nothing, and the phone keeps no diary"
    if twin.state == pilot.state:
        return "agrees", ""
    return "differs", f"{twin.state} predicted, {pilot.state} seen" + (f": {pilot.why}" if pilot.why else "")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
