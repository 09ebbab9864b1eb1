"""What a phone heard of what it was sent, packet by packet where the wire saw it.

Theory of operation. The gateway's stream to a phone is a row of packets numbered from 0 by their sequence numbers. Of
these the phone was due those that were sent while it listened. A packet that flew at the moment when it began or
ceased to listen may have been heard or not: it is *expected* but not *due*, so nothing is called lost within the
clocks' uncertainty. The phone's diary says which number it heard first and last and how many are missing in between,
so the missing ones at both ends are known too.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.capture.rtp import Stream
from harness.judge.diaries import PhoneStory
from harness.judge.end_states import Heard
from harness.judge.evidence import IN_FLIGHT_NS, Evidence, host
from harness.observe.records import Record
from harness.scenario.thresholds import Threshold

PACKET_NS: Final = 20_000_000
PACKET_MS: Final = 20.0
GAP_MS: Final = 100.0
"""A silence longer than this is partial audio (docs/reference/end-states.md)."""
FRACTION: Final = 0.99
"""Share of the due packets that a phone must have heard."""
_WRAP: Final = 0x10000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """One phone's page."""

    heard: Heard
    expected: int
    """Packets sent while it listened."""
    due: int
    """Of these, without those at the ends that the clocks cannot tell."""
    packets: int
    """Of the gateway's, heard, duplicates left out."""
    lost: int
    """Due and not heard."""
    clipped_ms: float
    """The page's audio before it listened."""
    gap_ms: float | None
    first_t_ns: int | None
    last_t_ns: int | None
    differs: bool
    """Its checksum is not that of the packets that the wire saw."""
    compared: bool
    """Whether checksums could be compared."""
    why: str


def hearing(evidence: Evidence, story: PhoneStory, streams: Sequence[Stream]) -> Hearing:
    """Compare a phone's diary with what was sent to it."""
    own = [record for record in story.heard if not record.flag("foreign") and _is_page(story, record)]
    foreign = [record for record in story.heard if record.flag("foreign")]
    times, sequences = _sent(evidence, story, streams)
    begin, end = _listened(evidence, story)
    uncertainty = evidence.uncertainty_ns
    sent_while = (times >= begin) & (times <= end)
    due = np.flatnonzero((times >= begin + uncertainty) & (times <= end - IN_FLIGHT_NS))
    expected = int(sent_while.sum())
    packets = sum(record.whole("packets") - record.whole("duplicates") for record in own)
    lost = _lost(own, sequences, due, expected)
    gap = max((record.number("gap_ms") or 0.0 for record in own), default=None)
    # A phone that joins a running page never gets its beginning.
    missed = min((record.whole("first_frame") for record in story.stream_started), default=0)
    compared, differs = _checksum(evidence, own, streams)
    malformed = sum(record.whole("malformed") for record in own)
    several = len({record.whole("ssrc") for record in own}) > 1
    state, why = Heard.ALL, ""
    if not own and not foreign:
        state, why = Heard.NOTHING, f"heard nothing of {expected} packets sent while it listened"
    elif foreign:
        state, why = Heard.FOREIGN, f"heard packets from {', '.join(sorted({r.text('source') for r in foreign}))}"
    elif differs or malformed or several:
        what = ["other sound than the wire saw"] * differs + [f"{malformed} packets that are no G.711"] * bool(
            malformed
        )
        state, why = Heard.FOREIGN, f"heard {' and '.join(what + ['several streams'] * several)}"
    elif expected and packets < FRACTION * expected and lost > 0:
        state, why = Heard.PART, f"heard {packets} of {expected} packets sent while it was to listen"
        why += "; another's push made it stop" if story.stopped_by_others else ""
    elif gap is not None and gap > gap_limit_ms(evidence.scenario.integrity):
        state, why = Heard.PART, f"a silence of {gap:.0f} ms within the audio"
    return Hearing(
        heard=state,
        expected=expected,
        due=len(due),
        packets=packets,
        lost=lost,
        clipped_ms=(int((times < begin - uncertainty).sum()) + missed) * PACKET_MS,
        gap_ms=gap,
        first_t_ns=min((record.whole("first_t_ns") for record in own), default=None),
        last_t_ns=max((record.whole("last_t_ns") for record in own), default=None),
        differs=differs,
        compared=compared,
        why=why,
    )


