"""A real mock CallManager on 127.0.0.1 for benches, and one phone's question to it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trio

PROGRAM = "import sys; from emulator.callmanager.command import main; sys.exit(main(sys.argv[1:]))"
PASSWORD = "of-the-bench"  # noqa: S105 - opens nothing
REQUEST = (
    f"GET /CCMCIP/authenticate.asp?UserID=agpush&Password={PASSWORD}&devicename=SEP001BD4000001 HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\n\r\n"
).encode()


class CallManager:
    """Runs while the block does; then its answers are there to read."""

    def __init__(self, *, workers: int, queue: int, p50_ms: float, p99_ms: float, seed: int) -> None:
        self._text = (
            f'listen = "127.0.0.1:0"\nworkers = {workers}\nqueue = {queue}\nseed = {seed}\n'
            f"service_ms = {{ p50 = {p50_ms}, p99 = {p99_ms} }}\n"
            f'[[user]]\nname = "agpush"\npassword = "{PASSWORD}"\n'
        )
        self.answers: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        configuration, self._events = (Path(self._folder.name, name) for name in ("callmanager.toml", "events.jsonl"))
        configuration.touch(mode=0o600)
        configuration.write_text(self._text)
        command = [sys.executable, "-c", PROGRAM, "--config", str(configuration), "--events", str(self._events)]
        self._process = subprocess.Popen(
            [*command, "--stop-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        url = json.loads(self._process.stdout.readline())["urls"]["authentication"]
        self.port = int(url.split("/")[2].rpartition(":")[2])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)
        records = [json.loads(line) for line in self._events.read_text().splitlines()]
        self.answers = [record for record in records if record["kind"] == "authentication.answered"]
        self._folder.cleanup()


async def one_question(port: int) -> bool:
    """Ask on a new connection; whether the answer was AUTHORIZED (else 503, or the connection was lost)."""
    client = trio.socket.socket()
    answer = bytearray()
    with client, contextlib.suppress(OSError):
        await client.connect(("127.0.0.1", port))
        await client.send(REQUEST)
        while data := await client.recv(4096):
            answer += data
    return answer.endswith(b"\r\n\r\nAUTHORIZED")
