"""Whether the capture is whole: what its taps say of themselves, and whether that is what the file holds."""

from collections.abc import Mapping
from typing import Any, Final

from harness.judge.evidence import IN_FLIGHT_NS, Evidence
from harness.judge.verdict import Blindness

CLAUSES: Final = ("rtp", "authentication-gateway", "authentication-callmanager")
"""Questions that the taps answer (docs/design/parts.md)."""
_TIMES: Final = ("started_t_ns", "ended_t_ns")
_ACCOUNTS: Final = ("received", "kept", "dropped", "left_out")


def capture_whole(evidence: Evidence) -> list[Blindness]:
    """Why the wire, or one of its taps, is blind."""
    wire = evidence.wire
    found = [Blindness(witness="wire", why=problem) for problem in wire.problems]
    if evidence.uncertainty_ns > IN_FLIGHT_NS:
        # A clock that was set while the tap ran: within what it was set by, everything would be let pass.
        why = f"its times may be off by {evidence.uncertainty_ns / 1e6:.0f} ms: a clock was set while it took packets"
        found.append(Blindness(witness="wire", why=why, scope="rtp"))
    problem = wire.facts.get("problem")
    if isinstance(problem, str) and problem:
        found.append(Blindness(witness="wire", why=problem))
    for name, clause in clauses(wire.facts).items():
        if unsaid := [word for word in _ACCOUNTS if not _is_count(clause.get(word))]:
            # Nothing said is not nothing dropped.
            why = f"the tap {name} does not say how many packets it {' and '.join(unsaid)}"
            found.append(Blindness(witness="wire", why=why, scope=name))
        dropped = _whole(clause, "dropped")
        left_out = _whole(clause, "left_out")
        if dropped:
            found.append(Blindness(witness="wire", why=f"the tap {name} dropped {dropped} packets", scope=name))
        if clause.get("accounted") is not True:
            found.append(Blindness(witness="wire", why=f"the tap {name} did not account for all packets", scope=name))
        if left_out:
            found.append(Blindness(witness="wire", why=f"the tap {name} left out {left_out} packets", scope=name))
    written = wire.facts.get("packets")
    if wire.packets is not None and not _is_count(written):
        found.append(Blindness(witness="wire", why="nobody says how many packets the capture was written with"))
    elif wire.packets is not None and written != len(wire.packets):
        why = f"the capture was written with {written} packets, {len(wire.packets)} are in it"
        found.append(Blindness(witness="wire", why=why))
    if wire.packets is not None and not all(_is_count(wire.facts.get(word)) for word in _TIMES):
        found.append(Blindness(witness="wire", why="nobody says from when to when the taps saw"))
    if wire.packets is not None:
        found += [
            Blindness(witness="wire", why=_no_tap(evidence, name), scope=name)
            for name in CLAUSES
            if name not in clauses(wire.facts)
        ]
    return found


def _no_tap(evidence: Evidence, name: str) -> str:
    return f"{name} does not pass this machine" if name in evidence.unseen else f"there was no tap {name}"


def clauses(facts: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The taps of capture.json by name."""
    given = facts.get("clauses")
    if isinstance(given, list):
        return {str(c.get("name")): c for c in given if isinstance(c, dict)}
    if isinstance(given, dict):
        return {str(name): c for name, c in given.items() if isinstance(c, dict)}
    return {}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _whole(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    return value if isinstance(value, int) else 0
