"""How CallManager recovers from a burst, with clients that ask again when they lose patience and without.

    python bench/callmanager_recovery.py              # virtual time, then real sockets
    python bench/callmanager_recovery.py --virtual

A base load of single questions, and 1,000 at once upon it after 10 s; whoever is not answered within 3 s gives up, and
asks again after about a second, in all so many times. "Recovered" is when nine of ten who then ask are answered within
a second, as seconds after the burst. CallManager has its assumed defaults: 105 a second. The real runs are the same
with all times divided by three, so that they end within a minute; their seconds are given multiplied by three again.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parent / "reference"))
from callmanager_server import CallManager, one_question
from queueing import Asked, Clients, played, recovery_s

from emulator.callmanager.capacity import ServiceTime

WORKERS, QUEUE, SEED, BURST = 8, 500, 1, 1000
VIRTUAL = [(per_s, tries) for per_s in (20, 40, 60, 80) for tries in (1, 2, 4)]
REAL = [(20, 1), (20, 4), (40, 1), (40, 4)]
REAL_UNTIL_S = 60.0
FASTER = 3


def told(clients: Clients, asked: list[Asked], queue: int) -> str:
    recovered = recovery_s(clients, asked)
    base = asked[: len(asked) - clients.burst]
    late = [one for one in base if one.at_s > clients.until_s - 20]
    late_share = sum(one.answered_s is not None for one in late) / len(late)
    burst_share = sum(one.answered_s is not None for one in asked[len(base) :]) / clients.burst
    attempts = sum(one.attempts for one in asked) / len(asked)
    when = "never" if recovered is None else f"{recovered:.0f} s"
    return (
        f"{queue:5} {clients.per_s:9.0f}/s {clients.tries:6} {when:>10} "
        f"{100 * late_share:14.0f} % {100 * burst_share:10.0f} % {attempts:10.2f}"
    )


HEAD = "queue   base load  tries  recovered  last 20 s in time  burst in time  tries each"


async def measured(port: int, clients: Clients) -> list[Asked]:
    """The clients over real sockets, all times divided by FASTER; their stories in the model's time."""
    begun = trio.current_time()
    first = clients.first_tries()
    found: dict[int, Asked] = {}

    async def ask(at_s: float, number: int) -> None:
        await trio.sleep_until(begun + at_s / FASTER)
        for attempt in range(1, clients.tries + 1):
            with trio.move_on_after(clients.timeout_s / FASTER):
                if await one_question(port):
                    answered_s = (trio.current_time() - begun) * FASTER
                    found[number] = Asked(at_s=at_s, answered_s=answered_s, attempts=attempt)
                    return
            if attempt < clients.tries:
                await trio.sleep(clients.pause_of(number, attempt) / FASTER)
        found[number] = Asked(at_s=at_s, answered_s=None, attempts=clients.tries)

    async with trio.open_nursery() as nursery:
        for at_s, number in first:
            nursery.start_soon(ask, at_s, number)
    return [found[number] for _, number in first]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtual", action="store_true", help="leave the real sockets out")
    options = parser.parse_args()
    service = ServiceTime(p50_ms=60, p99_ms=300, seed=SEED)
    print(f"virtual time\n{HEAD}")
    for queue in (QUEUE, 200):
        for per_s, tries in VIRTUAL:
            clients = Clients(per_s=per_s, burst=BURST, tries=tries, seed=SEED)
            print(told(clients, played(clients, service, workers=WORKERS, queue=queue), queue))
    if options.virtual:
        return
    print(f"real sockets beside the same in virtual time, {REAL_UNTIL_S:.0f} s of base load\n{HEAD}")
    for per_s, tries in REAL:
        clients = replace(Clients(per_s=per_s, burst=BURST, tries=tries, seed=SEED), until_s=REAL_UNTIL_S)
        print(told(clients, played(clients, service, workers=WORKERS, queue=QUEUE), QUEUE) + "  virtual")
        p50_ms, p99_ms = service.p50_ms / FASTER, service.p99_ms / FASTER
        with CallManager(workers=WORKERS, queue=QUEUE, p50_ms=p50_ms, p99_ms=p99_ms, seed=SEED) as server:
            print(told(clients, trio.run(measured, server.port, clients), QUEUE) + "  real")


if __name__ == "__main__":
    main()
