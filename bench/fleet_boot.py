"""Seconds and CPU until emulated phones have fetched their configuration from the mock CallManager, on loopback.

    python bench/fleet_boot.py --phones 10000

Two processes: CallManager with its HTTP and TFTP doors, and the fleet with its three default models, half of which
fetch by TFTP. Printed: seconds until the fleet's ready line, CPU of both per phone, how many came up, memory per phone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ADDRESS = "127.20.128.20"
HTTP_PORT, TFTP_PORT, PORT, RTP_PORT = 18970, 18069, 18482, 31678
CALLMANAGER = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
FLEET = "import sys; from emulator.fleet.command import main; sys.exit(main(sys.argv[1:]))"


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def start(code: str, *arguments: str) -> tuple[subprocess.Popen[str], float]:
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line or not json.loads(line)["ready"]:
        sys.exit("it did not start")
    return process, time.monotonic() - begun


def fleet(phones: int, events: Path) -> tuple[subprocess.Popen[str], float]:
    return start(
        FLEET, "--count", str(phones), "--port", str(PORT), "--rtp-port", str(RTP_PORT), "--events", str(events),
        "--callmanager", f"http://{ADDRESS}:{HTTP_PORT}", "--tftp-port", str(TFTP_PORT),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--phones", type=int, default=10000)
    phones = parser.parse_args().phones
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = "".join(f"SEP{0x001BD4000001 + index:012X}\n" for index in range(phones))
        (folder / "devices.csv").write_text("device_name\n" + names)
        (folder / "callmanager.toml").write_text(
            f'listen = "{ADDRESS}:18971"\nconfiguration_listen = "{ADDRESS}:{HTTP_PORT}"\n'
            f'tftp_listen = "{ADDRESS}:{TFTP_PORT}"\ndevices_csv = "devices.csv"\n'
            f'[enterprise]\nurl_authentication = "http://{ADDRESS}:18971/CCMCIP/authenticate.asp"\n'
        )
        manager, _ = start(CALLMANAGER, "--config", str(folder / "callmanager.toml"))
        try:
            one, _ = fleet(1, folder / "one.jsonl")
            base = memory_of(one.pid)
            one.terminate()
            one.wait()
            before = cpu_of(manager.pid)
            booted, seconds = fleet(phones, folder / "fleet.jsonl")
            manager_cpu, fleet_cpu = cpu_of(manager.pid) - before, cpu_of(booted.pid)
            memory = (memory_of(booted.pid) - base) / phones
            booted.terminate()
            booted.wait()
        finally:
            manager.terminate()
            manager.wait()
        records = [json.loads(line) for line in (folder / "fleet.jsonl").read_text().splitlines()]
        ways = Counter(record["way"] for record in records if record["kind"] == "phone.booted")
        failed = sum(record["kind"] == "phone.boot_failed" for record in records)
        print(f"{phones} phones booted in {seconds:.2f} s: {dict(ways)}, {failed} attempts failed")
        print(
            f"CPU per phone: fleet {fleet_cpu / phones * 1e6:.0f} us, CallManager {manager_cpu / phones * 1e6:.0f} us; "
            f"{memory:.0f} B/phone"
        )


if __name__ == "__main__":
    main()
