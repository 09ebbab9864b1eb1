"""A person and a browser, from an empty machine: from the set-up token to a thousand phones paged, and a restart.

Real processes on loopback: the gateway on a terminal of its own, emulated phones (some of them misbehave), headless
Chromium. What the browser shows in the end is held against the ledger that the judge makes of the records of gateway
and phones.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import wave
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.bed import faults
from harness.bed.ground import LOOPBACK
from harness.bed.roster import build_roster
from harness.judge import judge
from harness.observe import EventWriter, merge_records
from harness.scenario.file import parse
from harness.scenario.resolved import write_resolved

Select = pytest.importorskip("selenium.webdriver.support.select").Select

pytestmark = [pytest.mark.real, pytest.mark.slow]

GATEWAY = "127.20.128.12"
LIMIT_S = 30
PHONES = 1000
RANGE = "127.20.0.0/22"
"""1,022 addresses: the last of them are nobody's."""
NUMBERS = {"executed": 960, "refused_authentication": 20, "garbled": 10, "indeterminate": 10}
HEARD = {"delivered", "delivered_late", "partial_audio"}
"""End states of the ledger that a page calls `executed`. A pacer on a crowded machine leaves packets out: partial."""
SCENARIO = """
name = "seed-procedure"
purpose = "What the browser shows in the end is what happened."
ground = "loopback"
witnesses = ["gateway", "phones"]
[fleet]
phones = 1000
[[fault]]
kind = "wrong-credentials-cached"
phones = 0.02
[[fault]]
kind = "garbage"
phones = 0.01
[[fault]]
kind = "reset-before"
phones = 0.01
[[page]]
audio = "a.wav"
late_after_ms = 30000
"""
"""A thousand phones of which forty do not answer as they should; a machine of tests may be slow."""
PASSWORD = "correct horse battery"
CANARY = "canary&pass"
RUN = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).parents[3]


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


