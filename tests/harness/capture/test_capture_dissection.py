from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.capture import dissection, rtp

if TYPE_CHECKING:
    from tests.harness.capture.conftest import Builder, Load


def test_both_readers_agree_on_good_traffic(build: Builder, load: Load):
    packets = load(
        (n, build.rtp(sequence=65530 + n, timestamp=2**32 - 320 + n * 160, destination=f"10.20.0.{n % 20}"))
        for n in range(200)
    )
    check = dissection.cross_check(packets, rtp.analyse(packets), seed=1)
    assert (check.disagreements, check.suspicious, check.streams_left_out) == ([], 0, 0)
    assert 20 <= check.checked == check.sampled <= 40


def test_a_planted_disagreement_is_named(build: Builder, load: Load):
    packets = load((n, build.rtp(sequence=n)) for n in range(3))
    streams = rtp.analyse(packets)
    for name in dissection._FIELDS:
        column = getattr(packets, name).copy()
        column[:] = ~column if column.dtype == bool else column ^ 1
        found = dissection.cross_check(replace(packets, **{name: column}), streams, seed=1).disagreements
        assert {item.field for item in found} == {name}
        assert all(item.fast != item.scapy for item in found)


def test_one_wrong_packet_among_many_is_dissected(build: Builder, load: Load):
    packets = load((n, build.rtp(sequence=n, second=8 if n == 777 else 0)) for n in range(1000))
    payload_type = packets.payload_type.copy()
    payload_type[777] = 9
    check = dissection.cross_check(replace(packets, payload_type=payload_type), rtp.analyse(packets), seed=1)
    assert [(item.row, item.field, item.fast, item.scapy) for item in check.disagreements] == [
        (777, "payload_type", 9, 8)
    ]


def test_the_bounds_are_kept_and_told(build: Builder, load: Load):
    packets = load((n, build.rtp(ssrc=n, payload=b"")) for n in range(1500))
    check = dissection.cross_check(packets, rtp.analyse(packets), seed=1)
    assert (check.suspicious, check.suspicious_left_out) == (1500, 500)
    assert (check.sampled, check.streams_left_out) == (1200, 300)


def test_the_same_seed_takes_the_same_packets(build: Builder, load: Load):
    packets = load((n, build.rtp(sequence=n)) for n in range(1000))
    wrong = replace(packets, ssrc=packets.ssrc + np.uint32(1))
    streams = rtp.analyse(packets)
    checks = [dissection.cross_check(wrong, streams, seed=seed) for seed in (1, 1, 2)]
    assert checks[0] == checks[1] != checks[2]


@given(st.data())
def test_both_readers_agree_on_damaged_frames(build: Builder, load: Load, data: st.DataObject):
    """Bytes changed in the headers, ends cut off: both must fail alike."""
    frames = []
    for kind in data.draw(st.lists(st.sampled_from(["rtp", "options", "tcp"]), min_size=1, max_size=5)):
        frame = bytearray({"rtp": build.rtp, "tcp": build.tcp}.get(kind, lambda: build.rtp(options=b"\x01" * 4))())
        # Not the Ethernet type (VLAN tags are read by scapy only) and not the IP header length (see below).
        place = data.draw(st.sampled_from([16, 17, 20, 21, 23, 26, 33, 34, 36, 38, 39, 42, 43, 44, 50, 53]))
        frame[place] = data.draw(st.integers(0, 255))
        frames.append(bytes(frame[: data.draw(st.sampled_from([len(frame), data.draw(st.integers(0, len(frame)))]))]))
    packets = load(enumerate(frames))
    check = dissection.cross_check(packets, rtp.analyse(packets), seed=1)
    assert check.disagreements == []
