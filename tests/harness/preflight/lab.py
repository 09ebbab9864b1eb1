"""A lab for `pushlab preflight`, in namespaces of its own: `lab.py WORK`, started by the tests of whole preflights.

WORK/lab.json says what to start: `phones` (a list of rosters' rows), `callmanager` (its TOML, without `listen`),
`blocked_udp` and `blocked_hosts` (addresses), `web` (answers by host and path), and `preflight`, a list
of command lines, all run on the gateway's host at the same time. Their ends are printed as JSON.
"""

import csv
import http.client
import json
import os
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import trio

from harness.bed.ground import Ground, Host, HostName, stand
from harness.bed.processes import Part, PartPlan
from harness.net.lab import INTERFACE

COMMAND = (sys.executable, "-m", "harness.cli")
PREFLIGHT_S = 100
COLUMNS = ("device_name", "directory_number", "mac", "model", "address", "authentication_url", "web_access")


async def _start(nursery: trio.Nursery, host: Host, work: Path, name: str, *options: str) -> Part:
    plan = PartPlan(
        name=name,
        argv=[*COMMAND, name, *options, "--stop-with-stdin", "--events", str(work / f"{name}.jsonl")],
        log_path=work / f"{name}.log",
        events_path=None,
    )
    return await host.start(nursery, plan)


async def _preflight(host: Host, work: Path, words: list[str], ends: list[dict[str, Any]], place: int) -> None:
    plan = host.placed(PartPlan(name="preflight", argv=[*COMMAND, "preflight", *words], log_path=work / "unused"))
    ended = await trio.run_process(
        list(plan.argv), pass_fds=list(plan.pass_fds), capture_stdout=True, capture_stderr=True, check=False, cwd=work
    )
    ends[place] = {"code": ended.returncode, "stdout": ended.stdout.decode(), "stderr": ended.stderr.decode()}


async def _serve_fixed(
    host: Host, address: str, port: int, pages: dict[str, str], *, task_status: trio.TaskStatus[object]
) -> None:
    listener = host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    listener.setblocking(False)

    async def answer_one(stream: trio.SocketStream) -> None:
        async with stream:
            path = (await stream.receive_some(4096)).decode("latin-1").split(" ")[1]
            await stream.send_all(pages.get(path, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").encode())

    served = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
    await trio.serve_listeners(answer_one, [served], task_status=task_status)


async def run(work: Path, ground: Ground) -> list[dict[str, Any]]:
    wanted = json.loads((work / "lab.json").read_text(encoding="utf-8"))
    with (work / "phones.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(wanted["phones"])
    if wanted.get("blocked_udp"):
        ground.block_udp(wanted["blocked_udp"], 32674)
    for address in wanted.get("blocked_hosts", []):
        ground.block_host(address)
    async with trio.open_nursery() as nursery:
        parts = []
        options = ["--csv", str(work / "phones.csv"), "--port", "80", "--interface", INTERFACE]
        control = f"{ground.addresses.phones}:{ground.addresses.phones_control_port}"
        parts.append(await _start(nursery, ground.host("phones"), work, "phones", *options, "--control", control))
        if "callmanager" in wanted:
            config = work / "callmanager.toml"
            listen = f'listen = "{ground.addresses.callmanager}:80"\n'
            config.write_text(listen + wanted["callmanager"], encoding="utf-8")
            config.chmod(0o600)
            parts.append(
                await _start(nursery, ground.host("callmanager"), work, "callmanager", "--config", str(config))
            )
        for name, pages in wanted.get("web", {}).items():
            host: Host = ground.host(_host(name))
            await nursery.start(partial(_serve_fixed, host, host.address, 80, pages))
        for event in wanted.get("events", []):
            ground.host("phones").call(partial(_post, control, f"/phones/{event}"))
        ended: list[dict[str, Any]] = [{}] * len(wanted["preflight"])
        with trio.fail_after(PREFLIGHT_S):
            async with trio.open_nursery() as running:
                for place, words in enumerate(wanted["preflight"]):
                    running.start_soon(_preflight, ground.host("gateway"), work, words, ended, place)
        for part in parts:
            await part.stop()
        nursery.cancel_scope.cancel()
    return ended


def _host(name: str) -> HostName:
    assert name in {"harness", "gateway", "callmanager", "phones"}
    return name  # type: ignore[return-value]


def _post(place: str, path: str) -> None:
    connection = http.client.HTTPConnection(place, timeout=5)
    connection.request("POST", path)
    assert connection.getresponse().status == 200, path
    connection.close()


def main() -> None:
    work = Path(sys.argv[1])
    os.umask(0o077)
    with stand("netns") as ground:
        ended = trio.run(run, work, ground)
    sys.stdout.write(json.dumps(ended) + "\n")


if __name__ == "__main__":
    main()
