"""Authentications a second of the gateway's phone port, and CPU each, a new connection every time.

    python bench/authentication_endpoint.py [COUNT]

The port runs in a process of its own, as it does in the gateway; the clients are this process: threads that connect
from addresses of their own, ask and read to the end. CPU is the server's alone. Answer times are as the clients see
them.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import trio

from gateway.authentication import Authenticator, Decision, OwnUserMismatch, answer_request
from gateway.phone_port import PhonePort, open_listener
from gateway.records import Records

HOST = "127.20.128.10"
QUESTION = (
    b"GET /cisco_auth/authenticate.html?UserID=agpush&Password=secret&devicename=SEP001BD4000001 HTTP/1.1\r\n"
    b"Host: 127.20.128.10\r\nUser-Agent: Allegro-Software-WebClient/4.34\r\nAccept: x-CiscoIPPhone/*, text/*\r\n\r\n"
)
THREADS = 4


def serve(report: Connection, events: str) -> None:
    authenticator = Authenticator(
        user="agpush",
        password="secret",  # noqa: S106  the bench's own
        callmanager_url="http://127.20.128.20/CCMCIP/authenticate.asp",
        own_user_mismatch=OwnUserMismatch.REDIRECT,
        key=b"bench",
    )

    async def main() -> None:
        with open_listener(HOST, 0) as listener, Records(Path(events)) as records:

            def observe(decision: Decision, *, connection: str, answer_ms: float) -> None:
                records.write(
                    "authentication.answered",
                    phone=decision.device_name,
                    connection=connection,
                    answer=decision.answer,
                    own_user=decision.own_user,
                    answer_ms=answer_ms,
                )

            port = PhonePort(
                listener=listener, respond=lambda request: answer_request(request, authenticator), observe=observe
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(port.serve)
                nursery.start_soon(records.flush_regularly)
                report.send(listener.getsockname()[1])
                while True:
                    await trio.lowlevel.wait_readable(report.fileno())
                    if report.recv() == "end":
                        break
                    report.send(time.process_time())
                nursery.cancel_scope.cancel()

    trio.run(main)


def ask(port: int, count: int, source: str, answers_ms: list[float]) -> None:
    for _ in range(count):
        began = time.perf_counter()
        with socket.socket() as client:
            client.setsockopt(socket.IPPROTO_IP, 24, 1)
            client.bind((source, 0))
            client.connect((HOST, port))
            client.send(QUESTION)
            answer = b""
            while data := client.recv(4096):
                answer += data
        assert answer.endswith(b"\r\n\r\nAUTHORIZED"), answer
        answers_ms.append((time.perf_counter() - began) * 1000)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, "/dev/null"))
    server.start()
    port = ours.recv()
    ask(port, 200, "127.20.0.1", [])
    ours.send("cpu")
    cpu_before = ours.recv()
    answers_ms: list[float] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=ask, args=(port, count // THREADS, f"127.20.0.{number + 1}", answers_ms))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall_s = time.perf_counter() - began
    ours.send("cpu")
    cpu_s = ours.recv() - cpu_before
    ours.send("end")
    server.join()
    answers_ms.sort()
    done = len(answers_ms)
    print(
        json.dumps(
            {
                "authentications": done,
                "cpu_us_each": round(cpu_s / done * 1e6, 1),
                "per_core_s": round(done / cpu_s),
                "wall_per_s_with_clients_on_the_same_machine": round(done / wall_s),
                "answer_ms_p99": round(answers_ms[done * 99 // 100], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
