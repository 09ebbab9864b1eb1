"""Alerts beside pages and each other: they share the slots, in virtual time."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from gateway.push import Slots, Weight

NAMES = [str(number) for number in range(200)]


class Pushes:
    def __init__(self) -> None:
        self.most: dict[Weight, int] = {}
        self.open: dict[Weight, int] = {}

    async def run(self, slots: Slots, weight: Weight, seconds: float) -> float:
        began = trio.current_time()

        async def push(name: str) -> None:
            self.open[weight] = self.open.get(weight, 0) + 1
            self.most[weight] = max(self.most.get(weight, 0), self.open[weight])
            await trio.sleep(seconds)
            self.open[weight] -= 1

        await slots.run(NAMES, push, weight=weight)
        return trio.current_time() - began


async def test_c19_an_emergency_is_not_held_up_by_a_normal_alerts_hung_phones(autojump_clock: MockClock) -> None:
    slots, pushes = Slots(40), Pushes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushes.run, slots, Weight.ALERT, 10)
        await trio.sleep(0.5)
        assert pushes.most == {Weight.ALERT: 40}  # alone it has all
        # 200 phones by 32 slots, 0.1 s each
        assert await pushes.run(slots, Weight.EMERGENCY_ALERT, 0.1) <= 0.8


async def test_c20_a_page_beside_the_most_alerts_there_are_begins_at_once(autojump_clock: MockClock) -> None:
    slots, pushes = Slots(200), Pushes()
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(pushes.run, slots, Weight.ALERT, 10)
        await trio.sleep(0.5)
        for weight, most_s in ((Weight.PAGE, 0.6), (Weight.EMERGENCY_PAGE, 0.3)):
            assert await pushes.run(slots, weight, 0.1) <= most_s
        nursery.cancel_scope.cancel()


async def test_c19_an_alert_passes_hung_phones_as_a_page_does(autojump_clock: MockClock) -> None:
    """Each of the hung would else hold a slot for ten seconds."""
    slots, shown = Slots(8), []

    async def push(name: str) -> None:
        await trio.sleep(10 if int(name) % 10 == 0 else 0.05)
        shown.append((trio.current_time(), name))

    await slots.run(NAMES, push, weight=Weight.ALERT)
    healthy = [at for at, name in shown if int(name) % 10]
    assert max(healthy) < 5
    assert trio.current_time() < 16
