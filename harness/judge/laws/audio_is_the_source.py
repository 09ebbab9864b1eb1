"""What went over the wire is the page's audio: all of it, once, in order; and phones heard what went over the wire."""

import hashlib
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.capture.rtp import Stream
from harness.judge.end_states import Rival
from harness.judge.evidence import Evidence, host
from harness.judge.laws.law import EXAMPLES, Case, Finding, Law
from harness.judge.ledger import Row
from harness.judge.places import departures
from harness.judge.sendings import Sending
from harness.judge.sight import AUDIO
from harness.judge.sound import Sound, frames_of, source_rate, source_sound, unlike
from harness.judge.source import FRAME, mistakes, source_samples
from harness.observe.records import Record

FRAME_S: Final = 0.02
JOINED_FRAMES: Final = 10
"""A phone that joins a running page gets the audio from where it is: 0.2 s leave room for a busy machine."""
IN_TIME_NS: Final = 1_000_000_000
"""A phone that had answered its push this long before the audio began did not join late, whatever the gateway says."""


def find(case: Case) -> Finding:
    """Streams that are missing, incomplete, out of order or of other sound; phones that heard other sound."""
    finding = Finding()
    evidence = case.evidence
    if evidence.wire.packets is None:
        finding.undecided = "nothing was captured"
        return finding
    references: dict[str, _Reference] = {}
    sent: dict[str, list[Sequence[Stream]]] = {}
    for row in case.rows:
        sent.setdefault(row.sending.name, []).append(row.streams)
    for row in case.rows:
        if not row.executed or row.sending.page is None:
            continue
        reference = references.get(row.sending.name)
        if reference is None:
            reference = _Reference(evidence, row.sending, sent[row.sending.name])
            references[row.sending.name] = reference
        finding.looked_at += 1
        if row.hearing.differs:
            finding.add("heard other sound than the wire saw", row.phone.name)
        streams = row.streams
        if not streams and row.rival is Rival.NONE:
            finding.add("listened, and no audio was sent to it", row.phone.name)
        for stream in streams:
            why = _wrong(row, stream, reference, finding)
            if why:
                finding.add(why, row.phone.name)
    return finding


class _Reference:
    """What the audio is, by the gateway's word and by the source itself."""

    def __init__(self, evidence: Evidence, sending: Sending, streams: Sequence[Sequence[Stream]]) -> None:
        started = [
            record
            for record in evidence.of("gateway", "page.started")
            if not sending.number or record.text("page") == sending.number
        ]
        self.crc32 = started[-1].text("audio_crc32") if started else ""
        self.told_frames = started[-1].whole("audio_frames") if started else 0
        path = sending.audio
        self.missing = _why_not_the_source(sending)
        self._streams = streams
        self.samples = None if self.missing else source_samples(path)
        self._sound: Sound | None = None
        if self.samples is None and not self.missing:
            self._sound = source_sound(path)
        self._rate = source_rate(path)
        self._evidence = evidence
        self._right: dict[tuple[str, int], bool] = {}
        self._told: dict[tuple[str, int], str] = {}
        self._payload = self._whole_payload()
        self._began = self._beginnings()

    @property
    def frames(self) -> int | None:
        """Frames of the whole audio, where that is known."""
        if self.samples is not None:
            return len(self.samples) // FRAME
        if self._sound is None:
            return self.told_frames or None
        own = frames_of(self._sound)
        # Resamplers differ in whether the last frame is begun: of one frame more or less the gateway may decide.
        return self.told_frames if abs(self.told_frames - own) <= 1 else own

    def _beginnings(self) -> dict[str, int]:
        """When the audio of each page began to fly, by the streams that have its first frame."""
        flew = {(s.destination_address, s.ssrc): s.first_t_ns for s in self._evidence.audio_streams}
        began: dict[str, int] = {}
        for record in self._evidence.of("gateway", "stream.started"):
            t_ns = flew.get((host(record.text("destination")), record.whole("ssrc")))
            if t_ns is not None and not record.whole("first_frame"):
                page = record.text("page")
                began[page] = min(began.get(page, t_ns), t_ns)
        return began

    def why_not_joined(self, row: Row, stream: Stream, started: Record) -> str:
        """What speaks against the gateway's word that a phone joined a running page; empty where nothing does."""
        first = started.whole("first_frame")
        if not first or len(row.story.stream_started) > 1:
            return ""
        told = f"its audio begins at {first * FRAME_S:.2f} s"
        began_ns = self._began.get(started.text("page"))
        if began_ns is None:
            return f"{told}, and no phone was sent what comes before"
        after = round((stream.first_t_ns - began_ns) / 1e9 / FRAME_S)
        if abs(after - first) > JOINED_FRAMES:
            return f"{told}, the page was at {after * FRAME_S:.2f} s by then"
        reply = row.story.last_start.reply if row.story.last_start else None
        if reply is not None and reply.t_ns + IN_TIME_NS < began_ns:
            return f"{told}, and it had answered {(began_ns - reply.t_ns) / 1e9:.1f} s before the audio began"
        return ""

    def is_right(self, stream: Stream, first_frame: int) -> bool | None:
        """Whether a whole stream is the audio from a frame on; None where nothing tells."""
        key = (stream.crc32, first_frame)
        if key not in self._right:
            verdict = self._compare(stream, first_frame)
            if verdict is None:
                return None
            self._right[key] = verdict
        return self._right[key]

    def _compare(self, stream: Stream, first_frame: int) -> bool | None:
        told: bool | None = None
        if self.crc32 and not first_frame:
            told = stream.crc32 == self.crc32
        elif self._payload is not None:
            told = f"{zlib.crc32(self._payload[first_frame * FRAME :].tobytes()):08x}" == stream.crc32
        if told is False or (self.samples is None and self._sound is None):
            return told
        payload = self._bytes_of(stream)
        if self.samples is not None:
            wanted = self.samples[first_frame * FRAME :]
            return len(payload) == len(wanted) and mistakes(payload, wanted) == 0
        if told and first_frame:
            return True  # the end of a whole stream, which is held against the source itself
        assert self._sound is not None
        return unlike(payload, self._sound[first_frame * FRAME :], self._rate) == 0

    def begins_right(self, stream: Stream, first_frame: int) -> bool | None:
        """Whether a stream that ends early is the audio from a frame on; None where nothing tells."""
        begin = first_frame * FRAME
        payload = self._bytes_of(stream)
        if self.samples is not None:
            return mistakes(payload, self.samples[begin : begin + len(payload)]) == 0
        if self._payload is not None:
            return bool(np.array_equal(payload, self._payload[begin : begin + len(payload)]))
        if self._sound is None or not len(payload):
            return None
        return unlike(payload, self._sound[begin : begin + len(payload)], self._rate) == 0

    def where(self, stream: Stream, first_frame: int) -> str:
        """What of the source is missing, doubled or otherwise: of the first few different streams only."""
        key = (stream.crc32, first_frame)
        sound = self._sound if self.samples is None else self.samples.astype(np.float64)
        if key not in self._told:
            if sound is None or stream.wrong_size or len(self._told) >= EXAMPLES:
                return ""
            payload = self._bytes_of(stream)
            self._told[key] = departures(payload, sound[first_frame * FRAME :], self._rate)
        return self._told[key]

    def _whole_payload(self) -> npt.NDArray[np.uint8] | None:
        for streams in self._streams:
            for stream in streams:
                if self.crc32 and stream.crc32 == self.crc32 and not stream.wrong_size:
                    return self._bytes_of(stream)
        return None

    def _bytes_of(self, stream: Stream) -> npt.NDArray[np.uint8]:
        packets = self._evidence.wire.packets
        assert packets is not None
        return packets.payloads(stream.rows).reshape(-1)


