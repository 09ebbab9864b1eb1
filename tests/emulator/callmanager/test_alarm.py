"""The exact timer: real time, a few milliseconds."""

import random
import time

import trio

from emulator.callmanager.alarm import Alarm

MS = 1_000_000


async def test_everybody_is_woken_and_nobody_early():
    woken: list[int] = []

    async def wait(alarm: Alarm, due_ns: int) -> None:
        await alarm.until(due_ns)
        assert time.monotonic_ns() >= due_ns
        woken.append(due_ns)

    start = time.monotonic_ns()
    dues = [start + ms * MS for ms in (-5, 0, 3, 3, 5, 8, 13, 21)]
    shuffled = random.Random(1).sample(dues, len(dues))
    with Alarm() as alarm, trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(alarm.run)
            async with trio.open_nursery() as waiting:
                for due in shuffled:
                    waiting.start_soon(wait, alarm, due)
            nursery.cancel_scope.cancel()
    assert sorted(woken) == dues


async def test_who_gave_up_waiting_holds_nobody_up():
    with Alarm() as alarm, trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(alarm.run)
            now = time.monotonic_ns()
            async with trio.open_nursery() as waiting:
                waiting.start_soon(alarm.until, now + 2 * MS)
                await trio.testing.wait_all_tasks_blocked()
                waiting.cancel_scope.cancel()
            await alarm.until(now + 6 * MS)
            assert time.monotonic_ns() >= now + 6 * MS
            nursery.cancel_scope.cancel()
