"""Every command that the documents show is run, in order, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from harness.bed.directory.software import PACKAGES, is_root, missing
from harness.net.namespace import available

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT: Final = Path(__file__).parent.parent.parent
DOCUMENTS: Final = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NO_EXAMPLES: Final = {"docs/reference/shown.md"}
"""Its lines are the project's own checks, run by the tests that they name."""
LEFT_OUT: Final = re.compile(
    r"your-pager"  # the reader's own program
    r"|docs/examples/"  # has a test of its own: tests/runs/test_third_party.py
    r"|--csv roster\.csv --port 80"  # addresses and an interface of the reader's own
    r"|\b(ASK|COMMAND|FILE|SCENARIO|RUN|DIR|KEY=VALUE|AUDIO)\b|\.\.\.$|\[--"  # a synopsis
)
STARTS: Final = ("pushlab ", "curl ", "printf ", "(umask ")
SERVERS: Final = ("pushlab phones", "pushlab callmanager", "pushlab gateway serve", "pushlab capture")
EXPECTED_CODES: Final = {
    "pushlab exec": {0, 1, 3},
    "pushlab compare": {0, 1},
    "pushlab probe": {0, 1, 3},
    "pushlab capacity": {0, 3},
    "pushlab preflight": {0, 1},
}
"""Where the code depends on what was run: `exec` judges a run in which one phone was pushed by hand, and whatever the
verdict, it must be one; `compare` ends with 1 where B is worse; `probe` meets a mock CallManager that is not right in
everything; `capacity` ends with 3 where a machine that was held up could not tell; `preflight` is shown a lab that is
ready and one that is not."""
READY_S: Final = 30
COMMAND_S: Final = 180


def commands(document: Path) -> list[str]:
    """The `pushlab` and `curl` commands in a document's code blocks, continued lines joined.

    A block of TOML whose first line is `# NAME.toml` is that file, written when its turn comes.
    """
    found = []
    text = document.read_text(encoding="utf-8")
    for kind, block in re.findall(r"^```(sh|console|toml)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if kind == "toml":
            named = re.match(r"# ([a-z-]+\.toml)\n", block)
            found += [f"printf %s {shlex.quote(block)} > {named[1]}"] if named else []
            continue
        joined = block.replace("\\\n", " ")
        lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
        found += [
            line.partition("    #")[0].strip()
            for line in lines
            if line.startswith(STARTS) and not LEFT_OUT.search(line)
        ]
    return found


WITH_COMMANDS: Final = [
    document for document in DOCUMENTS if str(document.relative_to(ROOT)) not in NO_EXAMPLES and commands(document)
]


def test_there_are_examples() -> None:
    assert {"first-run.md", "test-your-paging-product.md", "exec.md"} <= {document.name for document in WITH_COMMANDS}


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples(document: Path, tmp_path: Path, skip_if_held_up: Callable[[Path], None]) -> None:
    found = available()
    if not found.possible:
        pytest.skip(f"namespaces: {found.why}; to allow them: {found.remedy}")
    if any(line.startswith("curl") for line in commands(document)) and shutil.which("curl") is None:
        pytest.skip("curl is not installed (Debian: apt-get install curl)")
    _skip_without_directories(commands(document))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    servers: list[subprocess.Popen[str]] = []
    try:
        for line in commands(document):
            if line.startswith(SERVERS):
                # The documents show alternatives one below the other: the one before makes room, unless this one is
                # put beside it, into the background.
                if not line.endswith(" &"):
                    stop(servers)
                command = ["bash", "-c", f"exec {line.removesuffix(' &')}"]
                server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
                servers.append(server)
                assert server.stdout is not None
                assert json.loads(server.stdout.readline())["ready"] is True, line
                continue
            ended = subprocess.run(
                ["bash", "-c", line],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                check=False,
            )
            if line.startswith("pushlab run") and ended.returncode not in {0, 4, 70}:
                for folder in (tmp_path / "runs").glob("*/latest"):
                    skip_if_held_up(folder)
            codes = EXPECTED_CODES.get(" ".join(line.split()[:2]), {0})
            assert ended.returncode in codes, f"{line}\n{ended.stdout}{ended.stderr}"
    finally:
        stop(servers)


def _skip_without_directories(lines: list[str]) -> None:
    text = "\n".join(lines)
    if ("active-directory" in text or "kind=slapd" in text) and (packages := missing("slapd")):
        pytest.skip(f"needs the Debian package {packages}")
    if "kind=samba" in text and (missing("samba") or not is_root()):
        pytest.skip(f"needs root and the Debian packages {PACKAGES['samba']}")


def stop(servers: list[subprocess.Popen[str]]) -> None:
    while servers:
        server = servers.pop()
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=READY_S)
