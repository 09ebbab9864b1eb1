"""What the real tests do inside their namespace: python inside.py CASE FOLDER. Prints one line of JSON."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.capture.clause import Clause, Program, built_in
from harness.capture.spool import SpoolFile
from harness.capture.tap import Tap, TapError

RTP = b"\x80" + bytes(171)
DATA_THAT_MUST_NOT_BE_STORED = b"password=secret"


def send(count: int, *, port: int = 32674, source: str = "127.0.0.1") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as receiver:
        receiver.bind(("127.0.0.1", port))
        sock.bind((source, 0))
        for _ in range(count):
            sock.sendto(RTP, ("127.0.0.1", port))


def syn(source: str, flags: int = 2) -> None:
    """A SYN that carries data, as TCP Fast Open allows."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.bind((source, 0))
        segment = struct.pack(">HHIIBBHHH", 50000, 80, 1, 0, 0x50, flags, 1000, 0, 0) + DATA_THAT_MUST_NOT_BE_STORED
        raw.sendto(segment, ("127.0.0.10", 0))


def tap(folder: Path, clause: Clause, *, limit_bytes: int = 1 << 24) -> tuple[Tap, SpoolFile]:
    spool = SpoolFile(folder, limit_bytes=limit_bytes)
    return Tap(clause, Program(instructions=built_in(clause), origin="built-in"), number=0, spool=spool), spool


def counts(folder: Path, clause: Clause, packets: int, **options: int) -> dict[str, Any]:
    opened, spool = tap(folder, clause, **options)
    send(packets)
    send(3, port=32676)
    settled = opened.finish()
    frames = spool.frames(frozenset())
    opened.close()
    return {
        "settled": settled,
        "received": opened.received,
        "dropped": opened.dropped,
        "kept": len(frames.offset),
        "left_out": spool.left_out.get(0, 0),
        "problem": spool.problem,
        "captured": sorted(set(frames.captured.tolist())),
    }


def whole(folder: Path) -> dict[str, Any]:
    clause = Clause(name="rtp", kind="rtp", interface="lo", port=32674, blocks=8)
    return counts(folder, clause, 5000)


def tiny_ring(folder: Path) -> dict[str, Any]:
    clause = Clause(name="rtp", kind="rtp", interface="lo", port=32674, block_bytes=4096, blocks=2)
    return counts(folder, clause, 1000)


def size_limit(folder: Path) -> dict[str, Any]:
    clause = Clause(name="rtp", kind="rtp", interface="lo", port=32674, block_bytes=1 << 16, blocks=32)
    return counts(folder, clause, 1000, limit_bytes=100_000)


def both_directions(folder: Path) -> dict[str, Any]:
    clause = Clause(name="rtp", kind="rtp", interface="lo", port=32674, incoming_only=False)
    return counts(folder, clause, 10)


def other_namespace(folder: Path) -> dict[str, Any]:
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert ctypes.CDLL(None).unshare(0x40000000) == 0
    found = {}
    for name, namespace in (("descriptor", here), ("path", f"/proc/self/fd/{here}")):
        clause = Clause(name=name, kind="rtp", interface="lo", port=32674, namespace=namespace)
        opened, _ = tap(folder, clause)
        # A child enters the old namespace and sends there; this process stays where no packet is.
        child = os.fork()
        if not child:
            ctypes.CDLL(None).setns(here, 0x40000000)
            send(7)
            os._exit(0)
        os.waitpid(child, 0)
        found[name] = [opened.finish(), opened.received]
        opened.close()
    try:
        tap(folder, Clause(name="wrong", kind="rtp", interface="eth7", port=1, namespace="/proc/self/ns/net"))
    except TapError as error:
        found["error"] = [str(error)]
    return found


def command(folder: Path) -> dict[str, Any]:
    clauses = [
        {"name": "rtp", "kind": "rtp", "interface": "lo", "port": 32674},
        {"name": "authentication-gateway", "kind": "syn", "interface": "lo", "port": 80, "address": "127.0.0.10"},
    ]
    configuration = folder / "capture-configuration.json"
    configuration.write_text(json.dumps({"out": str(folder), "clauses": clauses, "canaries": ["127.0.0.250"]}))
    arguments = [sys.executable, "-m", "harness.capture.command", "--config", str(configuration)]
    arguments += ["--stop-with-stdin", "--events", str(folder / "events.jsonl")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        send(1, source="127.0.0.250")
        send(500)
        syn("127.0.0.250")
        syn("127.0.0.1")
        syn("127.0.0.1", flags=0x12)
        syn("127.0.0.1", flags=0x10)
        process.stdin.close()
        return {"ready": ready, "code": process.wait(30), "rest": process.stdout.read().decode()}


def alone(folder: Path) -> dict[str, Any]:
    arguments = [sys.executable, "-m", "harness.capture.command", "--interface", "lo", "--status-s", "0.05"]
    with subprocess.Popen([*arguments, "--out", str(folder / "mine.pcap")], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        send(20)
        status: dict[str, Any] = {}
        for line in process.stdout:
            status = json.loads(line)["status"]
            if status["received"] == 20:
                break
        process.send_signal(signal.SIGINT)
        return {"status": status, "code": process.wait(30), "files": sorted(path.name for path in folder.iterdir())}


CASES = {
    case.__name__: case
    for case in (whole, tiny_ring, size_limit, both_directions, other_namespace, command, alone)
}

if __name__ == "__main__":
    print(json.dumps(CASES[sys.argv[1]](Path(sys.argv[2]))))  # noqa: T201 - the answer to the test
