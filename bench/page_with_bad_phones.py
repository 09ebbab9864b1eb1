"""Do bad phones hold up the healthy ones? Starts of a page to 5,000 phones, with and without bad ones among them.

    python bench/page_with_bad_phones.py [PAIRS [PHONES]]

10 % accept and never answer, 5 % reset the connection, 5 % answer garbage; the others answer at once. Without: the same
phones, all healthy. Pairs run in turns, since wall clock on a shared machine moves by a factor; the figure is the ratio
of the times until the last healthy phone listens (row C19 of the list of faults: at most 1.10).
"""

from __future__ import annotations

import json
import multiprocessing
import random
import select
import socket
import statistics
import struct
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import trio

from gateway.cisco import Credentials, Outcome
from gateway.inventory import Phone
from gateway.push import Limits, Pusher, Slots
from gateway.push.client import PushSettings
from gateway.records import Records

BODY = b'<CiscoIPPhoneResponse><ResponseItem Status="0" Data="Success" URL="RTPRx:Stop"/></CiscoIPPhoneResponse>'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(BODY),
    BODY,
)
KINDS = {"healthy": 0.80, "hung": 0.10, "reset": 0.05, "garbage": 0.05}


def kind_of(address: str) -> str:
    """By the third number: 127.20.x.y healthy, 127.21 hung, 127.22 reset, 127.23 garbage."""
    return list(KINDS)[int(address.split(".")[1]) - 20]


def fleet(report: Connection) -> None:
    hung: list[socket.socket] = []
    poll = select.epoll()
    open_now: dict[int, socket.socket] = {}
    with socket.create_server(("0.0.0.0", 0), backlog=4096) as listener:
        listener.setblocking(False)
        report.send(listener.getsockname()[1])
        poll.register(listener, select.EPOLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == listener.fileno():
                    try:
                        connection, _ = listener.accept()
                    except BlockingIOError:
                        continue
                    connection.setblocking(False)
                    open_now[connection.fileno()] = connection
                    poll.register(connection, select.EPOLLIN)
                    continue
                connection = open_now.pop(descriptor)
                poll.unregister(descriptor)
                connection.recv(4096)
                kind = kind_of(connection.getsockname()[0])
                if kind == "hung":
                    hung.append(connection)
                    del hung[:-2000]
                    continue
                if kind == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    connection.send(WHOLE if kind == "healthy" else b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
                connection.close()


def phones(count: int, *, bad: bool) -> list[Phone]:
    made = []
    for kind, (name, share) in enumerate(KINDS.items()):
        for number in range(round(count * share)):
            second = 20 + (kind if bad or name == "healthy" else 0)
            address = f"127.{second}.{1 + kind * 40 + number // 250}.{1 + number % 250}"
            made.append(Phone(device_name=f"SEP{len(made):012X}", address=address))
    random.Random(1).shuffle(made)
    return made


async def healthy_listen_s(pusher: Pusher, targets: list[Phone]) -> tuple[float, list[float]]:
    """Seconds until the last healthy phone listens, and of each."""
    by_name = {phone.device_name: phone for phone in targets}
    waited = {name for name, phone in by_name.items() if kind_of(phone.address) == "healthy"}
    times: list[float] = []
    began = trio.current_time()
    with trio.CancelScope() as scope:

        async def start(name: str) -> None:
            answer = await pusher.push(by_name[name], page="1", action="start", attempt=1)
            if name in waited:
                assert answer.outcome is Outcome.EXECUTED, answer
                times.append(trio.current_time() - began)
                waited.discard(name)
                if not waited:
                    scope.cancel()

        await Slots(200).run(by_name, start)
    return max(times), times


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=fleet, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    ratios, with_bad, without = [], [], []
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
        trio.run(healthy_listen_s, pusher, phones(500, bad=False))
        for pair in range(pairs):
            measured = {}
            for bad in (True, False) if pair % 2 else (False, True):
                measured[bad], _ = trio.run(healthy_listen_s, pusher, phones(count, bad=bad))
                records.flush()
            with_bad.append(measured[True])
            without.append(measured[False])
            ratios.append(measured[True] / measured[False])
    server.terminate()
    server.join()
    ratios.sort()
    print(
        json.dumps(
            {
                "phones": count,
                "pairs": pairs,
                "last_healthy_listens_s_with_bad_phones": round(statistics.median(with_bad), 3),
                "the_same_all_healthy_s": round(statistics.median(without), 3),
                "ratio_median": round(statistics.median(ratios), 3),
                "ratio_range": [round(ratios[0], 3), round(ratios[-1], 3)],
                "ratio_wanted": "at most 1.10",
            }
        )
    )


if __name__ == "__main__":
    main()
