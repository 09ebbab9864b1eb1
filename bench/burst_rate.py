"""The burst's rate: five runs of burst-offload with 1,000 phones, everything on. Prints each and the median."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 5


def main() -> int:
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            command = [sys.executable, "-m", "harness.cli", "run", "burst-offload", "--quiet", "--out", folder]
            code = subprocess.run(command, check=False).returncode
            result = json.loads((Path(folder) / "latest" / "verdict.json").read_text(encoding="utf-8"))
            rate = result["metrics"]["push.per_s"]
            rates.append(rate)
            print(f"run {len(rates)}: {rate:,.0f} pushes/s, verdict {result['verdict']}, exit {code}", flush=True)
    print(f"median of {RUNS}: {statistics.median(rates):,.0f} pushes/s (goal: 1,500)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
