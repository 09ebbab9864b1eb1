"""A capture that missed one packet proves no absence: whatever that packet would have shown is not passed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judge_synthetic import AUDIO, CALLMANAGER, CLAUSES, GATEWAY, MS, Packet, Run, address_of

from harness.judge import Judgement, Verdict, judge
from harness.judge.laws import LAWS
from harness.scenario.metrics import metric_of, names

Judged = Callable[[Run], Judgement]
RELATIONS = ("== 0", "<= 0", "< 1", "< 1e-9")
"""Ways to say that nothing happened."""


WIRED = [name for name in names() if "wire" in metric_of(name).witnesses]
"""Metrics that rest on the wire."""
CLAUSE_OF = {"callmanager.": "authentication-callmanager", "rtp.": "rtp"}
"""The tap whose packets a metric counts."""


def thresholds(metrics: list[str], relation: str) -> str:
    return "[thresholds]\n" + "".join(f'"{metric}" = "{relation}"\n' for metric in metrics)


def drop_one(run: Run, clause: str) -> None:
    next(c for c in run.facts["clauses"] if c["name"] == clause)["dropped"] = 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    clause=st.sampled_from(CLAUSES),
    relation=st.sampled_from(RELATIONS),
    url=st.sampled_from(["gateway", "callmanager"]),
)
def test_no_threshold_that_rests_on_the_tap_passes(tmp_path: Path, clause: str, relation: str, url: str) -> None:
    run = Run(phones=1, frames=12, url=url, scenario=thresholds(WIRED, relation))
    drop_one(run, clause)
    judgement = judge(run.write(tmp_path / "run"))
    verdicts = {
        check.name.rpartition(" ")[0].rpartition(" ")[0]: check
        for check in judgement.checks
        if check.kind == "threshold"
    }
    assert verdicts.keys() == set(WIRED)
    for metric, check in verdicts.items():
        owner = next((c for prefix, c in CLAUSE_OF.items() if metric.startswith(prefix)), "")
        if not owner:
            # The kernel's own counts, which a drop does not blind.
            assert metric in ("capture.received", "capture.dropped")
            assert check.verdict is Verdict.FAIL
        elif owner == clause:
            assert check.verdict is Verdict.INCONCLUSIVE, check
            assert "dropped 1" in check.why
    assert judgement.exit_code != 0


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize("url", ["gateway", "callmanager"])
def test_no_law_that_rests_on_the_tap_passes(judged: Judged, clause: str, url: str) -> None:
    run = Run(url=url)
    drop_one(run, clause)
    for check in judged(run).checks:
        law = next((law for law in LAWS if law.name == check.name), None)
        if law is not None and clause in law.scopes:
            assert check.verdict is Verdict.INCONCLUSIVE, check


# --- by what the packet would have shown: no list of who rests on what is asked


def foreign_audio(run: Run) -> Packet:
    sound = run.audio(0)[0].payload
    return Packet(AUDIO + 7 * MS, "10.20.128.66", 4000, address_of(0), 32674, sound)


def audio_to_nobody(run: Run) -> Packet:
    return Packet(AUDIO + 7 * MS, GATEWAY, 20000, "10.20.99.99", 32674, run.audio(0)[0].payload)


def audio_before_it_listens(run: Run) -> Packet:
    return Packet(AUDIO - 199 * MS, GATEWAY, 20000, address_of(0), 32674, run.audio(0)[0].payload)


def a_packet_twice(run: Run) -> Packet:
    first = run.audio(0)[0]
    return Packet(first.t_ns + 3 * MS, GATEWAY, first.source_port, address_of(0), 32674, first.payload)


def a_second_stream(run: Run) -> Packet:
    sound = run.audio(0)[0].payload
    assert sound is not None
    return Packet(AUDIO + 7 * MS, GATEWAY, 20002, address_of(0), 32674, sound[:8] + b"\0\0\0\1" + sound[12:])


def the_gateway_asks_callmanager(_: Run) -> Packet:
    return Packet(AUDIO, GATEWAY, 40404, CALLMANAGER, 80)


def a_phone_asks_callmanager(_: Run) -> Packet:
    return Packet(AUDIO, address_of(0), 40405, CALLMANAGER, 80)


HIDDEN: list[tuple[str, Callable[[Run], Packet]]] = [
    ("rtp", foreign_audio),
    ("rtp", audio_to_nobody),
    ("rtp", audio_before_it_listens),
    ("rtp", a_packet_twice),
    ("rtp", a_second_stream),
    ("authentication-callmanager", the_gateway_asks_callmanager),
    ("authentication-callmanager", a_phone_asks_callmanager),
]


@pytest.mark.parametrize(("clause", "make"), HIDDEN, ids=[make.__name__ for _, make in HIDDEN])
@pytest.mark.parametrize("relation", ["== 0", "< 1"])
def test_what_fails_by_one_packet_does_not_pass_without_it(
    tmp_path: Path, clause: str, make: Callable[[Run], Packet], relation: str
) -> None:
    """The packet is in the capture: some checks fail. The tap dropped just it: none of them passes."""

    def results(*, seen: bool) -> dict[str, Verdict]:
        run = Run(scenario=thresholds(["callmanager.authentications", "rtp.foreign_packets"], relation))
        if seen:
            run.packets.append(make(run))
        else:
            drop_one(run, clause)
        return {c.name: c.verdict for c in judge(run.write(tmp_path / f"seen-{seen}")).checks}

    shown, hidden = results(seen=True), results(seen=False)
    failing = {name for name, verdict in shown.items() if verdict is Verdict.FAIL}
    assert failing
    assert {name: hidden[name] for name in failing if hidden[name] is not Verdict.INCONCLUSIVE} == {}


@pytest.mark.parametrize(
    "blinds",
    [
        lambda facts: facts["clauses"][0].update(accounted=False),
        lambda facts: facts["clauses"][0].update(left_out=1),
        lambda facts: facts.update(packets=1),
        lambda facts: facts.update(problem="the disk is full; later packets are only counted"),
        lambda facts: facts["clauses"].pop(0),
    ],
    ids=["not accounted for", "left out", "fewer in the file", "cut short", "no tap"],
)
def test_other_ways_to_miss_a_packet(judged: Judged, blinds: Callable[[dict[str, object]], None]) -> None:
    run = Run(scenario=thresholds(["rtp.foreign_packets"], "== 0"))
    blinds(run.facts)
    verdicts = {check.name: check.verdict for check in judged(run).checks}
    assert verdicts["rtp.foreign_packets == 0"] is Verdict.INCONCLUSIVE
    assert verdicts["no-foreign-audio"] is Verdict.INCONCLUSIVE


def test_times_outside_of_the_capture_blind_the_wire(tmp_path: Path) -> None:
    """A clock that was set while the tap ran, or a damaged time: what came when is not known."""
    run = Run()
    run.facts |= {"started_t_ns": run.packets[0].t_ns - 5000 * MS, "ended_t_ns": run.audio_end + 5000 * MS}
    assert judge(run.write(tmp_path / "right")).verdict is Verdict.PASS
    run.audio(0)[3].t_ns += 3_600_000 * MS
    judgement = judge(run.write(tmp_path / "wrong"))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert any("1 packets have times outside of the capture" in b.why for b in judgement.blind)
    json.dumps(judgement.to_json())


def test_a_clock_that_was_set_meanwhile_blinds_the_times_of_the_wire(judged: Judged) -> None:
    """Within three seconds of doubt every packet might have come while its phone listened."""
    run = Run()
    first = run.facts["clock"][0]
    later = {name: value + 2000 * MS for name, value in first.items() if name != "uncertainty_ns"}
    later["realtime_ns"] += 3000 * MS
    run.facts["clock"].append(later | {"uncertainty_ns": 1000})
    verdicts = {check.name: check for check in judged(run).checks}
    assert verdicts["audio-only-to-listeners"].verdict is Verdict.INCONCLUSIVE
    assert "a clock was set" in verdicts["audio-only-to-listeners"].why
