"""What was injected is what is measured: streams through the emulated bad network, captured behind it."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.fleet.impairment import Door, Impairment
from harness.capture.rtp import Stream, analyse

if TYPE_CHECKING:
    from tests.harness.capture.conftest import Builder, Load

MS = 1_000_000
SOURCE = 0x0A14800A


def through(
    build: Builder, load: Load, impairment: Impairment, *, seed: int, count: int, first: int = 0, phones: int = 1
) -> list[tuple[Stream | None, Any]]:
    """Each phone's stream as captured behind its door, and what the door says that it did."""
    frames: list[tuple[int, bytes]] = []
    injected = []
    for phone in range(1, phones + 1):
        door = Door(impairment, seed=seed, phone=f"SEP{phone}")
        behind: list[tuple[int, bytes]] = []

        def hear(*packet: Any, behind: list[tuple[int, bytes]] = behind, phone: int = phone) -> None:  # noqa: ANN401
            t_ns, _, port, _, _, _, sequence, timestamp, ssrc, payload = packet
            frame = build.rtp(
                sequence=sequence, timestamp=timestamp, ssrc=ssrc, ports=(port, 32674),
                destination=f"10.20.0.{phone}", payload=payload,
            )  # fmt: skip
            # A file's packets are in order of time: two at one moment stay in the order in which they came.
            behind.append((max(t_ns, behind[-1][0] + 1 if behind else 0), frame))

        door.open(0, hear)
        for number in range(count):
            sequence, timestamp = (first + number) & 0xFFFF, (first * 160 + number * 160) & 0xFFFFFFFF
            payload = random.Random(number).randbytes(160)
            door.hear(number * 20 * MS, SOURCE, 5000, 172, 0x80, 0, sequence, timestamp, 7, payload)
        injected.append(next(iter(door.close().values())))
        frames += behind
    streams = {stream.destination_address: stream for stream in analyse(load(sorted(frames)))}
    return [(streams.get(f"10.20.0.{phone}"), injected[phone - 1]) for phone in range(1, phones + 1)]


shares = st.floats(0, 0.33)


@settings(max_examples=100, deadline=None)
@given(shares, shares, shares, st.integers(0, 1000), st.integers(0, 0xFFFF), st.integers(1, 200))
def test_every_count_is_equal(
    build: Builder, load: Load, loss: float, duplicate: float, reorder: float, seed: int, first: int, count: int
):
    impairment = Impairment(loss=loss, duplicate=duplicate, reorder=reorder, jitter_ms=20)
    ((stream, injected),) = through(build, load, impairment, seed=seed, count=count, first=first)
    if stream is None:
        assert injected.lost == count
        return
    assert injected.packets == count
    assert (stream.duplicates, stream.reordered) == (injected.duplicated, injected.reordered)
    assert stream.packets == count - injected.lost + injected.duplicated
    # What is missing before the first and behind the last is only known from what was sent.
    ends = (
        (stream.lowest_sequence - first) % 0x10000,
        count - stream.expected - (stream.lowest_sequence - first) % 0x10000,
    )
    assert stream.lost + sum(ends) == injected.lost


def test_many_phones_over_both_wraps(build: Builder, load: Load):
    impairment = Impairment(loss=0.01, duplicate=0.02, reorder=0.03, jitter_ms=15)
    found = through(build, load, impairment, seed=5, count=400, first=65_400, phones=20)
    totals = [0, 0, 0]
    for stream, injected in found:
        assert stream is not None
        missing = 400 - stream.expected
        assert (stream.lost + missing, stream.duplicates, stream.reordered) == (
            injected.lost, injected.duplicated, injected.reordered,
        )  # fmt: skip
        totals = [a + b for a, b in zip(totals, (injected.lost, injected.duplicated, injected.reordered), strict=True)]
    assert all(total > 30 for total in totals)


def test_jitter_is_that_of_the_delays(build: Builder, load: Load):
    door = Door(Impairment(jitter_ms=18), seed=9, phone="SEP1")
    ((stream, _),) = through(build, load, Impairment(jitter_ms=18), seed=9, count=300)
    assert stream is not None
    arrivals = [number * 20 * MS + door.draw(number)[1] for number in range(300)]
    jitter = 0.0
    for before, after in pairwise(arrivals):
        jitter += (abs(after - before - 20 * MS) - jitter) / 16
    assert stream.jitter_ms == pytest.approx(jitter / 1e6, rel=1e-9)
