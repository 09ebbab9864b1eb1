"""All figures of a run, by the names of the catalogue (docs/reference/metrics.md).

A figure that nobody measured is absent: a distribution without values has only its `.count`, which is 0.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from harness.capture.quality import mean_opinion_score
from harness.judge.diaries import Attempt, PhoneStory
from harness.judge.end_states import EndState, GatewaySays
from harness.judge.evidence import Evidence, host
from harness.judge.ledger import Row
from harness.judge.load import load_figures
from harness.judge.sendings import Sending
from harness.judge.taps import clauses
from harness.observe.records import Record
from harness.scenario.metrics import PARTS

_QUANTILES: Final = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}
_SECOND_NS: Final = 1_000_000_000
Figures = dict[str, float | int]


def metrics_of(
    evidence: Evidence, rows: Sequence[Row], items: Sequence[Sending], stories: Mapping[str, PhoneStory]
) -> Figures:
    """Every figure of the run. Control phone and canaries are in none of them."""
    figures: Figures = {}
    sources: tuple[Callable[[Evidence, Sequence[Row]], Figures], ...] = (
        _phones,
        _pushes,
        _authentications,
        _callmanager,
        _inventory,
        _administration,
        _rtp,
        _capture,
        _schedules,
    )
    for source in sources:
        figures |= source(evidence, rows)
    if evidence.records.count("phones"):
        figures["rtp.foreign_packets"] = _foreign(evidence, stories)
    return figures | load_figures(evidence, items)


def distribution(name: str, values: Iterable[float | None]) -> Figures:
    """Count, nearest-rank percentiles and maximum under `name.`; None values were not measured."""
    found = np.sort(np.array([value for value in values if value is not None], np.float64))
    figures: Figures = {f"{name}.count": len(found)}
    if not len(found):
        return figures
    for label, percent in _QUANTILES.items():
        # Nearest rank: the smallest value with at least this share of the values at or below it.
        rank = -(-percent * len(found) // 100)
        figures[f"{name}.{label}"] = round(float(found[rank - 1]), 6)
    figures[f"{name}.max"] = round(float(found[-1]), 6)
    return figures


_ONLY_PHONES_KNOW: Final = frozenset(
    {
        EndState.NO_AUDIO,
        EndState.WRONG_AUDIO,
        EndState.PARTIAL_AUDIO,
        EndState.DELIVERED_LATE,
        EndState.DELIVERED,
        EndState.NOT_DISPLAYED,
        EndState.DISPLAYED_LATE,
        EndState.DISPLAYED,
        EndState.ACKNOWLEDGED,
    }
)
"""End states that say what came out of a phone: of real phones nobody counts them."""


def _phones(evidence: Evidence, rows: Sequence[Row]) -> Figures:
    counts = Counter(row.state for row in rows)
    known = [state for state in EndState if not evidence.scenario.fleet.real or state not in _ONLY_PHONES_KNOW]
    figures: Figures = {f"phones.{state.value}": counts[state] for state in known}
    if rows:
        figures |= {f"phones.{state.value}_fraction": counts[state] / len(rows) for state in known}
        if any(row.told for row in rows):
            executed = sum(row.says is GatewaySays.EXECUTED for row in rows)
            figures |= {"push.executed": executed, "push.executed_fraction": executed / len(rows)}
    return figures


def _pushes(evidence: Evidence, rows: Sequence[Row]) -> Figures:
    figures = distribution("push.answer_ms", _answers_ms(evidence, rows))
    figures |= _rate(rows)
    figures |= _concurrent(rows)
    listening = [row.listening_ms for row in rows if row.listening_ms is not None]
    figures |= distribution("page.listening_ms", listening)
    first = [
        (row.hearing.first_t_ns - row.sending.sent_t_ns) / 1e6
        for row in rows
        if row.hearing.first_t_ns is not None and row.sending.sent_t_ns is not None
    ]
    figures |= distribution("page.first_packet_ms", first)
    displayed = [row.displayed_ms for row in rows if row.displayed_ms is not None]
    figures |= distribution("alert.displayed_ms", displayed)
    if listening:
        figures["page.activation_spread_ms"] = max(_spreads_ms(rows))
    return figures


def _answers_ms(evidence: Evidence, rows: Sequence[Row]) -> Iterable[float | None]:
    """Answer times: of a closed load from the request; of an open one from when its page was planned, starts alone.

    What waits for its turn in the gateway was due all the same: to begin with the request would leave that out.
    """
    for row in rows:
        story, zero_ns = row.story, row.sending.sent_t_ns
        if not (evidence.scenario.load.open and row.sending.page):
            for attempt in (*story.start_attempts, *story.stop_attempts):
                if attempt.ended is not None:
                    yield attempt.ended.number("answer_ms")
        elif zero_ns is not None:
            answered = [a.ended for a in story.start_attempts if a.ended and a.ended.number("answer_ms") is not None]
            yield from ((record.t_ns - zero_ns) / 1e6 for record in answered)


def _spreads_ms(rows: Sequence[Row]) -> list[float]:
    """First to last phone listening, page by page."""
    listening: dict[str, list[float]] = {}
    for row in rows:
        if row.listening_ms is not None:
            listening.setdefault(row.sending.name, []).append(row.listening_ms)
    return [round(max(times) - min(times), 6) for times in listening.values()]


def _rate(rows: Sequence[Row]) -> Figures:
    """`push.per_s`: answered start pushes over first sent to last answered; of several pages, the slowest one's."""
    pages: dict[str, list[Attempt]] = {}
    for row in rows:
        pages.setdefault(row.sending.name, []).extend(row.story.start_attempts)
    rates = []
    for attempts in pages.values():
        sent = [attempt.sent.t_ns for attempt in attempts if attempt.sent]
        answered = [a.ended.t_ns for a in attempts if a.ended and a.ended.number("answer_ms") is not None]
        if sent and answered and max(answered) > min(sent):
            rates.append(len(answered) * _SECOND_NS / (max(answered) - min(sent)))
    return {"push.per_s": round(min(rates), 3)} if rates else {}


