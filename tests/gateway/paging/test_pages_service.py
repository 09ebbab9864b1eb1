"""Who runs when, by which delivery, under which key; phones and pacer in memory, audio and database real."""
# ruff: noqa: ARG002  the doubles have the signatures of what they stand for

from __future__ import annotations

import errno
import shutil
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from gateway.administration.page_request import PageRequest, RequestError
from gateway.alarms import Alarms
from gateway.cisco import Outcome, PushAnswer
from gateway.inventory import Phone
from gateway.media import Audio, AudioError
from gateway.paging import Journal, Pages, RecordingError, Recordings
from gateway.paging import pages as module
from gateway.paging.pages import Parts
from gateway.push import Busy, Delivery, Group, PagePlan, Priority, PushTarget, Slots
from gateway.push.client import Action
from gateway.records import Records
from gateway.settings import Settings
from gateway.store import Database

PHONES = [Phone(device_name=f"SEP00000000000{number}", address=f"10.0.0.{number}") for number in range(3)]
MULTICAST = Settings(multicast=True, multicast_first="239.0.1.1", multicast_last="239.0.1.2", multicast_port=20480)


def wav(path: Path, seconds: float = 0.1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x90" * int(8000 * seconds))
    return path


class World:
    """A pages service over phones that execute everything, and a pacer that plays until it is told."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.audio = wav(folder / "a.wav")
        self.settings = settings
        self.alarms = Alarms()
        self.over = trio.Event()
        self.started: list[tuple[str, Group | None]] = []
        self.played: dict[str, Audio] = {}
        self.now_s = 1_000_000.0
        self.answers = Outcome.EXECUTED
        self.fresh, self.given = False, 0
        self.recordings = Recordings(folder / "recordings")

    def pages(self, database: Database) -> Pages:
        return Pages(
            Parts(
                pusher=self,
                slots=Slots(10),
                records=Records(None),
                journal=Journal(database, self.alarms, clock=lambda: self.now_s),
                alarms=self.alarms,
                recordings=self.recordings,
                select=self.select,
                make_plan=self.plan,
                settings=lambda: self.settings,
            ),
            clock=lambda: self.now_s,
        )

    def select(self, wish: PageRequest) -> Sequence[Phone]:
        if wish.zones:
            raise RequestError([f"there is no zone {wish.zones[0]!r}"])
        if not self.fresh:
            return PHONES
        self.given += 3
        return [
            Phone(device_name=f"SEP{number:012X}", address="10.0.0.1") for number in range(self.given, self.given + 3)
        ]

    def plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        return PagePlan(
            phones=tuple(phone.device_name for phone in phones),
            duration_s=audio.duration_ms / 1000,
            delivery=wish.delivery,
            priority=wish.priority,
            busy=wish.busy,
        )

    async def push(
        self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
    ) -> PushAnswer:
        await trio.lowlevel.checkpoint()
        if action == "start":
            self.started.append((page, group))
        return PushAnswer(outcome=self.answers)

    async def load(self, page: str, audio: Audio) -> None:
        self.played[page] = audio

    async def start(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        pass

    async def join(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        pass

    async def stop(self, page: str, phones: Sequence[str] | None = None) -> None:
        pass

    async def finished(self, page: str) -> None:
        await self.over.wait()

    def wish(self, **more: object) -> PageRequest:
        return PageRequest(audio=self.audio, busy=Busy.NOW, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def running(world: World, database: Database | None = None) -> AsyncIterator[Pages]:
    own = database or Database.open(None)
    pages = world.pages(own)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            await nursery.start(pages.run, world)
            try:
                yield pages
            finally:
                nursery.cancel_scope.cancel()
    if database is None:
        own.close()


async def until(look: Callable[[], object]) -> None:
    while not look():
        await trio.sleep(0.01)


async def test_a_page_from_request_to_history(tmp_path: Path) -> None:
    world = World(tmp_path, Settings())
    async with running(world) as pages:
        number = await pages.request(world.wish(tone="chime", repeat=2), requested_by="operator")
        page = pages.page(number)
        assert page is not None
        await until(lambda: page.state == "playing")
        assert [each.number for each in pages.running()] == ["1"]
        assert [result.outcome for result in await pages.results("1")] == ["executed"] * 3
        world.over.set()
        await until(lambda: page.state == "ended")
        assert world.played["1"].frames == 60 + 30 + 5 + 30 + 5
        (kept,) = await pages.history()
        await until(lambda: not pages.running())
        while (kept := (await pages.history())[0]).state != "ended":
            await trio.sleep(0.01)
        assert (kept.requested_by, kept.audio, kept.outcomes, kept.reason) == (
            "operator",
            "a",
            {"executed": 3},
            "completed",
        )
        assert [result.words for result in await pages.results("1")] == ["It listened to the page."] * 3
        assert await pages.results("2") == await pages.results("x") == []
        assert pages.stop("1")
        assert not pages.stop("2")


async def test_what_is_wrong_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path, Settings())
    async with running(world) as pages:
        for wish, error in (
            (PageRequest(audio=tmp_path / "nowhere.wav"), "cannot be read"),
            (PageRequest(recording="nothing"), "there is no recording 'nothing'"),
            (world.wish(zones=("Ward 9",)), "there is no zone 'Ward 9'"),
            (world.wish(tone=str(tmp_path / "nowhere.wav")), "cannot be read"),
        ):
            with pytest.raises(RequestError, match=error):
                await pages.request(wish)
        assert pages.running() == []
        assert world.started == []


async def test_p17_a_hundred_pages_queue_up_to_the_cap_and_emergencies_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, Settings())
    world.fresh = True  # else pages would take each other's phones
    async with running(world) as pages:
        for _ in range(40):
            await pages.request(world.wish())
        for _ in range(60):
            with pytest.raises(RequestError, match="8 pages are running and 32 wait already") as caught:
                await pages.request(world.wish())
            assert caught.value.status == 429
        emergency = await pages.request(world.wish(priority=Priority.EMERGENCY))
        await until(lambda: pages.page(emergency).state == "playing")  # type: ignore[union-attr]
        states = [page.state for page in pages.running()]
        assert states.count("waiting") == 32
        waiting = next(page for page in pages.running() if page.state == "waiting")
        assert pages.stop(waiting.number)
        await until(lambda: waiting.state == "ended")
        assert (waiting.reason, waiting.outcomes) == ("interrupted", {"not_sent": 3})
        world.over.set()
        await until(lambda: not pages.running())
        order = list(dict.fromkeys(int(page) for page, _ in world.started if page != emergency))
        # Who came first goes first; of the eight that run at once any may be ahead.
        assert all(abs(place - sorted(order).index(page)) < 8 for place, page in enumerate(order))


async def test_p17_the_same_key_at_once_is_one_page(tmp_path: Path) -> None:
    world = World(tmp_path, Settings())
    world.over.set()
    numbers: list[str] = []
    async with running(world) as pages:

        async def ask() -> None:
            numbers.append(await pages.request(world.wish(idempotency_key="k")))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask)
        assert numbers == ["1"] * 10
        with pytest.raises(RequestError) as caught:
            await pages.request(world.wish(idempotency_key="k", repeat=2))
        assert caught.value.status == 409
        world.now_s += module.KEY_S
        assert await pages.request(world.wish(idempotency_key="k")) == "2"
        # A request that was refused leaves its key free.
        with pytest.raises(RequestError):
            await pages.request(PageRequest(recording="nothing", idempotency_key="other"))
        assert await pages.request(world.wish(idempotency_key="other")) == "3"


async def test_multicast_groups_go_out_and_in_and_an_empty_pool_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, MULTICAST)
    world.fresh = True  # else pages would take each other's phones
    async with running(world) as pages:
        numbers = [await pages.request(world.wish(delivery=Delivery.MULTICAST)) for _ in range(3)]
        await until(lambda: all(page.state == "playing" for page in pages.running()))
        delivered = [pages.page(number) for number in numbers]
        assert [(page.delivery, page.note) for page in delivered if page] == [
            ("multicast", None),
            ("multicast", None),
            ("unicast", "sent by unicast: all 2 multicast addresses are in use"),
        ]
        groups = dict(world.started)
        assert [str(groups[number]) for number in numbers] == ["239.0.1.1:20480", "239.0.1.2:20480", "None"]
        assert [alarm.name for alarm in world.alarms.active()] == ["multicast-pool-empty"]
        world.over.set()
        await until(lambda: not pages.running())
        again = await pages.request(world.wish(delivery=Delivery.MULTICAST))
        await until(lambda: pages.page(again).state == "ended")  # type: ignore[union-attr]
        assert world.alarms.active() == ()
        await until(lambda: any(page == again for page, _ in world.started))
        assert {str(group) for page, group in world.started if page == again} <= {"239.0.1.1:20480", "239.0.1.2:20480"}


async def test_without_multicast_a_page_goes_out_by_unicast(tmp_path: Path) -> None:
    world = World(tmp_path, Settings())
    world.over.set()
    async with running(world) as pages:
        number = await pages.request(world.wish(delivery=Delivery.MULTICAST))
        await until(lambda: pages.page(number).state == "ended")  # type: ignore[union-attr]
        page = pages.page(number)
        assert page is not None
        assert (page.delivery, page.note, page.outcomes) == (
            "unicast",
            "sent by unicast: multicast is not set up",
            {"executed": 3},
        )
        world.settings = Settings(multicast=True, multicast_first="239.0.0.1", multicast_last="239.9.0.1")
        pages.settings_changed()
        assert [alarm.name for alarm in world.alarms.active()] == ["multicast-range"]


async def test_c20_a_page_that_nobody_hears_is_an_alarm_until_one_is_heard(tmp_path: Path) -> None:
    world = World(tmp_path, Settings())
    world.over.set()
    world.answers = Outcome.TIMED_OUT
    async with running(world) as pages:
        await pages.request(world.wish())
        await until(lambda: not pages.running())
        assert [alarm.text for alarm in world.alarms.active()] == [
            "page 1 was heard by none of its 3 phones: see its result"
        ]
        world.answers = Outcome.EXECUTED
        await pages.request(world.wish())
        await until(lambda: not pages.running() and not world.alarms.active())


async def test_a_restart_remembers(tmp_path: Path) -> None:
    world = World(tmp_path, Settings())
    with Database.open(tmp_path / "data") as database:
        async with running(world, database) as pages:
            await pages.request(world.wish(idempotency_key="k"))
            await until(lambda: pages.running()[0].state == "playing")
    with Database.open(tmp_path / "data") as database:
        async with running(world, database) as pages:
            page = pages.page("1")
            assert page is not None
            assert (page.state, page.reason, page.outcomes, page.size) == (
                "ended",
                "interrupted",
                {"executed": 3},
                3,
            )
            assert await pages.request(world.wish(idempotency_key="k")) == "1"
            assert await pages.request(world.wish()) == "2"


async def test_a_service_that_ends_takes_no_more(tmp_path: Path) -> None:
    world = World(tmp_path, Settings())
    async with running(world) as pages:
        number = await pages.request(world.wish())
        await pages.finish()
        page = pages.page(number)
        assert page is not None
        assert (page.state, page.reason) == ("ended", "interrupted")
        with pytest.raises(RequestError) as caught:
            await pages.request(world.wish())
        assert caught.value.status == 503


async def test_recordings_are_checked_kept_named_and_deleted(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "recordings")
    assert recordings.names() == []
    content = wav(tmp_path / "b.wav", 0.5).read_bytes()
    assert recordings.keep("Fire alarm", content).frames == 25
    assert recordings.names() == ["Fire alarm"]
    assert recordings.load("Fire alarm").name == "Fire alarm"
    for name, data, error in (
        ("../passwd", content, "letters, digits"),
        ("Fire alarm", b"no audio", "Fire alarm: expected"),
        ("Other", content[:100], "Other"),
    ):
        with pytest.raises(Exception, match=error):
            recordings.keep(name, data)
    assert recordings.load("Fire alarm").frames == 25, "what was there stays"
    assert [path.name for path in (tmp_path / "recordings").iterdir()] == ["Fire alarm.wav"]
    recordings.delete("Fire alarm")
    with pytest.raises(RecordingError):
        recordings.delete("Fire alarm")
    with pytest.raises(RecordingError, match="no recordings are kept"):
        Recordings(None).load("Fire alarm")


async def test_p4_a_recording_that_no_disk_takes_is_played_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms = Alarms()
    recordings = Recordings(tmp_path / "recordings", alarms)
    content = wav(tmp_path / "b.wav", 0.5).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.paging.recordings.os.fsync", full)
        assert recordings.keep("Fire alarm", content).frames == 25
        with pytest.raises(AudioError, match="Other"):
            recordings.keep("Other", content[:100])
        for number in range(10):
            recordings.keep(f"More {number}", content)
        recordings.keep("Fire alarm", content)
    assert [alarm.name for alarm in alarms.active()] == ["recording-not-kept"]
    assert "Fire alarm" in recordings.names()
    assert len(recordings.names()) == 4
    assert recordings.load("Fire alarm").name == "Fire alarm"
    for name in recordings.names():
        recordings.keep(name, content)
    assert alarms.active() == ()
    recordings.delete("Fire alarm")
    assert "Fire alarm" not in recordings.names()


async def test_p3_who_has_a_number_finds_the_page_after_a_crash_also_one_that_waited(tmp_path: Path) -> None:
    """A copy of the database at the moment of the answer is what a `kill -9` would leave."""
    world = World(tmp_path, Settings())
    world.fresh = True
    with Database.open(tmp_path / "data") as database:
        async with running(world, database) as pages:
            numbers = [await pages.request(world.wish()) for _ in range(10)]
            shutil.copytree(tmp_path / "data", tmp_path / "left")
    with Database.open(tmp_path / "left") as left:
        world.alarms = Alarms()
        async with running(world, left) as pages:
            await until(lambda: len(world.alarms.active()) == len(numbers))
            found = {number: pages.page(number) for number in numbers}
            assert all(page is not None and page.reason == "interrupted" for page in found.values())
            assert [dict(page.outcomes) for page in found.values() if page is not None][8:] == [{"not_sent": 3}] * 2
