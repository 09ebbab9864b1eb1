"""A site with real phones, and `pushlab twin` on its machine: `twin_lan.py FOLDER`; the network is customer_lan.py's.

The "real" phones are a `pushlab phones` of its own on another host, which no run starts or asks. Exit code 0 is right.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

from tests.runs.customer_lan import MACHINE, Lan

SITE = """device_name,directory_number,model,address,web_access,zone,subnet
SEP001BD4A00001,4101,CP-7961G,10.9.64.11,true,Ward A,10.9.64.0/24
SEP001BD4A00002,4102,Cisco 7945,10.9.64.12,true,Ward A,10.9.64.0/24
SEP001BD4A00003,4103,CP-7960G,10.9.64.13,true,Ward B,10.9.64.0/24
SEP001BD4A00004,4104,CP-8851,10.9.64.14,true,Ward B,10.9.64.0/24
SEP001BD4A00005,4105,CP-7961G,10.9.65.15,true,Gate,10.9.65.0/24
"""
LAB = """
[lab]
interface = "eth0"
harness = "10.9.0.20"
gateway = "10.9.0.20"
gateway_port = 80
callmanager = "10.9.0.20"
"""
PILOT = ("SEP001BD4A00001", "SEP001BD4A00002", "SEP001BD4A00003", "SEP001BD4A00004")
UNHURRIED = (
    "page.audio=second.wav",
    "page.late_after_ms=30000",
    "integrity.lateness.pacer_ms.p99=<= 1000",
    "integrity.lateness.callmanager_model_fraction.p99=<= 100",
    "thresholds.rtp.clipped_ms.max=<= 100000",
    "thresholds.page.first_packet_ms.max=<= 100000",
    "thresholds.push.answer_ms.p99=<= 100000",
)


def real_phones(folder: Path) -> Path:
    """The phones as they really are: as listed, but that one has its web server off, which nobody wrote down."""
    lines = SITE.splitlines()
    real = [lines[0], *(line for line in lines[1:] if line.startswith(PILOT))]
    real = [line.replace("Cisco 7945", "CP-7965G") for line in real]
    real = [line.replace(",true,", ",false,") if line.startswith(PILOT[3]) else line for line in real]
    path = folder / "real.csv"
    path.write_text("\n".join(real) + "\n", encoding="utf-8")
    return path


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "latest" / "ledger.csv").open(newline="", encoding="utf-8") as file:
        return {row["phone"]: row for row in csv.DictReader(file)}


def verdict(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "latest" / "verdict.json").read_text(encoding="utf-8")))


def check(folder: Path) -> None:
    lan = Lan(folder)
    try:
        (folder / "site.csv").write_text(SITE, encoding="utf-8")
        (folder / "lab.toml").write_text(LAB, encoding="utf-8")
        url = f"http://{MACHINE}/cisco_auth/authenticate.html"
        lan.start("desks", "phones", "--csv", str(real_phones(folder)), "--port", "80", "--auth-url", url)
        settings = [word for setting in UNHURRIED for word in ("--set", setting)]
        words = ("twin", "burst-offload", "--csv", "site.csv", "--pilot", ",".join(PILOT), "--lab", "lab.toml", "--yes")
        ended = lan.run(*words, "--summary", "summary", *settings)
        sys.stdout.write(ended.stdout + ended.stderr)
        (made,) = (folder / "runs" / "twin").iterdir()
        twin, pilot = rows(made / "twin"), rows(made / "pilot")
        assert {row["state"] for row in twin.values()} == {"delivered"}
        assert len(twin) == 5
        assert [(name, row["gateway_says"]) for name, row in pilot.items()] == [
            *((name, "executed") for name in PILOT[:3]),
            (PILOT[3], "unreachable"),
        ]
        assert {row["zone"] for row in pilot.values()} == {"Ward A", "Ward B"}
        said = ended.stdout
        assert "3 of 4 pilot phones did as the twin predicted, 1 did not." in said
        assert f"  {PILOT[3]}  differs: executed predicted, unreachable seen" in said
        html = (made / "twin.html").read_text(encoding="utf-8")
        assert "CP-7945G (twin: CP-7965G)" in html
        assert "Not asked of the pilot" in html
        assert f"| {PILOT[3]} | 4104 | Ward B |" in (folder / "summary").read_text(encoding="utf-8")
        assert ended.returncode == 1, ended.returncode
        # Nothing of the twin's lab, nor of the pilot's, stays behind.
        assert lan.routes() == []
    finally:
        lan.close()


if __name__ == "__main__":
    check(Path(sys.argv[1]))
