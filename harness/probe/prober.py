"""The one who asks: shared by all checks, with the care for accounts that can be locked in one place."""

import statistics
from collections.abc import Sequence
from typing import Final

import trio

from harness.probe.answer import Answer
from harness.probe.exchange import ANSWER_S, Exchange, exchange
from harness.probe.plan import ALIVE_S, Connector, ProbePlan
from harness.probe.question import NOBODY, get, parameters
from harness.probe.secrecy import forms

IN_A_ROW: Final = 2
"""Wrong passwords in a row; then a right one, which sets the counter of failed logons back where there is one.
CallManager locks at the third."""

USUAL: Final = 10
"""Right answers by which it is known how long one takes here."""
SHORTEST_LEAK: Final = 8
"""Bytes of a password that is looked for in answers: shorter ones may be there by chance."""
WATCH_S: Final = 0.02
HELD_UP_S: Final = 0.2
"""A loop that wakes this late is on a machine that is too busy to time anybody."""
USUAL_TIMES: Final = 5
"""A slow server is held against its own pace: CallManager's 99th percentile is five times its median (assumed)."""


class NotAskedError(Exception):
    """A check cannot go on; the text is its reason. Not: the endpoint did something wrong."""


class Prober:
    """Asks one endpoint."""

    def __init__(self, plan: ProbePlan) -> None:
        self.plan = plan
        self.target = plan.target
        self.right = plan.credentials
        self.wrong_sent = 0
        """Wrong passwords sent in the name of the real user."""
        self.locked = ""
        """When right credentials were no longer accepted; empty while they are."""
        self.failure_times: list[float] = []
        """Milliseconds of the failures in a row that the check `lockout` sent."""
        self.right_ms: list[float] = []
        self.accepts = False
        """Whether right credentials were accepted at the beginning."""
        self.lost = ""
        """What became of the last right question, where right ones were accepted and this one was not; else empty."""
        self.losses: list[str] = []
        """When that happened, told for people: after which check, and what came."""
        self.looked = 0
        """Answers that were searched for the right password, to questions without it."""
        self.retries = 0
        """Right questions that were only to see whether they are accepted again."""
        self.answered = False
        """Whether any answer came."""
        self.connected = 0
        """Questions for which there was a connection."""
        self.told_password = ""
        """Where the right password came back to somebody who had not sent it."""
        self._leaks = _leaks(plan)
        self._row = 0
        self._due = -float("inf")

    # questions

    async def send(
        self, request: bytes, *, answer_s: float = ANSWER_S, connect: Connector | None = None, linger_s: float = 0.0
    ) -> Exchange:
        """Send a request, by another connector than the plan's if need be, and read its answer."""
        await self._pace()
        found = await exchange(
            connect or self.plan.connect,
            request,
            tls=self.plan.tls,
            server_name=self.target.host,
            answer_s=answer_s,
            linger_s=linger_s,
        )
        self.connected += found.connected
        self.answered |= found.answer is not None
        if found.answer is not None and self._leaks and not any(form in request for form in self._leaks):
            self.looked += 1
            self._look_for_password(found.answer)
        return found

    def _look_for_password(self, answer: Answer) -> None:
        if any(form in answer.raw for form in self._leaks):
            head = answer.raw.partition(b"\r\n\r\n")[0]
            where = "header" if any(form in head for form in self._leaks) else "body"
            self.told_password = f"the {where} of an answer with status {answer.status}"

    def question(self, *, user: str | bytes | None = None, password: str | bytes | None = None) -> bytes:
        """Parameters, the right ones but for what is given."""
        return parameters(
            self.right.user if user is None else user,
            self.right.password if password is None else password,
            self.right.device,
        )

    async def ask_right(
        self, *, answer_s: float = ANSWER_S, fields: Sequence[str] = (), linger_s: float = 0.0
    ) -> Exchange:
        """The right question by GET."""
        request = get(self.target, self.question(), fields=fields)
        found = await self.send(request, answer_s=answer_s, linger_s=linger_s)
        if found.authorises:
            self.right_ms.append(found.whole_ms)
        if self.accepts and not fields:
            self.lost = "" if found.authorises else found.told
        return found

    async def ask_nobody(self, *, fields: Sequence[str] = (), host: str | None = "", base: str = "") -> Exchange:
        """The question of a user that does not exist: a mismatch that can lock nobody."""
        query = self.question(user=NOBODY, password="pushlab+probe")  # noqa: S106 - nobody's
        return await self.send(get(self.target, query, fields=fields, host=host, base=base))

    async def ask_wrong(self, request: bytes, *, guarded: bool = True, answer_s: float = ANSWER_S) -> Exchange:
        """A request with a wrong password of the real user.

        Args:
            request: its bytes.
            guarded: whether a right question follows after every second one; it shows a lock at once.
            answer_s: how long to wait.

        Raises:
            NotAskedError: there is no consent, the limit is reached, or the account seems locked.
        """
        if not self.plan.consent:
            raise NotAskedError("wrong passwords were not sent: --yes-send-wrong-passwords allows it")
        if self.locked:
            raise NotAskedError(self.locked)
        if self.wrong_sent >= self.plan.care.wrong_passwords:
            raise NotAskedError(f"the limit of {self.plan.care.wrong_passwords} wrong passwords is reached")
        self.wrong_sent += 1
        found = await self.send(request, answer_s=answer_s)
        self._row += 1
        if guarded and self._row >= IN_A_ROW:
            await self.guard()
        return found

    async def guard(self) -> None:
        """One right question after wrong ones.

        Raises:
            NotAskedError: it is no longer accepted.
        """
        self._row = 0
        if not self.accepts:
            return
        found = await self.ask_right()
        if not found.authorises:
            self.locked = (
                f"after {self.wrong_sent} wrong passwords right credentials were not accepted any more "
                f"({found.told}): the account is locked, no further ones were sent"
            )
            raise NotAskedError(self.locked)

    async def trouble(self) -> str:
        """Ask as a phone does; why the endpoint is not alive, empty where it is."""
        found, took_s, limit_s = await self.timed_right()
        if not found.authorises:
            return f"afterwards a right question got: {found.told}"
        return (
            "" if took_s <= limit_s else f"afterwards a right question took {took_s:.1f} s, more than {limit_s:.1f} s"
        )

    async def timed_right(self) -> tuple[Exchange, float, float]:
        """The right question, the seconds from before its connection to its answer, and how many it may have taken.

        Raises:
            NotAskedError: it took longer, and this machine was held up meanwhile: that is no evidence against anybody.
        """
        limit_s = self.limit_s
        held_up_s = 0.0

        async def watch() -> None:
            nonlocal held_up_s
            while True:
                due = trio.current_time() + WATCH_S
                await trio.sleep_until(due)
                held_up_s = max(held_up_s, trio.current_time() - due)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            begun = trio.current_time()
            found = await self.ask_right()
            took_s = trio.current_time() - begun
            nursery.cancel_scope.cancel()
        if took_s > limit_s and held_up_s > HELD_UP_S:
            raise NotAskedError(f"an answer took {took_s:.1f} s, but this machine was held up for {held_up_s:.1f} s")
        return found, took_s, limit_s

    @property
    def usual_ms(self) -> float:
        """Median time of the first right answers."""
        return statistics.median(self.right_ms[:USUAL]) if self.right_ms else 0.0

    @property
    def limit_s(self) -> float:
        """Within which a right question has to be answered now: more than a second only where that is usual here."""
        return max(ALIVE_S, USUAL_TIMES * self.usual_ms / 1000)

    async def _pace(self) -> None:
        if self.plan.care.per_s:
            now = trio.current_time()
            self._due = max(self._due, now)
            due, self._due = self._due, self._due + 1 / self.plan.care.per_s
            await trio.sleep_until(due)


def _leaks(plan: ProbePlan) -> tuple[bytes, ...]:
    """What to look for in answers; nothing where the password is too short or is like what stands there anyway."""
    password = plan.credentials.password.encode()
    usual = f"{plan.target.url} {plan.callmanager_url} AUTHORIZED Content-Type Content-Length".encode()
    if len(password) < SHORTEST_LEAK or password.lower() in usual.lower():
        return ()
    return forms(password)
