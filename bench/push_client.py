"""CPU of the gateway's push client for each push: connect, send, read, understand, two records.

    python bench/push_client.py [COUNT]

The phone is a process of its own that accepts, reads and answers at once; CPU is the client's alone.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import trio

from gateway.cisco import Credentials, Outcome
from gateway.inventory import Phone
from gateway.push import Limits, Pusher
from gateway.push.client import PushSettings
from gateway.records import Records

BODY = b'<CiscoIPPhoneResponse><ResponseItem Status="0" Data="Success" URL="RTPRx:Stop"/></CiscoIPPhoneResponse>'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


def phone(report: Connection) -> None:
    with socket.create_server(("127.20.0.1", 0), backlog=4096) as listener:
        report.send(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            with connection:
                if connection.recv(4096):
                    connection.send(WHOLE)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=phone, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    with Records(Path("/dev/null")) as records:
        pusher = Pusher(
            settings=PushSettings(
                credentials=Credentials(user="agpush", password="secret"),  # noqa: S106  the bench's own
                source="127.20.128.10",
                port=port,
                rtp_port=32674,
                limits=Limits(connect_s=2, total_s=10),
            ),
            records=records,
        )
        target = Phone(device_name="SEP001BD4000001", address="127.20.0.1")

        async def work(turns: int) -> None:
            for _ in range(turns):
                answer = await pusher.push(target, page="1", action="start", attempt=1)
                assert answer.outcome is Outcome.EXECUTED, answer

        async def run(total: int) -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(work, total // 50)
            records.flush()

        trio.run(run, 500)
        wall, cpu = time.perf_counter(), time.process_time()
        trio.run(run, count)
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    server.terminate()
    server.join()
    print(
        json.dumps(
            {
                "pushes": count,
                "cpu_us_each": round(cpu_s / count * 1e6, 1),
                "per_core_s": round(count / cpu_s),
                "wall_per_s_with_the_phone_on_the_same_machine": round(count / wall_s),
            }
        )
    )


if __name__ == "__main__":
    main()
