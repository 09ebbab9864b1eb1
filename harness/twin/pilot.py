"""The pilot group: which phones of the site, and the scenario as it is for them.

Real phones keep no diaries, are given no faults and boot as they are, and nobody but the page pushes to them. So their
scenario is the same one without what only emulated phones can have or tell; what falls away is said, never silent.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.scenario import metrics
from harness.site import Phone, SiteError

PILOT_MAX: Final = 200
"""More phones than that are no pilot group, and each of them rings in somebody's room."""
LIST: Final = "pilot.csv"
"""The list of the pilot's phones, beside its scenario."""
MAY_DIFFER: Final = (
    "lab", "gateway", "callmanager", "fleet", "page", "alert", "integrity", "thresholds", "expect", "capture",
    "witnesses",
)  # fmt: skip
"""What a file for the site's own network may say; the rest is the scenario's."""
_FLEET: Final = frozenset({"authentication_url"})
"""Of `[fleet]`, what has a meaning for real phones."""
_DROPPED: Final = {
    "fault": "faults are not made at real phones",
    "probe": "the gateway is probed by itself: pushlab probe",
    "application": "nobody else pushes to real phones beside the page",
    "expect": "a pilot is to pass, whatever the scenario expects of its own fleet",
}
_INSTEAD: Final = {"phones.delivered_fraction": "push.executed_fraction"}
"""What of a real phone is nearest to a metric that needs its diary."""
_SPLIT: Final = re.compile(r"[,\s]+")


def chosen(names: Sequence[str], site: Sequence[Phone]) -> tuple[Phone, ...]:
    """The phones of these device names, in the site's order.

    Raises:
        SiteError: with every name that is not the site's or that is there twice; none, or too many.
    """
    if len(names) > PILOT_MAX:
        raise SiteError([f"--pilot: {len(names)} phones; a pilot group has at most {PILOT_MAX}"])
    by_name = {phone.device_name: phone for phone in site}
    wanted: set[str] = set()
    errors = []
    for given in names:
        name = given.strip().upper()
        if name in wanted:
            errors.append(f"--pilot: {name} is named twice")
        elif name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1, cutoff=0.6)
            hint = f"; the nearest is {near[0]}" if near else ""
            errors.append(f"--pilot: {given} is not on the site's list{hint}")
        wanted.add(name)
    if not wanted:
        errors.append("--pilot: no phone; name at least one of the site's list")
    if errors:
        raise SiteError(errors)
    return tuple(phone for phone in site if phone.device_name in wanted)


def names_in(text: str) -> list[str]:
    """Device names of a list: `SEP…,SEP…`, one a line, or the column `device_name` of a CSV."""
    lines = [line for line in text.splitlines() if line.strip()]
    header = [column.strip() for column in lines[0].split(",")] if lines else []
    if "device_name" in header:
        at = header.index("device_name")
        return [line.split(",")[at].strip() for line in lines[1:] if line.count(",") >= at]
    return [name for name in _SPLIT.split(text) if name]


def pilot_scenario(
    scenario: Mapping[str, Any], lab: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The scenario of the pilot, and what is not asked of it.

    Args:
        scenario: parsed TOML, with the command line's values laid over it.
        lab: parsed TOML of what is different in the site's own network; its table `[lab]` above all.

    Returns:
        Parsed TOML, with the list of phones as `LIST`, and a sentence for each thing that fell away.

    Raises:
        SiteError: the file for the lab has no `[lab]`, or says what is the scenario's to say.
    """
    errors = [f"--lab: {name}: is the scenario's to say; known here: {', '.join(MAY_DIFFER)}" for name in lab
              if name not in MAY_DIFFER]  # fmt: skip
    if not isinstance(lab.get("lab"), dict):
        errors.append("--lab: no table [lab]: interface, harness, gateway and callmanager are needed in it")
    if errors:
        raise SiteError(errors)
    made = copy.deepcopy(dict(scenario))
    notes = []
    for name, why in _DROPPED.items():
        if made.pop(name, None):
            notes.append(f"{name}: not of the pilot: {why}")
    made["name"] = f"{str(made.get('name', 'scenario'))[:57]}-pilot"
    made["ground"] = "lab"
    fleet = {key: value for key, value in made.get("fleet", {}).items() if key in _FLEET}
    made["fleet"] = {"kind": "real", "csv": LIST, **fleet}
    _lay(made, lab)
    external = made.get("callmanager", {}).get("kind") == "external"
    if external:
        made["callmanager"] = {key: made["callmanager"][key] for key in ("kind", "url") if key in made["callmanager"]}
    witnesses = ["gateway", "wire"] if external else ["gateway", "callmanager", "wire"]
    made.setdefault("witnesses", witnesses)
    made["witnesses"] = [name for name in made["witnesses"] if name in witnesses]
    for table in ("thresholds", "integrity"):
        _keep_what_is_seen(made, table, notes)
    return made, notes


def _lay(made: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay tables over tables; a list of tables (`[[page]]`) over the scenario's, entry by entry."""
    for key, value in over.items():
        below = made.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            _lay(below, value)
        elif isinstance(below, list) and isinstance(value, list) and len(below) == len(value):
            for one, other in zip(below, value, strict=True):
                if isinstance(one, dict) and isinstance(other, dict):
                    _lay(one, other)
        else:
            made[key] = copy.deepcopy(value)


def _keep_what_is_seen(made: dict[str, Any], table: str, notes: list[str]) -> None:
    """Thresholds that rest on a witness that the pilot does not have are not asked of it."""
    conditions = made.get(table)
    if not isinstance(conditions, dict):
        return
    present = set(made["witnesses"])
    for name in list(conditions):
        try:
            missing = set(metrics.metric_of(name).witnesses) - present
        except KeyError:
            continue  # the scenario's reader says what is wrong with it
        # CallManager's own log says enough of CallManager; what phones' diaries say of it is the second word.
        if not missing or (name.startswith("callmanager.") and "callmanager" in present):
            continue
        expression = conditions.pop(name)
        instead = _INSTEAD.get(name, "")
        if instead and metrics.known(instead):
            conditions.setdefault(instead, expression)
            notes.append(f"{table}: {name} needs the phones' diaries; asked instead: {instead} {expression}")
        else:
            notes.append(f"{table}: {name} is not asked of the pilot: it needs {', '.join(sorted(missing))}")
