"""How often a right gateway passes: many runs of one scenario, counted by verdict, blindness named.

    python bench/clean_runs.py [--runs 300] [--phones 40] [--at-once 1] [--scenario burst-offload] [--audio WAV]

Each run has a lab of its own, so that several can go at once. Limits on lateness are the scenario's own unless
`--unhurried` is given. Prints JSON: how many passed, failed and were inconclusive, and of those that did not pass
why. Exit code 1 where one failed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

UNHURRIED = (
    "page.late_after_ms=30000",
    "integrity.lateness.pacer_ms.p99=<= 1000",
    "thresholds.push.answer_ms.p99=< 30000",
)
LIMIT_S = 300
NAMED = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--phones", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=1, help="runs beside each other, one a processor at most")
    parser.add_argument("--scenario", default="burst-offload")
    parser.add_argument("--audio", type=Path, help="a short WAV file; the scenario's own if absent")
    parser.add_argument("--unhurried", action="store_true", help="no limits on time, for a busy machine")
    options = parser.parse_args()
    settings = list(UNHURRIED) if options.unhurried else []
    if options.audio is not None:
        settings.append(f"page.audio={options.audio.absolute()}")
    counts: Counter[str] = Counter()
    reasons: list[dict[str, object]] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pushlab-clean-") as scratch:

        def one(number: int) -> tuple[int, int, dict[str, object]]:
            before_ms = stolen_ms()
            out = Path(scratch) / str(number)
            verdict = run(out, options.scenario, options.phones, seed=number, settings=settings)
            shutil.rmtree(out)
            return number, before_ms, verdict

        crew = ThreadPoolExecutor(options.at_once)
        for number, before_ms, verdict in crew.map(one, range(1, options.runs + 1)):
            word = str(verdict["verdict"])
            counts[word] += 1
            if word != "pass":
                reasons.append(
                    {"run": number, "verdict": word, "stolen_ms": stolen_ms() - before_ms, "why": why(verdict)}
                )
                print(json.dumps(reasons[-1]), file=sys.stderr, flush=True)
    shown = {
        "scenario": options.scenario,
        "phones": options.phones,
        "runs": options.runs,
        "pass": counts["pass"],
        "inconclusive": counts["inconclusive"],
        "fail": sum(count for word, count in counts.items() if word not in ("pass", "inconclusive")),
        "seconds": round(time.monotonic() - began),
        "not_passed": reasons[:NAMED],
    }
    print(json.dumps(shown, indent=1))
    return 1 if shown["fail"] else 0


def stolen_ms() -> int:
    """Time for which the host of this virtual machine had its processors stopped, since it was started."""
    ticks = int(Path("/proc/stat").read_text(encoding="ascii").split()[8])
    return ticks * 1000 // os.sysconf("SC_CLK_TCK")


def run(out: Path, scenario: str, phones: int, *, seed: int, settings: list[str]) -> dict[str, object]:
    """One run; its verdict.json."""
    options = [word for setting in settings for word in ("--set", setting)]
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "harness.cli", "run", scenario, "--quiet", "--phones", str(phones)),
            *("--seed", str(seed), "--out", str(out), "--set", "capture.keep=failing", *options),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    file = out / "latest" / "verdict.json"
    if not file.is_file():
        raise RuntimeError(f"exit code {ended.returncode}: {ended.stderr[-1000:]}")
    verdict: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return verdict


def why(verdict: dict[str, object]) -> list[str]:
    """What was blind, else which checks did not pass."""
    blind = verdict["blind"]
    checks = verdict["checks"]
    assert isinstance(blind, list)
    assert isinstance(checks, list)
    found = [f"{one['witness']} is blind: {one['why']}" for one in blind]
    found += [f"{c['name']}: {c['verdict']}: {c['why']}" for c in checks if c["verdict"] in ("fail", "error")]
    return found or [f"{c['name']}: {c['why']}" for c in checks if c["verdict"] == "inconclusive"]


if __name__ == "__main__":
    sys.exit(main())
