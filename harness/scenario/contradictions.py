"""What each key and each threshold alone allows, but not together: errors before anything runs, not riddles after it.

Three questions. Can these thresholds hold at once? Those that `[expect]` names are to fail, and are left out of that.
Can this scenario have what a threshold, a fault or `[expect]` speaks of? And can what is asked be made where it is
asked?
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from harness.scenario.check_names import check_names
from harness.scenario.faults import CREDENTIAL_DRIFT, FAULTS, NOT_RESET, PLACES
from harness.scenario.findings import Findings
from harness.scenario.intervals import Interval, left_by
from harness.scenario.metrics import END_STATES, STATISTICS, metric_of
from harness.scenario.model import SAME
from harness.scenario.outside import witnesses
from harness.scenario.thresholds import Threshold

RESERVED: Final = ("suite", "latest")
"""Names that a folder beside the scenarios' own has already; a test holds them equal to the run folder's."""
ALERT_STATES: Final = frozenset({"not_displayed", "displayed_late", "displayed", "acknowledged"})
PAGE_STATES: Final = frozenset({"preempted", "no_audio", "wrong_audio", "partial_audio", "delivered_late", "delivered"})
_SHARE: Final = Interval(low=0, high=1)
_AMOUNT: Final = Interval(low=0)
_UNBOUNDED_SHARES: Final = frozenset({"lateness.callmanager_model_fraction"})
"""An answer can be later than it was to take."""
_ORDERED: Final = tuple(name for name in STATISTICS if name != "count")
_OWN_PACE: Final = ("capture.", "lateness.", "loop.lag_ms.")
"""Beginnings of the metrics that `[integrity]` takes: beyond such a limit a witness is blind, and a gateway excused."""


def check_together(values: Mapping[str, Any], findings: Findings) -> None:
    """Note every contradiction of a scenario.

    Args:
        values: its values in force, nested as in its file; each is right by itself.
        findings: where errors go.
    """
    if values["name"] in RESERVED:
        findings.wrong(("name",), f"{values['name']!r} is a folder of pushlab's own beside the runs; choose another")
    for limit in values["integrity"]:
        if not limit.metric.startswith(_OWN_PACE):
            why = "says nothing of how well a part kept pace or saw: it belongs to [thresholds]"
            findings.wrong(("integrity", limit.metric), f"{limit.metric!r} {why}")
    sound = []
    for table in ("thresholds", "integrity"):
        for threshold in values[table]:
            _measured(table, threshold, values, findings)
            if _possible(table, threshold, findings) and table == "thresholds":
                sound.append(threshold)
    _together(sound, values, findings)
    for index, fault in enumerate(values["fault"]):
        _fault(index, fault, values, findings)
    _expected(values, findings)


def _possible(table: str, threshold: Threshold, findings: Findings) -> bool:
    """Whether there is a value that satisfies a threshold and one that breaks it: else it checks nothing."""
    if threshold.relation == "!=":
        return True
    metric = metric_of(threshold.metric)
    share = metric.unit == "share" and metric.name not in _UNBOUNDED_SHARES and not threshold.metric.endswith(".count")
    range_, told = (_SHARE, "a share is from 0 to 1") if share else (_AMOUNT, "it is never below 0")
    left = left_by(threshold)
    if left.also(range_).empty:
        findings.wrong((table, threshold.metric), f"{threshold.expression!r} can never hold: {told}")
    elif range_.within(left):
        findings.wrong((table, threshold.metric), f"{threshold.expression!r} can never fail: {told}")
    else:
        return True
    return False


def _measured(table: str, threshold: Threshold, values: Mapping[str, Any], findings: Findings) -> None:
    """A threshold on what this scenario cannot have would be inconclusive for ever, or hold for nothing."""
    name = threshold.metric
    metric = metric_of(name).name
    first, _, rest = metric.partition(".")
    state = rest.removesuffix("_fraction") if first == "phones" else ""
    alerts = values["alert"]
    loaded = values["load"]["shape"] != "once"
    pages = values["page"] or not alerts or loaded
    why = ""
    if (first in ("page", "rtp") or state in PAGE_STATES) and not pages:
        why = "an alert is text and has no audio: [[page]] has"
    elif (first == "alert" or state in ALERT_STATES) and not alerts:
        why = "a page is audio and shows no text: [[alert]] does"
    elif state == "preempted" and _to_everybody_once(values):
        why = "one page alone is taken by no other: [[page]] twice"
    elif (first == "load" or metric == "lateness.load_ms") and not loaded:
        why = "nothing is sent by a schedule: [load] shape"
    elif state == "acknowledged" and not any(alert["acknowledge"] for alert in alerts):
        why = "nobody presses a key: [[alert]] acknowledge"
    elif rest.startswith("directory_") and values["callmanager"]["directory"]["kind"] == "builtin":
        why = "there is no directory server: [callmanager.directory] kind = slapd or samba"
    elif first == "administration" and values["gateway"]["set_up"] != "administration":
        why = 'nobody enters anything: [gateway] set_up = "administration"'
    elif (seen_by := set(metric_of(name).witnesses) - {"harness"}) and not seen_by & set(witnesses(values)):
        why = f"its witness ({', '.join(sorted(seen_by))}) is left out of witnesses, or another's part"
    # The limits of [integrity] are there by default: one of them that says nothing is no mistake of the file's.
    if why and table == "thresholds":
        findings.wrong((table, name), f"this scenario can never have it: {why}")


def _together(thresholds: Sequence[Threshold], values: Mapping[str, Any], findings: Findings) -> None:
    """Thresholds that are all to hold, and cannot all hold."""
    expect = values["expect"]
    named = set(expect["checks"])
    if expect["verdict"] != "pass" and not named:
        return  # any of them may fail
    held = [threshold for threshold in thresholds if threshold.name not in named]
    limits = {limit.metric: limit for limit in values["integrity"]}
    for threshold in held:
        limit = limits.get(threshold.metric)
        if limit is not None and left_by(limit).also(left_by(threshold)).empty:
            findings.wrong(
                ("thresholds", threshold.metric),
                f"{threshold.expression!r} cannot hold together with {limit.expression!r} of [integrity]",
            )
    _statistics(held, findings)
    if _to_everybody_once(values):
        _end_states(held, values["fleet"]["phones"], findings)


def _to_everybody_once(values: Mapping[str, Any]) -> bool:
    """Whether the ledger has one row a phone: one page or alert, to the whole fleet."""
    wishes = [*values["page"], *values["alert"]]
    once = values["load"]["shape"] == "once"
    return len(wishes) <= 1 and once and all(wish["phones"] == 1 for wish in wishes)


def _statistics(held: Sequence[Threshold], findings: Findings) -> None:
    """A median is never above a 99th percentile of the same figure."""
    found = [(metric_of(one.metric), one) for one in held if metric_of(one.metric).distribution]
    ranked = [
        (metric.name, _ORDERED.index(statistic), one)
        for metric, one in found
        if (statistic := one.metric.rpartition(".")[2]) in _ORDERED
    ]
    for name, rank, low in ranked:
        for other, higher, high in ranked:
            if other == name and higher > rank and _above(left_by(low), left_by(high)):
                findings.wrong(
                    ("thresholds", low.metric),
                    f"{low.expression!r} cannot hold together with {high.name!r}: {_ORDERED[rank]} is never above "
                    f"{_ORDERED[higher]}",
                )


def _above(low: Interval, high: Interval) -> bool:
    """Whether every value of the first is above every value of the second."""
    return low.low > high.high or (low.low == high.high and (low.low_open or high.high_open))


def _end_states(held: Sequence[Threshold], phones: int, findings: Findings) -> None:
    """Counts and shares of the end states: each phone has exactly one."""
    left: dict[str, Interval] = {}
    by_state: dict[str, list[Threshold]] = {}
    for threshold in held:
        first, _, rest = threshold.metric.partition(".")
        state = rest.removesuffix("_fraction")
        if first != "phones" or state not in END_STATES:
            continue
        found = left_by(threshold).times(phones if rest != state else 1)
        left[state] = left.get(state, Interval()).also(found)
        by_state.setdefault(state, []).append(threshold)
    for state, interval in left.items():
        if interval.empty:
            names = " and ".join(repr(one.name) for one in by_state[state])
            findings.wrong(("thresholds", by_state[state][0].metric), f"{names} cannot both hold for {phones} phones")
    least = {state: i for state, i in left.items() if not i.empty and (i.low > 0 or (i.low == 0 and i.low_open))}
    beyond = sum(interval.low for interval in least.values()) - phones
    # 1e-6: shares are written with a few digits.
    if beyond > 1e-6 or (beyond > -1e-6 and any(interval.low_open for interval in least.values())):
        names = ", ".join(repr(one.name) for state in least for one in by_state[state])
        why = f"each phone has one end state, and these need more phones than there are: {names}"
        findings.wrong(("thresholds",), why)


def _fault(index: int, fault: Mapping[str, Any], values: Mapping[str, Any], findings: Findings) -> None:
    where, kind = ("fault", str(index)), FAULTS[fault["kind"]]
    if kind.ground == "netns" and values["ground"] == "loopback":
        findings.wrong((*where, "kind"), f"{kind.name!r} can be made on ground netns only, and ground is 'loopback'")
    if kind.states and set(kind.states) <= PAGE_STATES and values["alert"] and not values["page"]:
        findings.wrong(
            (*where, "kind"), f"{kind.name!r} shows in audio ({', '.join(kind.states)}), and an alert has none"
        )
    fleet = values["fleet"]
    changed = fleet["authentication_url_at_boot"] != SAME
    if kind.name == NOT_RESET and changed and fleet["authentication_url_at_boot"] == fleet["authentication_url"]:
        findings.wrong((*where, "kind"), "nothing is changed: authentication_url_at_boot is authentication_url")
    _timed(where, fault, values, findings)


def _timed(where: tuple[str, str], fault: Mapping[str, Any], values: Mapping[str, Any], findings: Findings) -> None:
    """When a fault begins and ends, and whose password drifts."""
    kind = FAULTS[fault["kind"]]
    if not kind.timed:
        timed = ", ".join(name for name, each in FAULTS.items() if each.timed)
        for name in ("at_s", "lasts_s"):
            if fault[name]:
                findings.wrong((*where, name), f"only for {timed}")
    elif fault["lasts_s"] and not fault["at_s"]:
        findings.wrong((*where, "lasts_s"), "only of a fault that begins while the page runs: set at_s as well")
    if kind.name == CREDENTIAL_DRIFT:
        _drift(where, fault, values, findings)
    elif fault["where"] != PLACES[0]:
        findings.wrong((*where, "where"), f"only for kind = {CREDENTIAL_DRIFT!r}")


def _drift(where: tuple[str, str], fault: Mapping[str, Any], values: Mapping[str, Any], findings: Findings) -> None:
    if not fault["at_s"]:
        findings.wrong((*where, "at_s"), "a password drifts while the page runs: expected seconds above 0")
    if fault["lasts_s"]:
        findings.wrong((*where, "lasts_s"), "a password that was changed is not changed back")
    if fault["where"] != "callmanager" and values["gateway"]["set_up"] != "administration":
        findings.wrong(
            (*where, "where"), 'a gateway set up by its file keeps its password: [gateway] set_up = "administration"'
        )
    if fault["where"] != "gateway" and values["callmanager"]["directory"]["kind"] != "builtin":
        findings.wrong((*where, "where"), "the directory has the password: not available yet")


def _expected(values: Mapping[str, Any], findings: Findings) -> None:
    """`[expect] checks` names checks that a run of this scenario has."""
    names = check_names(values)
    wanted: Iterable[str] = values["expect"]["checks"] if values["expect"]["verdict"] != "pass" else ()
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            findings.wrong(("expect", "checks"), f"{name!r} is no check of this scenario{hint}")
