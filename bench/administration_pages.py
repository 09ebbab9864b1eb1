"""How long CallManager's administration pages take with 10,000 phones, as a client on the same machine sees it.

    python bench/administration_pages.py [PHONES]

`pushlab callmanager` runs as a process of its own; one connection asks each page 30 times. Also how long it takes to
associate a user with every phone at once.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

PROGRAM = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
ROUNDS = 30
CONFIGURATION = """listen = "127.0.0.1:0"
administration = "127.0.0.1:0"
devices_csv = "roster.csv"
[administrator]
name = "bench"
password_file = "password"
[[user]]
name = "agpush"
password_file = "password"
devices = "none"
"""
PAGES = (
    "/ccmadmin/",
    "/ccmadmin/device/phones",
    "/ccmadmin/device/phones?field=description&match=contains&text=9&sort=description&descending=1&per_page=250",
    "/ccmadmin/device/phone?name=SEP001BD4000001",
    "/ccmadmin/user/association?name=agpush",
    "/ccmadmin/system/parameters",
    "/api/devices?per_page=250",
)
AUTHORIZATION = {"Authorization": "Basic " + base64.b64encode(b"bench:bench").decode()}


def timed(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[float, str]:
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    began = time.perf_counter()
    connection.request(method, path, body=body, headers={**AUTHORIZATION, **kind})
    response = connection.getresponse()
    text = response.read().decode()
    took_ms = (time.perf_counter() - began) * 1000
    if response.status >= 400:
        raise SystemExit(f"{path}: {response.status}")
    return took_ms, text


def main(phones: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"SEP001BD4{number:06X},{20_000 + number},CP-7961G\n" for number in range(1, phones + 1)]
        (folder / "roster.csv").write_text("device_name,directory_number,model\n" + "".join(lines))
        (folder / "password").touch(mode=0o600)
        (folder / "password").write_text("bench")
        (folder / "callmanager.toml").write_text(CONFIGURATION)
        command = [sys.executable, "-c", PROGRAM, "--config", folder / "callmanager.toml", "--stop-with-stdin"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            urls = json.loads(server.stdout.readline())["urls"]
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(urls["administration_pages"]).netloc)
            print(f"{phones} phones, {ROUNDS} requests each, ms")
            for path in PAGES:
                taken = sorted(timed(connection, "GET", path)[0] for _ in range(ROUNDS))
                print(f"{statistics.median(taken):6.1f} median {taken[-1]:6.1f} most  {path}")
            _, page = timed(connection, "GET", "/ccmadmin/user/association?name=agpush")
            token = re.search(r'name="token" value="(\w+)"', page)
            assert token is not None
            fields = {"token": token[1], "name": "agpush", "all_in_search": "1"}
            body = urllib.parse.urlencode(fields).encode()
            print(
                f"{timed(connection, 'POST', '/ccmadmin/user/association', body)[0]:6.1f} to associate with all of them"
            )
            assert server.stdin is not None
            server.stdin.close()
            server.stdin = None


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
