"""How long a run takes to be judged: 1,000 phones with a stream each, and 10,000 that share one by multicast.

    python bench/judging.py [PHONES] [SECONDS OF AUDIO] [ROUNDS]

Folders are made up, a right run each (tests/harness/judge/synthetic.py). Prints for each case the packets, the records
and the best and median time of `pushlab judge` without its reports.
"""

import gzip
import importlib.util
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from harness.judge import Verdict, judge

GROUP = "239.20.1.1"
ROOT = Path(__file__).parent.parent


def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("judge_synthetic", ROOT / "tests/harness/judge/synthetic.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["judge_synthetic"] = module
    spec.loader.exec_module(module)
    return module


def unicast(made: ModuleType, phones: int, frames: int, folder: Path) -> Path:
    """A stream to each phone."""
    return Path(made.Run(phones=phones, frames=frames).write(folder))


def multicast(made: ModuleType, phones: int, frames: int, folder: Path) -> Path:
    """The first phone's stream goes to a group that all have joined."""
    # With one frame each the packets of the others are few; the first phone's are made below.
    run = made.Run(phones=phones, frames=1, scenario='delivery = "multicast"')
    one = made.Run(phones=1, frames=frames)
    moved = one.audio_end - run.audio_end
    audio = one.audio(0)
    for packet in audio:
        packet.destination = GROUP
    run.samples, run.payload = one.samples, one.payload
    end = run.audio_end
    run.packets = [p for p in run.packets if p.source != made.GATEWAY or p.payload is None]
    for place in (*run.packets, *run.records):
        t_ns = place["t_ns"] if isinstance(place, dict) else place.t_ns
        if t_ns >= end:
            if isinstance(place, dict):
                place["t_ns"] += moved
            else:
                place.t_ns += moved
    run.packets += audio
    started, page = one.one("gateway", "stream.started"), one.one("gateway", "page.started")
    del started["phone"]
    started["destination"] = f"{GROUP}:32674"
    run.drop(lambda r: r["kind"] in ("stream.started", "page.started") and r["witness"] == "gateway")
    stopped = run.one("gateway", "stream.stopped")
    run.drop(lambda r: r["kind"] == "stream.stopped" and r["witness"] == "gateway" and r is not stopped)
    del stopped["phone"]
    stopped["packets"] = frames
    run.records += [started, page | {"phones": phones}]
    heard = one.one("phones", "stream.heard")
    for record in run.records:
        if record["kind"] == "stream.heard":
            record.update({k: v for k, v in heard.items() if k not in ("t_ns", "phone", "push")})
        elif record["kind"] == "stream.listening":
            record["source"] = GROUP
        elif record["kind"] == "push.received" and record["items"] == [f"RTPRx:{made.GATEWAY}:32674"]:
            record["items"] = [f"RTPMRx:{GROUP}:32674"]
        elif record["kind"] == "push.executed" and record["action"] == "RTPRx":
            record["action"] = "RTPMRx"
    return Path(run.write(folder))


def main(phones: int = 1000, seconds: int = 10, rounds: int = 3) -> int:
    made = _builder()
    with tempfile.TemporaryDirectory() as place:
        for name, make, fleet in (("unicast", unicast, phones), ("multicast", multicast, 10 * phones)):
            folder = make(made, fleet, seconds * 50, Path(place, name, "run"))
            records = gzip.decompress((folder / "events.jsonl.gz").read_bytes()).count(b"\n")
            taken = []
            for _ in range(rounds):
                began = time.perf_counter()
                judgement = judge(folder)
                taken.append(time.perf_counter() - began)
            wrong = [f"{c.name}: {c.why}" for c in judgement.checks if c.verdict is not Verdict.PASS]
            assert not wrong, wrong
            print(
                f"{name:10} {fleet:6,} phones x {seconds} s  {records:8,} records  "
                f"{judgement.metrics['rtp.packets_on_wire']:8,} packets   best {min(taken):5.2f} s   "
                f"median {statistics.median(taken):5.2f} s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
