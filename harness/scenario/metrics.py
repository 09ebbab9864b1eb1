"""The catalogue of metrics: every name that a threshold may use and that `verdict.json` may hold.

`docs/reference/metrics.md` is what `document()` gives; a test holds them equal. Terms of RTP figures are
those of RFC 3550.
"""

import difflib
from dataclasses import dataclass
from typing import Final

STATISTICS: Final = ("count", "p50", "p90", "p95", "p99", "max")
"""Statistics of a distribution. Percentiles are nearest-rank: always a value that occurred."""
PARTS: Final = ("gateway", "phones", "callmanager", "capture", "pacer")
"""Processes of a run that report how late their loop ran."""
END_STATES: Final = (
    "web_access_disabled",
    "unreachable",
    "refused_authentication",
    "refused_busy",
    "garbled",
    "timed_out",
    "indeterminate",
    "preempted",
    "no_audio",
    "wrong_audio",
    "partial_audio",
    "delivered_late",
    "delivered",
    "not_displayed",
    "displayed_late",
    "displayed",
    "acknowledged",
)
"""End states of the ledger, top down; a test holds them equal to the judge's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One entry of the catalogue."""

    name: str
    unit: str
    meaning: str
    witnesses: tuple[str, ...]
    """Who must have seen for the figure to mean anything."""
    distribution: bool = False
    """Whether it is used with a statistic: `name.p99`."""


def _metric(name: str, unit: str, witnesses: str, meaning: str, *, distribution: bool = False) -> Metric:
    return Metric(name=name, unit=unit, meaning=meaning, witnesses=tuple(witnesses.split()), distribution=distribution)


def _catalogue() -> tuple[Metric, ...]:
    states = [
        _metric(f"phones.{state}", "phones", "gateway phones", f"deliveries whose end state is {state} (end-states.md)")
        for state in END_STATES
    ]
    shares = [
        _metric(f"phones.{state}_fraction", "share", "gateway phones", f"phones.{state} of all deliveries")
        for state in END_STATES
    ]
    lags = [
        _metric(f"loop.lag_ms.{part}", "ms", "harness", f"how late the event loop of {part} ran", distribution=True)
        for part in PARTS
    ]
    asked = "of the fleet, positive control and canaries left out"
    return (
        *states,
        *shares,
        _metric(
            "push.answer_ms",
            "ms",
            "gateway",
            "request sent to whole answer, start and stop pushes; under a [load] a page's planned "
            "time to whole answer, start pushes",
            distribution=True,
        ),
        _metric(
            "push.per_s",
            "1/s",
            "gateway",
            "answered start pushes of a page over the time from its first sent to its last answered; of several "
            "pages, the slowest one's",
        ),
        _metric(
            "push.executed",
            "phones",
            "gateway",
            "phones that answered that they executed the page's start; of real phones the most that is known",
        ),
        _metric("push.executed_fraction", "share", "gateway", "push.executed of the whole fleet"),
        _metric("push.concurrent_max", "pushes", "phones", "most pushes of the page that waited for phones' answers"),
        _metric("load.pages_planned", "pages", "harness", "pages of a [load], by its schedule"),
        _metric("load.pages_started", "pages", "harness", "of them asked for and taken by the gateway"),
        _metric(
            "load.pages_late", "pages", "harness", "of them asked for later than 5 % of the interval after their time"
        ),
        _metric(
            "load.pages_dropped",
            "pages",
            "harness",
            "of them not sent: the generator was an interval behind, phones were not free, or the gateway refused",
        ),
        _metric("page.listening_ms", "ms", "phones", "Send to the moment a phone listens", distribution=True),
        _metric("alert.displayed_ms", "ms", "phones", "Send to the moment a phone shows the alert", distribution=True),
        _metric(
            "page.first_packet_ms",
            "ms",
            "phones",
            "Send to the first audio packet of the gateway that a phone hears",
            distribution=True,
        ),
        _metric(
            "page.activation_spread_ms", "ms", "phones", "first to last phone listening; of several pages, the longest"
        ),
        _metric("authentication.gateway", "requests", "gateway", f"requests answered by the gateway, {asked}"),
        _metric("authentication.redirected", "requests", "gateway", "of them redirected to CallManager"),
        _metric("authentication.refused", "requests", "gateway", "of them refused by the gateway itself"),
        _metric(
            "authentication.answer_ms",
            "ms",
            "phones",
            "a phone's request to its answer, each hop by itself",
            distribution=True,
        ),
        _metric(
            "callmanager.authentications",
            "requests",
            "callmanager phones wire",
            f"requests that arrived at CallManager, {asked}; "
            "the largest of its own log, the phones' diaries and the wire",
        ),
        _metric("callmanager.authentications_peak_per_s", "1/s", "callmanager", "most arrivals within any one second"),
        _metric(
            "callmanager.concurrent_max", "requests", "callmanager", "most requests inside at once, queued ones too"
        ),
        _metric("callmanager.queue_max", "requests", "callmanager", "longest queue that a request met"),
        _metric("callmanager.rejected", "requests", "callmanager", "answered 503 because the queue was full"),
        _metric("callmanager.busy_s", "s", "callmanager", "time with all workers busy"),
        _metric(
            "callmanager.answer_ms", "ms", "callmanager", "arrival to answer, as the client sees it", distribution=True
        ),
        _metric("callmanager.directory_asked", "requests", "callmanager", "of them judged by a directory server"),
        _metric(
            "callmanager.directory_failed", "requests", "callmanager", "of these answered ERROR: it could not say"
        ),
        _metric(
            "callmanager.directory_ms",
            "ms",
            "callmanager",
            "how long the directory took, waiting for a connection to it included",
            distribution=True,
        ),
        _metric(
            "inventory.read",
            "phones",
            "gateway",
            "phones whose directory number and MAC address the gateway read from their web servers, as they are",
        ),
        _metric("inventory.read_fraction", "share", "gateway", "inventory.read of the whole fleet"),
        _metric("inventory.wrong", "phones", "gateway", "phones of which it read another number or MAC address"),
        _metric("inventory.unreachable", "phones", "gateway", "phones whose web server it could not reach"),
        _metric(
            "administration.kept_fraction",
            "share",
            "harness",
            "what an administrator entered (settings, account, source, zone, each phone with its zone) and the gateway "
            "told again before the page, after its restart where there was one",
        ),
        _metric("rtp.packets_expected", "packets", "gateway phones", "packets sent to each phone while it listened"),
        _metric("rtp.packets_on_wire", "packets", "wire", "audio packets that arrived at the phones' host"),
        _metric("rtp.packets_at_phones", "packets", "phones", "packets of the gateway that listening phones heard"),
        _metric("rtp.lost_fraction", "share", "phones wire", "expected packets that the phones did not hear"),
        _metric("rtp.duplicates", "packets", "phones", "packets heard more than once"),
        _metric("rtp.reordered", "packets", "phones", "packets heard after a later one"),
        _metric(
            "rtp.mos_min",
            "score",
            "phones wire",
            "lowest mean opinion score of a listening phone, by what it lost: E-model, 1.0 to 4.41 (capture.md)",
        ),
        _metric("rtp.mos_mean", "score", "phones wire", "mean of these scores"),
        _metric("rtp.jitter_ms", "ms", "phones", "interarrival jitter at each stream's end", distribution=True),
        _metric(
            "rtp.clipped_ms",
            "ms",
            "phones wire",
            "audio sent to a phone before it listened: its lost beginning",
            distribution=True,
        ),
        _metric("rtp.gap_ms", "ms", "phones", "longest silence inside each stream", distribution=True),
        _metric(
            "rtp.foreign_packets", "packets", "phones wire", "packets on the audio port that the gateway did not send"
        ),
        _metric("capture.received", "packets", "wire", "packets that the taps' filters passed"),
        _metric("capture.dropped", "packets", "wire", "of them lost before they were written"),
        _metric("lateness.pacer_ms", "ms", "gateway", "audio packets sent later than planned", distribution=True),
        _metric("lateness.load_ms", "ms", "harness", "open load sent later than planned", distribution=True),
        _metric(
            "lateness.callmanager_model_fraction",
            "share",
            "callmanager",
            "answers later than the capacity model's schedule, as a share of the answer time it planned",
            distribution=True,
        ),
        *lags,
    )


