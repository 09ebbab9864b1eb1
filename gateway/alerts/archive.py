"""Alerts in the store: work for `gateway.store.Database`, one function a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from gateway.alerts.alert import Alert, Recipient
from gateway.alerts.request import AlertRequest, Priority
from gateway.cisco import Outcome

KEPT_ALERTS: Final = 1000
KEPT_S: Final = 90 * 86_400.0
"""History beyond either is pruned."""
HISTORY: Final = 100
"""Alerts of one look into the history."""
_COLUMNS: Final = tuple(each.name for each in fields(Recipient))
_NAMES: Final = ", ".join(_COLUMNS)
_INSERT: Final = (
    f"INSERT OR REPLACE INTO alert_phone (alert, {_NAMES}) VALUES (?{', ?' * len(_COLUMNS)})"  # noqa: S608  names of ours
)
_SELECT: Final = f"SELECT {_NAMES} FROM alert_phone WHERE alert = ? ORDER BY device_name"  # noqa: S608  as above

Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What is to be kept of one alert: copies, so that the loop may go on while a thread writes."""

    alert: Alert
    """With the changed recipients alone."""
    counts: Counts

    @classmethod
    def of(cls, alert: Alert, names: Sequence[str], now_s: float) -> Change:
        """A copy of what has changed."""
        recipients = {name: replace(alert.recipients[name]) for name in names}
        return cls(alert=replace(alert, recipients=recipients), counts=alert.counts(now_s))


def keep(changes: Sequence[Change]) -> Callable[[sqlite3.Connection], None]:
    """Write changes."""

    def work(connection: sqlite3.Connection) -> None:
        for change in changes:
            alert = change.alert
            connection.execute(
                "INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET "
                "ended_s = excluded.ended_s, ending = excluded.ending, counts = excluded.counts",
                (
                    alert.number, alert.created_s, json.dumps(asdict(alert.request)), alert.key,
                    alert.ended_s, alert.ending, json.dumps(dict(change.counts)),
                ),
            )  # fmt: skip
            connection.executemany(
                _INSERT,
                [
                    (alert.number, *(getattr(recipient, column) for column in _COLUMNS))
                    for recipient in alert.recipients.values()
                ],
            )

    return work


def prune(now_s: float) -> Callable[[sqlite3.Connection], None]:
    """Forget the oldest alerts that are over; the newest is always kept, it carries the last number."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM alert WHERE ended_s IS NOT NULL AND number < (SELECT max(number) FROM alert) AND "
            "(ended_s < ? OR number <= (SELECT max(number) FROM alert) - ?)",
            (now_s - KEPT_S, KEPT_ALERTS),
        )

    return work


def load_recent(since_s: float) -> Callable[[sqlite3.Connection], tuple[list[Alert], int]]:
    """Alerts that are not over or ended after ``since_s``, and the last number that was given."""

    def work(connection: sqlite3.Connection) -> tuple[list[Alert], int]:
        (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM alert").fetchone()
        rows = connection.execute(
            "SELECT number, created_s, request, idempotency_key, ended_s, ending FROM alert "
            "WHERE ended_s IS NULL OR ended_s > ? ORDER BY number",
            (since_s,),
        ).fetchall()
        return [_alert(connection, row) for row in rows], last

    return work


def load_keys(since_s: float) -> Callable[[sqlite3.Connection], list[tuple[str, int, AlertRequest]]]:
    """Idempotency keys of alerts made after ``since_s``: key, number, request."""

    def work(connection: sqlite3.Connection) -> list[tuple[str, int, AlertRequest]]:
        rows = connection.execute(
            "SELECT idempotency_key, number, request FROM alert "
            "WHERE created_s > ? AND idempotency_key IS NOT NULL ORDER BY number",
            (since_s,),
        )
        return [(key, number, _request(text)) for key, number, text in rows]

    return work


def load(number: int) -> Callable[[sqlite3.Connection], Alert | None]:
    """One alert with all its phones."""

    def work(connection: sqlite3.Connection) -> Alert | None:
        row = connection.execute(
            "SELECT number, created_s, request, idempotency_key, ended_s, ending FROM alert WHERE number = ?",
            (number,),
        ).fetchone()
        return None if row is None else _alert(connection, row)

    return work


def load_history(before: int | None, limit: int) -> Callable[[sqlite3.Connection], list[tuple[Alert, Counts]]]:
    """Alerts without their phones, and how many phones are in which state; the newest first."""

    def work(connection: sqlite3.Connection) -> list[tuple[Alert, Counts]]:
        rows = connection.execute(
            "SELECT number, created_s, request, idempotency_key, ended_s, ending, counts FROM alert "
            "WHERE number < ? ORDER BY number DESC LIMIT ?",
            (2**62 if before is None else before, min(limit, HISTORY)),
        )
        return [(_bare(row[:6]), json.loads(row[6])) for row in rows]

    return work


def _bare(row: tuple[int, float, str, str | None, float | None, str | None]) -> Alert:
    number, created_s, request, key, ended_s, ending = row
    return Alert(
        number=number,
        created_s=created_s,
        request=_request(request),
        key=key,
        ended_s=ended_s,
        ending="withdrawn" if ending == "withdrawn" else None if ending is None else "expired",
        recipients={},
    )


def _alert(
    connection: sqlite3.Connection, row: tuple[int, float, str, str | None, float | None, str | None]
) -> Alert:
    alert = _bare(row)
    for values in connection.execute(_SELECT, (alert.number,)):
        recipient = Recipient(**dict(zip(_COLUMNS, values, strict=True)))
        if recipient.outcome is not None:
            recipient.outcome = Outcome(recipient.outcome)
        alert.recipients[recipient.device_name] = recipient
    return alert


def _request(text: str) -> AlertRequest:
    values = json.loads(text)
    return AlertRequest(
        text=values["text"],
        title=values["title"],
        prompt=values["prompt"],
        priority=Priority(values["priority"]),
        softkeys=tuple(values["softkeys"]),
        expires_s=values["expires_s"],
        phones=None if values["phones"] is None else tuple(values["phones"]),
        zones=tuple(values["zones"]),
        lists=tuple(values["lists"]),
        page=values["page"],
    )
