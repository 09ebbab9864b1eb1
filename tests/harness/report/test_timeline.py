import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.timeline import Point, build_timeline, read_timelines

SECOND = 1_000_000_000


def record(at_s: float, witness: str, kind: str, **fields: object) -> dict[str, Any]:
    return {"t_ns": int(at_s * SECOND), "witness": witness, "kind": kind} | fields


def callmanager(arrived_s: float, wait_ms: float, service_ms: float, **fields: object) -> dict[str, Any]:
    return record(
        arrived_s + (wait_ms + service_ms) / 1e3,
        "callmanager",
        "authentication.answered",
        arrived_ns=int(arrived_s * SECOND),
        wait_ms=wait_ms,
        service_ms=service_ms,
        answer_ms=wait_ms + service_ms,
        answer="authorized",
        **fields,
    )


def highest(points: Sequence[Point]) -> float:
    return max(value for _, value in points)


def test_counts_of_a_whole_run(make_run: Callable[..., Path]) -> None:
    timeline, burst = read_timelines(make_run("offload"))
    assert sum(rate for _, rate in timeline.gateway_per_s) * timeline.bin_s == pytest.approx(2000)
    assert highest(timeline.callmanager_per_s) == 0  # the control phone's own question is not the page's
    assert highest(timeline.listening) == 1000
    assert timeline.listening[-1][1] == 0
    assert len(timeline.push_answers_ms) == len(timeline.gateway_answers_ms) == 1000
    assert (burst.span_s, burst.bin_s) == (1.0, 0.01)
    assert sum(rate for _, rate in burst.gateway_per_s) * burst.bin_s == pytest.approx(1000)  # the start pushes alone
    assert burst.listening[-1][1] == 1000


def test_busy_never_exceeds_the_workers(make_run: Callable[..., Path]) -> None:
    timeline = read_timelines(make_run("direct"))[0]
    assert highest(timeline.busy) == 8
    assert highest(timeline.queue) == 192
    assert timeline.queue[-1][1] == timeline.busy[-1][1] == 0


def test_times_count_from_send() -> None:
    timeline = build_timeline(
        [
            record(99, "phones", "stream.listening", phone="SEP1"),
            record(100, "harness", "page.requested"),
            record(101.5, "phones", "stream.listening", phone="SEP2"),
        ]
    )
    assert timeline.span_s == 1.5
    assert timeline.listening == [(0.0, 0.0), (0.0, 1.0), (1.5, 2.0), (1.5, 2.0)]


def test_queue_and_workers_by_the_models_schedule() -> None:
    timeline = build_timeline(
        [record(10, "harness", "page.requested"), callmanager(10, 0, 500), callmanager(10.1, 400, 500)]
    )
    assert highest(timeline.busy) == 1
    assert highest(timeline.queue) == 1


def test_turned_away_holds_no_worker() -> None:
    timeline = build_timeline([callmanager(10, 0, 0) | {"answer": "rejected"}])
    assert highest(timeline.busy) == 0
    assert highest(timeline.callmanager_per_s) > 0


def test_answers_are_told_apart_by_server() -> None:
    servers = {"gateway": "10.0.0.1:80", "callmanager": "10.0.0.2:80"}
    records = [record(0, "harness", "lab.described", authentication_servers=servers)]
    for server, ms in (("10.0.0.1:80", 5.0), ("10.0.0.2:80", 70.0), ("10.0.0.3:80", 9.0)):
        records.append(record(1, "phones", "authentication.answered", server=server, answer_ms=ms))
    timeline = build_timeline([*records, callmanager(1, 10, 50)])
    assert timeline.gateway_answers_ms == [5.0]
    assert timeline.callmanager_answers_ms == [60.0]  # by its own log, as its metric


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0.01, 30)), min_size=1, max_size=40))
def test_peak_of_listening_is_never_lost(periods: list[tuple[float, float]]) -> None:
    records = []
    for begun, lasted in periods:
        records.append(record(begun, "phones", "stream.listening"))
        records.append(record(begun + lasted, "phones", "stream.stopped"))
    changes = sorted((each["t_ns"] / 1e9, 1 if each["kind"] == "stream.listening" else -1) for each in records)
    level = peak = 0
    for _, change in changes:
        level += change
        peak = max(peak, level)
    timeline = build_timeline([record(0, "harness", "page.requested"), *records])
    assert highest(timeline.listening) == peak
    assert timeline.listening[-1][1] == 0


def test_unknown_and_broken_lines_are_passed_over(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "events.jsonl.gz", "wt") as stream:
        stream.write('{"kind": "page.requested", "t_ns": 5, "witness": "harness"}\nnot json\n[]\n{"kind": "x"}\n\n')
    (timeline,) = read_timelines(tmp_path)
    assert timeline.span_s == 0


def test_no_records_no_timeline(tmp_path: Path) -> None:
    assert read_timelines(tmp_path) == ()
    (tmp_path / "events.jsonl.gz").write_bytes(b"no gzip")
    assert read_timelines(tmp_path) == ()
    (tmp_path / "events.jsonl.gz").write_bytes(gzip.compress(b'{"kind": "page.requested"}\n' * 99)[:-12])
    assert read_timelines(tmp_path) == ()
