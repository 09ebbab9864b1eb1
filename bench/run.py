"""All benches, one after the other: `make bench`. Names as arguments run only those.

Wall clock on shared machines moves by a factor: quote medians, CPU per operation, and ratios taken in one run.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LIMIT_S = 900
"""Each bench is bounded in count and time by itself; this ends one that hangs."""


def main(names: list[str]) -> int:
    benches = sorted(path for path in HERE.glob("*.py") if path.name != "run.py")
    unknown = sorted(set(names) - {path.stem for path in benches})
    if unknown:
        print(f"no such bench: {', '.join(unknown)}; there are {', '.join(path.stem for path in benches)}")
        return 2
    failed = []
    for path in benches:
        if names and path.stem not in names:
            continue
        print(f"\n== {path.stem}", flush=True)
        began = time.monotonic()
        try:
            code = subprocess.run([sys.executable, str(path)], timeout=LIMIT_S, check=False).returncode
        except subprocess.TimeoutExpired:
            code = -1
        print(f"-- {time.monotonic() - began:.0f} s" + (f", exit code {code}" if code else ""), flush=True)
        failed += [path.stem] if code else []
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
