"""Parts as processes: ready, status, stop, death. Each part here is a few lines of Python."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from harness.bed.errors import BedError
from harness.bed.processes import Part, PartEndedError, PartPlan, run_part

pytestmark = pytest.mark.real

READY = (
    "import json, os, signal, sys\n"
    "print(json.dumps({'ready': True, 'urls': {'phones': 'http://127.20.0.1'}}), flush=True)\n"
)
LIVE = READY + "sys.stdin.read()\n"


def _plan(tmp_path: Path, script: str, **more: object) -> PartPlan:
    return PartPlan(
        name="phones",
        argv=[sys.executable, "-I", "-S", "-c", script],
        log_path=tmp_path / "phones.log",
        **more,  # type: ignore[arg-type]
    )


def _only(caught: pytest.ExceptionInfo[BaseException]) -> BaseException:
    error = caught.value
    while isinstance(error, BaseExceptionGroup):
        assert len(error.exceptions) == 1
        error = error.exceptions[0]
    return error


async def test_ready_then_stopped_by_signal(tmp_path: Path) -> None:
    orderly = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    script = f"{orderly}{READY}while True: signal.pause()\n"
    async with trio.open_nursery() as nursery:
        part: Part = await nursery.start(run_part, _plan(tmp_path, script, events_path=tmp_path / "e.jsonl"))
        assert part.urls == {"phones": "http://127.20.0.1"}
        assert part.name == "phones"
        assert part.events_path == tmp_path / "e.jsonl"
        assert part.status == {}
        assert await part.stop() == 0
        assert part.ended.is_set()


async def test_status_lines_are_told(tmp_path: Path) -> None:
    script = READY + (
        "print('not JSON'); print('[1]'); print(json.dumps({'status': {'pushes': 1}}));"
        "print(json.dumps({'status': {'pushes': 2}}), flush=True)\n"
        "sys.stdin.read()\n"
    )
    told: list[int] = []
    enough = trio.Event()

    def on_status(part: Part) -> None:
        told.append(part.status["pushes"])
        if len(told) == 2:
            enough.set()

    async with trio.open_nursery() as nursery:
        part: Part = await nursery.start(run_part, _plan(tmp_path, script, on_status=on_status))
        with trio.fail_after(10):
            await enough.wait()
        assert told == [1, 2]
        assert part.status_at_s > 0
        await part.stop()


async def test_a_part_that_ignores_the_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    while True: signal.pause()\n"
        "import json; print(json.dumps({'ready': True, 'urls': {'child': child}}), flush=True)\n"
        "while True: signal.pause()\n"
    )
    async with trio.open_nursery() as nursery:
        part: Part = await nursery.start(run_part, _plan(tmp_path, script))
        child = os.pidfd_open(int(part.urls["child"]))
        assert await part.stop(within_s=0.05) == -signal.SIGKILL
        assert select.select([child], [], [], 10)[0]
        os.close(child)


async def test_ended_before_ready_quotes_the_log(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "for line in range(20): print('line', line, file=sys.stderr)\n"
        "print('127.20.128.10:18080 cannot be bound: EADDRINUSE', file=sys.stderr); sys.exit(5)\n"
    )
    with pytest.raises(BaseExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_part, _plan(tmp_path, script))
    error = _only(caught)
    assert type(error) is BedError
    assert error.exit_code == 5
    assert str(error).startswith("phones ended before it was ready (exit code 5):\n")
    assert "\n  127.20.128.10:18080 cannot be bound: EADDRINUSE\n" in str(error)
    assert str(error).endswith("On ground netns each run has addresses of its own")
    assert "line 19" in str(error)
    assert "line 9" not in str(error)


async def test_first_line_that_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_part, _plan(tmp_path, "print('hello', flush=True); input()"))
    assert "phones said b'hello' where its ready line was due" in str(_only(caught))


async def test_not_ready_in_time(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_part, _plan(tmp_path, "import sys; sys.stdin.read()", ready_within_s=30))
    assert str(_only(caught)).startswith("phones was not ready within 30 s:")


async def test_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    plan = PartPlan(name="gateway", argv=["/nowhere/gateway"], log_path=tmp_path / "log")
    with pytest.raises(BaseExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_part, plan)
    assert str(_only(caught)) == "gateway cannot be started: /nowhere/gateway: No such file or directory"


async def test_death_in_mid_run_is_noticed(tmp_path: Path) -> None:
    script = READY + "print('out of luck', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"

    async def live() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_part, _plan(tmp_path, script))
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught, trio.fail_after(10):
        await live()
    error = _only(caught)
    assert isinstance(error, PartEndedError)
    assert str(error) == "phones ended by itself (signal SIGKILL); its last lines:\n  out of luck"


async def test_death_is_noticed_while_a_child_holds_the_pipe(tmp_path: Path) -> None:
    script = READY + "if os.fork() == 0: sys.stdin.read()\nelse: os._exit(0)\n"
    said: list[str] = []
    died = trio.Event()

    def on_death(part: Part, message: str) -> None:
        said.append(message)
        died.set()

    async with trio.open_nursery() as nursery:
        part: Part = await nursery.start(run_part, _plan(tmp_path, script, on_death=on_death))
        with trio.fail_after(10):
            await died.wait()
    assert part.exit_status == 0
    assert said == ["phones ended by itself (exit code 0); its last lines:\n  (its log is empty)"]


async def test_cancelled_nursery_stops_the_part(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        part: Part = await nursery.start(run_part, _plan(tmp_path, LIVE))
        nursery.cancel_scope.cancel()
    assert part.exit_status == -signal.SIGTERM
    assert part.ended.is_set()


async def test_a_foreign_command_needs_no_ready_line(tmp_path: Path) -> None:
    ended: list[str] = []
    plan = _plan(tmp_path, "print('my own words')", speaks=False, on_death=lambda _part, message: ended.append(message))
    async with trio.open_nursery() as nursery:
        part: Part = await nursery.start(run_part, plan)
        with trio.fail_after(10):
            await part.ended.wait()
    assert part.exit_status == 0
    assert (tmp_path / "phones.log").read_text() == "my own words\n"
    assert len(ended) == 1


def test_lifeline_ends_with_a_killed_parent(tmp_path: Path) -> None:
    parent = (
        "import sys, trio; from pathlib import Path; from harness.bed.processes import PartPlan, run_part\n"
        f"ARGV = [sys.executable, '-c', {LIVE!r}]\n"
        f"PLAN = PartPlan(name='phones', argv=ARGV, log_path=Path({str(tmp_path / 'log')!r}))\n"
        "async def main():\n"
        "    async with trio.open_nursery() as nursery:\n"
        "        part = await nursery.start(run_part, PLAN)\n"
        "        print(part.pid, flush=True)\n"
        "        await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        part = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        assert select.select([part], [], [], 10)[0], "the part outlived its killed parent"
        os.close(part)
