"""How many pushes of alerts go out at once, in virtual time."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from gateway.alerts import OwnSlots
from gateway.alerts.pushing import EMERGENCY_WEIGHT


async def test_an_emergency_is_not_held_up_by_a_normal_alerts_hung_phones(autojump_clock: MockClock) -> None:
    slots = OwnSlots(160)  # 40 for alerts, of which a normal one may use 10
    open_now = {"normal": 0, "emergency": 0}
    most = dict(open_now)
    done: list[str] = []

    async def push(kind: str, seconds: float) -> None:
        open_now[kind] += 1
        most[kind] = max(most[kind], open_now[kind])
        await trio.sleep(seconds)
        open_now[kind] -= 1
        done.append(kind)

    async with trio.open_nursery() as nursery:
        names = [str(n) for n in range(100)]
        nursery.start_soon(lambda: slots.run(names, lambda _: push("normal", 10)))
        await trio.sleep(1)
        with trio.fail_after(1):
            await slots.run(names, lambda _: push("emergency", 0.1), weight=EMERGENCY_WEIGHT)
        assert most == {"normal": 10, "emergency": 30}
        assert done == ["emergency"] * 100
    assert trio.current_time() == 100
    assert most["normal"] == 10


async def test_one_phone_is_enough_for_a_slot(autojump_clock: MockClock) -> None:
    called: list[str] = []

    async def push(name: str) -> None:
        called.append(name)

    await OwnSlots(1).run(["a", "b"], push)
    assert called == ["a", "b"]
    await OwnSlots(1).run([], push)
