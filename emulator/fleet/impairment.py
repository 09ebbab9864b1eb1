"""A bad network at a phone's door: packets lost, doubled, put out of order and delayed, the same ones for a seed.

No I/O and no state beyond a counter. What happens to a packet follows from the seed, the phone and the packet's number
at this door alone: a hash of the three is drawn for it, so that runs can be repeated packet by packet whatever else
goes on. Each packet has one fate, so that what was injected can be counted exactly:

* *lost*: it is not heard;
* *doubled*: it is heard twice in a row;
* *reordered*: it is heard behind the next packet of its stream that is heard at all. One packet is held at a time, and
  one that would be held meanwhile passes; one that has no successor is heard at the end and was not reordered;
* otherwise it passes.

Delay is drawn evenly from 0 to `jitter_ms` for each packet, and never changes the order: a packet that would overtake
comes together with the one before it. Up to the packets' spacing, where that does not happen, two independent delays
differ by a third of `jitter_ms` in the mean, so that is what RFC 3550's jitter (6.4.1) comes to. The delay is added to
the packet's time of arrival; nothing waits, and what came in before the phone stopped listening is heard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

NAME: Final = "impairment"
"""The fault's name in records and files."""
STREAMS: Final = 64
"""Streams told apart per listening period, as the phone's own statistics do; what is beyond passes unimpaired."""
MOST_JITTER_MS: Final = 1000.0
_RTP_HEADER_BYTES: Final = 12
_SHARE_SCALE: Final = 1 << 32

Packet = tuple[int, int, int, int, int, int, int, int, int, bytes]
"""Arguments of `Period.hear`: time, source, its port, size, first and second byte, sequence, timestamp, SSRC, payload.
"""
Key = tuple[int, int, int]
"""Source, source port and SSRC of a stream."""


class ImpairmentError(ValueError):
    """Parameters that are none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Impairment:
    """What is done to packets: shares of them, and the longest delay."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    jitter_ms: float = 0.0

    @property
    def text(self) -> str:
        """As it is written on the command line: `loss=0.01,jitter_ms=20`."""
        given = ((each.name, getattr(self, each.name)) for each in fields(self))
        return ",".join(f"{name}={value:g}" for name, value in given if value)


def read_impairment(words: Sequence[str]) -> Impairment:
    """`loss=0.01`, `duplicate=0.005`, `reorder=0.01`, `jitter_ms=20`, each at most once.

    Raises:
        ImpairmentError: what is wrong.
    """
    known = [each.name for each in fields(Impairment)]
    values: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if name not in known or name in values:
            raise ImpairmentError(f"{word!r}: expected each of {', '.join(known)} at most once")
        most = MOST_JITTER_MS if name == "jitter_ms" else 1.0
        if not 0 <= value <= most:
            raise ImpairmentError(f"{word!r}: expected a number from 0 to {most:g}")
        values[name] = value
    if not any(values.values()):
        raise ImpairmentError(f"expected at least one of {', '.join(known)} above 0")
    found = Impairment(**values)
    if found.loss + found.duplicate + found.reorder > 1 + 1e-9:
        raise ImpairmentError("loss, duplicate and reorder are more than all packets together")
    return found


@dataclass(slots=True)
class Injected:
    """What was done to one stream."""

    packets: int = 0
    """That came to the door."""
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    delay_ns: int = 0
    """By jitter, of all that were heard, together; a packet heard twice counts once."""
    most_delay_ns: int = 0
    heard_ns: int = 0
    """When the last one was heard, its delay included: nothing is heard before it."""


class Door:
    """One phone's door. It lasts over all listening periods, so that the packets' numbers go on."""

    __slots__ = (
        "_bounds",
        "_held",
        "_impairment",
        "_index",
        "_jitter_ns",
        "_prefix",
        "hear_on",
        "injected",
        "since_ns",
    )

    def __init__(self, impairment: Impairment, *, seed: int, phone: str) -> None:
        lost = impairment.loss * _SHARE_SCALE
        doubled = lost + impairment.duplicate * _SHARE_SCALE
        self._bounds = (round(lost), round(doubled), round(doubled + impairment.reorder * _SHARE_SCALE))
        self._jitter_ns = round(impairment.jitter_ms * 1e6)
        self._impairment = impairment
        self._prefix = f"{seed} {phone} ".encode()
        self._index = 0
        self._held: Packet | None = None
        self.injected: dict[Key, Injected] = {}
        self.since_ns = 0
        self.hear_on: Callable[..., None] = _nobody

    def open(self, since_ns: int, hear_on: Callable[..., None]) -> None:
        """A listening period begins: from now on packets go on to `hear_on`, and counts are 0."""
        self.since_ns = since_ns
        self.hear_on = hear_on
        self.injected = {}

    def close(self) -> Mapping[Key, Injected]:
        """The period ends: what is still held is heard; returns what was injected."""
        self._release()
        self.hear_on = _nobody
        return self.injected

    def hear(
        self,
        t_ns: int,
        source: int,
        source_port: int,
        size: int,
        first: int,
        second: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
    ) -> None:
        """Take one datagram as `Period.hear` does, and pass on what becomes of it."""
        key = (source, source_port, ssrc)
        injected = self.injected.get(key)
        if injected is None and size >= _RTP_HEADER_BYTES and first >> 6 == 2 and len(self.injected) < STREAMS:
            injected = self.injected[key] = Injected()
        if injected is None or size < _RTP_HEADER_BYTES or first >> 6 != 2:
            # No stream of ours: what cannot be counted as RTP must not be changed either.
            self.hear_on(t_ns, source, source_port, size, first, second, sequence, timestamp, ssrc, payload)
            return
        injected.packets += 1
        fate, delay_ns = self.draw(self._index)
        self._index += 1
        lost, doubled, reordered = self._bounds
        if fate < lost:
            injected.lost += 1
            return
        at_ns = max(t_ns + delay_ns, injected.heard_ns)
        injected.heard_ns = at_ns
        injected.delay_ns += at_ns - t_ns
        injected.most_delay_ns = max(injected.most_delay_ns, at_ns - t_ns)
        packet = (at_ns, source, source_port, size, first, second, sequence, timestamp, ssrc, payload)
        if doubled <= fate < reordered and self._held is None:
            self._held = packet
            return
        self.hear_on(*packet)
        if fate < doubled:
            injected.duplicated += 1
            self.hear_on(*packet)
        held = self._held
        if held is not None and (held[1], held[2], held[8]) == key:
            injected.reordered += 1
            # It comes when the one that it was put behind comes.
            self._held = (at_ns, *held[1:])
            self._release()

    def draw(self, index: int) -> tuple[int, int]:
        """Fate (evenly from 0 to 2^32) and delay in nanoseconds of the packet of that number."""
        drawn = hashlib.blake2b(self._prefix + b"%d" % index, digest_size=8).digest()
        fate = int.from_bytes(drawn[:4], "big")
        return fate, int.from_bytes(drawn[4:], "big") * self._jitter_ns >> 32

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self.hear_on(*held)


def _nobody(*_packet: object) -> None:
    """Takes what comes while the phone does not listen: nothing does."""
