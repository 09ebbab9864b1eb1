"""A gateway that the run neither starts nor asks: `[gateway] kind = "external"`.

Its page is begun by a program of the scenario's (`trigger`) or by a person. That it runs, and when it is over, is seen
at the emulated phones (awaiting.py): by the counters that their process tells, and by their records as they are
written.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from harness.bed.awaiting import Page, Seen, Stage
from harness.bed.errors import BedError
from harness.bed.foreign import end_process
from harness.bed.processes import Part, tail
from harness.bed.setup import Setup
from harness.observe import EventWriter
from harness.scenario.audio import audio_seconds

POLL_S: Final = 0.25
"""Phones tell their counters that often, and write their records."""
_BEGIN: Final = "start the page at your gateway now"


async def page(
    setup: Setup, phones: Part, told: Mapping[str, str], writer: EventWriter, records: Path, control: str | None
) -> None:
    """Have the page begun, and stay until it is over.

    Args:
        setup: the run.
        phones: the fleet's process.
        told: PUSHLAB_* variables for the trigger.
        writer: takes `gateway.awaited`, and `trigger.ended` where there is one.
        records: what the fleet writes while it runs.
        control: the control phone, whose pushes do not count.

    Raises:
        BedError: the trigger cannot be started, or fails.
    """
    gateway = setup.scenario.gateway
    begun_s = trio.current_time()
    watched = Page(
        phones=setup.scenario.fleet.phones,
        wait_s=gateway.wait_s,
        quiet_s=gateway.quiet_s,
        limit_s=gateway.limit_s,
        now_s=begun_s,
    )
    diaries = Diaries(records, control)
    what = "waiting for the gateway's first push" if gateway.trigger else _BEGIN
    setup.display.stage(what, ends_at=watched.ends_at_s)
    stage = Stage.AWAITED
    async with trio.open_nursery() as nursery:
        if gateway.trigger:
            nursery.start_soon(_trigger, setup, told, writer)
        while stage in (Stage.AWAITED, Stage.RUNNING):
            await trio.sleep(POLL_S)
            before = stage
            stage = watched.look(diaries.seen(phones.status), trio.current_time())
            if before is Stage.AWAITED and stage not in (before, Stage.UNSEEN):
                sound_s = sum(audio_seconds(page.audio_path) for page in setup.scenario.pages)
                ends_at = trio.current_time() + sound_s + gateway.quiet_s
                setup.display.stage("the gateway pages", ends_at=ends_at)
        nursery.cancel_scope.cancel()
    writer.write(
        "gateway.awaited",
        ended=stage.value,
        pushed_to=diaries.pushed_to,
        waited_s=round(trio.current_time() - begun_s, 3),
        wait_s=gateway.wait_s,
    )


class Diaries:
    """The phones' records as far as they are written: who was pushed to, and who listens."""

    def __init__(self, path: Path, control: str | None) -> None:
        self._path = path
        self._control = control
        self._read = 0
        self._pushed_to: set[str] = set()
        self._listening: set[str] = set()

    @property
    def pushed_to(self) -> int:
        """Phones that a push came to."""
        return len(self._pushed_to)

    def seen(self, counters: Mapping[str, int]) -> Seen:
        """All that was written since the last look, put to the counters."""
        self._follow()
        activity = sum(int(counters.get(name, 0)) for name in ("pushes", "authentications", "packets"))
        return Seen(pushed_to=len(self._pushed_to), listening=len(self._listening), activity=activity)

    def _follow(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                written = file.read()
        except FileNotFoundError:
            return
        whole = written[: written.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            record = json.loads(line)
            phone = record.get("phone")
            if phone is None or phone == self._control:
                continue
            match record.get("kind"):
                case "push.received":
                    self._pushed_to.add(phone)
                case "stream.listening":
                    self._listening.add(phone)
                case "stream.stopped":
                    self._listening.discard(phone)


async def _trigger(setup: Setup, told: Mapping[str, str], writer: EventWriter) -> None:
    argv = setup.scenario.gateway.trigger
    log = setup.folder.file("gateway.log")
    with log.open("wb") as file:
        try:
            process = await trio.lowlevel.open_process(
                list(argv), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(told)
            )
        except OSError as error:
            raise BedError(f"the trigger cannot be started: {argv[0]}: {error.strerror}") from None
        try:
            status = await process.wait()
        finally:
            with trio.CancelScope(shield=True):
                await end_process(process)
    writer.write("trigger.ended", exit_status=status)
    if status:
        raise BedError(f"the trigger ended with {status}, so the page was not started; its last lines:\n{tail(log)}")
