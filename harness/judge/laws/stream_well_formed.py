"""Each phone gets one stream, and the stream is what a Cisco phone plays: G.711 mu-law, 20 ms, port 32674."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.capture.reader import Packets
from harness.capture.rtp import BUNCHED_MS, Stream
from harness.judge.end_states import PhoneTruth
from harness.judge.evidence import RTP_PORT, Evidence
from harness.judge.laws.law import Case, Finding, Law
from harness.judge.sight import AUDIO

CLOCK: Final = 0.001
"""Largest deviation of a stream's clock: 0.1 %, what a jitter buffer follows without a click (assumed)."""
CLOCK_MS: Final = 10.0
"""A deviation has to add up to this over the stream before it counts: less may be the sender's jitter."""
SPACING_MS: Final = (16.0, 24.0)
"""Bounds of the median spacing: packets sent in bunches have a median near 0."""
SPACING_PACKETS: Final = 10
"""A median of fewer says nothing."""
PACKET_MS: Final = 20.0
HELD_UP_MS: Final = 10.0
"""A pacer that was later than this at p99 was held up by its machine: the limit of `[integrity]` where none is set."""
BUNCHED: Final = 0.25
"""Share of the packets that may come close behind the one before (`rtp.BUNCHED_MS`): sent in pairs it is a half, in
fives four fifths (assumed)."""
WANDER_MS: Final = 60.0
"""Three packets, what a phone's jitter buffer may hold (assumed): a stream that is ahead of its own clock by more and
falls behind it again is right on the average alone, and a phone has clipped it and run dry in between."""
WANDER_PACKETS: Final = 25
"""Half a second is looked at together: a pause of the machine moves a few packets and not the median of so many."""
WANDER_BLOCKS: Final = 4
"""A line through fewer says nothing."""
MEAN_PACKETS: Final = 5
"""From here up to that, the mean is held to the same bounds: one packet 10 ms late, as the pacer may be, moves it by
2.5 ms."""


def find(case: Case) -> Finding:
    """Wrong fields, wrong steps, several streams to one phone, a clock that is not steady, packets that stay near."""
    finding = Finding()
    evidence = case.evidence
    if evidence.wire.packets is None:
        finding.undecided = "nothing was captured"
        return finding
    timed = _times_are_its_own(evidence)
    listened = Counter(row.phone.name for row in case.rows if row.sending.page and row.truth is PhoneTruth.EXECUTED)
    wrong: dict[int, list[str]] = {}
    """By a stream's identity: one to a group is many phones'."""
    for name, streams in evidence.streams_of.items():
        started = len(case.stories[name].stream_started)
        # Of a gateway that tells no streams: one for each page that it listened to.
        if len(streams) > max(started, listened[name], 1):
            finding.add(f"{len(streams)} streams (SSRC) instead of one", name)
        for stream in streams:
            finding.looked_at += 1
            if id(stream) not in wrong:
                wrong[id(stream)] = [
                    *faults(evidence.wire.packets, stream),
                    *(unsteadiness(evidence.wire.packets, stream) if timed else ()),
                ]
            for why in wrong[id(stream)]:
                finding.add(why, name)
    return finding


def _times_are_its_own(evidence: Evidence) -> bool:
    """Whether the packets' times are the gateway's doing.

    Where the machine held its pacer up the gateway is blind, or the scenario takes that (`[integrity]`): then nothing
    is said of a clock that nobody could keep.
    """
    if evidence.scenario.gateway.kind != "own":
        return True
    told = (record.number("p99") or 0.0 for record in evidence.of("gateway", "schedule.lateness"))
    return max(told, default=0.0) <= HELD_UP_MS


