"""Several pages at once in virtual time: who gets a phone that both want, and whether one page holds up another."""
# ruff: noqa: ARG002  the doubles have the signatures of what they stand for

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import trio
import trio.testing

from gateway.cisco import Outcome, PushAnswer
from gateway.inventory import Phone
from gateway.media import Audio
from gateway.push import Busy, Claims, Delivery, Group, Page, PagePlan, Priority, PushTarget, Slots
from gateway.push.client import Action
from gateway.push.page import BUSY_S
from gateway.push.result import WORDS
from gateway.records import Records

AUDIO = Audio(name="announcement", frames=250, payload=bytes(250 * 160))
DURATION_S = 5.0
TOTAL_S = 10.0
ANSWER_S = 0.05
GROUP = Group(address="239.0.1.1", port=20480)


class World:
    """Phones that know what they receive, and a pacer that knows whom it sends what."""

    def __init__(self, concurrency: int = 200) -> None:
        self.slots = Slots(concurrency)
        self.claims = Claims()
        self.hung: set[str] = set()
        self.outlives_the_connection = False  # a phone goes on with a start whose connection was closed
        self.foreign: dict[str, float] = {}  # receive somebody else's stream until then; infinite: a call
        self.receives: dict[str, str] = {}  # phone to page
        self.asked: set[str] = set()  # phones that have a push in flight
        self.log: list[tuple[float, str, str, Action, int]] = []
        self.groups: list[Group | None] = []
        self.sends: dict[str, dict[str, float]] = {}
        self.pacer_log: list[tuple[float, str, str, tuple[str, ...]]] = []
        self.ends: dict[str, float] = {}

    # pusher

    async def push(
        self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
    ) -> PushAnswer:
        name = phone.device_name
        assert name not in self.asked, "two pushes to one phone at once"
        self.asked.add(name)
        self.log.append((trio.current_time(), page, name, action, attempt))
        self.groups.append(group)
        try:
            return PushAnswer(outcome=await self._answer(name, page, action))
        finally:
            self.asked.remove(name)

    async def _answer(self, name: str, page: str, action: Action) -> Outcome:
        if name in self.hung:
            await trio.sleep(TOTAL_S)
            return Outcome.TIMED_OUT
        try:
            await trio.sleep(ANSWER_S)
        except trio.Cancelled:
            if self.outlives_the_connection and action == "start":
                trio.lowlevel.spawn_system_task(self._execute_late, name, page)
            raise
        until = self.foreign.get(name, 0.0)
        if action == "stop":
            self.receives.pop(name, None)
            if until != float("inf"):
                self.foreign.pop(name, None)
            return Outcome.EXECUTED
        if name in self.receives or until > trio.current_time():
            return Outcome.REFUSED_BUSY
        self.receives[name] = page
        return Outcome.EXECUTED

    async def _execute_late(self, name: str, page: str) -> None:
        await trio.sleep(4 * ANSWER_S)
        self.receives[name] = page

    # pacer

    def _note(self, what: str, page: str, names: Iterator[str] | Sequence[str]) -> None:
        self.pacer_log.append((trio.current_time(), what, page, tuple(names)))

    async def load(self, page: str, audio: Audio) -> None:
        self.sends[page] = {}

    async def start(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        self._note("start", page, [name for name, _ in phones])
        self.sends[page].update({name: trio.current_time() + DURATION_S for name, _ in phones})
        self.ends.setdefault(page, trio.current_time() + DURATION_S)

    async def join(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        self._note("join", page, [name for name, _ in phones])
        self.sends[page].update(dict.fromkeys([name for name, _ in phones], self.ends[page]))

    async def stop(self, page: str, phones: Sequence[str] | None = None) -> None:
        self._note("stop", page, phones or ())
        for name in list(self.sends.get(page, {})) if phones is None else phones:
            self.sends[page].pop(name, None)

    async def finished(self, page: str) -> None:
        while any(until > trio.current_time() for until in self.sends[page].values()):
            await trio.sleep_until(max(self.sends[page].values()))

    # pages

    def page(self, number: str, phones: Sequence[str], **plan: object) -> Page:
        return Page(
            number=number,
            plan=PagePlan(phones=tuple(phones), duration_s=DURATION_S, **plan),  # type: ignore[arg-type]
            phones=[Phone(device_name=name, address="10.20.0.1") for name in phones],
            audio=AUDIO,
            pusher=self,
            pacer=self,
            records=Records(None),
            slots=self.slots,
            claims=self.claims,
        )

    def pushes(self, page: str) -> list[tuple[str, Action]]:
        return [(name, action) for _, number, name, action, _ in self.log if number == page]


def names(count: int, first: int = 0) -> list[str]:
    return [f"SEP{number:012X}" for number in range(first, first + count)]


async def run(world: World, *pages: tuple[float, Page]) -> float:
    began = trio.current_time()

    async def later(after_s: float, page: Page) -> None:
        await trio.sleep(after_s)
        await page.run()

    async with trio.open_nursery() as nursery:
        for after_s, page in pages:
            nursery.start_soon(later, after_s, page)
    assert world.receives == {}, "no phone is left listening"
    return trio.current_time() - began


async def test_p17_an_emergency_takes_phones_from_a_normal_page(autojump_clock: object) -> None:
    world = World()
    normal = world.page("1", names(10))
    emergency = world.page("2", names(5), priority=Priority.EMERGENCY, busy=Busy.SKIP)
    await run(world, (0.0, normal), (2.0, emergency))
    assert emergency.outcomes == {"executed": 5}
    assert normal.outcomes == {"preempted": 5, "executed": 5}
    assert normal.reason == "completed"
    taken = [result for result in normal.results if result.outcome == "preempted"]
    assert {result.words for result in taken} == {
        "Another page of the same or a higher priority took it. (page 2)",
    }
    # Silence from the first page before anything of the second one, and its stop before the start.
    assert [(what, page, len(those)) for _, what, page, those in world.pacer_log] == [
        ("start", "1", 10),
        ("stop", "1", 5),
        ("start", "2", 5),
        ("stop", "1", 0),
        ("stop", "2", 0),
    ]
    for phone in names(5):
        assert [action for name, action in world.pushes("2") if name == phone] == ["stop", "start", "stop"]
    # The first page stops its own five and nobody else's.
    assert sorted(name for name, action in world.pushes("1") if action == "stop") == names(5, 5)


async def test_a_normal_page_never_takes_a_phone_from_an_emergency(autojump_clock: object) -> None:
    for busy, outcome in ((Busy.SKIP, "skipped"), (Busy.NOW, "executed"), (Busy.QUEUE, "executed")):
        world = World()
        emergency = world.page("1", names(5), priority=Priority.EMERGENCY)
        normal = world.page("2", names(5), busy=busy)
        await run(world, (0.0, emergency), (1.0, normal))
        assert (busy, emergency.outcomes, normal.outcomes) == (busy, {"executed": 5}, {outcome: 5})
        if outcome == "executed":
            first_start = next(at for at, page, _, action, _ in world.log if page == "2" and action == "start")
            last_stop = max(at for at, page, _, action, _ in world.log if page == "1" and action == "stop")
            assert first_start > last_stop


async def test_between_equals_the_later_pages_rule_decides(autojump_clock: object) -> None:
    world = World()
    first, second = world.page("1", names(4)), world.page("2", names(4, 2), busy=Busy.NOW)
    third = world.page("3", names(6), busy=Busy.SKIP)
    await run(world, (0.0, first), (1.0, second), (2.0, third))
    assert first.outcomes == {"executed": 2, "preempted": 2}
    assert second.outcomes == {"executed": 4}
    assert third.outcomes == {"skipped": 6}
    assert third.reason == "failed"


async def test_a_queued_page_follows_the_first_one(autojump_clock: object) -> None:
    world = World()
    first, second = world.page("1", names(4)), world.page("2", names(4), busy=Busy.QUEUE)
    took_s = await run(world, (0.0, first), (1.0, second))
    assert first.outcomes == second.outcomes == {"executed": 4}
    assert took_s == pytest.approx(2 * DURATION_S, abs=1.0)


async def test_queued_phones_join_a_page_that_others_hear_already_or_are_given_up_at_its_end(
    autojump_clock: object,
) -> None:
    world = World()
    first = world.page("1", names(2))
    second = world.page("2", names(4), busy=Busy.QUEUE)
    await run(world, (0.0, first), (3.0, second))
    assert second.outcomes == {"executed": 4}
    world = World()
    first, second = world.page("1", names(2)), world.page("2", names(4), busy=Busy.QUEUE)
    world.hung = {names(3)[2]}
    first._plan = PagePlan(phones=tuple(names(2)), duration_s=DURATION_S, start_deadline_s=60, start_fraction=1.0)
    world.foreign = {names(1)[0]: float("inf")}
    await run(world, (0.0, first), (0.5, second))
    assert first.outcomes == {"refused_busy": 1, "executed": 1}
    assert second.outcomes == {"executed": 2, "timed_out": 1, "refused_busy": 1}


async def test_a_phone_that_says_it_is_busy(autojump_clock: object) -> None:
    for busy, until, outcome, starts in (
        (Busy.SKIP, 3.0, "refused_busy", 1),
        (Busy.NOW, 3.0, "executed", 2),
        (Busy.NOW, float("inf"), "refused_busy", 2),
        (Busy.QUEUE, 3.0, "executed", 3),
        (Busy.QUEUE, float("inf"), "refused_busy", 3),
    ):
        world = World()
        world.foreign = {names(1)[0]: trio.current_time() + until}
        page = world.page("1", names(2), busy=busy)
        await run(world, (0.0, page))
        of_busy = [action for name, action in world.pushes("1") if name == names(1)[0]]
        assert (busy, of_busy.count("start")) == (busy, starts)
        assert page.outcomes == ({"executed": 2} if outcome == "executed" else {"executed": 1, outcome: 1})
        if outcome == "refused_busy":
            assert of_busy[-1] == "start", "whose stream it is, nobody knows: it is not stopped in the end"


async def test_a_page_of_busy_phones_only_does_not_wait_for_ever(autojump_clock: object) -> None:
    world = World()
    world.foreign = {names(1)[0]: float("inf")}
    page = world.page("1", names(1), busy=Busy.QUEUE)
    assert await run(world, (0.0, page)) == pytest.approx(BUSY_S, abs=20)
    assert page.outcomes == {"refused_busy": 1}


async def test_c20_a_second_page_is_not_held_up_by_the_firsts_hung_phones(autojump_clock: object) -> None:
    world = World(concurrency=20)
    world.hung = set(names(500))
    first, second = world.page("1", names(500)), world.page("2", names(40, 500))
    await run(world, (0.0, first), (0.5, second))
    starts = [at for at, page, _, action, _ in world.log if page == "2" and action == "start"]
    # Half of the slots are its own at once: 40 phones in 10 slots, four rounds.
    assert max(starts) - min(starts) <= 4 * ANSWER_S
    assert second.outcomes == {"executed": 40}
    assert first.outcomes == {"timed_out": 500}


async def test_c20_eight_pages_of_hung_phones_do_not_hold_up_an_emergency(autojump_clock: object) -> None:
    world = World(concurrency=20)
    world.hung = set(names(800))
    pages = [world.page(str(number), names(100, 100 * number)) for number in range(8)]
    emergency = world.page("8", names(40, 800), priority=Priority.EMERGENCY)
    await run(world, *[(0.0, page) for page in pages], (0.5, emergency))
    starts = [at for at, page, _, action, _ in world.log if page == "8" and action == "start"]
    # Its weight among nine: 20 * 4 / 12 slots.
    assert max(starts) - min(starts) <= 7 * ANSWER_S
    assert emergency.outcomes == {"executed": 40}


async def test_p17_an_interruption_of_one_page_leaves_the_other_alone(autojump_clock: object) -> None:
    world = World()
    first, second = world.page("1", names(5)), world.page("2", names(5, 5))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, world, (0.0, first), (0.0, second))
        await trio.sleep(1)
        first.interrupt()
    assert (first.reason, second.reason) == ("interrupted", "completed")
    assert first.outcomes == second.outcomes == {"executed": 5}


@pytest.mark.parametrize("after_s", [0.0, ANSWER_S / 2, 2.5 * ANSWER_S])
async def test_an_interrupted_emergency_stops_the_phones_that_it_has_taken(
    autojump_clock: object, after_s: float
) -> None:
    world = World(concurrency=10)  # most phones are taken, and not asked yet
    normal = world.page("1", names(40))
    emergency = world.page("2", names(40), priority=Priority.EMERGENCY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, world, (0.0, normal), (2.0, emergency))
        await trio.sleep(2.0 + after_s)
        await trio.testing.wait_all_tasks_blocked()
        emergency.interrupt()
    assert normal.outcomes == {"preempted": 40}
    assert emergency.reason == "interrupted"
    assert {name for name, action in world.pushes("2") if action == "stop"} == set(names(40))


async def test_a_start_that_is_overtaken_by_its_stop_leaves_no_phone_listening(autojump_clock: object) -> None:
    world = World()
    world.outlives_the_connection = True
    page = world.page("1", names(5))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, world, (0.0, page))
        await trio.sleep(ANSWER_S / 2)
        page.interrupt()
    assert page.outcomes == {"indeterminate": 5}
    assert world.pushes("1").count((names(1)[0], "stop")) == 2


