"""Run one page: push the start to all phones, play, and stop them again, whatever happens in between."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

import trio

from gateway.cisco import Outcome, PushAnswer
from gateway.media import Audio
from gateway.push.claims import Claims
from gateway.push.client import Action, PushTarget
from gateway.push.crew import Slots, Weight
from gateway.push.plan import Busy, Delivery, Group, PagePlan, Priority
from gateway.push.progress import Begin, Join, Miss, PageProgress
from gateway.push.result import PhoneOutcome, PhoneResult, Unheard
from gateway.records import Records

STOP_S = 30.0
"""How long stopping may take after an interruption. The process has to end; what is not stopped by then is told."""
STOP_ATTEMPTS = 2
"""A phone left listening refuses the next page, and stopping twice does no harm."""
LATE_START_S = 1.0
"""A phone whose start was cut off by an interruption asks whether it may, and can execute it after the stop that has
overtaken it. So long afterwards it is stopped once more."""
PACER_STOP_S = 2.0
"""How long the pacer may take to fall silent."""
BUSY_RETRY_S = (2.0, 4.0, 8.0, 15.0)
"""Between two questions to a phone that said that it is busy; the last one holds from then on."""
BUSY_LOOK_S = 0.5
BUSY_S = 600.0
"""So long phones are waited for of which none listens yet: another page may take as long (the longest audio)."""

State = Literal["waiting", "starting", "playing", "stopping", "ended"]
Reason = Literal["completed", "interrupted", "failed"]
_log = logging.getLogger("gateway.page")


class PagePacer(Protocol):
    """What a page needs of the pacer (`gateway.media.Pacer`)."""

    async def load(self, page: str, audio: Audio) -> None:
        """Keep the audio of a page at hand."""

    async def start(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        """Begin streams from the first frame."""

    async def join(self, page: str, phones: Sequence[tuple[str, str]]) -> None:
        """Begin streams from the frame that is due."""

    async def stop(self, page: str, phones: Sequence[str] | None = None) -> None:
        """No packet goes out after this returns."""

    async def finished(self, page: str) -> None:
        """Wait until all streams have played to their end."""


class PagePusher(Protocol):
    """What a page needs of the pusher (`gateway.push.Pusher`)."""

    async def push(
        self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
    ) -> PushAnswer:
        """Push once, wait for the outcome."""


class PageJournal(Protocol):
    """Who keeps what becomes of the phones (`gateway.paging.Journal`). Neither call waits."""

    def note_outcome(self, page: str, phone: str, outcome: PhoneOutcome, detail: str | None) -> None:
        """``phone`` has its outcome, or another one."""

    def note_stop(self, page: str, phone: str, outcome: Outcome) -> None:
        """``phone`` was told to stop."""


class Page:
    """One page. `run` it once; `interrupt` it at any time."""

    def __init__(
        self,
        *,
        number: str,
        plan: PagePlan,
        phones: Sequence[PushTarget],
        audio: Audio,
        pusher: PagePusher,
        pacer: PagePacer,
        records: Records,
        slots: Slots,
        claims: Claims,
        journal: PageJournal | None = None,
    ) -> None:
        self.number = number
        self._plan = plan
        self._phones = {phone.device_name: phone for phone in phones}
        self._audio = audio
        self._pusher = pusher
        self._pacer = pacer
        self._records = records
        self._slots = slots
        self._claims = claims
        self._journal = journal
        self._progress = PageProgress(plan, 0.0)
        self._changed = trio.Event()
        self._running = trio.CancelScope()
        self._stopping = trio.CancelScope(shield=True)
        self._interrupted = False
        self._ended = trio.Event()
        self._group: Group | None = None
        self._held: set[str] = set()  # in another page that keeps them
        self._busy: dict[str, float] = {}  # said that they are busy; when to ask again
        self._attempts: Counter[tuple[str, Action]] = Counter()
        self._details: dict[str, str] = {}
        self._stops: dict[str, str] = {}
        self._started_at = 0.0
        self._all_asked = False
        self._results: tuple[PhoneResult, ...] = ()
        self._final_outcomes: dict[str, int] = {}
        self.size = len(plan.phones)
        """Number of phones."""
        self.priority: Priority = plan.priority
        self.delivery: Delivery = plan.delivery
        self.note: str | None = None
        """What an operator should know of how it went out, such as why not by multicast."""
        self.state: State = "waiting"
        self.reason: Reason | None = None

    @property
    def outcomes(self) -> dict[str, int]:
        """Outcome to count, so far."""
        return self._final_outcomes if self.state == "ended" else self._progress.outcomes()

    @property
    def results(self) -> tuple[PhoneResult, ...]:
        """How it stands at each phone; empty once they are forgotten."""
        if self.state == "ended":
            return self._results
        return tuple(self._result(name) for name in self._plan.phones)

    def forget_results(self) -> None:
        """Keep the counts only, once it has ended."""
        self._results = ()

    def use_group(self, group: Group) -> None:
        """Send by multicast to ``group``. Before `run`."""
        self._group = group

    def fall_back(self, why: str) -> None:
        """Send by unicast although multicast was planned. Before `run`."""
        self._plan = dataclasses.replace(self._plan, delivery=Delivery.UNICAST)
        self.delivery = Delivery.UNICAST
        self.note = why

    def interrupt(self) -> None:
        """End the page now: silence first, then every phone is told to stop."""
        if not self._ended.is_set():
            self._interrupted = self._interrupted or self.state != "stopping"
            self._running.cancel()
            self._stopping.deadline = min(self._stopping.deadline, trio.current_time() + STOP_S)

    async def wait_ended(self) -> None:
        """Wait until the page is over and its phones are stopped."""
        await self._ended.wait()

    async def run(self) -> None:
        """Page. What phones do wrong is in the outcomes; trouble of our own ends the page as `failed`."""
        self._started_at = trio.current_time()
        self._progress = PageProgress(self._plan, self._started_at)
        self.state = "starting"
        self._records.write(
            "page.started",
            page=self.number,
            phones=self.size,
            audio=self._audio.name,
            audio_frames=self._audio.frames,
            audio_crc32=self._audio.crc32,
            delivery=self.delivery,
            group=str(self._group) if self._group else None,
            priority=self.priority,
            start=self._plan.start,
            note=self.note,
        )
        broken = False
        try:
            with self._running:
                try:
                    await self._play()
                except* Exception:  # noqa: BLE001  phones have to be stopped whatever failed
                    broken = True
                    _log.exception("page %s failed", self.number)
        except BaseException:
            self.interrupt()
            raise
        finally:
            await self._stop()
            self._end(broken=broken)

    async def give_up(self, names: Sequence[str], to: str) -> None:
        """Another page takes these phones: they get no packet after this returns, and no push."""
        audio_over = self.state == "stopping"
        for name in names:
            self._progress.lost(name, audio_over=audio_over)
            if not audio_over:
                self._settled(name, Unheard.PREEMPTED, f"page {to}")
        self._changed.set()
        if self._group is None:  # by multicast there is nothing to take away: the phone leaves the group
            await self._silence(names)

    # the start

    async def _play(self) -> None:
        await self._pacer.load(self.number, self._audio)
        grant = self._claims.claim(self, self._plan.busy, self._plan.phones)
        for holder, names in grant.taken.items():
            self._progress.inherited(names)
            await holder.give_up(names, self.number)
        if self._plan.busy is Busy.SKIP:
            for name in grant.held:
                self._outcome(name, Unheard.SKIPPED)
        else:
            self._held.update(grant.held)
        held = frozenset(grant.held)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._feed)
            if self._plan.busy is not Busy.SKIP:
                nursery.start_soon(self._ask_again)
            await self._ask(name for name in self._plan.phones if name not in held)
            self._all_asked = True
        if self._progress.audio_began:
            await self._pacer.finished(self.number)

    async def _ask(self, names: Iterable[str]) -> None:
        weight = Weight.EMERGENCY_PAGE if self.priority is Priority.EMERGENCY else Weight.PAGE
        await self._slots.run(names, self._start, weight=weight)

    async def _start(self, name: str) -> None:
        async with self._claims.sole(name):
            if self._progress.outcome(name) is not None:
                return  # another page has taken it meanwhile
            self._progress.begun(name)
            if self._progress.is_inherited(name) and (await self._push(name, "stop")).outcome is Outcome.EXECUTED:
                self._progress.inheritance_stopped(name)
            answer = await self._push(name, "start")
            if answer.outcome is Outcome.REFUSED_BUSY and self._plan.busy is Busy.NOW:
                await self._push(name, "stop")
                answer = await self._push(name, "start")
        if answer.outcome is Outcome.REFUSED_BUSY and self._plan.busy is Busy.QUEUE and self._awaits_busy():
            self._progress.postponed(name)
            tries = self._attempts[name, "start"]
            self._busy[name] = trio.current_time() + BUSY_RETRY_S[min(tries, len(BUSY_RETRY_S)) - 1]
            return
        self._outcome(name, answer.outcome, answer.detail)
        if not self._progress.may_listen(name):
            self._claims.release(self, [name])

    async def _push(self, name: str, action: Action) -> PushAnswer:
        self._attempts[name, action] += 1
        return await self._pusher.push(
            self._phones[name],
            page=self.number,
            action=action,
            attempt=self._attempts[name, action],
            group=self._group,
        )

    def _outcome(self, name: str, outcome: PhoneOutcome, detail: str | None = None) -> None:
        if self._progress.outcome(name) is None:
            self._progress.ended(name, outcome)
            self._settled(name, outcome, detail)
        self._changed.set()

    def _settled(self, name: str, outcome: PhoneOutcome, detail: str | None) -> None:
        if detail is not None:
            self._details[name] = detail
        if self._journal is not None:
            self._journal.note_outcome(self.number, name, outcome, detail)

    # phones that were busy

    async def _ask_again(self) -> None:
        """Ask phones that are busy again as they become free, until the page's end."""
        while not (self._all_asked and not self._held and not self._busy):
            free = [name for name in self._held if self._claims.free(name)]
            grant = self._claims.claim(self, self._plan.busy, free)
            self._held.difference_update(grant.free)
            now = trio.current_time()
            due = [name for name, at in self._busy.items() if at <= now]
            for name in due:
                del self._busy[name]
            if not self._awaits_busy():
                for name in self._held:
                    self._outcome(name, Unheard.BUSY_THROUGHOUT)
                for name in self._busy:
                    self._outcome(name, Outcome.REFUSED_BUSY)
                self._held.clear()
                self._busy.clear()
            await self._ask([*grant.free, *due])
            with trio.move_on_after(BUSY_LOOK_S):
                await self._claims.changed.wait()

    def _awaits_busy(self) -> bool:
        """Whether phones that are busy are still waited for: as long as others hear the page, or none does yet."""
        ends = self._progress.audio_ends if self._progress.audio_began else self._started_at + BUSY_S
        return trio.current_time() < ends

    # the audio

    async def _feed(self) -> None:
        """Give phones their audio as it becomes due, until none is awaited."""
        while True:
            command = self._progress.due(trio.current_time())
            if isinstance(command, Miss):
                for name in command.phones:
                    self._settled(name, Unheard.TOO_LATE, None)
            elif command is not None:
                self.state = "playing"
                await self._hand_over(command)
            elif self._progress.settled:
                return
            else:
                with trio.move_on_at(self._progress.wake_at):
                    await self._changed.wait()
                self._changed = trio.Event()

    async def _hand_over(self, command: Begin | Join) -> None:
        if self._group is not None:
            if isinstance(command, Begin):
                await self._pacer.start(self.number, [(str(self._group), str(self._group))])
            return  # who joins a group hears where it is
        streams = [(name, self._phones[name].address) for name in command.phones]
        if isinstance(command, Begin):
            await self._pacer.start(self.number, streams)
        else:
            await self._pacer.join(self.number, streams)
        # Taken by another page while the pacer began them: that page's call of `stop` came too early.
        taken = [name for name in command.phones if self._progress.outcome(name) is Unheard.PREEMPTED]
        if taken:
            await self._silence(taken)

    async def _silence(self, names: Sequence[str] | None) -> None:
        try:
            with trio.move_on_after(PACER_STOP_S):
                await self._pacer.stop(self.number, names)
        except Exception:  # noqa: BLE001  a pacer that is gone is silent too
            _log.exception("page %s: the pacer could not be stopped", self.number)

    # the end

    async def _stop(self) -> None:
        """Silence, then `RTPRx:Stop` to every phone that listens or may.

        Never cancelled; bounded in time after an interruption.
        """
        self.state = "stopping"
        cut_off, cut_at = self._progress.unanswered(), trio.current_time()
        with self._stopping:
            await self._silence(None)
            await self._slots.run(self._progress.due_for_stop(), self._stop_phone)
            if again := [name for name in cut_off if self._stops.get(name) == Outcome.EXECUTED]:
                await trio.sleep_until(cut_at + LATE_START_S)
                await self._slots.run(again, self._stop_phone)
        if self._stopping.cancelled_caught:
            _log.error("page %s: not every phone could be stopped within %g s", self.number, STOP_S)

    async def _stop_phone(self, name: str) -> None:
        async with self._claims.sole(name):
            for _ in range(STOP_ATTEMPTS):
                if not self._progress.may_listen(name):
                    return  # another page has taken it meanwhile
                answer = await self._push(name, "stop")
                self._stops[name] = answer.outcome
                if self._journal is not None:
                    self._journal.note_stop(self.number, name, answer.outcome)
                lost = answer.outcome in (Outcome.UNREACHABLE, Outcome.INDETERMINATE)
                if not (lost and self._progress.listens(name)):
                    return

    def _end(self, *, broken: bool) -> None:
        if self._interrupted:
            self.reason = "interrupted"
        else:
            self.reason = "failed" if broken or not self._progress.listening else "completed"
        for name, outcome in self._progress.settle().items():
            self._settled(name, outcome, None)
        self._final_outcomes = self._progress.outcomes()
        self._results = tuple(self._result(name) for name in self._plan.phones)
        self.state = "ended"
        self._claims.release(self, self._plan.phones)
        # Ended pages are kept for those who ask: their results, not 10,000 phones and ten minutes of audio (6 MB) each.
        del self._plan, self._phones, self._audio, self._progress, self._attempts, self._details, self._stops
        del self._held, self._busy
        self._records.write("page.ended", page=self.number, reason=self.reason, outcomes=self.outcomes)
        self._ended.set()

    def _result(self, name: str) -> PhoneResult:
        outcome = self._progress.outcome(name)
        return PhoneResult(
            phone=name,
            address=self._phones[name].address,
            outcome=None if outcome is None else str(outcome),
            detail=self._details.get(name),
            stop=self._stops.get(name),
        )
