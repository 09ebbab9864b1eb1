"""Real sockets, real packets, in a network namespace made for each test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.capture import canary, dissection, reader, rtp

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
Inside = Callable[[str], dict[str, Any]]

pytestmark = pytest.mark.real


@pytest.fixture
def inside(tmp_path: Path) -> Inside:
    def run(case: str) -> dict[str, Any]:
        arguments = [sys.executable, str(HERE / "namespace_entry.py"), sys.executable, str(HERE / "inside.py")]
        done = subprocess.run(
            [*arguments, case, str(tmp_path)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        if done.returncode == 77:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    return run


def test_every_packet_is_kept_once(inside: Inside):
    found = inside("whole")
    assert found == {"settled": True, "received": 5000, "dropped": 0, "kept": 5000, "left_out": 0, "problem": None,
                     "captured": [214]}  # fmt: skip


def test_a_ring_that_is_not_read_drops_and_says_how_many(inside: Inside):
    found = inside("tiny_ring")
    assert found["received"] == 1000
    assert found["dropped"] > 900
    assert found["kept"] == found["received"] - found["dropped"]
    assert found["settled"]


def test_packets_beyond_the_size_limit_are_counted(inside: Inside):
    found = inside("size_limit")
    assert (found["received"], found["dropped"]) == (1000, 0)
    assert 0 < found["kept"] < 1000
    assert found["kept"] + found["left_out"] == 1000
    assert "limit of 100000 bytes" in found["problem"]


def test_outgoing_packets_only_where_asked(inside: Inside):
    assert inside("both_directions")["received"] == 20


def test_a_tap_stands_in_another_namespace(inside: Inside):
    found = inside("other_namespace")
    assert (found["path"], found["descriptor"]) == ([True, 7], [True, 7])
    (error,) = found["error"]
    assert error.startswith("clause wrong: cannot capture on eth7 in network namespace /proc/self/ns/net: ")
    assert error.endswith("No such device (errno 19); there is no such interface (list: ls /sys/class/net)")


def test_the_command_writes_what_the_readers_read(inside: Inside, tmp_path: Path):
    assert inside("command") == {"ready": {"ready": True, "urls": {}}, "code": 0, "rest": ""}
    description = json.loads((tmp_path / "capture.json").read_text())
    by_name = {clause["name"]: clause for clause in description["clauses"]}
    figures = {
        name: [clause[key] for key in ("received", "dropped", "kept", "accounted")] for name, clause in by_name.items()
    }
    assert figures == {"rtp": [501, 0, 501, True], "authentication-gateway": [2, 0, 2, True]}
    assert [canary["destination"] for canary in by_name["rtp"]["canaries"]] == ["127.0.0.1"]
    assert [canary["destination"] for canary in by_name["authentication-gateway"]["canaries"]] == ["127.0.0.10"]
    assert (description["truncated"], description["problem"], description["packets"]) == (False, None, 503)

    packets = reader.read(tmp_path / "capture.pcap.gz", description)
    assert len(packets) == 503
    assert (description["started_t_ns"] < packets.t_ns).all()
    assert (packets.t_ns < description["ended_t_ns"]).all()
    streams = rtp.analyse(packets, ~canary.is_canary(packets, ["127.0.0.250"]))
    assert [stream.packets for stream in streams] == [500]
    check = dissection.cross_check(packets, streams, seed=1)
    assert (check.checked > 0, check.disagreements) == (True, [])
    assert b"secret" not in packets.raw.tobytes()
    assert packets.captured[packets.protocol == 6].tolist() == [54, 54]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "capture-configuration.json", "capture.json", "capture.pcap.gz", "events.jsonl"]  # fmt: skip
    record = json.loads((tmp_path / "events.jsonl").read_text())
    assert (record["kind"], record["part"], record["dropped"]) == ("part.ended", "capture", 0)


def test_one_interface_alone(inside: Inside):
    found = inside("alone")
    assert found["status"] == {"received": 20, "dropped": 0}
    assert (found["code"], found["files"]) == (0, ["mine.json", "mine.pcap.gz"])
