"""Programs that nobody here wrote, against `pushlab phones` and `pushlab callmanager` and nothing else.

They are run as they are, as processes: curl, wget, a script that uses Python's requests, and a browser. What public
phone tools send beyond that is in tests/golden/execute.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from emulator.fleet.catalogue import load

pytestmark = pytest.mark.real

MODELS = tuple(load().models)
PHONES = "import sys; from emulator.fleet.command import main; sys.exit(main(sys.argv[1:]))"
CALLMANAGER = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
NETWORK = "127.20.96.0/24"
OURS = "127.20.130.30"
EXECUTE = "<CiscoIPPhoneExecute>{}</CiscoIPPhoneExecute>"
ITEM = '<ExecuteItem Priority="0" URL="{}"/>'


class Lab(NamedTuple):
    folder: Path
    phones: dict[str, str]
    """URL of one phone of each model."""


def ready(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    urls: dict[str, str] = json.loads(process.stdout.readline())["urls"]
    return urls


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Fifty phones of all models and a CallManager, with no other part of the project running."""
    folder = tmp_path_factory.mktemp("foreign")
    configuration = folder / "callmanager.toml"
    configuration.write_text(
        f'listen = "{OURS}:0"\nservice_ms = {{ p50 = 1, p99 = 1 }}\n[[user]]\nname = "agpush"\npassword = "s3c r:t"\n'
    )
    configuration.chmod(0o600)
    share = 1 / len(MODELS)
    mix = ",".join(f"{model}={share!r}" for model in MODELS)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    asks = [sys.executable, "-c", CALLMANAGER, "--config", str(configuration), "--stop-with-stdin"]
    with subprocess.Popen([*asks, "--events", str(folder / "callmanager.jsonl")], **pipes) as callmanager:  # type: ignore[call-overload]
        url = ready(callmanager)["authentication"]
        command = [
            sys.executable, "-c", PHONES, "--count", "50", "--network", NETWORK, "--port", "0", "--rtp-port", "0",
            "--model", mix, "--auth-url", url, "--control", f"{OURS}:0", "--events", str(folder / "phones.jsonl"),
            "--stop-with-stdin",
        ]  # fmt: skip
        with subprocess.Popen(command, **pipes) as phones:  # type: ignore[call-overload]
            urls = ready(phones)
            port = urls["phones"].rpartition(":")[2]
            listed = json.loads(run("curl", "-s", urls["control"] + "/phones?count=1000"))["phones"]
            yield Lab(folder, {phone["model"]: f"http://{phone['address']}:{port}" for phone in listed})
            phones.stdin.close()
            assert phones.wait(10) == 0
        callmanager.stdin.close()
        assert callmanager.wait(10) == 0
    # Whatever was done: each question of a phone came to CallManager, and no other.
    questions = (folder / "phones.jsonl").read_text().count('"kind":"authentication.asked"')
    assert questions == (folder / "callmanager.jsonl").read_text().count('"kind":"authentication.answered"') > 0


