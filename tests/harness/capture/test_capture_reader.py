from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.capture import canary, dissection, rtp
from harness.capture.clock import monotonic_ns, uncertainty_ns
from harness.capture.pcap import CaptureError
from harness.capture.reader import DamagedCaptureError, address, read

if TYPE_CHECKING:
    from tests.harness.capture.conftest import Builder, Load


def test_every_column_of_an_rtp_packet(build: Builder, load: Load):
    payload = bytes(range(160))
    frame = build.rtp(sequence=65535, timestamp=4_000_000_000, ssrc=0xDEADBEEF, second=0x80 | 8, payload=payload)
    packets = load([(1_000, frame)])
    row = {name: getattr(packets, name)[0] for name in ("t_ns", "protocol", "source_port", "destination_port")}
    assert row == {"t_ns": 5_000_001_000, "protocol": 17, "source_port": 40000, "destination_port": 32674}
    assert (address(packets.source[0]), address(packets.destination[0])) == ("10.20.128.10", "10.20.0.1")
    assert (packets.udp_length[0], packets.version[0], packets.payload_type[0], packets.marker[0]) == (172, 2, 8, True)
    assert (packets.sequence[0], packets.timestamp[0], packets.ssrc[0]) == (65535, 4_000_000_000, 0xDEADBEEF)
    assert packets.payloads(np.array([0])).tobytes() == bytes(range(160))
    assert packets.frame(0) == frame
    assert packets.uncertainty_ns == 40


def test_options_in_the_ip_header_shift_what_follows(build: Builder, load: Load):
    packets = load([(0, build.rtp()), (1, build.rtp(sequence=9, options=b"\x01" * 8)), (2, build.rtp())])
    assert packets.sequence.tolist() == [1, 9, 1]
    assert packets.udp_length.tolist() == [172] * 3
    assert packets.payloads(np.arange(3)).shape == (3, 160)


def test_what_is_not_ipv4_with_udp_or_tcp_keeps_its_row(build: Builder, load: Load):
    fragment = bytearray(build.rtp())
    fragment[21] = 5
    version_6 = bytearray(build.rtp())
    version_6[14] = 0x65
    tagged = bytes(12) + b"\x81\x00\x00\x05" * 3 + build.rtp()[12:]
    ping = build.internet(1, bytes(8), source="1.2.3.4", destination="4.3.2.1")
    frames = [bytes(fragment), bytes(version_6), tagged, ping, b"", bytes(13), build.rtp()[:40], build.rtp()]
    packets = load(enumerate(frames))
    assert packets.protocol.tolist() == [0] * 7 + [17]
    assert packets.sequence.tolist() == [0] * 7 + [1]
    assert packets.source[:7].tolist() == [0] * 7


@pytest.mark.parametrize("tags", ["81000005", "88a80009 81000005", "81000009 81000005"])
def test_vlan_tags_are_passed_over_by_both_readers(build: Builder, load: Load, tags: str):
    frames = [build.rtp(sequence=n, payload=bytes([n]) * 160, options=b"\x01" * 4 * (n % 2)) for n in range(20)]
    tagged = [frame[:12] + (bytes.fromhex(tags) if n % 3 else b"") + frame[12:] for n, frame in enumerate(frames)]
    plain, seen = load(enumerate(frames)), load(enumerate([*tagged, tagged[1][:30]]))
    assert seen.sequence.tolist() == [*plain.sequence.tolist(), 0]
    assert seen.protocol.tolist() == [17] * 20 + [0]
    assert (seen.payloads(np.arange(20)) == plain.payloads(np.arange(20))).all()
    assert dissection.cross_check(seen, rtp.analyse(seen), seed=1).disagreements == []


@pytest.mark.parametrize(("link", "head"), [(113, 14), (276, 20)])
def test_linux_cooked_captures(build: Builder, tmp_path: Path, link: int, head: int):
    content = bytearray(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link))
    for n in range(5):
        rest = build.rtp(sequence=n)[14:]
        frame = bytes(14) + b"\x08\x00" + rest if head == 14 else b"\x08\x00" + bytes(18) + rest
        content += struct.pack("<IIII", 1_700_000_000, n, len(frame), len(frame)) + frame
    content += struct.pack("<IIII", 1_700_000_000, 9, 9, 9) + bytes(9)
    path = tmp_path / "any.pcap"
    path.write_bytes(content)
    packets = read(path, build.capture)
    assert packets.sequence.tolist() == [0, 1, 2, 3, 4, 0]
    assert packets.protocol.tolist() == [17] * 5 + [0]
    assert dissection.cross_check(packets, rtp.analyse(packets), seed=1).disagreements == []


def test_a_datagram_that_is_too_short_for_rtp_has_no_rtp_fields(build: Builder, load: Load):
    datagram = b"\x9c\x40\x7f\xa2\x00\x13\x00\x00" + b"\x80" * 11
    short = build.internet(17, datagram, source="1.1.1.1", destination="2.2.2.2")
    packets = load([(0, short)])
    assert (packets.protocol[0], packets.udp_length[0], packets.version[0], packets.ssrc[0]) == (17, 11, 0, 0)