def gap_limit_ms(limits: Iterable[Threshold]) -> float:
    """The longest silence that is not partial audio, ms.

    A scenario that lets the pacer be late (`[integrity]`) lets phones wait as long, and for the packet after it: what
    is no blindness there cannot be a fault here.
    """
    pacer = [limit for limit in limits if limit.metric.startswith("lateness.pacer_ms.")]
    highest = [limit.bound for limit in pacer if limit.metric.endswith(".max")] or [limit.bound for limit in pacer]
    return max([GAP_MS, *(bound + 2 * PACKET_MS for bound in highest)])


def _is_page(story: PhoneStory, record: Record) -> bool:
    return not record.push or record.push in story.page_pushes


def _listened(evidence: Evidence, story: PhoneStory) -> tuple[int, int]:
    periods = story.periods(_end(evidence))
    if not periods:
        return _end(evidence), _end(evidence)
    return min(begin for begin, _ in periods), max(end for _, end in periods)


def _end(evidence: Evidence) -> int:
    return evidence.records.all[-1].t_ns + PACKET_NS if evidence.records.all else 0


def _sent(
    evidence: Evidence, story: PhoneStory, streams: Sequence[Stream]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """When each packet to this phone was sent, and its sequence number, in order of sequence.

    The gateway says how many there are; the wire says when. Packets that the wire did not see, or all of them where
    there is no wire, take the time of their place in the stream.
    """
    packets = evidence.wire.packets
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    told = {record.whole("ssrc"): record for record in story.stream_started}
    counts = [record.whole("packets") for record in story.stream_stopped]
    for index, (ssrc, record) in enumerate(told.items()):
        count = counts[index] if index < len(counts) else 0
        seen = [stream for stream in streams if stream.ssrc == ssrc]
        count = max([count, *(stream.expected for stream in seen)])
        place = np.arange(count, dtype=np.int64)
        at = record.t_ns + place * PACKET_NS
        if seen and packets is not None:
            rows = seen[0].rows
            offsets = (packets.sequence[rows].astype(np.int64) - record.whole("first_sequence")) % _WRAP
            at = at + (seen[0].first_t_ns - int(at[offsets[0]])) if offsets[0] < count else at
            within = offsets < count
            at[offsets[within]] = packets.t_ns[rows][within]
        found.append((at, (record.whole("first_sequence") + place) % _WRAP))
    if not told and packets is not None:
        for stream in streams:
            rows = stream.rows
            found.append((packets.t_ns[rows], packets.sequence[rows].astype(np.int64)))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([at for at, _ in found]), np.concatenate([sequence for _, sequence in found])


def _lost(own: list[Record], sequences: npt.NDArray[np.int64], due: npt.NDArray[np.int64], expected: int) -> int:
    if not own:
        return len(due)
    inside = sum(record.whole("lost") for record in own)
    if not len(due) or len(own) > 1:
        return inside
    heard = own[0]
    head = _ahead(int(sequences[due[0]]), heard.whole("first_sequence"), expected)
    tail = _ahead(heard.whole("last_sequence"), int(sequences[due[-1]]), expected)
    return inside + head + tail


def _ahead(low: int, high: int, limit: int) -> int:
    """How many numbers `high` is ahead of `low`, 0 where it is behind; `limit` tells ahead from wrapped."""
    distance = (high - low) % _WRAP
    return distance if distance <= max(limit, 1) else 0


def _checksum(evidence: Evidence, own: list[Record], streams: Sequence[Stream]) -> tuple[bool, bool]:
    """Whether the phone's checksum could be compared with the wire's, and whether it differs."""
    packets = evidence.wire.packets
    compared = differs = False
    for record in own:
        stream = next((s for s in streams if s.ssrc == record.whole("ssrc") and _same_source(s, record)), None)
        unclear = record.whole("lost") or record.whole("reordered") or record.whole("malformed")
        if packets is None or stream is None or unclear or stream.lost or stream.reordered or stream.wrong_size:
            continue
        if stream.first_sequence == record.whole("first_sequence") and stream.last_sequence == record.whole(
            "last_sequence"
        ):
            compared = True
            differs |= stream.crc32 != record.text("crc32")
            continue
        place = (packets.sequence[stream.rows].astype(np.int64) - record.whole("first_sequence")) % _WRAP
        length = (record.whole("last_sequence") - record.whole("first_sequence")) % _WRAP
        rows = stream.rows[place <= length]
        _, first = np.unique(packets.sequence[rows], return_index=True)
        rows = rows[np.sort(first)]
        if len(rows) != length + 1:
            continue  # the wire missed some that the phone heard: their sound is not known
        compared = True
        differs |= f"{zlib.crc32(packets.payloads(rows).tobytes()):08x}" != record.text("crc32")
    return compared, differs


def _same_source(stream: Stream, record: Record) -> bool:
    return host(record.text("source")) == stream.source_address