def needs(program: str, package: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs the Debian package {package}")
    return found


def run(program: str, *arguments: str, package: str | None = None) -> str:
    command = [needs(program, package or program), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("model", MODELS)
def test_curl(lab: Lab, model: str, tmp_path: Path) -> None:
    url = lab.phones[model]
    push = "XML=" + EXECUTE.format(ITEM.format("Init:Services"))
    assert 'Status="0"' in run("curl", "-sS", "-u", "agpush:s3c r:t", "--data-urlencode", push, f"{url}/CGI/Execute")
    assert 'Status="0"' in run("curl", "-sS", "-u", "agpush:s3c r:t", "-d", push, f"{url}/CGI/Execute")
    told = run("curl", "-sS", "-o", "-", "-w", "%{http_code}", "-u", "agpush:no", "-d", push, f"{url}/CGI/Execute")
    assert told.endswith("401") or '<CiscoIPPhoneError Number="4" />' in told
    chunked = ("-H", "Transfer-Encoding: chunked", "-d", push)
    assert run("curl", "-sS", "-w", "%{http_code}", "-u", "agpush:s3c r:t", *chunked, f"{url}/CGI/Execute") == "404"
    assert f"<modelNumber>{model}" in run("curl", "-sS", f"{url}/DeviceInformationX")
    screen = tmp_path / "screen"
    # As a browser does: first without credentials, then with those that were asked for.
    run("curl", "-sS", "--anyauth", "-u", "agpush:s3c r:t", "-o", str(screen), f"{url}/CGI/Screenshot")
    assert screen.read_bytes()[:2] in {b"BM", b"\x89P", b"<?"}


REQUESTS = """
import sys, requests
url = sys.argv[1]
session = requests.Session()
session.auth = ("agpush", "s3c r:t")
def push(text):
    answer = session.post(url + "/CGI/Execute", data={"XML": text}, timeout=5)
    print(answer.status_code, answer.headers["Content-Type"][:8], answer.text.count('Status="0"'), len(answer.history))
push('<?xml version="1.0" encoding="UTF-8"?>\\n<CiscoIPPhoneExecute>\\n'
     '  <ExecuteItem URL="RTPRx:127.20.130.30:20480:" Priority="0" />\\n</CiscoIPPhoneExecute>\\n')
push('<CiscoIPPhoneExecute><ExecuteItem URL="RTPRx:Stop"/></CiscoIPPhoneExecute>')
push('<CiscoIPPhoneText><Title>Alarm</Title><Text>Leave by the north door</Text></CiscoIPPhoneText>')
print(session.get(url + "/CGI/Screenshot").status_code, session.get(url + "/CGI/LineInfo").text.count("<lineDirNum>"))
"""


@pytest.mark.parametrize("model", MODELS)
def test_python_requests(lab: Lab, model: str) -> None:
    pytest.importorskip("requests", reason="needs the extra dev")
    command = [sys.executable, "-c", REQUESTS, lab.phones[model]]
    lines = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.splitlines()
    items = "3" if load().models[model].response == "three-items" else "1"
    assert lines == [f"200 text/xml {items} 0", f"200 text/xml {items} 0", f"200 text/xml {items} 0", "200 1"]


@pytest.mark.parametrize("model", MODELS)
def test_wget(lab: Lab, model: str, tmp_path: Path) -> None:
    url = lab.phones[model]
    assert "<NetworkConfiguration>" in run("wget", "-q", "-O", "-", f"{url}/NetworkConfigurationX")
    screen = tmp_path / "screen"
    run("wget", "-q", "-O", str(screen), "--user=agpush", "--password=s3c r:t", f"{url}/CGI/Screenshot")
    assert screen.read_bytes()[:2] in {b"BM", b"\x89P", b"<?"}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["CP-7960G", "CP-6941", "CP-8851"])
def test_a_browser_shows_the_page_and_the_links_lead_on(lab: Lab, model: str, tmp_path: Path) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    url = lab.phones[model]
    page = run("chromium", *options, url + "/")
    assert f"{model.removeprefix('CP-').removesuffix('G')}" in page
    links = re.findall(r'href="(/[^"]*)"', page)
    assert len(links) > 5
    for link in links:
        assert run("curl", "-s", "-o", "-", "-w", "%{http_code}", url + link.replace("&amp;", "&")).endswith("200")
    shot = tmp_path / "page.png"
    run("chromium", *options[:-1], f"--screenshot={shot}", url + "/")
    assert shot.read_bytes().startswith(b"\x89PNG")
    # The credentials are sent only because the phone challenges for them.
    screen = run("chromium", *options, url.replace("http://", "http://agpush:s3c%20r%3At@") + "/CGI/Screenshot")
    assert "<img" in screen or "CiscoIPPhoneImage" in screen
