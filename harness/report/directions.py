"""Which way each metric is better: the one place that says so."""

from typing import Final

from harness.report import figures

_BETTER: Final[dict[str, int]] = {
    "load.pages_late": -1,
    "load.pages_dropped": -1,
    "push.answer_ms": -1,
    "push.per_s": +1,
    "push.executed": +1,
    "push.executed_fraction": +1,
    "page.listening_ms": -1,
    "page.first_packet_ms": -1,
    "page.activation_spread_ms": -1,
    "alert.displayed_ms": -1,
    "authentication.answer_ms": -1,
    "callmanager.authentications": -1,
    "callmanager.authentications_peak_per_s": -1,
    "callmanager.concurrent_max": -1,
    "callmanager.queue_max": -1,
    "callmanager.rejected": -1,
    "callmanager.busy_s": -1,
    "callmanager.answer_ms": -1,
    "callmanager.directory_failed": -1,
    "callmanager.directory_ms": -1,
    "administration.kept_fraction": +1,
    "inventory.read": +1,
    "inventory.read_fraction": +1,
    "inventory.wrong": -1,
    "inventory.unreachable": -1,
    "rtp.lost_fraction": -1,
    "rtp.duplicates": -1,
    "rtp.reordered": -1,
    "rtp.mos_min": 1,
    "rtp.mos_mean": 1,
    "rtp.jitter_ms": -1,
    "rtp.clipped_ms": -1,
    "rtp.gap_ms": -1,
    "rtp.foreign_packets": -1,
    "capture.dropped": -1,
    "lateness.pacer_ms": -1,
    "lateness.load_ms": -1,
    "lateness.callmanager_model_fraction": -1,
}
"""+1: more is better, -1: less is. A metric that is not here is shown and never judged: it counts what there was to do
(`authentication.gateway`, `rtp.packets_expected`), or nobody has decided."""


def direction(metric: str) -> int:
    """+1 where more of a metric is better, -1 where less is, 0 where neither is; its statistic does not matter."""
    base, _, statistic = metric.rpartition(".")
    if statistic == "count" and base:
        return 0
    name = base if statistic in figures.STATISTICS and base else metric
    if name.startswith("phones."):
        state = name.removeprefix("phones.").removesuffix("_fraction")
        return +1 if state in figures.WORKED else -1
    return -1 if name.startswith("loop.lag_ms.") else _BETTER.get(name, 0)