def _concurrent(rows: Sequence[Row]) -> Figures:
    """`push.concurrent_max`, by the phones' diaries alone; a push that was never answered is open for ever."""
    received, answered = [], []
    for row in rows:
        for push in (*row.story.starts, *row.story.stops):
            if push.received is not None:
                received.append(push.received.t_ns)
                if push.reply is not None:
                    answered.append(push.reply.t_ns)
    if not received:
        return {}
    begun, over = (np.sort(np.array(times, np.int64)) for times in (received, answered))
    return {"push.concurrent_max": _inside(begun, over)}


def _authentications(evidence: Evidence, _: Sequence[Row]) -> Figures:
    figures: Figures = {}
    if evidence.records.count("gateway"):
        answers = Counter(record.text("answer") for record in evidence.of("gateway", "authentication.answered"))
        figures["authentication.gateway"] = sum(answers.values())
        figures["authentication.redirected"] = answers["redirected"]
        figures["authentication.refused"] = answers["refused"]
    asked = evidence.of("phones", "authentication.answered")
    return figures | distribution("authentication.answer_ms", (record.number("answer_ms") for record in asked))


def _callmanager(evidence: Evidence, _: Sequence[Row]) -> Figures:
    place = evidence.server_places.get("callmanager")
    log = evidence.of("callmanager", "authentication.answered")
    counts = []
    if evidence.records.count("callmanager"):
        counts.append(len(log))
    if evidence.records.count("phones"):
        counts.append(sum(r.text("server") == place for r in evidence.of("phones", "authentication.asked")))
    if evidence.wire.packets is not None and "authentication-callmanager" not in evidence.unseen:
        counts.append(len(evidence.syns.get("callmanager", ())))
    figures: Figures = {"callmanager.authentications": max(counts)} if counts else {}
    if not evidence.records.count("callmanager"):
        return figures
    arrived = np.sort(np.array([_arrived(record) for record in log], np.int64))
    figures["callmanager.authentications_peak_per_s"] = _peak(arrived)
    figures["callmanager.concurrent_max"] = _inside(arrived, np.sort(np.array([r.t_ns for r in log], np.int64)))
    figures["callmanager.queue_max"] = max((record.whole("queue_on_arrival") for record in log), default=0)
    figures["callmanager.rejected"] = sum(record.text("answer") == "rejected" for record in log)
    figures["callmanager.busy_s"] = _busy_s(log, evidence.scenario.callmanager.workers)
    asked = [record for record in log if record.number("directory_ms") is not None]
    figures["callmanager.directory_asked"] = len(asked)
    figures["callmanager.directory_failed"] = sum(record.text("reason") == "directory" for record in asked)
    figures |= distribution("callmanager.directory_ms", (record.number("directory_ms") for record in asked))
    return figures | distribution("callmanager.answer_ms", (record.number("answer_ms") for record in log))


def _inventory(evidence: Evidence, _: Sequence[Row]) -> Figures:
    """What the gateway last read of each phone, held against the roster."""
    last = {record.phone: record for record in evidence.of("gateway", "inventory.read")}
    if not last:
        return {}
    read = {name: record for name, record in last.items() if record.text("outcome") == "read"}
    right = sum(
        name in evidence.roster
        # A site's list may leave numbers out.
        and evidence.roster[name].directory_number in ("", record.text("directory_number"))
        and record.text("mac") == name[3:]  # a device is named after it
        for name, record in read.items()
    )
    return {
        "inventory.read": right,
        "inventory.read_fraction": right / len(evidence.roster) if evidence.roster else 0.0,
        "inventory.wrong": len(read) - right,
        "inventory.unreachable": sum(record.text("outcome") == "unreachable" for record in last.values()),
    }


def _administration(evidence: Evidence, _: Sequence[Row]) -> Figures:
    for record in evidence.of("harness", "administration.checked"):
        return {"administration.kept_fraction": record.whole("kept") / max(1, record.whole("facts"))}
    return {}


