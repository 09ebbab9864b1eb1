"""How fast captures are written and judged: packets a second, each stage, on synthetic RTP of one stride.

    python bench/capture_analysis.py [PACKETS] [STREAMS] [ROUNDS]

Prints one line for each stage: best and median of the rounds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

from harness.capture import pcap, reader, rtp

CLOCK = [{"monotonic_ns": 0, "realtime_ns": 1_700_000_000_000_000_000, "uncertainty_ns": 100}]
FRAME_BYTES = 214


def synthetic_frames(packets: int, streams: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a page: each tick one packet to every phone, all with the same payload. Shape (packets, 214)."""
    generator = np.random.default_rng(1)
    row = np.arange(packets)
    tick, phone = row // streams, row % streams
    frames = np.zeros((packets, FRAME_BYTES), np.uint8)
    frames[:, 12:14] = (8, 0)
    frames[:, 14:24] = (0x45, 0, 0, 200, 0, 0, 0x40, 0, 64, 17)

    def put(at: int, values: np.ndarray, kind: str) -> None:
        size = np.dtype(kind).itemsize
        frames[:, at : at + size] = np.ascontiguousarray(values.astype(kind)).view(np.uint8).reshape(packets, size)

    put(26, np.full(packets, 0x0A14800A), ">u4")
    put(30, 0x0A140001 + phone, ">u4")
    put(34, 20000 + phone % 40000, ">u2")
    put(36, np.full(packets, 32674), ">u2")
    put(38, np.full(packets, 180), ">u2")
    frames[:, 42] = 0x80
    put(44, 65000 + tick, ">u2")
    put(46, 4_294_900_000 + tick * 160, ">u4")
    put(50, phone * 2_654_435_761, ">u4")
    payload = generator.integers(0, 256, (packets // streams + 1, 160), dtype=np.uint8)
    frames[:, 54:] = payload[tick]
    realtime_ns = CLOCK[0]["realtime_ns"] + tick * 20_000_000 + phone * (18_000_000 // streams)
    return frames, realtime_ns


def _damaged_order(packets: int) -> np.ndarray:
    """Drawn with replacement and shuffled near by: a third lost, a third twice, a tenth out of order."""
    generator = np.random.default_rng(2)
    drawn = np.sort(generator.integers(0, packets, packets))
    return drawn[np.argsort(drawn + generator.integers(0, 6000, packets), kind="stable")]


def main(packets: int = 500_000, streams: int = 1000, rounds: int = 7) -> int:
    frames, realtime_ns = synthetic_frames(packets, streams)
    raw = frames.reshape(-1)
    offset = np.arange(packets, dtype=np.int64) * FRAME_BYTES
    captured = np.full(packets, FRAME_BYTES, np.int64)
    seconds: dict[str, list[float]] = {}

    def measure(stage: str, began: float) -> None:
        seconds.setdefault(stage, []).append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder, "capture.pcap"), Path(folder, "capture.pcap.gz")
        for _ in range(rounds):
            began = time.perf_counter()
            records = pcap.pack(raw, offset, captured, captured, realtime_ns)
            measure("build records", began)
            began = time.perf_counter()
            compressor = zlib.compressobj(1, wbits=31)
            squeezed = compressor.compress(pcap.file_header()) + compressor.compress(records) + compressor.flush()
            measure("gzip level 1", began)
            plain.write_bytes(pcap.file_header() + records.tobytes())
            packed.write_bytes(squeezed)
            for name, path in (("plain", plain), ("gzipped", packed)):
                began = time.perf_counter()
                found = reader.read(path, {"clock": CLOCK})
                measure(f"read {name}", began)
                middle = time.perf_counter()
                result = rtp.analyse(found)
                measure("analyse", middle)
                measure(f"read {name} and analyse", began)
                assert len(result) == streams
                assert sum(stream.packets for stream in result) == packets
                assert not any(stream.lost or stream.malformed or stream.wrong_steps for stream in result)
        keep = _damaged_order(packets)
        records = pcap.pack(raw, keep * FRAME_BYTES, captured, captured, np.sort(realtime_ns[keep]))
        plain.write_bytes(pcap.file_header() + records.tobytes())
        for _ in range(rounds):
            began = time.perf_counter()
            result = rtp.analyse(reader.read(plain, {"clock": CLOCK}))
            measure("damaged: read and analyse", began)
            assert sum(stream.lost for stream in result) > packets // 4
    for stage, taken in seconds.items():
        best, median = min(taken), statistics.median(taken)
        print(f"{stage:28} best {packets / best / 1e6:6.2f} M/s   median {packets / median / 1e6:6.2f} M/s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
