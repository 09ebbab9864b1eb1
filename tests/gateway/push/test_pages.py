"""Whole pages in virtual time: phones and pacer in memory, slots and deadlines real."""
# ruff: noqa: ARG002  the doubles have the signatures of what they stand for

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from gateway.cisco import Outcome, PushAnswer
from gateway.inventory import Phone
from gateway.media import Audio
from gateway.push import Claims, Group, Page, PagePlan, PushTarget, Slots, Start
from gateway.push.client import Action
from gateway.push.crew import PATIENCE_S, STALL_S
from gateway.push.page import STOP_S
from gateway.records import Records

AUDIO = Audio(name="announcement", frames=250, payload=bytes(250 * 160))
DURATION_S = 5.0
TOTAL_S = 10.0

Behaviour = Callable[[Action], Awaitable[Outcome]]


async def healthy(action: Action) -> Outcome:
    await trio.sleep(0.05)
    return Outcome.EXECUTED


async def hung(action: Action) -> Outcome:
    await trio.sleep(TOTAL_S)
    return Outcome.TIMED_OUT


async def refusing(action: Action) -> Outcome:
    await trio.sleep(0.01)
    return Outcome.REFUSED_AUTHENTICATION


async def absent(action: Action) -> Outcome:
    return Outcome.UNREACHABLE


class Phones:
    """A pusher over phones in memory."""

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        self.behaviours = behaviours
        self.log: list[tuple[float, str, Action, int]] = []
        self.in_flight = 0
        self.peak = 0

    async def push(
        self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
    ) -> PushAnswer:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self.log.append((trio.current_time(), phone.device_name, action, attempt))
        try:
            return PushAnswer(outcome=await self.behaviours[phone.device_name](action))
        finally:
            self.in_flight -= 1

    def pushed(self, action: Action) -> list[str]:
        return [name for _, name, did, _ in self.log if did == action]


