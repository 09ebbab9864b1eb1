"""Pages of the Administration Tool with 10,000 phones: how long each takes, and how late the event loop is meanwhile.

python bench/administration_tool.py [PHONES]
"""

from __future__ import annotations

import http.client
import statistics
import sys
import tempfile
import time
from pathlib import Path

import trio

from gateway.accounts import Role
from gateway.administration.application import create_application
from gateway.administration.listener import serve_administration
from gateway.administration.opening import make_desk
from gateway.configuration import load_configuration
from gateway.inventory import Listed, Listing
from gateway.phone_port import open_listener
from gateway.product import Gateway
from gateway.records import Records
from gateway.server import LoopLag
from gateway.store import Database

ADDRESS = "127.20.128.14"
TIMES = 20
PATHS = (
    "/",
    "/inventory",
    "/inventory?sort=address&descending=1&offset=5000",
    "/inventory?q=7F",
    "/zones",
    "/send",
    "/audit",
    "/system",
    "/metrics",
    "/api/inventory?limit=100",
    "/api/inventory",
)


def ask(port: int, path: str) -> tuple[float, int]:
    began = time.perf_counter()
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=30)
    connection.request("GET", path, headers={"Authorization": "Bearer t0ken"})
    answer = connection.getresponse()
    size = len(answer.read())
    connection.close()
    assert answer.status == 200, (path, answer.status)
    return (time.perf_counter() - began) * 1000, size


async def main(folder: Path, phones: int) -> None:
    (folder / "token").write_text("t0ken")
    (folder / "token").chmod(0o600)
    (folder / "g.toml").write_text(
        f'[phone_port]\nlisten = "{ADDRESS}:18099"\n[administration]\nlisten = "{ADDRESS}:0"\ntoken_file = "token"\n'
        'tls = "off"\n[store]\nfolder = "data"\nkey_file = "key"\n'
    )
    configuration = load_configuration(folder / "g.toml")
    listener = open_listener(ADDRESS, 0)
    port = listener.getsockname()[1]
    with Database.open(configuration.store_folder) as database:
        gateway = Gateway(configuration, (), Records(None), database)
        listed = [
            Listed(device_name=f"SEP{0x001BD4000001 + n:012X}", address=f"10.20.{n // 250}.{n % 250 + 1}")
            for n in range(phones)
        ]
        gateway.phonebook.take_at_start(Listing(source="bench", phones=listed))
        desk = make_desk(gateway, version="bench", authentication_url="http://10.0.0.1/", certificate=None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_administration, create_application(desk), listener)
            nursery.start_soon(gateway.keep_books)
            print(f"{phones} phones, {TIMES} times each")
            print(f"{'path':<52} {'median ms':>9} {'max ms':>7} {'kB':>6} {'loop lag max ms':>16}")
            for path in PATHS:
                lag = LoopLag()
                async with trio.open_nursery() as measuring:
                    measuring.start_soon(lag.measure)
                    times = [await trio.to_thread.run_sync(ask, port, path) for _ in range(TIMES)]
                    measuring.cancel_scope.cancel()
                took = [ms for ms, _ in times]
                worst = lag.summary().get("max", 0.0)
                median, kilobytes = statistics.median(took), times[0][1] / 1000
                print(f"{path:<52} {median:>9.1f} {max(took):>7.1f} {kilobytes:>6.0f} {worst:>16.1f}")
            lag = LoopLag()
            async with trio.open_nursery() as measuring:
                measuring.start_soon(lag.measure)
                began = time.perf_counter()
                for n in range(10):
                    await gateway.accounts.add(f"person{n}", Role.VIEWER, "a password of some length")
                took_ms = (time.perf_counter() - began) * 100
                measuring.cancel_scope.cancel()
            print(f"{'a password hashed (Argon2id)':<52} {took_ms:>9.1f} {'':>7} {'':>6} {lag.summary()['max']:>16.1f}")
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        trio.run(main, Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
