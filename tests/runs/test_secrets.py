"""No password leaves its places: not into a file of the run, a log, the screen, a process list or an environment."""

from __future__ import annotations

import base64
import gzip
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from harness.bed.directory.software import missing
from harness.bed.secrets import SPICE
from harness.capture.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.runs.conftest import Pushlab

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("netns")]

KNOWN = "Zq7-kNoWn" + SPICE
"""As known_password.py gives it."""
SAMPLE_S = 0.02


def forms(user: str) -> set[bytes]:
    """How a password may look when it escapes: plain, URL-encoded both ways, hex, base64 alone or with its user."""
    raw = KNOWN.encode()
    pairs = [f"{user}:{KNOWN}".encode(), raw]
    found = {raw, quote(KNOWN, safe="").encode(), quote_plus(KNOWN).encode(), raw.hex().encode(), raw[:9]}
    for pair in pairs:
        for shift in range(3):
            # In the middle of a longer text base64 has three forms; the ends depend on the neighbours.
            encoded = base64.b64encode(b"x" * shift + pair)
            found.add(encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4])
    return found


def processes(inside: str) -> Iterator[tuple[str, bytes]]:
    """Command line and environment of every process that this user may see and whose command names `inside`."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            line = (folder / "cmdline").read_bytes()
            if inside.encode() in line or b"harness.cli" in line or b"gateway.media" in line or b"slapd" in line:
                yield f"{folder.name} {line[:80]!r}", line + (folder / "environ").read_bytes()
        except OSError:
            continue


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param("credential-mismatch", marks=pytest.mark.slow),
        pytest.param("administration", marks=pytest.mark.slow),
        "port-blocked",
        pytest.param(
            "active-directory",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(bool(missing("slapd")), reason=f"needs the Debian package {missing('slapd')}"),
            ],
        ),
    ],
)
def test_no_trace_of_the_password(pushlab: Pushlab, scenario: str) -> None:
    script = Path(__file__).with_name("known_password.py")
    leaks: list[str] = []
    seen: set[str] = set()
    looking = threading.Event()
    wanted = forms("agpush") | forms("directory-app") | forms("pushlab-control")

    def look() -> None:
        while not looking.is_set():
            for name, content in processes(script.name):
                seen.add(name)
                leaks.extend(f"process {name}" for form in wanted if form in content)
            time.sleep(SAMPLE_S)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        ended = subprocess.run(
            [
                *(sys.executable, str(script), "run", scenario, "--phones", "20"),
                *("--set", f"page.audio={pushlab.audio}"),
            ],
            cwd=pushlab.folder,
            capture_output=True,
            timeout=100,
            check=False,
        )
    finally:
        looking.set()
        watcher.join()
    pushlab.skip_if_held_up(pushlab.folder / "runs" / "latest")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(seen) >= 5, "the parts were never seen in the process list, so nothing was looked at"
    contents = {"stdout": ended.stdout, "stderr": ended.stderr}
    folder = pushlab.folder / "runs" / "latest"
    for file in folder.resolve().rglob("*"):
        if file.is_dir():
            continue
        raw = file.read_bytes()
        contents[str(file.relative_to(folder.resolve()))] = gzip.decompress(raw) if file.suffix == ".gz" else raw
    leaks += [f"{name}: {form!r}" for name, content in contents.items() for form in wanted if form in content]
    assert leaks == []
    assert {"events.jsonl.gz", "capture.pcap.gz", "report.html", "gateway.log", "scenario.toml"} <= contents.keys()
    if scenario == "port-blocked":
        excerpts = [name for name in contents if name.startswith("evidence/")]
        assert {Path(name).suffix for name in excerpts} == {".txt", ".pcap"}
        assert any(b"whether the push is genuine" in contents[name] for name in excerpts)


@pytest.mark.slow
def test_the_capture_has_no_tcp_payload(pushlab: Pushlab) -> None:
    ended = pushlab.run("burst-offload")
    import json

    packets = read(ended.folder / "capture.pcap.gz", json.loads((ended.folder / "capture.json").read_text()))
    tcp = packets.protocol == 6
    assert int(tcp.sum()) >= 20
    # Ethernet, IPv4 and TCP headers: at most 14 + 60 + 60 bytes, and nothing behind them.
    frames = [packets.frame(int(row)) for row in tcp.nonzero()[0]]
    for frame in frames:
        ip_bytes = (frame[14] & 15) * 4
        tcp_bytes = (frame[14 + ip_bytes + 12] >> 4) * 4
        assert len(frame) == 14 + ip_bytes + tcp_bytes
        assert frame[14 + ip_bytes + 13] & 0x12 == 0x02  # SYN without ACK