def _arrived(record: Record) -> int:
    return record.whole("arrived_ns", record.t_ns)


def _peak(arrived: "np.typing.NDArray[np.int64]") -> int:
    """Most arrivals within any window of one second."""
    if not len(arrived):
        return 0
    first_outside = np.searchsorted(arrived, arrived + _SECOND_NS, side="left")
    return int((first_outside - np.arange(len(arrived))).max())


def _inside(arrived: "np.typing.NDArray[np.int64]", left: "np.typing.NDArray[np.int64]") -> int:
    """Most requests inside at once."""
    if not len(arrived):
        return 0
    return int((np.arange(1, len(arrived) + 1) - np.searchsorted(left, arrived, side="left")).max())


def _busy_s(log: Sequence[Record], workers: int) -> float:
    """Time during which all workers were busy; a request is worked on for the service time before its answer."""
    events: list[tuple[int, int]] = []
    for record in log:
        wait_ms = record.number("wait_ms")
        if wait_ms is None or record.text("answer") == "rejected":
            continue
        begin = _arrived(record) + int(wait_ms * 1e6)
        events += [(begin, 1), (max(record.t_ns, begin), -1)]
    events.sort()
    busy = total = since = 0
    for t_ns, change in events:
        before, busy = busy, busy + change
        if before < workers <= busy:
            since = t_ns
        elif busy < workers <= before:
            total += t_ns - since
    return round(total / _SECOND_NS, 6)


def _rtp(evidence: Evidence, rows: Sequence[Row]) -> Figures:
    heard = [record for row in rows for record in row.story.heard if not record.flag("foreign")]
    expected = sum(row.hearing.expected for row in rows)
    figures: Figures = {"rtp.packets_expected": expected}
    figures |= distribution("rtp.clipped_ms", (row.hearing.clipped_ms for row in rows if row.listening_ms is not None))
    if evidence.wire.packets is not None:
        figures["rtp.packets_on_wire"] = sum(stream.packets for stream in evidence.audio_streams)
    if evidence.records.count("phones"):
        figures["rtp.packets_at_phones"] = sum(row.hearing.packets for row in rows)
        figures["rtp.duplicates"] = sum(record.whole("duplicates") for record in heard)
        figures["rtp.reordered"] = sum(record.whole("reordered") for record in heard)
        if expected:
            figures["rtp.lost_fraction"] = sum(row.hearing.lost for row in rows) / expected
            heard_by = (row.hearing for row in rows if row.hearing.expected)
            scores = [mean_opinion_score(h.lost, h.expected) for h in heard_by]
            figures["rtp.mos_min"] = round(min(scores), 3)
            figures["rtp.mos_mean"] = round(sum(scores) / len(scores), 3)
    figures |= distribution("rtp.jitter_ms", (record.number("jitter_ms") for record in heard))
    return figures | distribution("rtp.gap_ms", (record.number("gap_ms") for record in heard))


def _foreign(evidence: Evidence, stories: Mapping[str, PhoneStory]) -> int:
    """Packets that the gateway did not send: the larger of what phones heard and what the wire saw."""
    at_phones = sum(
        record.whole("packets")
        for name in evidence.roster
        for record in (*stories[name].heard, *stories[name].unlistened)
        if record.flag("foreign") or not evidence.from_gateway(host(record.text("source")))
    )
    on_wire = sum(s.packets for s in evidence.audio_streams if not evidence.from_gateway(s.source_address))
    return max(at_phones, on_wire)


def _capture(evidence: Evidence, _: Sequence[Row]) -> Figures:
    taps = clauses(evidence.wire.facts)
    if not taps:
        return {}

    def total(name: str) -> int:
        return sum(value for tap in taps.values() if isinstance(value := tap.get(name), int))

    received = max(0, total("received") - evidence.outsiders_packets)
    return {"capture.received": received, "capture.dropped": total("dropped")}


def _schedules(evidence: Evidence, _: Sequence[Row]) -> Figures:
    figures: Figures = {}
    names = {"pacer": "lateness.pacer_ms", "load": "lateness.load_ms"}
    for record in evidence.records.all:
        if record.kind == "schedule.lateness" and record.text("schedule") in names:
            figures |= _summary(names[record.text("schedule")], record.fields)
        elif record.kind == "schedule.lateness" and record.text("schedule") == "callmanager_model":
            # Not its own summary: the positive control is in that, and alone in it where CallManager was spared.
            log = evidence.of("callmanager", "authentication.answered")
            fractions = (answer.number("late_fraction") for answer in log)
            figures |= distribution("lateness.callmanager_model_fraction", fractions)
        elif record.kind == "part.ended" and record.text("part") in PARTS:
            lags = record.fields.get("loop_lag_ms")
            if isinstance(lags, dict):
                figures |= _summary(f"loop.lag_ms.{record.text('part')}", lags)
    return figures


def _summary(name: str, table: Mapping[str, object]) -> Figures:
    return {
        f"{name}.{label}": value
        for label in ("count", *_QUANTILES, "max")
        if isinstance(value := table.get(label), int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    }
