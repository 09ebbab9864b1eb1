"""Slots in virtual time: fair between crews, given back by who hangs, kept by who is merely slow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import trio

from gateway.push import Slots, Weight
from gateway.push.crew import PATIENCE_S, STALL_S


async def test_every_name_is_done_once_with_as_many_at_once_as_allowed(autojump_clock: object) -> None:
    slots, done, now, peak = Slots(7), list[str](), 0, 0

    async def act(name: str) -> None:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await trio.sleep(0.1)
        now -= 1
        done.append(name)

    names = [str(number) for number in range(50)]
    await slots.run(names, act)
    assert (sorted(done), peak, slots.open) == (sorted(names), 7, 0)
    await slots.run([], act)


async def test_a_server_that_is_slow_for_all_is_not_asked_more_at_once(autojump_clock: object) -> None:
    """Eight workers in the order of asking, 75 ms each: a CallManager at its limit, 1.9 s for each of 200 in flight."""
    slots, workers, peak = Slots(200), trio.CapacityLimiter(8), 0
    durations = itertools.cycle([0.06, 0.05, 0.3, 0.06, 0.04, 0.06, 0.05, 0.6])

    async def act(name: str) -> None:
        nonlocal peak
        peak = max(peak, slots.open)
        async with workers:
            await trio.sleep(next(durations))

    await slots.run([str(number) for number in range(1000)], act)
    assert peak == 200


async def test_who_is_overtaken_gives_the_slot_back(autojump_clock: object) -> None:
    slots, began = Slots(10), trio.current_time()
    ended: dict[str, float] = {}

    async def act(name: str) -> None:
        await trio.sleep(60 if name.startswith("hung") else 0.05)
        ended[name] = trio.current_time() - began

    names = [f"hung {number}" if number % 4 == 0 else str(number) for number in range(200)]
    await slots.run(names, act)
    healthy = [at for name, at in ended.items() if not name.startswith("hung")]
    assert max(healthy) <= (150 * 0.05 + 50 * (PATIENCE_S + 0.1)) / 10 + 1
    assert max(ended.values()) <= 60 + max(healthy)


async def test_no_answer_at_all_gives_all_slots_back(autojump_clock: object) -> None:
    slots, began, starts = Slots(10), trio.current_time(), list[float]()

    async def act(name: str) -> None:
        starts.append(trio.current_time() - began)
        await trio.sleep(60)

    await slots.run([str(number) for number in range(30)], act)
    assert sorted(starts) == pytest.approx([0.0] * 10 + [STALL_S] * 10 + [2 * STALL_S] * 10)


async def test_without_descriptors_nobody_is_put_aside_and_everybody_has_a_turn(autojump_clock: object) -> None:
    slots, peak, done = Slots(10, max_aside=5), 0, list[str]()

    async def act(name: str) -> None:
        nonlocal peak
        peak = max(peak, slots.open)
        await trio.sleep(5)
        done.append(name)

    async with trio.open_nursery() as nursery:
        for crew in ("a", "b", "c"):
            nursery.start_soon(slots.run, [f"{crew}{number}" for number in range(30)], act)
    assert len(set(done)) == len(done) == 90
    # Each crew has one at least, whatever the others hold.
    assert peak <= 15 + 2


async def test_shares_follow_weights_and_come_back(autojump_clock: object) -> None:
    slots = Slots(20)
    now: dict[str, int] = {"normal": 0, "emergency": 0}
    seen: list[tuple[int, int]] = []

    async def act(name: str) -> None:
        kind = name.split(maxsplit=1)[0]
        now[kind] += 1
        seen.append((now["normal"], now["emergency"]))
        await trio.sleep(0.1)
        now[kind] -= 1

    def names(kind: str, count: int) -> Sequence[str]:
        return [f"{kind} {number}" for number in range(count)]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: slots.run(names("normal", 400), act))
        await trio.sleep(0.55)
        assert now == {"normal": 20, "emergency": 0}
        nursery.start_soon(lambda: slots.run(names("emergency", 200), act, weight=Weight.EMERGENCY_PAGE))
        await trio.sleep(0.3)
        assert now == {"normal": 4, "emergency": 16}
    assert max(normal for normal, _ in seen[-20:]) == 20, "what the emergency had is used again"


async def test_a_cancelled_crew_leaves_nothing_behind(autojump_clock: object) -> None:
    slots, begun = Slots(5), list[str]()

    async def act(name: str) -> None:
        begun.append(name)
        await trio.sleep(1)

    with trio.move_on_after(0.5):
        await slots.run([str(number) for number in range(50)], act)
    assert (len(begun), slots.open) == (5, 0)
    await slots.run(["again"], act)
    assert begun[-1] == "again"


async def test_an_error_of_one_ends_all(autojump_clock: object) -> None:
    async def act(name: str) -> None:
        await trio.sleep(0.1)
        raise KeyError(name)

    slots = Slots(5)
    with pytest.raises(BaseExceptionGroup) as caught:
        await slots.run(["a", "b"], act)
    assert caught.group_contains(KeyError)
    assert slots.open == 0


async def test_a_crew_that_leaves_does_not_wake_one_that_was_cancelled(autojump_clock: object) -> None:
    slots = Slots(4)

    async def act(name: str) -> None:
        await trio.sleep(1)

    async def cancelled() -> None:
        with trio.move_on_after(0.5):
            await slots.run([str(number) for number in range(50)], act)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(cancelled)
    assert slots.open == 0