class Serving:
    """`pushlab gateway serve` at a terminal, as somebody who installs it starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.master, slave = pty.openpty()
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    RUN,
                    "gateway",
                    "serve",
                    "--config",
                    str(folder / "g.toml"),
                    "--log-format",
                    "json",
                    "--events",
                    str(folder / "gateway.jsonl"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=slave,
                stderr=log,
                cwd=ROOT,
            )
        os.close(slave)
        self.shown = ""

    def wait_for(self, pattern: str) -> str:
        until = time.monotonic() + LIMIT_S
        while (found := re.search(pattern, self.shown)) is None:
            assert time.monotonic() < until, self.shown
            self.shown += os.read(self.master, 4096).decode()
        return found.group(1)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(LIMIT_S) == 0
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.master)


def free_rtp_port() -> int:
    """Even, and one that phones take (`gateway.configuration.RTP_PORTS`): another fleet may be on this machine."""
    for port in range(20480, 32768, 2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    phone_port, url_port, admin_port = free_port("127.20.0.1"), free_port(GATEWAY), free_port(GATEWAY)
    rtp_port = free_rtp_port()
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join((n * n % 20011).to_bytes(2, "little", signed=True) for n in range(8000 * 4)))
    (tmp_path / "g.toml").write_text(
        f'[phone_port]\nlisten = "{GATEWAY}:{url_port}"\n[administration]\nlisten = "{GATEWAY}:{admin_port}"\n'
        f'[push]\nsource = "{GATEWAY}"\n[phones]\nport = {phone_port}\n[media]\nrtp_port = {rtp_port}\n'
        '[store]\nfolder = "data"\nkey_file = "keys/key"\n'
    )
    run = tmp_path / "run"
    run.mkdir()
    scenario = parse(SCENARIO, tmp_path / "scenario.toml", files=True)
    write_resolved(scenario, run / "scenario.toml", {}, {})
    roster = build_roster(phones=PHONES, models=scenario.fleet.models, seed=scenario.seed, addresses=LOOPBACK)
    struck = faults.draw(scenario, roster)
    roster.write(run / "roster.csv")
    (tmp_path / "faults.csv").write_text(faults.fleet_file(struck))
    with EventWriter(tmp_path / "harness.jsonl") as writer:
        writer.write(
            "lab.described",
            ground="loopback",
            phones_network=LOOPBACK.phones_network,
            gateway=GATEWAY,
            callmanager=LOOPBACK.callmanager,
            harness=LOOPBACK.harness,
            authentication_servers={"gateway": f"{GATEWAY}:{url_port}", "callmanager": f"{LOOPBACK.callmanager}:18080"},
            authentication_url=f"http://{GATEWAY}:{url_port}/cisco_auth/authenticate.html",
            control_phone=roster.control.device_name if roster.control else None,
            reserved=[],
        )
        for one in struck:
            writer.write("fault.applied", fault=one.fault.kind, phones=list(one.phones), detail="")
    command = ["phones", "--csv", str(run / "roster.csv"), "--port", str(phone_port), "--rtp-port", str(rtp_port)]
    command += ["--auth-url", f"http://{GATEWAY}:{url_port}/cisco_auth/authenticate.html", "--interface", "lo"]
    command += ["--faults", str(tmp_path / "faults.csv"), "--events", str(tmp_path / "phones.jsonl")]
    fleet = subprocess.Popen([sys.executable, "-c", RUN, *command], stdout=subprocess.PIPE, cwd=ROOT)
    assert fleet.stdout is not None
    try:
        assert json.loads(fleet.stdout.readline())["ready"]
        yield tmp_path
    finally:
        fleet.terminate()
        fleet.wait(LIMIT_S)
        fleet.stdout.close()


def ask_as_a_phone(folder: Path, password: str) -> bytes:
    found = re.search(r'listen = "(\S+)"', (folder / "g.toml").read_text())
    assert found is not None
    url = f"http://{found.group(1)}/cisco_auth/authenticate.html?UserID=agpush&Password={password}&devicename=SEP001BD4000001"
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
        body: bytes = answer.read()
        return body


def fill(browser: Any, **fields: str) -> None:  # noqa: ANN401  of an optional package
    for name, text in fields.items():
        element = browser.find_element("id", name)
        element.clear()
        element.send_keys(text)


def wait_until(check: Any) -> None:  # noqa: ANN401  any callable
    until = time.monotonic() + LIMIT_S
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_from_an_empty_machine_to_a_page(folder: Path, browser: Any, hands: Any) -> None:  # noqa: ANN401
    serving = Serving(folder)
    try:
        base = serving.wait_for(r'"administration": "([^"]+)"')
        assert base.startswith("https://")
        token = serving.wait_for(r"good once and for an hour: (\S+)")
        browser.get(base)
        fill(browser, token=token, name="ada", password=PASSWORD, again=PASSWORD)
        hands.press("Make the administrator")
        assert browser.current_url.endswith("/operation/voice-office/ip-phone")

        # The settings hold at once.
        assert ask_as_a_phone(folder, "canary%26pass") == b"UN-AUTHORIZED"
        fill(
            browser,
            push_user="agpush",
            push_password=CANARY,
            callmanager_url="http://127.20.128.20:18080/CCMCIP/authenticate.asp",
            phone_networks="127.20.0.0/17",
            multicast_first="239.0.1.1",
            multicast_last="239.0.1.200",
        )
        hands.check("Refuse here")
        hands.press("Submit")
        assert "at most 128 are taken" in hands.text()
        fill(browser, push_password=CANARY, multicast_last="239.0.1.128")
        hands.press("Submit")
        assert "in force from now on" in hands.text()
        browser.get(f"{base}/operation/voice-office/ip-phone")
        assert browser.find_element("id", "push_password").get_attribute("value") == ""
        assert CANARY not in browser.page_source

        # Without the phones' networks the phone port would not answer this machine.
        browser.get(f"{base}/inventory/sources")
        fill(browser, name="Main building", networks=RANGE)
        hands.check("Network range")
        hands.press("Keep it, and ask it now")
        assert f"{PHONES:,} listed" in hands.text() or f"{PHONES} listed" in hands.text(), hands.text()[:500]

        # A zone with all of them.
        browser.get(f"{base}/zones")
        fill(browser, zone="East wing")
        hands.press("Add zone")
        browser.get(f"{base}/inventory")
        hands.check("all 1,000 that were found")
        Select(browser.find_element("id", "into")).select_by_visible_text("East wing")
        hands.press("Put into this zone")
        assert re.search(r"1,?000 phones are in East wing now", hands.text())

        browser.get(f"{base}/send")
        numbers = watch_a_page(folder, browser, hands)
        browser.get(f"{base}/pages")
        assert "Announcement" in hands.text()

        browser.get(f"{base}/audit?verify=1")
        assert "is whole" in hands.text()
        errors = [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
        assert not [entry for entry in errors if "Content Security Policy" in entry["message"]], errors
    finally:
        serving.end()

    # Nobody's secret is in what the gateway wrote, and all is still there after a restart.
    kept = (folder / "log").read_text() + "".join(
        path.read_bytes().decode("latin-1") for path in (folder / "data").rglob("*") if path.is_file()
    )
    for secret in (CANARY, "canary%26pass", PASSWORD, token, token.replace("-", "")):
        assert secret not in kept
    for line in (folder / "log").read_text().splitlines():
        assert set(json.loads(line)) >= {"time", "level", "logger", "event"}
    serving = Serving(folder)
    try:
        serving.wait_for(r'"administration": "([^"]+)"')
        browser.get(base)
        assert f"{PHONES:,}" in hands.text()  # the same session
        browser.get(f"{base}/inventory?zone=East+wing")
        assert f"{PHONES:,} phones" in hands.text()
        browser.get(f"{base}/pages/1")
        assert outcomes(browser) == numbers
        browser.get(f"{base}/operation/voice-office/ip-phone")
        assert browser.find_element("id", "multicast_last").get_attribute("value") == "239.0.1.128"
        assert "A password is set" in hands.text()
        assert "Set-up token" not in serving.shown
    finally:
        serving.end()


def watch_a_page(folder: Path, browser: Any, hands: Any) -> dict[str, int]:  # noqa: ANN401
    """Send it, see its numbers move, and return the last ones; they are the ledger's."""
    browser.find_element("id", "file").send_keys(str(folder / "a.wav"))
    hands.check("These zones and lists")
    browser.find_element("css selector", "input[name=zones]").click()
    with EventWriter(folder / "harness.jsonl") as writer:
        writer.write("page.requested", audio="a.wav", at_s=0)
    hands.press("Send page")
    assert re.search(r"/pages/\d+$", browser.current_url)
    browser.execute_script("window.same = true")
    seen = set()
    until = time.monotonic() + LIMIT_S
    while (state := browser.find_element("id", "state").text) != "completed":
        assert time.monotonic() < until, state
        seen.add((state, browser.find_element("id", "answered").text))
        time.sleep(0.05)
    assert browser.execute_script("return window.same") is True  # the numbers moved without another page
    assert len(seen) >= 2, seen
    assert browser.find_element("id", "answered").text == f"{PHONES:,}"
    numbers = outcomes(browser)
    assert numbers == ledger(folder) == NUMBERS
    return numbers


def outcomes(browser: Any) -> dict[str, int]:  # noqa: ANN401
    """The page's numbers, as they are on the screen."""
    rows = browser.find_elements("css selector", "#outcomes tr")
    cells = [(row.get_attribute("data-outcome"), row.find_element("css selector", "td.number").text) for row in rows]
    return {name: int(text.replace(",", "")) for name, text in cells}


def ledger(folder: Path) -> Counter[str]:
    """The same numbers, as the judge finds them in the records of gateway and phones."""
    time.sleep(0.5)  # records are on disk a quarter of a second late
    parts = {name: folder / f"{name}.jsonl" for name in ("gateway", "phones", "harness")}
    merge_records(parts.values(), folder / "run" / "events.jsonl.gz", {name: name for name in parts})
    judgement = judge(folder / "run")
    verdicts = {check.name: check for check in judgement.checks}
    for law in ("every-phone-one-end-state", "gateway-agrees-with-phones", "executed-only-when-authorised"):
        # Not the verdict: neither part has ended yet, so that nothing passes.
        assert verdicts[law].observed == 0, verdicts[law]
    counted: Counter[str] = Counter()
    for state, count in judgement.outcomes.items():
        counted["executed" if state in HEARD else state] += count
    return counted
