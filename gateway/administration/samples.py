"""The gateway's own metrics, read when they are asked for."""

from __future__ import annotations

from collections import Counter

from gateway.administration.desk import Desk
from gateway.metrics import Family, process_families, single

GAUGES = frozenset({"streams"})
"""Of the service's counters those that fall as well."""

STATES = ("waiting", "starting", "playing", "stopping")


def families(desk: Desk) -> list[Family]:
    """All of them."""
    counters = desk.counters()
    found = [
        Family(name="info", kind="gauge", text="The release.", samples=[({"version": desk.version}, 1.0)]),
        single("start_time_seconds", "gauge", "When the gateway started, since 1970.", desk.began_s),
    ]
    for name, value in counters.items():
        gauge = name in GAUGES
        text = name.replace("_", " ").capitalize() + ("." if gauge else " since the start.")
        found.append(single(name if gauge else f"{name}_total", "gauge" if gauge else "counter", text, float(value)))
    states = Counter(page.state for page in desk.pages.running())
    found += [
        Family(
            name="pages",
            kind="gauge",
            text="Pages that run or wait, by state.",
            samples=[
                ({"state": state}, float(states[state])) for state in ("waiting", "starting", "playing", "stopping")
            ],
        ),
        Family(
            name="alarm",
            kind="gauge",
            text="Active alarms.",
            samples=[({"name": alarm.name}, 1.0) for alarm in desk.alarms.active()],
        ),
        single("alarms", "gauge", "Number of active alarms.", float(len(desk.alarms.active()))),
        single(
            "logins_refused_total",
            "counter",
            "Logins with a wrong name or password, or too many of them.",
            float(desk.accounts.failures),
        ),
        single("sessions", "gauge", "Open sessions of the Administration Tool.", float(len(desk.accounts.sessions()))),
        single("audit_entries_lost_total", "counter", "Audit entries that no store took.", float(desk.audit.lost)),
        single("phones", "gauge", "Phones in the inventory.", float(len(desk.phonebook.entries))),
    ]
    return found + process_families()
