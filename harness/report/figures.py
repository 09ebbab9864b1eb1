"""How figures look: the one place that turns a metric into text, so that every report says the same number.

The unit is read from the metric's name, where it stands last (`push.answer_ms.p95`, `callmanager.busy_s`). Thousands
are separated by a comma, a figure that is absent is an en dash, and rounding never turns "almost all" into "all" nor
"a little" into "nothing".
"""

import math
import re
from typing import Final

ABSENT: Final = "\N{EN DASH}"
"""Shown for a metric that a run does not have: nothing was measured, which is not zero."""

STATISTICS: Final = ("count", "p50", "p90", "p95", "p99", "max")
"""What a distribution is summed up with; stands behind the metric's name and a dot."""

LABELS: Final[dict[str, str]] = {
    "phones.delivered": "Phones delivered",
    "phones.delivered_fraction": "Share of phones delivered",
    "phones.displayed": "Phones that showed the alert",
    "phones.acknowledged": "Phones that answered it",
    "push.per_s": "Pushes per second",
    "push.answer_ms.p50": "Push answered, median",
    "push.answer_ms.p99": "Push answered, p99",
    "push.answer_ms.max": "Push answered, slowest",
    "page.listening_ms.p50": "Phone listens, median",
    "page.listening_ms.p99": "Phone listens, p99",
    "alert.displayed_ms.p50": "Phone shows it, median",
    "alert.displayed_ms.p99": "Phone shows it, p99",
    "page.activation_spread_ms": "First to last phone",
    "authentication.gateway": "Authentications, gateway",
    "authentication.redirected": "Redirected to CallManager",
    "authentication.refused": "Refused by the gateway",
    "authentication.answer_ms.p50": "Phone's question, median",
    "authentication.answer_ms.p99": "Phone's question, p99",
    "callmanager.authentications": "Authentications, CallManager",
    "callmanager.authentications_peak_per_s": "CallManager, busiest second",
    "callmanager.concurrent_max": "CallManager, most at once",
    "callmanager.queue_max": "CallManager, longest queue",
    "callmanager.rejected": "CallManager, turned away",
    "callmanager.busy_s": "CallManager, all busy",
    "callmanager.answer_ms.p50": "CallManager answers, median",
    "callmanager.answer_ms.p99": "CallManager answers, p99",
    "rtp.packets_expected": "RTP packets expected",
    "rtp.packets_on_wire": "RTP packets on the wire",
    "rtp.packets_at_phones": "RTP packets at phones",
    "rtp.lost_fraction": "RTP packets lost",
    "rtp.foreign_packets": "RTP packets from strangers",
    "capture.dropped": "Capture dropped",
}
"""Names for people of the metrics that reports speak of; any other metric goes by its own name."""

WORKED: Final = frozenset({"delivered", "displayed", "acknowledged"})
"""End states of a phone that got what was sent, in time."""

_MOST: Final = 0.99995
"""Shares from here up to, but without, 1 would be rounded to 100 %."""
_LEAST: Final = 0.00005
"""Shares below it would be rounded to 0 %."""

_COMPARISON: Final = re.compile(
    r"(?P<metric>[a-z][A-Za-z0-9_.-]*)\s*(?P<expected>(?:==|!=|<=|>=|<|>)\s*(?P<bound>\S+))"
)
# Everything that could move a terminal's cursor or is no character of XML 1.0: C0 without tab and newline, DEL and C1,
# surrogates, the two non-characters, and the marks that reorder text.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def unit(metric: str) -> str:
    """The unit of a metric by its name: `ms`, `s`, `/s`, `%` (the value is a share from 0 to 1) or "" for a count."""
    words = metric.split(".")
    if words[-1] in STATISTICS and len(words) > 1:
        if words[-1] == "count":
            return ""
        words.pop()
    # "loop.lag_ms.gateway" carries the part behind the unit.
    for word in reversed(words):
        for ending, name in (("per_s", "/s"), ("_ms", "ms"), ("_s", "s"), ("fraction", "%")):
            if word.endswith(ending):
                return name
    return ""


def show(metric: str, value: float | None) -> str:
    """A metric's value for people, with its unit: `1,834/s`, `38.2 ms`, `99.8 %`, `2,000`; a dash where absent."""
    if value is None or not math.isfinite(value):
        return ABSENT
    name = unit(metric)
    if name == "%":
        return share(value)
    if name == "":
        return number(value)
    text = number(value, decimals=1 if abs(value) < 100 else 0)
    return f"{text}/s" if name == "/s" else f"{text} {name}"


def number(value: float, decimals: int = 1) -> str:
    """A number with separated thousands; whole numbers without decimals.

    What is not zero never reads as zero: `0.04` stays `0.04`.
    """
    if float(value).is_integer():
        text = f"{int(value):,}"
    else:
        while decimals < 9 and round(value, decimals) == 0:
            decimals += 1
        text = f"{value:,.{decimals}f}"
    return text


def share(value: float) -> str:
    """A share from 0 to 1 in percent, with at most two decimals; only 1 itself is `100 %` and only 0 is `0 %`."""
    if _MOST <= value < 1:
        return "> 99.99 %"
    if 0 < value < _LEAST:
        return "< 0.01 %"
    return f"{value * 100:,.2f}".rstrip("0").rstrip(".") + " %"


def exact(value: float) -> str:
    """A number with every digit that was recorded, thousands separated."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.6f}".rstrip("0").rstrip(".")


def split_threshold(name: str) -> tuple[str, str]:
    """`"push.answer_ms.p99 < 2000"` as metric and expectation, `("push.answer_ms.p99", "< 2000")`.

    A check that is no comparison comes back as it is, with an empty expectation.
    """
    found = _COMPARISON.fullmatch(name.strip())
    return (found["metric"], found["expected"]) if found else (name, "")


def bound(check: str) -> str:
    """What a threshold expects, in its metric's unit: `< 2,000 ms`, `<= 10 %`; empty for a check that is none."""
    metric, expected = split_threshold(check)
    value = _bound(check)
    if value is None:
        return expected
    name = unit(metric)
    text = exact(round(value * 100, 9) if name == "%" else value)
    relation = expected.rstrip("0123456789.eE+- ")
    return f"{relation} {text}{'' if name in {'', '/s'} else ' '}{name}"


def observed(check: str, value: object) -> str:
    """What a check observed, formatted as its metric; with all digits where rounding would hide why it held or not."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if not math.isfinite(value):
            return ABSENT
        metric, expected = split_threshold(check)
        if not expected:
            return exact(value)
        text = show(metric, value)
        bound = _bound(check)
        if bound is not None and value != bound and text == show(metric, bound):
            return exact(value)
        return text
    if isinstance(value, list | tuple):
        return ", ".join(observed(check, each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{clean(str(key))} {observed(check, each)}" for key, each in value.items()) or "none"
    return clean(str(value))


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 phone`, `2,000 phones`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def label(metric: str) -> str:
    """A metric's name for people."""
    return LABELS.get(metric, metric)


def clean(text: str) -> str:
    """Text from outside, safe to print: control and reordering characters become `�`, line ends and tabs spaces."""
    return _UNPRINTABLE.sub("�", " ".join(re.split(r"[\t\n]", text)))


def _bound(check: str) -> float | None:
    found = _COMPARISON.fullmatch(check.strip())
    try:
        return float(found["bound"]) if found else None
    except ValueError:
        return None
