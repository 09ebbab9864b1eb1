"""Send: the zero of every time in the reports, found in the records as the judge finds it (events.md)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

SENDS: Final = ("page.requested", "alert.requested", "page.started", "push.sent", "push.received")
"""Kinds of record that may be Send; the first of these that there is."""


def send_ns(records: Iterable[Mapping[str, Any]]) -> int:
    """When Send was: the first record of the best kind there is, else the first record; 0 of none.

    The positive control phone is not the fleet's: a push to it is nobody's Send.
    """
    first: dict[str, int] = {}
    begun: int | None = None
    control: object = None
    for record in records:
        if record["kind"] == "lab.described":
            control = record.get("control_phone") or None
        t_ns = record["t_ns"]
        begun = t_ns if begun is None else min(begun, t_ns)
        if control is None or record.get("phone") != control:
            first[record["kind"]] = min(t_ns, first.get(record["kind"], t_ns))
    return next((first[kind] for kind in SENDS if kind in first), begun or 0)
