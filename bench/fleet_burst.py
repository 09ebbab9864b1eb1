"""Pushes per second of an emulated fleet, against an authentication server that says yes to everything.

    python bench/fleet_burst.py --phones 10000 --in-flight 200

Three processes: the fleet, the authentication server, and this client. Printed: start time, pushes per second, CPU per
push of the fleet, memory per phone idle and after the page. All on loopback.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import trio

from emulator.engine import Answer, Request, listen, serve

PORT = 18480
RTP_PORT = 31674
SERVER = ("127.20.128.10", 18481)
YES = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\nAUTHORIZED"


def authentication_server() -> None:
    async def yes(_request: Request) -> Answer:
        return Answer(YES)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: serve([listen(*SERVER)], yes, task_status=task_status))
            print("ready", flush=True)

    trio.run(run)


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_fleet(phones: int, events: str) -> tuple[subprocess.Popen[str], float]:
    begun = time.monotonic()
    fleet = subprocess.Popen(
        [sys.executable, "-c", "import sys; from emulator.fleet.command import main; sys.exit(main(sys.argv[1:]))",
         "--count", str(phones), "--port", str(PORT), "--auth-url", f"http://{SERVER[0]}:{SERVER[1]}/a",
         "--rtp-port", str(RTP_PORT), "--events", events],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert fleet.stdout is not None
    assert json.loads(fleet.stdout.readline())["ready"]
    return fleet, time.monotonic() - begun


async def burst(addresses: list[str], url: str, in_flight: int) -> int:
    body = f"XML=<CiscoIPPhoneExecute><ExecuteItem URL=\"{url}\"/></CiscoIPPhoneExecute>".encode()
    head = (
        f"POST /CGI/Execute HTTP/1.1\r\nHost: phone\r\nConnection: close\r\nAuthorization: Basic "
        f"{base64.b64encode(b'bench:bench').decode()}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    answered = 0
    waiting = iter(addresses)

    async def one_after_the_other() -> None:
        nonlocal answered
        for address in waiting:
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((address, PORT))
            try:
                sock.send(head + body)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(sock)
                sock.send(head + body)
            data = b""
            while True:
                await trio.lowlevel.wait_readable(sock)
                more = sock.recv(4096)
                if not more:
                    break
                data += more
            sock.close()
            answered += b"ResponseItem" in data

    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(one_after_the_other)
    return answered


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--phones", type=int, default=10000)
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--events", default="/tmp/fleet_burst.jsonl")
    arguments = parser.parse_args()
    with subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            measure(arguments)
        finally:
            server.terminate()


def measure(arguments: argparse.Namespace) -> None:
    empty, _ = start_fleet(1, arguments.events)
    base = memory_of(empty.pid)
    empty.terminate()
    empty.wait()
    fleet, start_s = start_fleet(arguments.phones, arguments.events)
    idle = memory_of(fleet.pid)
    print(f"start of {arguments.phones} phones: {start_s:.2f} s, {(idle - base) / arguments.phones:.0f} B/phone idle")
    addresses = [f"127.20.{n >> 8}.{n & 255}" for n in range(1, arguments.phones + 1)]
    for url in (f"RTPRx:127.0.0.1:{RTP_PORT}", "RTPRx:Stop"):
        cpu, begun = cpu_of(fleet.pid), time.monotonic()
        answered = trio.run(burst, addresses, url, arguments.in_flight)
        took, cpu = time.monotonic() - begun, cpu_of(fleet.pid) - cpu
        print(
            f"{url}: {answered} of {len(addresses)} executed, {answered / took:.0f} pushes/s, "
            f"fleet {cpu / len(addresses) * 1e6:.0f} us CPU/push, "
            f"{(memory_of(fleet.pid) - base) / arguments.phones:.0f} B/phone"
        )
    fleet.terminate()
    print("exit code", fleet.wait())
    print(*Path(arguments.events).read_text().splitlines()[-1:])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        authentication_server()
    else:
        main()
