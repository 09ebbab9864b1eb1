"""Frames and files that the capture tests share, built by struct alone."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.capture.reader import Packets, read

Load = Callable[[Iterable[tuple[int, bytes]]], Packets]
EPOCH_NS = 1_700_000_000_000_000_000
CAPTURE = {"clock": [{"monotonic_ns": 5_000_000_000, "realtime_ns": EPOCH_NS, "uncertainty_ns": 40}]}


def address_bytes(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def internet_frame(protocol: int, content: bytes, *, source: str, destination: str, options: bytes = b"") -> bytes:
    assert len(options) % 4 == 0
    length = 20 + len(options) + len(content)
    header = struct.pack(">BBHHHBBH", 0x40 | (5 + len(options) // 4), 0, length, 7, 0, 64, protocol, 0)
    return bytes(12) + b"\x08\x00" + header + address_bytes(source) + address_bytes(destination) + options + content


def rtp_frame(
    *,
    sequence: int = 1,
    timestamp: int = 160,
    ssrc: int = 7,
    payload: bytes = bytes(160),
    source: str = "10.20.128.10",
    destination: str = "10.20.0.1",
    ports: tuple[int, int] = (40000, 32674),
    first: int = 0x80,
    second: int = 0,
    options: bytes = b"",
) -> bytes:
    rtp = struct.pack(">BBHII", first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload
    udp = struct.pack(">HHHH", *ports, 8 + len(rtp), 0) + rtp
    return internet_frame(17, udp, source=source, destination=destination, options=options)


def tcp_frame(
    *, flags: int = 2, source: str = "10.20.0.1", destination: str = "10.20.128.10", port: int = 80, extra: bytes = b""
) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", 50000, port, 1, 0, 0x60, flags, 1000, 0, 0) + b"\x02\x04\x05\xb4" + extra
    return internet_frame(6, tcp, source=source, destination=destination)


def pcap_bytes(frames: Iterable[tuple[int, bytes]]) -> bytes:
    """(nanoseconds after EPOCH_NS, frame)."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
    for t_ns, frame in frames:
        seconds, fraction = divmod(EPOCH_NS + t_ns, 10**9)
        out += (struct.pack("<IIII", seconds, fraction, len(frame), len(frame)), frame)
    return b"".join(out)


class Builder:
    """The helpers above, for tests that cannot import this file."""

    capture: dict[str, Any] = CAPTURE
    epoch_ns = EPOCH_NS
    rtp = staticmethod(rtp_frame)
    tcp = staticmethod(tcp_frame)
    internet = staticmethod(internet_frame)
    pcap = staticmethod(pcap_bytes)


@pytest.fixture(scope="session")
def build() -> Builder:
    return Builder()


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Writes frames to a file and reads them with the fast reader."""
    path: Path = tmp_path_factory.mktemp("load") / "capture.pcap"

    def loaded(frames: Iterable[tuple[int, bytes]]) -> Packets:
        path.write_bytes(pcap_bytes(frames))
        return read(path, CAPTURE)

    return loaded