def test_padding_of_the_link_is_not_payload(build: Builder, load: Load):
    frame = bytearray(build.rtp())
    frame[17] = 20 + 8 + 12  # the datagram's own length: the rest is padding
    packets = load([(0, bytes(frame))])
    assert packets.payload_offset[0] == -1


def test_tcp(build: Builder, load: Load):
    packets = load([(0, build.tcp(flags=0x12))])
    assert (packets.protocol[0], packets.tcp_flags[0], packets.destination_port[0]) == (6, 0x12, 80)
    assert (packets.udp_length[0], packets.version[0]) == (0, 0)


def test_payloads_of_another_size_are_refused(build: Builder, load: Load):
    packets = load([(0, build.rtp()), (1, build.rtp(payload=bytes(159)))])
    with pytest.raises(ValueError, match="row 1 has no RTP payload"):
        packets.payloads(np.array([0, 1]))


def test_rows_come_in_time_order(build: Builder, load: Load):
    packets = load([(30, build.rtp(sequence=3)), (10, build.rtp(sequence=1)), (20, build.rtp(sequence=2))])
    assert packets.sequence.tolist() == [1, 2, 3]
    assert packets.select(packets.sequence > 1).sequence.tolist() == [2, 3]


def test_a_damaged_file_gives_what_is_whole_and_says_so(build: Builder, tmp_path: Path):
    content = build.pcap((n, build.rtp(sequence=n)) for n in range(100))
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(content[:-1])
    with pytest.raises(DamagedCaptureError, match="behind record 99 are not a whole record") as caught:
        read(cut, build.capture)
    assert caught.value.whole.sequence.tolist() == list(range(99))
    packed = tmp_path / "cut.pcap.gz"
    packed.write_bytes(gzip.compress(content)[:-9])
    with pytest.raises(DamagedCaptureError, match="ends early"):
        read(packed, build.capture)


@pytest.mark.parametrize(
    ("at", "value"),
    [(4, b"\xff\xff\xff\x7f"), (12, b"\x01\0\0\0"), (8, b"\xff\xff\xff\xff"), (8, b"\x20\x01\0\0")],
    ids=["fraction", "more captured than there was", "endless", "reaches into the next"],
)
def test_a_record_header_that_cannot_be_ends_what_is_whole(build: Builder, tmp_path: Path, at: int, value: bytes):
    content = bytearray(build.pcap((n, build.rtp(sequence=n)) for n in range(100)))
    content[24 + 60 * 230 + at : 24 + 60 * 230 + at + len(value)] = value
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    with pytest.raises(DamagedCaptureError, match=r"record 6[01]") as caught:
        read(path, build.capture)
    assert caught.value.whole.sequence.tolist() == list(range(60))


def test_any_file_cut_or_changed_raises_nothing_but_capture_errors(build: Builder, tmp_path: Path):
    content = bytearray(build.pcap([(0, build.rtp()), (1, build.tcp()), (2, build.rtp(payload=b""))]))
    path = tmp_path / "x.pcap"
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        for variant in (changed, content[:place]):
            path.write_bytes(variant)
            try:
                read(path, build.capture)
            except CaptureError:
                continue


def test_without_a_clock_times_cannot_be_compared(build: Builder, tmp_path: Path):
    path = tmp_path / "x.pcap"
    path.write_bytes(build.pcap([]))
    with pytest.raises(CaptureError, match="no clock sample"):
        read(path, {"clock": []})
    with pytest.raises(CaptureError, match="not complete"):
        read(path, {"clock": [{"monotonic_ns": 1}]})


def test_clocks_that_drift_are_interpolated():
    samples = [
        {"monotonic_ns": 0, "realtime_ns": 10**18, "uncertainty_ns": 10},
        {"monotonic_ns": 60_000_000_000, "realtime_ns": 10**18 + 60_000_001_000, "uncertainty_ns": 20},
    ]
    times = np.array([10**18 - 5, 10**18, 10**18 + 30_000_000_500, 10**18 + 60_000_001_000], np.int64)
    assert monotonic_ns(times, samples).tolist() == [-5, 0, 30_000_000_000, 60_000_000_000]
    assert uncertainty_ns(samples) == 1_020


def test_canaries_are_known_by_their_source(build: Builder, load: Load):
    packets = load([(0, build.rtp()), (1, build.rtp(source="10.20.128.250", destination="10.20.127.253")),
                    (2, build.tcp(source="10.20.128.250")), (3, b"")])  # fmt: skip
    assert canary.is_canary(packets, ["10.20.128.250"]).tolist() == [False, True, True, False]
    found = canary.find(packets, ["10.20.128.250"])
    assert [(c.protocol, c.destination, c.destination_port) for c in found] == [
        (17, "10.20.127.253", 32674),
        (6, "10.20.128.10", 80),
    ]
    assert canary.find(packets, []) == []
