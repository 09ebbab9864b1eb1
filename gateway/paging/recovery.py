"""After a crash: tell the phones of interrupted pages to stop, and an operator that there were any."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.alarms import Alarms
from gateway.cisco import Outcome
from gateway.paging.journal import Journal, Unfinished
from gateway.push import Busy, Claims, PagePusher, PhoneResult, Priority, PushTarget, Slots
from gateway.push.page import STOP_ATTEMPTS


class _Target:
    """A phone as the journal knew it: the phone list may have changed since."""

    def __init__(self, result: PhoneResult) -> None:
        self.device_name = result.phone
        self.address = result.address


class Recovery:
    """One interrupted page. Holds its phones until each is stopped; any page takes them from it."""

    priority: Priority | None = None

    def __init__(self, page: Unfinished, *, pusher: PagePusher, slots: Slots, claims: Claims, journal: Journal) -> None:
        self.number = page.number
        self._page = page
        self._pusher = pusher
        self._slots = slots
        self._claims = claims
        self._journal = journal
        self._targets: dict[str, PushTarget] = {result.phone: _Target(result) for result in page.to_stop}
        self._given_up: set[str] = set()
        self.stopped = 0
        """Phones that executed the stop, or that another page stopped."""

    async def give_up(self, names: Sequence[str], to: str) -> None:
        """A page has these phones now, and stops them itself before it starts."""
        del to
        self._given_up.update(names)

    def claim(self) -> None:
        """Have the phones before any page can ask for them."""
        self._claims.claim(self, Busy.SKIP, self._targets)

    async def run(self, alarms: Alarms) -> None:
        """Stop the phones, note it, close the page in the journal."""
        name = f"page-interrupted:{self.number}"
        text = (
            f"page {self.number} to {self._page.phones} phones was interrupted when the gateway ended: see its result, "
            "and page again where it is still needed"
        )
        alarms.sound(name, text, stays=True)
        await self._slots.run(self._targets, self._stop)
        missed = len(self._targets) - self.stopped
        if missed:
            alarms.sound(name, f"{text}. {missed} phones that may still listen could not be told to stop", stays=True)
        self._journal.recovered(self.number)

    async def _stop(self, name: str) -> None:
        async with self._claims.sole(name):
            for attempt in range(1, STOP_ATTEMPTS + 1):
                if name in self._given_up:
                    self.stopped += 1
                    break
                answer = await self._pusher.push(self._targets[name], page=self.number, action="stop", attempt=attempt)
                self._journal.note_stop(self.number, name, answer.outcome)
                if answer.outcome not in (Outcome.UNREACHABLE, Outcome.INDETERMINATE):
                    self.stopped += answer.outcome is Outcome.EXECUTED
                    break
        self._claims.release(self, [name])