def _why_not_the_source(sending: Sending) -> str:
    """Why the file that was paged cannot be asked any more; empty where it can."""
    path, digest = sending.audio, sending.audio_sha256
    try:
        with path.open("rb") as file:
            same = not digest or hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError as error:
        return f"the source cannot be read any more ({path}: {error.strerror or error})"
    return "" if same else f"the source is not what it was at the time of the run ({path})"


def _wrong(row: Row, stream: Stream, reference: _Reference, finding: Finding) -> str:
    if stream.wrong_size:
        return f"{stream.wrong_size} packets that are not 20 ms of G.711"
    if stream.duplicates or stream.reordered:
        return f"{stream.duplicates} packets twice, {stream.reordered} out of order"
    started = next((r for r in row.story.stream_started if r.whole("ssrc") == stream.ssrc), None)
    first = 0 if started is None else started.whole("first_frame")
    if started is not None and (why := reference.why_not_joined(row, stream, started)):
        return why
    if row.rival is not Rival.NONE and not stream.lost and stream.packets < (reference.frames or 0) - first:
        # Another page took the phone: what it got until then is to be right.
        right = reference.begins_right(stream, first)
        return "the sound sent before another page took it is not the source's" if right is False else ""
    if stream.lost or (reference.frames is not None and stream.packets != reference.frames - first):
        expected = reference.frames - first if reference.frames is not None else stream.expected
        return _with(f"{stream.packets} frames were sent, the audio has {expected}", reference.where(stream, first))
    right = reference.is_right(stream, first)
    if reference.missing:
        finding.undecided = f"{reference.missing}: nobody but the gateway says what the audio is"
    elif right is None:
        finding.undecided = "neither the gateway nor the source tells what the audio is"
    return _with("the sound sent is not the source's", reference.where(stream, first)) if right is False else ""


def _with(what: str, where: str) -> str:
    return f"{what}: {where}" if where else what


LAW = Law(
    name="audio-is-the-source",
    sentence="Every stream was the source's audio, all of it, once, in order.",
    witnesses=("wire", "phones"),
    essential=("wire",),
    scopes=("rtp", AUDIO),
    audio=True,
    find=find,
)
