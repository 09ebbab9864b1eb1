"""A person and a browser, from an empty machine: set-up token, IP Phone page, phones, a page watched live, a restart.

Real processes on loopback: the gateway on a terminal of its own, emulated phones, headless Chromium.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

Select = pytest.importorskip("selenium.webdriver.support.select").Select

pytestmark = [pytest.mark.real, pytest.mark.slow]

GATEWAY = "127.20.128.12"
LIMIT_S = 30
PHONES = 60
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


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    phone_port, url_port, admin_port = free_port("127.20.0.1"), free_port(GATEWAY), free_port(GATEWAY)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x10\x20" * 8000 * 4)
    (tmp_path / "g.toml").write_text(
        f'[phone_port]\nlisten = "{GATEWAY}:{url_port}"\n[administration]\nlisten = "{GATEWAY}:{admin_port}"\n'
        f'[push]\nsource = "{GATEWAY}"\n[phones]\nport = {phone_port}\n'
        '[store]\nfolder = "data"\nkey_file = "keys/key"\n'
    )
    names = [(f"SEP{0x001BD4000001 + at:012X}", f"127.20.0.{at + 1}") for at in range(PHONES)]
    (tmp_path / "phones.csv").write_text("device_name,address\n" + "".join(f"{n},{a}\n" for n, a in names))
    command = ["phones", "--count", str(PHONES), "--network", "127.20.0.0/17", "--port", str(phone_port)]
    command += ["--auth-url", f"http://{GATEWAY}:{url_port}/cisco_auth/authenticate.html"]
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
        fill(browser, name="Main building")
        browser.find_element("id", "csv").send_keys(str(folder / "phones.csv"))
        hands.press("Keep it, and ask it now")
        assert f"{PHONES} listed" in hands.text()

        # A zone with all of them.
        browser.get(f"{base}/zones")
        fill(browser, zone="East wing")
        hands.press("Add zone")
        browser.get(f"{base}/inventory")
        for box in browser.find_elements("css selector", "tbody input[type=checkbox]"):
            box.click()
        Select(browser.find_element("id", "into")).select_by_visible_text("East wing")
        hands.press("Put into this zone")
        assert f"{PHONES} phones are in East wing now" in hands.text()

        browser.get(f"{base}/send")
        watch_a_page(folder, browser, hands)
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
        assert f"{PHONES}" in hands.text()  # the same session
        browser.get(f"{base}/inventory")
        assert f"{PHONES} phones" in hands.text()
        browser.get(f"{base}/pages/1")
        assert browser.find_element("id", "results").text.count("It listened to the page.") == PHONES
        browser.get(f"{base}/operation/voice-office/ip-phone")
        assert browser.find_element("id", "multicast_last").get_attribute("value") == "239.0.1.128"
        assert "A password is set" in hands.text()
        assert "Set-up token" not in serving.shown
    finally:
        serving.end()


def watch_a_page(folder: Path, browser: Any, hands: Any) -> None:  # noqa: ANN401
    browser.find_element("id", "file").send_keys(str(folder / "a.wav"))
    hands.check("These zones and lists")
    browser.find_element("css selector", "input[name=zones]").click()
    hands.press("Send page")
    assert re.search(r"/pages/\d+$", browser.current_url)
    browser.execute_script("window.same = true")
    wait_until(lambda: browser.find_element("id", "answered").text == str(PHONES))
    wait_until(lambda: browser.find_element("id", "state").text == "completed")
    assert browser.execute_script("return window.same") is True  # the numbers moved without another page
    assert browser.find_element("id", "results").text.count("It listened to the page.") == PHONES
    assert f"executed {PHONES}" in hands.text().replace("\n", " ")
