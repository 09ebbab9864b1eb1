"""However a run ends, nothing is left: no process, no namespace, no temporary file."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bed.directory.software import PACKAGES, is_root, missing
from harness.net.namespace import available

pytestmark = pytest.mark.real

GONE_WITHIN_S = 15.0
STEP_S = 0.05


def _of_this_run(mark: str) -> list[str]:
    """Processes whose environment carries the mark."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()[:100]!r}")
            except OSError:
                continue
    return found


def _until(condition: object, limit_s: float) -> bool:
    """Wait for something outside of this process; bounded."""
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(STEP_S)
    return False


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """With a short path: Samba makes sockets there, whose names have at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    "directory",
    [
        "builtin",
        pytest.param(
            "slapd",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(bool(missing("slapd")), reason=f"needs the Debian package {PACKAGES['slapd']}"),
            ],
        ),
        pytest.param(
            "samba",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(bool(missing("samba")), reason=f"needs the Debian packages {PACKAGES['samba']}"),
                pytest.mark.skipif(not is_root(), reason="a domain controller runs as root"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("ground", ["netns", "loopback"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_nothing_is_left_behind(
    tmp_path: Path, temporary: Path, ground: str, how: signal.Signals, directory: str
) -> None:
    if ground == "netns" and not (found := available()).possible:
        pytest.skip(f"namespaces: {found.why}; to allow them: {found.remedy}")
    mark = f"PUSHLAB_TEST_MARK={tmp_path.name}-{os.getpid()}"
    name, _, value = mark.partition("=")
    settings = ("--ground", ground, "--set", f"callmanager.directory.kind={directory}")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    run = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "run", "burst-offload", "--phones", "20", *settings],
        cwd=tmp_path,
        env=os.environ | {name: value, "TMPDIR": str(temporary)} | cache,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As a shell without job control starts what it puts into the background.
        preexec_fn=_ignore_interrupts if how is signal.SIGTERM else None,  # noqa: PLW1509 - no thread runs here
    )
    assert run.stderr is not None
    said = ""
    try:
        for line in run.stderr:
            said += line
            if "playing" in line:
                break
        if ground == "loopback" and "EADDRINUSE" in said:
            pytest.skip(f"another program of this machine has the port: {said.splitlines()[-1].strip()}")
        assert "playing" in said, said
        assert len(_of_this_run(mark)) >= (5 if directory == "builtin" else 7)
    finally:
        run.send_signal(how)
        run.communicate(timeout=60)
    assert _until(lambda: not _of_this_run(mark), GONE_WITHIN_S), _of_this_run(mark)
    if how is not signal.SIGKILL:
        assert run.returncode == 130
    # After kill -9 on loopback, with no file system of the run's own, the folder stays, but no password is in it.
    left = [path.name for path in temporary.rglob("*") if path.is_file()]
    passwords = [file for file in left if file.endswith(("password", "token"))]
    assert passwords == []
    if ground == "netns" or how is not signal.SIGKILL:
        assert left == []