CATALOGUE: Final[dict[str, Metric]] = {metric.name: metric for metric in _catalogue()}


def names() -> tuple[str, ...]:
    """Every name that a threshold may use, statistics spelled out."""
    return tuple(
        name
        for metric in CATALOGUE.values()
        for name in ([f"{metric.name}.{s}" for s in STATISTICS] if metric.distribution else [metric.name])
    )


_NAMES: Final = frozenset(names())


def known(name: str) -> bool:
    """Whether a threshold may use this name."""
    return name in _NAMES


def metric_of(name: str) -> Metric:
    """The catalogue's entry behind a threshold's name.

    Raises:
        KeyError: no such metric.
    """
    if name in CATALOGUE and not CATALOGUE[name].distribution:
        return CATALOGUE[name]
    base, _, statistic = name.rpartition(".")
    if statistic in STATISTICS and base in CATALOGUE and CATALOGUE[base].distribution:
        return CATALOGUE[base]
    raise KeyError(name)


def nearest(name: str) -> str | None:
    """The valid name that looks most like this one."""
    matches = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
    return matches[0] if matches else None


def document() -> str:
    """The reference page."""
    lines = [
        "# Metrics",
        "",
        "Generated from harness/scenario/metrics.py. A distribution is used with one of its statistics,",
        f"{', '.join(f'`.{s}`' for s in STATISTICS)}; percentiles are nearest-rank, always a value that occurred.",
        "A name that is not here is an error of the scenario (exit code 4), never a check that silently holds.",
        "A metric that nobody measured is absent, and a threshold on it is inconclusive.",
        "",
        "The rate `push.per_s` counts every answered start push, refused ones too, from the first request sent to the",
        "last answer. Percentiles of answer times are of a closed load: the gateway waits for a free slot before it",
        "sends, and that wait is in `page.listening_ms`, not in `push.answer_ms`. Under a `[load]` they are of an open",
        "one: a start push is timed from the moment for which its page was planned, so every wait is in it; stops are",
        "left out.",
        "",
        "A delivery is one page or alert to one phone, a row of the ledger: in a run of one page to all, a phone.",
        "`load.*` is there under a `[load]` alone.",
        "",
        "| name | unit | kind | witnesses | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{m.name}` | {m.unit} | {'distribution' if m.distribution else 'figure'} "
        f"| {', '.join(m.witnesses)} | {m.meaning} |"
        for m in CATALOGUE.values()
    ]
    return "\n".join(lines) + "\n"