class Loudspeaker:
    """A pacer in memory."""

    def __init__(self) -> None:
        self.log: list[tuple[float, str, tuple[str, ...]]] = []
        self.until = 0.0
        self.broken = False

    def _note(self, what: str, phones: Sequence[tuple[str, str]] = ()) -> None:
        self.log.append((trio.current_time(), what, tuple(name for name, _ in phones)))

    async def load(self, page: str, audio: Audio) -> None:
        if self.broken:
            raise RuntimeError("the pacer is gone")
        assert audio is AUDIO

    async def start(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        self._note("start", phones)
        self.until = trio.current_time() + DURATION_S

    async def join(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        self._note("join", phones)

    async def stop(self, page: str, phones: Sequence[str] | None = None) -> None:
        self._note("stop")

    async def finished(self, page: str) -> None:
        await trio.sleep_until(self.until)

    def given(self) -> list[str]:
        return [name for _, what, names in self.log if what != "stop" for name in names]


class Stage:
    """One page, its phones and its pacer."""

    def __init__(self, path: Path, behaviours: Sequence[Behaviour], *, concurrency: int = 200, **plan: object) -> None:
        names = [f"SEP{number:012X}" for number in range(len(behaviours))]
        self.path = path / "events.jsonl"
        self.records = Records(self.path)
        self.phones = Phones(dict(zip(names, behaviours, strict=True)))
        self.slots = Slots(concurrency)
        self.pacer = Loudspeaker()
        settings = PagePlan(phones=tuple(names), duration_s=DURATION_S, **plan)  # type: ignore[arg-type]
        self.page = Page(
            number="1",
            plan=settings,
            phones=[Phone(device_name=name, address="10.20.0.1") for name in names],
            audio=AUDIO,
            pusher=self.phones,
            pacer=self.pacer,
            records=self.records,
            slots=self.slots,
            claims=Claims(),
        )

    def events(self) -> list[dict[str, object]]:
        self.records.close()
        return [json.loads(line) for line in self.path.read_text().splitlines()]


async def test_a_page_to_healthy_phones(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [healthy] * 10)
    began = trio.current_time()
    await stage.page.run()
    assert trio.current_time() - began == pytest.approx(0.05 + DURATION_S + 0.05)
    assert (stage.page.state, stage.page.reason) == ("ended", "completed")
    assert stage.page.outcomes == {"executed": 10}
    assert [(what, len(names)) for _, what, names in stage.pacer.log] == [("start", 10), ("stop", 0)]
    assert (
        sorted(stage.phones.pushed("start")) == sorted(stage.phones.pushed("stop")) == sorted(stage.phones.behaviours)
    )
    started, ended = stage.events()
    assert {key: started[key] for key in started if key != "t_ns"} == {
        "witness": "gateway",
        "kind": "page.started",
        "page": "1",
        "phones": 10,
        "audio": "announcement",
        "audio_frames": 250,
        "audio_crc32": AUDIO.crc32,
        "delivery": "unicast",
        "priority": "normal",
        "start": "together",
    }
    assert (ended["kind"], ended["reason"], ended["outcomes"]) == ("page.ended", "completed", {"executed": 10})


async def test_c19_healthy_phones_start_as_without_the_bad_ones(tmp_path: Path, autojump_clock: object) -> None:
    async def last_start(kinds: list[Behaviour], name: str) -> tuple[Stage, float]:
        (tmp_path / name).mkdir()
        stage = Stage(tmp_path / name, kinds * 250, start=Start.EACH)
        began = trio.current_time()
        await stage.page.run()
        healthy_starts = [
            at - began
            for at, phone, action, _ in stage.phones.log
            if action == "start" and stage.phones.behaviours[phone] is healthy
        ]
        return stage, max(healthy_starts)

    # 10 % hang, 5 % refuse, 5 % are absent, of 5,000; beside them only the healthy 80 %.
    bad: list[Behaviour] = [hung, hung, refusing, absent]
    stage, with_bad = await last_start([*bad, *[healthy] * 16], "with")
    _, without = await last_start([healthy] * 16, "without")
    assert stage.page.outcomes == {
        "executed": 4000,
        "timed_out": 500,
        "refused_authentication": 250,
        "unreachable": 250,
    }
    assert Counter(stage.phones.pushed("start")).most_common(1)[0][1] == 1
    assert without == pytest.approx(4000 / 200 * 0.05 - 0.05)
    # Each hung phone costs its patience once: 500 of them in 200 slots, and the refusing ones their answers.
    assert with_bad <= without + 500 / 200 * (PATIENCE_S + 0.05) + 250 / 200 * 0.01 + 0.05
    assert len(stage.pacer.given()) == len(set(stage.pacer.given())) == 4000
    # Those that hung may listen: they are stopped as well; those that refused or were absent are not.
    assert len(stage.phones.pushed("stop")) == 4500


async def test_c19_bad_phones_first_in_the_list_hold_up_the_others_by_a_second(
    tmp_path: Path, autojump_clock: object
) -> None:
    stage = Stage(tmp_path, [*[hung] * 400, *[healthy] * 400], start=Start.EACH)
    began = trio.current_time()
    await stage.page.run()
    starts = [
        at - began
        for at, name, action, _ in stage.phones.log
        if action == "start" and stage.phones.behaviours[name] is healthy
    ]
    assert max(starts) <= 2 * (STALL_S + STALL_S / 4) + 400 / 200 * 0.05


async def test_hung_phones_do_not_hold_up_the_audio_of_the_others(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [healthy] * 9 + [hung])
    began = trio.current_time()
    await stage.page.run()
    (at, what, names) = stage.pacer.log[0]
    assert (what, len(names), at - began) == ("start", 9, pytest.approx(0.55))


async def test_late_phones_join_or_begin_anew(tmp_path: Path, autojump_clock: object) -> None:
    def after(seconds: float) -> Behaviour:
        async def behaviour(action: Action) -> Outcome:
            await trio.sleep(seconds if action == "start" else 0)
            return Outcome.EXECUTED

        return behaviour

    stage = Stage(tmp_path, [after(0.1), after(3.0), after(9.0)])
    began = trio.current_time()
    await stage.page.run()
    assert [(round(at - began, 3), what, len(names)) for at, what, names in stage.pacer.log] == [
        (0.6, "start", 1),
        (3.0, "join", 1),
        (9.0, "start", 1),
        (14.0, "stop", 0),
    ]


async def test_c20_all_phones_hang(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [hung] * 400)
    began = trio.current_time()
    await stage.page.run()
    assert (stage.page.reason, stage.page.outcomes) == ("failed", {"timed_out": 400})
    assert trio.current_time() - began <= 400 / 200 * TOTAL_S + 5
    assert stage.pacer.given() == []


async def test_an_interruption_silences_and_stops_who_may_listen(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [healthy] * 5 + [hung] * 5, concurrency=7)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.page.run)
        await trio.sleep(3)
        assert stage.page.state == "playing"
        stage.page.interrupt()
        await stage.page.wait_ended()
    assert stage.page.reason == "interrupted"
    assert stage.page.outcomes == {"executed": 5, "indeterminate": 5}
    stop_at, what, _ = stage.pacer.log[-1]
    assert (what, stop_at - began) == ("stop", pytest.approx(3.0))
    assert sorted(stage.phones.pushed("stop")) == sorted(stage.phones.behaviours)
    assert trio.current_time() - began <= 3 + 2 * TOTAL_S


async def test_phones_not_reached_before_an_interruption_are_left_alone(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [hung] * 10, concurrency=2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.page.run)
        await trio.sleep(1)
        stage.page.interrupt()
    assert stage.page.outcomes == {"indeterminate": 2, "not_sent": 8}
    assert len(stage.phones.pushed("stop")) == 2


async def test_p2_stopping_after_an_interruption_is_bounded(
    tmp_path: Path, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(tmp_path, [hung] * 1000, concurrency=10)
    stage.slots.max_open = 10  # no descriptor to put one aside
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.page.run)
        await trio.sleep(99 * TOTAL_S + 0.5)
        began = trio.current_time()
        stage.page.interrupt()
        await stage.page.wait_ended()
        assert trio.current_time() - began == pytest.approx(STOP_S)
    assert "not every phone could be stopped" in caplog.text
    assert sum(stage.page.outcomes.values()) == 1000


async def test_a_cancelled_page_stops_its_phones_too(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [healthy] * 3)
    with trio.move_on_after(1):
        await stage.page.run()
    assert stage.page.reason == "interrupted"
    assert len(stage.phones.pushed("stop")) == 3
    assert stage.events()[-1]["kind"] == "page.ended"


async def test_a_broken_pacer_fails_the_page_before_anything_is_sent(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [healthy] * 3)
    stage.pacer.broken = True
    await stage.page.run()
    assert (stage.page.reason, stage.page.outcomes) == ("failed", {"not_sent": 3})
    assert stage.phones.log == []


async def test_a_pacer_that_breaks_later_fails_the_page_and_phones_are_stopped(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the pacer is gone")

    stage = Stage(tmp_path, [healthy] * 3)
    monkeypatch.setattr(stage.pacer, "start", broken)
    monkeypatch.setattr(stage.pacer, "stop", broken)
    await stage.page.run()
    assert stage.page.reason == "failed"
    assert len(stage.phones.pushed("stop")) == 3


async def test_a_lost_stop_is_sent_twice_and_no_start_ever_is(tmp_path: Path, autojump_clock: object) -> None:
    async def loses_stops(action: Action) -> Outcome:
        return Outcome.EXECUTED if action == "start" else Outcome.INDETERMINATE

    stage = Stage(tmp_path, [loses_stops, absent])
    await stage.page.run()
    assert [(action, attempt) for _, _, action, attempt in stage.phones.log] == [
        ("start", 1),
        ("start", 1),
        ("stop", 1),
        ("stop", 2),
    ]


async def test_two_pages_share_the_slots(tmp_path: Path, autojump_clock: object) -> None:
    first = Stage(tmp_path, [healthy] * 50, concurrency=20)
    (tmp_path / "second").mkdir()
    second = Stage(tmp_path / "second", [healthy] * 50, concurrency=20)
    second.page._pusher = first.phones
    second.page._slots = first.slots
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.page.run)
        nursery.start_soon(second.page.run)
    assert first.phones.peak == 20
    assert first.page.outcomes == second.page.outcomes == {"executed": 50}


async def test_an_ended_page_keeps_its_result_and_nothing_large(tmp_path: Path, autojump_clock: object) -> None:
    stage = Stage(tmp_path, [healthy, absent, hung] * 100)
    await stage.page.run()
    assert (stage.page.size, sum(stage.page.outcomes.values())) == (300, 300)
    stage.page.interrupt()
    assert stage.page.reason == "completed"
    own = [value for value in vars(stage.page).values() if value not in (stage.phones, stage.pacer, stage.records)]
    kept = gc.get_referents(*own)
    assert AUDIO not in own
    assert not any("SEP000000000001" in each for each in kept if isinstance(each, dict | set | tuple | list))


async def test_p10_steps_of_the_clock_move_no_deadline(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M36: a gateway that took deadlines from the wall clock would end at once, or an hour later."""
    steps = iter(range(10**6))

    def stepping() -> float:
        return 1e9 + (-3600.0 if next(steps) % 2 else 3600.0)

    monkeypatch.setattr("time.time", stepping)
    monkeypatch.setattr("time.time_ns", lambda: int(stepping() * 1e9))
    stage = Stage(tmp_path, [*[healthy] * 9, hung])
    began = trio.current_time()
    await stage.page.run()
    assert stage.page.outcomes == {"executed": 9, "timed_out": 1}
    # Its deadline for the start, its audio meanwhile, its deadline for the stop.
    assert trio.current_time() - began == pytest.approx(2 * TOTAL_S)


async def test_p11_deadlines_that_passed_in_a_sleep_are_no_stampede(tmp_path: Path) -> None:
    clock = MockClock()

    async def sleeps(action: Action) -> Outcome:
        with trio.move_on_after(TOTAL_S):
            await trio.sleep(1 + 1e9 * (action == "start"))
            return Outcome.EXECUTED
        return Outcome.TIMED_OUT

    peak = 0

    async def main() -> None:
        nonlocal peak
        stage = Stage(tmp_path, [sleeps] * 500, concurrency=20)
        stage.slots.max_open = 20
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.page.run)
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(60)  # SIGSTOP and SIGCONT
            clock.autojump_threshold = 0
        peak = stage.phones.peak
        assert stage.page.outcomes == {"timed_out": 500}

    await trio.to_thread.run_sync(lambda: trio.run(main, clock=clock))
    assert peak == 20
