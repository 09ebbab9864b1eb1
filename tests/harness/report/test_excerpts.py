import gzip
import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from socket import inet_aton

import pytest

from harness.capture import pcap
from harness.report.excerpts import PHONES_MAX, chosen, stories_of, write_excerpts
from harness.report.result import read_result

MakeRun = Callable[..., Path]
EPOCH_NS = 1_700_000_000_000_000_000


def frame(destination: str, sequence: int, source: str = "10.20.128.10") -> bytes:
    rtp = struct.pack(">BBHII", 0x80, 0, sequence, sequence * 160, 7) + bytes(160)
    udp = struct.pack(">HHHH", 20000, 32674, 8 + len(rtp), 0) + rtp
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0)
    return bytes(12) + b"\x08\x00" + header + inet_aton(source) + inet_aton(destination) + udp


def add_capture(folder: Path, frames: list[bytes]) -> None:
    out = pcap.file_header()
    for number, each in enumerate(frames):
        seconds, fraction = divmod(EPOCH_NS + number * 20_000_000, 10**9)
        out += struct.pack("<IIII", seconds, fraction, len(each), len(each)) + each
    (folder / "capture.pcap.gz").write_bytes(gzip.compress(out))
    clock = [{"monotonic_ns": 5_000_000_000, "realtime_ns": EPOCH_NS, "uncertainty_ns": 40}]
    (folder / "capture.json").write_text(json.dumps({"clock": clock}))


def written(folder: Path) -> list[str]:
    result = read_result(folder)
    write_excerpts(result, stories_of(result))
    return sorted(file.name for file in (folder / "evidence").glob("*"))


def packets_of(file: Path) -> int:
    return len(pcap.records(pcap.unpack(file)[0]).offset)


def test_each_failing_phone_has_its_packets_and_its_story(make_run: MakeRun) -> None:
    folder = make_run("failing", phones=160)
    add_capture(folder, [frame("10.20.0.80", n) for n in range(5)] + [frame("10.20.0.81", n) for n in range(9)])
    assert written(folder) == [
        f"SEP001BD40000{name}.{ending}" for name in ("50", "A0") for ending in ("pcap", "txt")
    ]  # fmt: skip
    text = (folder / "evidence" / "SEP001BD4000050.txt").read_text()
    assert text.startswith("SEP001BD4000050  no_audio\nwhy: listened on 32674 for 8.0 s and received no packet\n")
    assert "packets: SEP001BD4000050.pcap, 5 packets\n" in text
    assert "repeat: pushlab run burst-offload --phones 160 --seed 1 --ground netns\n" in text
    assert "  gateway      sent the start push, attempt 1, from 10.20.128.10:20080\n" in text
    assert [packets_of(folder / "evidence" / f"SEP001BD40000{name}.pcap") for name in ("50", "A0")] == [5, 0]


def test_tshark_reads_the_excerpt(make_run: MakeRun) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (Debian: apt-get install tshark)")
    folder = make_run("failing", phones=80)
    add_capture(folder, [frame("10.20.0.80", n) for n in range(1, 4)] + [frame("10.20.0.81", 1)])
    written(folder)
    command = ["tshark", "-r", str(folder / "evidence" / "SEP001BD4000050.pcap"), "-d", "udp.port==32674,rtp"]
    command += ["-T", "fields", "-e", "frame.time_epoch", "-e", "ip.dst", "-e", "rtp.seq"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.splitlines() == [f"1700000000.0{n * 2}0000000\t10.20.0.80\t{n + 1}" for n in range(3)]


def test_a_group_is_cut_out_for_who_listened_to_it(make_run: MakeRun, add_events: Callable[..., None]) -> None:
    folder = make_run("failing", phones=160)
    add_events(folder, {"t_ns": 5_000_100_000_000, "witness": "phones", "kind": "stream.listening",
                        "phone": "SEP001BD4000050", "port": 32674, "source": "239.20.1.1"})  # fmt: skip
    add_capture(folder, [frame("239.20.1.1", n) for n in range(7)])
    written(folder)
    assert [packets_of(folder / "evidence" / f"SEP001BD40000{name}.pcap") for name in ("50", "A0")] == [7, 0]


def test_no_end_state_crowds_out_another(make_run: MakeRun) -> None:
    result = read_result(make_run("direct"))
    wrong = {**result.ledger[-1], "state": "wrong_audio"}
    rows = chosen(replace(result, ledger=(*result.ledger[:-1], wrong)))
    assert len(rows) == PHONES_MAX
    assert [row["state"] for row in rows].count("wrong_audio") == 1


def test_written_again_leaves_nothing_old(make_run: MakeRun) -> None:
    folder = make_run("failing", phones=80)
    (folder / "evidence").mkdir()
    (folder / "evidence" / "SEP00000000DEAD.txt").write_text("old")
    assert written(folder) == ["SEP001BD4000050.txt"]  # there is no capture


def test_packets_stay_where_the_capture_was_not_kept(make_run: MakeRun) -> None:
    folder = make_run("failing", phones=80)
    add_capture(folder, [frame("10.20.0.80", 1)])
    written(folder)
    (folder / "capture.pcap.gz").unlink()
    assert written(folder) == ["SEP001BD4000050.pcap", "SEP001BD4000050.txt"]


def test_nobody_missed_it_nothing_is_left(make_run: MakeRun) -> None:
    folder = make_run("offload", phones=20)
    assert written(folder) == []
    assert not (folder / "evidence").exists()


def test_a_name_is_no_way_out_of_the_folder(make_run: MakeRun) -> None:
    folder = make_run("failing", phones=80)
    file = folder / "ledger.csv"
    file.write_text(file.read_text().replace("SEP001BD4000050", "../../SEP001BD4000050"))
    assert written(folder) == []


def test_damaged_capture_gives_what_is_whole(make_run: MakeRun) -> None:
    folder = make_run("failing", phones=80)
    add_capture(folder, [frame("10.20.0.80", n) for n in range(20)])
    whole = gzip.decompress((folder / "capture.pcap.gz").read_bytes())
    (folder / "capture.pcap.gz").write_bytes(gzip.compress(whole[: len(whole) // 2]))
    written(folder)
    assert 5 < packets_of(folder / "evidence" / "SEP001BD4000050.pcap") < 20
    (folder / "capture.json").write_text("{}")
    assert written(folder) == ["SEP001BD4000050.txt"]
