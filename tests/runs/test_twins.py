"""A real site's phones as an emulated fleet: at their own addresses on netns, mapped on loopback."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.run_folder import SITE
from tests.runs.conftest import Pushlab

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parents[1] / "golden" / "site"
HEAD = "device_name,directory_number,model,address,zone,subnet\n"


def _ledger(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "ledger.csv").open(newline="", encoding="utf-8") as file:
        return {row["phone"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.usefixtures("netns")
def test_phones_are_paged_at_the_sites_addresses_though_they_are_the_labs_own(pushlab: Pushlab) -> None:
    """Three subnets, one of them where the lab's own hosts are otherwise; a phone at the gateway's usual address."""
    site = pushlab.folder / "site.csv"
    site.write_text(
        HEAD + "SEP001BD4A00001,4101,Cisco 7961,10.20.128.10,Ward A,10.20.128.0/24\n"
        "SEP001BD4A00002,4102,CP-7960G,10.30.5.17,Ward B,10.30.4.0/23\n"
        "SEP001BD4A00003,4103,CP-7945G,192.168.7.5,,\n",
        encoding="utf-8",
    )
    ended = pushlab.run_site("burst-offload", site, "--ground", "netns")
    assert ended.code == 0, ended.stdout + ended.stderr
    assert "site: the lab's own hosts are in 10.21.128.0/24, because" in ended.stderr
    assert "1 CP-7945G as CP-7965G" in ended.stderr
    rows = _ledger(ended.folder)
    assert [(row["address"], row["zone"], row["subnet"], row["state"]) for row in rows.values()] == [
        ("10.20.128.10", "Ward A", "10.20.128.0/24", "delivered"),
        ("10.30.5.17", "Ward B", "10.30.4.0/23", "delivered"),
        ("192.168.7.5", "", "192.168.7.0/24", "delivered"),
    ]
    assert ended.metric("callmanager.authentications") == 0
    assert (ended.folder / SITE).is_file()
    assert "<h2>Where</h2>" in (ended.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.real
def test_on_loopback_addresses_are_mapped(pushlab: Pushlab, own_loopback: tuple[str, ...]) -> None:
    ended = pushlab.run_site("burst-offload", GOLDEN / "site.csv", "--ground", "loopback", before=own_loopback)
    assert "site: addresses are mapped to 127.20.0.1 to 127.20.0.6, in the list's order" in ended.stderr
    rows = _ledger(ended.folder)
    assert [row["address"] for row in rows.values()] == [f"127.20.0.{number}" for number in range(1, 7)]
    assert [row["zone"] for row in rows.values()] == ["Ward A"] * 3 + ["Ward B"] + ["Boiler house"] * 2
    # CallManager says of one that its web server is off: its twin is not reached either.
    assert [row["state"] for row in rows.values()] == ["delivered", "web_access_disabled", *["delivered"] * 4]


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.usefixtures("netns")
def test_the_twin_and_a_pilot_group_of_phones_that_no_run_started(pushlab: Pushlab) -> None:
    """What is checked is in twin_lan.py; it differs where the site's list was not right."""
    enter = "import sys; from harness.net.namespace import enter_lab; enter_lab(sys.argv[1:])"
    script = Path(__file__).with_name("twin_lan.py")
    command = [sys.executable, "-c", enter, sys.executable, str(script), str(pushlab.folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