async def test_a_phone_that_is_taken_while_its_start_is_on_the_way(autojump_clock: object) -> None:
    world = World()
    normal = world.page("1", names(5))
    emergency = world.page("2", names(5), priority=Priority.EMERGENCY)
    await run(world, (0.0, normal), (ANSWER_S / 2, emergency))
    assert normal.outcomes == {"preempted": 5}
    assert emergency.outcomes == {"executed": 5}
    assert [page for _, what, page, those in world.pacer_log if what == "start" and those] == ["2"]


async def test_multicast_is_one_stream_and_late_phones_just_join(autojump_clock: object) -> None:
    world = World()
    world.foreign = {names(1)[0]: trio.current_time() + 1.5, names(2)[1]: trio.current_time() + 5.5}
    page = world.page("1", names(6), delivery=Delivery.MULTICAST, busy=Busy.QUEUE)
    page.use_group(GROUP)
    await run(world, (0.0, page))
    assert [(what, those) for _, what, _, those in world.pacer_log] == [
        ("start", ("239.0.1.1:20480",)),
        ("stop", ()),
    ]
    assert set(world.groups) == {GROUP}
    assert page.outcomes == {"executed": 5, "too_late": 1}
    assert [result.outcome for result in page.results][1] == "too_late"


def test_every_outcome_has_its_words() -> None:
    assert {str(outcome) for outcome in WORDS} == {
        *Outcome,
        "not_sent",
        "skipped",
        "busy_throughout",
        "preempted",
        "too_late",
    }
