"""CallManager's curve over offered load: configured, by theory, in virtual time, and over real sockets.

    python bench/callmanager_curve.py

Paired: the same arrivals of the same seed go to the model in virtual time and, as new connections at those instants, to
a real mock CallManager on 127.0.0.1. Service times are half of the defaults (30 ms, 150 ms), so that a row takes
seconds: 210 a second are configured. A row in which the server itself was late (the last column) is the machine's, not
the model's: run it again. Waits by theory are those of Lee and Longton (bench/reference/queueing.py).
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parent / "reference"))
from callmanager_server import CallManager, one_question
from queueing import mean_wait_s, open_load, poisson_ns

from emulator.callmanager.capacity import NS_PER_MS, ServiceTime
from emulator.callmanager.load import NS_PER_S

LOADS = (0.3, 0.6, 0.8, 0.9, 1.2, 2.0)
COUNT = 1500
WORKERS, QUEUE, SEED = 8, 500, 1
P50_MS, P99_MS = 30.0, 150.0


def p99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


async def measured(port: int, times_ns: list[int]) -> list[tuple[float, float] | None]:
    """Per question: seconds from the start to its answer, and milliseconds that it took; None: 503."""
    begun = trio.current_time()
    found: list[tuple[float, float] | None] = []

    async def ask(at_s: float) -> None:
        await trio.sleep_until(begun + at_s)
        answered = await one_question(port)
        now = trio.current_time()
        found.append((now - begun, (now - begun - at_s) * 1000) if answered else None)

    async with trio.open_nursery() as nursery:
        for at in times_ns:
            nursery.start_soon(ask, at / NS_PER_S)
    return found


def main() -> None:
    service = ServiceTime(p50_ms=P50_MS, p99_ms=P99_MS, seed=SEED)
    capacity_per_s = WORKERS / service.mean_ms * 1000
    print(f"configured: {capacity_per_s:.0f} a second; {COUNT} arrivals a row, seed {SEED}")
    print("          answered a second          mean wait, ms             answer p99, ms    turned away, %    late p99")
    print("load    virtual   real  ratio    theory virtual  real    virtual   real  ratio   virtual   real        ms")
    for load in LOADS:
        times = poisson_ns(COUNT, load * capacity_per_s, SEED)
        plans = open_load(service, times, workers=WORKERS, queue=QUEUE)
        admitted = [plan for plan in plans if plan.admitted]
        virtual_per_s = len(admitted) / (max(plan.ends_ns for plan in admitted) / NS_PER_S)
        virtual_p99 = p99([(plan.ends_ns - plan.arrived_ns) / NS_PER_MS for plan in admitted])
        virtual_wait = statistics.fmean(plan.wait_ns for plan in admitted) / NS_PER_MS
        theory = f"{mean_wait_s(WORKERS, load * capacity_per_s, service) * 1000:9.2f}" if load < 1 else "        -"
        with CallManager(workers=WORKERS, queue=QUEUE, p50_ms=P50_MS, p99_ms=P99_MS, seed=SEED) as server:
            found = trio.run(measured, server.port, times)
        real = [one for one in found if one is not None]
        real_per_s = len(real) / max(at for at, _ in real)
        real_p99 = p99([ms for _, ms in real])
        waits = [one["wait_ms"] for one in server.answers if one["answer"] == "authorized"]
        late = p99([one["late_ms"] for one in server.answers if "late_ms" in one])
        gone = [100 * (1 - len(some) / COUNT) for some in (admitted, real)]
        print(
            f"{load:4.1f} {virtual_per_s:10.1f} {real_per_s:6.1f} {real_per_s / virtual_per_s:6.3f}"
            f" {theory} {virtual_wait:7.2f} {statistics.fmean(waits):6.2f}"
            f" {virtual_p99:9.1f} {real_p99:6.1f} {real_p99 / virtual_p99:6.3f}"
            f" {gone[0]:9.1f} {gone[1]:6.1f} {late:9.1f}"
        )


if __name__ == "__main__":
    main()
