"""Whether this machine stops its processors: one real-time thread on each, which sleeps a millisecond and nothing else.

    python bench/machine_stalls.py [SECONDS]

Prints JSON: for each processor the pauses above 30 ms, in milliseconds. On a machine that is fit for a verdict there
are none: whatever else runs there, it cannot hold such a thread up. Needs the right to SCHED_FIFO.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

PAUSE_S = 0.03
PRIORITY = 20


def pauses_ms(processor: int, seconds: float) -> list[int]:
    """Pauses on one processor."""
    os.sched_setaffinity(0, {processor})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    found = []
    last = time.monotonic()
    until = last + seconds
    while last < until:
        time.sleep(0.001)
        now = time.monotonic()
        if now - last > PAUSE_S:
            found.append(round((now - last) * 1000))
        last = now
    return found


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    processors = sorted(os.sched_getaffinity(0))
    with ProcessPoolExecutor(len(processors)) as pool:
        told = dict(zip(processors, pool.map(pauses_ms, processors, [seconds] * len(processors)), strict=True))
    print(json.dumps({"seconds": seconds, "pauses_ms": told}))


if __name__ == "__main__":
    main()
