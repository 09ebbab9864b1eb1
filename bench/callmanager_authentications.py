"""Authentications per second and CPU per authentication of the mock CallManager, and how well it keeps its schedule.

    python bench/callmanager_authentications.py                      # service times of 1 us: only the server counts
    python bench/callmanager_authentications.py --p50-ms 60 --p99-ms 300 --workers 8 --count 1000 --in-flight 200
    python bench/callmanager_authentications.py --p50-ms 60 --p99-ms 300 --workers 8 --count 600 --per-s 80

Two processes on 127.0.0.1, a new connection for each request, as phones do. CPU is the server's own.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
PASSWORD = "of-the-bench"  # noqa: S105 - opens nothing
REQUEST = (
    f"GET /CCMCIP/authenticate.asp?UserID=agpush&Password={PASSWORD}&devicename=SEP001BD4000001 HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\n\r\n"
).encode()


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, count: int, in_flight: int, per_s: float) -> tuple[int, float]:
    """Send all requests; how many were authorised, and in how many seconds."""
    selector = selectors.DefaultSelector()
    sent = done = authorised = 0
    begun = time.monotonic()
    while done < count:
        while sent < count and sent - done < in_flight and sent <= (time.monotonic() - begun) * per_s:
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(REQUEST)
            selector.register(sock, selectors.EVENT_READ, sock)
            sent += 1
        for key, _ in selector.select(0.002):
            sock = key.data
            authorised += sock.recv(4096).endswith(b"\r\n\r\nAUTHORIZED")
            selector.unregister(sock)
            sock.close()
            done += 1
    return authorised, time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--per-s", type=float, default=float("inf"), help="open load: at most so many a second")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--p50-ms", type=float, default=0.001)
    parser.add_argument("--p99-ms", type=float, default=0.001)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        configuration, events = Path(folder, "callmanager.toml"), Path(folder, "events.jsonl")
        configuration.touch(mode=0o600)
        configuration.write_text(
            f'listen = "127.0.0.1:0"\nworkers = {options.workers}\nqueue = 5000\n'
            f"service_ms = {{ p50 = {options.p50_ms}, p99 = {options.p99_ms} }}\n"
            f'[[user]]\nname = "agpush"\npassword = "{PASSWORD}"\n'
        )
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "--config", configuration, "--events", events, "--stop-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["urls"]["authentication"]
            before = cpu_of(server.pid)
            port = int(url.split("/")[2].rpartition(":")[2])
            authorised, seconds = ask(port, options.count, options.in_flight, options.per_s)
            cpu = cpu_of(server.pid) - before
            server.stdin.close()
        records = [json.loads(line) for line in events.read_text().splitlines()]
    late_ms = sorted(record["late_ms"] for record in records if "late_ms" in record)
    print(f"{authorised} of {options.count} authorised in {seconds:.2f} s: {options.count / seconds:.0f} a second")
    print(f"CPU per authentication: {cpu / options.count * 1e6:.0f} us")
    print(f"late_ms p50 {late_ms[len(late_ms) // 2]} p99 {late_ms[len(late_ms) * 99 // 100]} max {late_ms[-1]}")
    for record in records:
        if record["kind"] in {"schedule.lateness", "callmanager.ended"}:
            print({key: value for key, value in record.items() if key not in {"t_ns", "witness"}})


if __name__ == "__main__":
    main()