def faults(packets: Packets, stream: Stream) -> Iterator[str]:
    """What is wrong with the packets of one stream."""
    if stream.wrong_version:
        yield f"{stream.wrong_version} packets that are not RTP version 2"
    if stream.wrong_payload_type:
        yield f"{stream.wrong_payload_type} packets whose payload type is not 0"
    if stream.wrong_size:
        yield f"{stream.wrong_size} packets whose payload is not 160 bytes"
    if stream.wrong_steps:
        yield f"{stream.wrong_steps} steps of the timestamp that are not 160 a packet"
    if stream.destination_port != RTP_PORT:
        yield f"destination port {stream.destination_port}, not {RTP_PORT}"
    near = int((packets.time_to_live[stream.rows] <= 1).sum())
    if near:
        yield f"{near} packets whose time to live is 1: no router lets them pass"


def unsteadiness(packets: Packets, stream: Stream) -> Iterator[str]:
    """What is wrong with the times of one stream: a clock that is off or wanders, packets in bunches."""
    duration_ms = (stream.last_t_ns - stream.first_t_ns) / 1e6
    behind_ms = _behind_ms(packets, stream)
    deviation = 0.0 if stream.clock_slope is None else stream.clock_slope - 1
    is_off = _is_off(deviation, duration_ms)
    # Most streams need no closer look.
    medians = _medians(behind_ms) if is_off or np.ptp(behind_ms) > WANDER_MS else None
    if is_off and (medians is None or _is_off(_tilt(medians) / (WANDER_PACKETS * PACKET_MS), duration_ms)):
        # Some packets that a pause held up tilt the line through all, not the one through the medians of half seconds.
        yield f"its clock is off by {deviation * 100:+.2f} %"
    if stream.packets >= MEAN_PACKETS:
        kind, middle = ("median", np.median) if stream.packets >= SPACING_PACKETS else ("mean", np.mean)
        spacing = float(middle(np.diff(packets.t_ns[stream.rows]))) / 1e6
        if not SPACING_MS[0] <= spacing <= SPACING_MS[1]:
            yield f"packets follow each other after {spacing:.1f} ms ({kind}), not 20"
        elif stream.packets >= SPACING_PACKETS and stream.bunched > BUNCHED * stream.packets:
            # Sent in pairs, the median may be the mean of 0 and 40.
            yield f"{stream.bunched} packets come in bunches, less than {BUNCHED_MS} ms behind the one before"
    if medians is not None and (wander := _wander_ms(medians)) > WANDER_MS:
        yield f"its clock wanders by {wander:.0f} ms"


def _is_off(deviation: float, duration_ms: float) -> bool:
    return abs(deviation) > CLOCK and abs(deviation) * duration_ms > CLOCK_MS


def _behind_ms(packets: Packets, stream: Stream) -> npt.NDArray[np.float64]:
    """How late each packet is by the stream's own count of them, ms; the first is in time."""
    steps = np.diff(packets.sequence[stream.rows]).astype(np.int16).astype(np.int64)
    behind_ms: npt.NDArray[np.float64] = (packets.t_ns[stream.rows] - stream.first_t_ns) / 1e6
    behind_ms[1:] -= np.cumsum(steps) * PACKET_MS
    return behind_ms


def _medians(behind_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The median of each half second; None of a stream that has few of them."""
    blocks = len(behind_ms) // WANDER_PACKETS
    if blocks < WANDER_BLOCKS:
        return None
    medians: npt.NDArray[np.float64] = np.median(
        behind_ms[: blocks * WANDER_PACKETS].reshape(blocks, WANDER_PACKETS), axis=1
    )
    return medians


def _tilt(medians: npt.NDArray[np.float64]) -> float:
    """By how much each is later than the one before, on the average (least squares)."""
    place = np.arange(len(medians)) - (len(medians) - 1) / 2
    return float(place @ medians / (place @ place))


def _wander_ms(medians: npt.NDArray[np.float64]) -> float:
    """How far the stream is from its own steady clock, from most ahead to most behind."""
    # A clock that is off is told by itself.
    return float(np.ptp(medians - np.arange(len(medians)) * _tilt(medians)))


LAW = Law(
    name="stream-well-formed",
    sentence="Each phone got one well-formed stream at a steady 50 packets a second.",
    witnesses=("wire", "gateway"),
    essential=("wire",),
    scopes=("rtp", AUDIO),
    find=find,
)
