"""Stands for `pushlab run` and `pushlab exec`: writes a small run folder, whose verdict the scenario's name says."""

import gzip
import json
import os
import signal
import sys
import time
import tomllib
from pathlib import Path

VERDICTS = {"passes": "pass", "fails": "fail", "blind": "inconclusive"}
CODES = {"pass": 0, "inconclusive": 3, "fail": 1}
PHONES = 13


def tell(event: str, **members: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "t_s": 0.0, **members}) + "\n")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    scenario, out = argv[1], Path(argv[argv.index("--out") + 1])
    name = tomllib.loads(Path(scenario).read_text())["name"] if scenario.endswith(".toml") else scenario
    if name == "sleeps":
        return sleep()
    if name not in VERDICTS:
        sys.stderr.write(f"{name}:1: fleet.phonse: no such key; did you mean 'phones'?\n")
        tell("session.ended", exit_code=4, suite=None)
        return 4
    folder = out / name / f"{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    verdict = VERDICTS[name]
    write(folder, name, verdict, argv)
    tell("run.ended", scenario=name, exit_code=CODES[verdict], verdict=verdict, folder=str(folder), error=None)
    return CODES[verdict]


def sleep() -> int:
    place = Path(os.environ["FAKE_PUSHLAB_FOLDER"])

    def stop(*_: object) -> None:
        (place / "stopped").touch()
        sys.exit(130)

    signal.signal(signal.SIGTERM, stop)
    (place / "started").touch()
    time.sleep(60)
    return 0


def write(folder: Path, name: str, verdict: str, argv: list[str]) -> None:
    missed = 12 if verdict == "fail" else 0
    why = {"pass": "", "fail": "it is 0.08", "inconclusive": "gateway is blind: its pacer was held up"}[verdict]
    check = {
        "name": "phones.delivered_fraction == 1",
        "kind": "threshold",
        "verdict": verdict,
        "observed": 1 - missed / PHONES,
        "witnesses": ["phones"],
        "why": why,
    }
    found = {
        "schema": 1,
        "verdict": verdict,
        "as_expected": verdict == "pass",
        "expected": "pass",
        "unexpected": [] if verdict == "pass" else [f"delivered: {verdict}, expected pass"],
        "scenario": name,
        "seed": 1,
        "phones": PHONES,
        "ground": "netns",
        "outcomes": {"delivered": PHONES - missed, "no_audio": missed},
        "metrics": {"phones.delivered": PHONES - missed},
        "checks": [check],
        "blind": [{"witness": "gateway", "why": "its pacer was held up"}] if verdict == "inconclusive" else [],
    }
    (folder / "verdict.json").write_text(json.dumps(found))
    rows = [
        f"SEP001BD40000{number:02},10.20.0.{number}," + ("no_audio,nothing came" if number <= missed else "delivered,")
        for number in range(1, PHONES + 1)
    ]
    (folder / "ledger.csv").write_text("\n".join(["phone,address,state,why", *rows]) + "\n")
    (folder / "report.html").touch()
    (folder / "gateway.log").write_text(f"{' '.join(argv)}\n")
    status = 3 if argv[0] == "exec" and verdict == "fail" else 0
    with gzip.open(folder / "events.jsonl.gz", "wt") as stream:
        ended = {"t_ns": 1, "witness": "harness", "kind": "command.ended", "exit_status": status}
        stream.write((json.dumps(ended) + "\n") * (argv[0] == "exec"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
