"""The authentication service: what stands between the byte engine and the cores.

One `Service` answers all requests of one mock CallManager. It takes each arrival to the capacity model, sleeps until
the planned end, decides, and records what was asked and how far it missed the plan once the kernel had the answer.
"""

import functools
import time
from array import array
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

import trio

from emulator.callmanager.authenticate import (
    Face,
    Question,
    Word,
    answer,
    busy,
    face_of,
    not_found,
    read_question,
    wrong_method,
)
from emulator.callmanager.capacity import NS_PER_MS, NS_PER_S, Capacity, Plan, ServiceTime
from emulator.callmanager.configuration import Configuration
from emulator.callmanager.users import Check, CredentialCache, User, Users, is_device_name
from emulator.engine import Answer, Limits, Request
from emulator.records import Records
from emulator.server import distribution

LATENESS_SAMPLES_MAX: Final = 1_000_000
"""The summary is over the last so many answers: 8 MB, and hours of a drowning CallManager."""
GRACE_S: Final = 30.0
"""What a connection gets beyond the longest wait that the model plans: for its own bytes to come and go."""

_WORDS: Final = {"authorized": Word.AUTHORIZED, "unauthorized": Word.UNAUTHORIZED, "error": Word.ERROR}


def connection_limits(configuration: Configuration) -> Limits:
    """Limits under which the capacity model decides alone: no connection ends before the longest planned wait."""
    longest_s = (configuration.queue / configuration.workers + 2) * configuration.service_p99_ms / 1000
    places = configuration.queue + configuration.workers
    # Twice the places: who is to be told 503 has to be let in first.
    return Limits(total_s=GRACE_S + longest_s, connections=max(Limits().connections, 2 * places))


class Service:
    """The authentication pages of one mock CallManager."""

    def __init__(
        self,
        configuration: Configuration,
        users: Users,
        records: Records,
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        unix_s: Callable[[], float] = time.time,
        until: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Start with an idle model.

        Args:
            configuration: of which the capacity and the seed are used.
            users: asked when an answer is due, so that a change holds at once.
            records: where each answer is recorded.
            clock_ns: the time of the model, nanoseconds; CLOCK_MONOTONIC outside of tests.
            unix_s: what the Date header shows.
            until: waits for an instant of that clock; without it trio's timers do, about 1 ms less exactly.
        """
        self.users = users
        self._seed = configuration.seed
        service_time = ServiceTime(
            p50_ms=configuration.service_p50_ms, p99_ms=configuration.service_p99_ms, seed=configuration.seed
        )
        self._capacity = Capacity(
            workers=configuration.workers, queue=configuration.queue, service_ns=service_time.draw_ns
        )
        self._cache = CredentialCache(seconds=configuration.credential_cache_s)
        self._records = records
        self._clock_ns = clock_ns
        self._unix_s = unix_s
        self._until = until or self._sleep_until
        self._late_fractions: deque[float] = deque(maxlen=LATENESS_SAMPLES_MAX)

    async def handle(self, request: Request) -> Answer:
        """Answer one request: when the model says so, with the exact bytes of its face."""
        face = face_of(request.path)
        if face is None:
            return Answer(not_found(unix_s=self._unix_s()))
        if request.method not in {"GET", "POST"}:
            return Answer(wrong_method(unix_s=self._unix_s()))
        now_ns = self._clock_ns()
        question = read_question(query=request.query, body=request.body if request.method == "POST" else b"")
        user = self.users.get(question.user) if question else None
        if question and user and self._cache.hits(user, question.password, now_ns):
            plan = self._capacity.arrive_cached(now_ns)
        else:
            plan = self._capacity.arrive(now_ns)
        connection = address_text(request.peer)
        fields: dict[str, Any] = {
            "phone": question.device if question and is_device_name(question.device) else None,
            "connection": connection,
            "user": user.name if user else None,
        }
        if not plan.admitted:
            fields.update(answer="rejected", reason="queue")
            return Answer(busy(face, unix_s=self._unix_s()), on_sent=functools.partial(self._sent, plan, fields))
        return await self._serve(face, question, user, plan, fields)

    async def _serve(
        self, face: Face, question: Question | None, user: User | None, plan: Plan, fields: dict[str, Any]
    ) -> Answer:
        try:
            await self._until(plan.ends_ns)
        except trio.Cancelled:
            fields.update(answer="abandoned", detail="stopped")
            self._record(plan, fields, self._clock_ns())
            raise
        if question is None:
            fields.update(answer="error", reason="parameters")
        else:
            check = self.users.check(name=question.user, password=question.password, device=question.device)
            fields.update(
                user=check.user, answer="authorized" if check.authorised else "unauthorized", reason=check.reason
            )
            if plan.service_ns:
                self._remember(user, check, plan)
        data = answer(
            face, _WORDS[fields["answer"]], seed=self._seed, ordinal=plan.ordinal, unix_s=self._unix_s()
        )
        return Answer(data, on_sent=functools.partial(self._sent, plan, fields))

    async def _sleep_until(self, due_ns: int) -> None:
        await trio.sleep(max(0, due_ns - self._clock_ns()) / NS_PER_S)

    def _remember(self, user: User | None, check: Check, plan: Plan) -> None:
        """Cache what was looked up, unless the user was changed while the request waited."""
        if user is not None and check.reason in {None, "cti", "association"} and self.users.get(user.name) is user:
            self._cache.remember(user, plan.ends_ns)

    def _sent(self, plan: Plan, fields: dict[str, Any], there: bool) -> None:  # noqa: FBT001 - the engine's interface
        if not there:
            fields["answer"] = "abandoned"
            fields.pop("reason", None)
        now_ns = self._clock_ns()
        if plan.service_ns:
            late_ns = max(0, now_ns - plan.ends_ns)
            fields["late_ms"] = round(late_ns / NS_PER_MS, 3)
            late_fraction = late_ns / (plan.ends_ns - plan.arrived_ns)
            fields["late_fraction"] = round(late_fraction, 4)
            self._late_fractions.append(late_fraction)
        self._record(plan, fields, now_ns)

    def _record(self, plan: Plan, fields: dict[str, Any], now_ns: int) -> None:
        self._records.write(
            "authentication.answered",
            t_ns=now_ns,
            arrived_ns=plan.arrived_ns,
            queue_on_arrival=plan.queue_on_arrival,
            busy_on_arrival=plan.busy_on_arrival,
            wait_ms=round(plan.wait_ns / NS_PER_MS, 3),
            service_ms=round(plan.service_ns / NS_PER_MS, 3),
            answer_ms=round((now_ns - plan.arrived_ns) / NS_PER_MS, 3),
            **fields,
        )

    def status(self) -> dict[str, int]:
        """Counters of the status line."""
        now_ns = self._clock_ns()
        working, waiting = self._capacity.occupation(now_ns)
        load = self._capacity.load(now_ns)
        return {"authentications": load.authentications, "busy": working, "queue": waiting, "rejected": load.rejected}

    def write_summary(self) -> None:
        """Write the last records: how well the schedule was kept, and what the load was."""
        lateness: dict[str, Any] = distribution(array("d", self._late_fractions))
        self._records.write("schedule.lateness", schedule="callmanager_model", **lateness)
        load = asdict(self._capacity.load(self._clock_ns()))
        self._records.write("callmanager.ended", **{**load, "busy_s": round(load["busy_s"], 3)})


def address_text(peer: tuple[str, int]) -> str:
    """`address:port` as in all records; an IPv6 address stands in brackets."""
    host, port = peer
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
