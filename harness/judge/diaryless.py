"""Phones that keep no diaries: real ones. What the gateway was told and what the wire saw is all there is.

A real phone that answered that it executed a push was given its audio as far as the wire saw it go out. Whether it was
heard, only the phone knows: its end state is `indeterminate`, unless the wire shows that there was nothing to hear.
"""

from collections.abc import Sequence

from harness.capture.rtp import Stream
from harness.judge.diaries import PhoneStory
from harness.judge.end_states import Heard
from harness.judge.evidence import Evidence
from harness.judge.hearing import FRACTION, PACKET_MS, Hearing


def sent_to(evidence: Evidence, story: PhoneStory, streams: Sequence[Stream]) -> Hearing:
    """What went out to one phone."""
    on_wire = sum(stream.packets for stream in streams)
    told = sum(record.whole("packets") for record in story.stream_stopped)
    heard, why = Heard.UNKNOWN, f"{on_wire} packets went out to it; only the phone knows whether it was heard"
    if evidence.wire.packets is None:
        why = "nothing was captured, and only the phone knows whether it was heard"
    elif not on_wire:
        heard, why = Heard.NOTHING, "no audio went out to it"
    elif on_wire < FRACTION * told:
        heard, why = Heard.PART, f"{on_wire} of {told} packets went out to it"
    return Hearing(
        heard=heard,
        expected=on_wire,
        due=on_wire,
        packets=0,
        lost=0,
        clipped_ms=min((record.whole("first_frame") for record in story.stream_started), default=0) * PACKET_MS,
        gap_ms=None,
        first_t_ns=min((stream.first_t_ns for stream in streams), default=None),
        last_t_ns=max((stream.last_t_ns for stream in streams), default=None),
        differs=False,
        compared=False,
        why=why,
    )
