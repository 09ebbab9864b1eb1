"""The authentication service: what stands between the byte engine and the cores.

One `Service` answers all requests of one mock CallManager. It takes each arrival to the capacity model, sleeps until
the planned end, decides, and records what was asked and how far it missed the plan once the kernel had the answer.
"""

import functools
import time
from array import array
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any, Final, Protocol

import trio

from emulator.callmanager.attempts import Attempts
from emulator.callmanager.authenticate import (
    Question,
    Word,
    answer,
    busy,
    face_of,
    not_found,
    read_question,
    wrong_method,
)
from emulator.callmanager.capacity import NS_PER_MS, Capacity, Plan, ServiceTime
from emulator.callmanager.configuration import Configuration
from emulator.callmanager.directory import DirectoryError, Verdict
from emulator.callmanager.finding.finding import BODY_BYTES_MAX, ROOMY_TARGETS, Finding
from emulator.callmanager.held import HeldCapacity
from emulator.callmanager.load import NS_PER_S
from emulator.callmanager.policy import Locks
from emulator.callmanager.registry import Registry
from emulator.callmanager.users import (
    PASSWORD_CHARACTERS_MAX,
    USER_NAME_CHARACTERS_MAX,
    Check,
    CredentialCache,
    User,
    Users,
    is_device_name,
    permitted,
)
from emulator.engine import Answer, Limits, Request
from emulator.records import Records
from emulator.server import distribution

LATENESS_SAMPLES_MAX: Final = 1_000_000
"""The summary is over the last so many answers: 8 MB, and hours of a drowning CallManager."""
GRACE_S: Final = 30.0
"""What a connection gets beyond the longest wait that the model plans: for its own bytes to come and go."""

class Answering(Protocol):
    """What the service wants of a directory: `emulator.callmanager.ldap.Directory`, or a test's own."""

    async def authenticate(self, name: str, password: str) -> Verdict:
        """Whether this is the password of this person; DirectoryError where it cannot say."""


_WORDS: Final = {"authorized": Word.AUTHORIZED, "unauthorized": Word.UNAUTHORIZED, "error": Word.ERROR}


def connection_limits(configuration: Configuration) -> Limits:
    """Limits under which the capacity model decides alone: no connection ends before the longest planned wait."""
    directory_s = configuration.directory.total_s if configuration.directory else 0.0
    service_s = configuration.service_p99_ms / 1000 + directory_s
    longest_s = (configuration.queue / configuration.workers + 2) * service_s
    places = configuration.queue + configuration.workers
    # Twice the places: who is to be told 503 has to be let in first.
    return Limits(
        total_s=GRACE_S + longest_s,
        connections=max(Limits().connections, 2 * places),
        roomy_targets=ROOMY_TARGETS,
        roomy_body_bytes=BODY_BYTES_MAX,
    )


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
        directory: Answering | None = None,
        registry: Registry | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        """Start with an idle model and no account locked.

        Args:
            configuration: of which the capacity and the seed are used.
            users: asked when an answer is due, so that a change holds at once.
            records: where each answer is recorded.
            clock_ns: the time of the model, nanoseconds; CLOCK_MONOTONIC outside of tests.
            unix_s: what the Date header shows.
            until: waits for an instant of that clock; without it trio's timers do, about 1 ms less exactly.
            directory: knows everybody who is no user of `users` with a password; a worker is held while it is asked.
            registry: of the phones that DeviceListX, RisPort70 and AXL tell of; None: of none.
            attempts: failed ones to be the administrator, shared with the pages; None: of its own.
        """
        self.users = users
        self._seed = configuration.seed
        service_time = ServiceTime(
            p50_ms=configuration.service_p50_ms, p99_ms=configuration.service_p99_ms, seed=configuration.seed
        )
        self._directory = directory
        size = {"workers": configuration.workers, "queue": configuration.queue}
        # How long a directory takes is not known on arrival: only without one can the schedule be planned.
        self._planned = Capacity(**size, service_ns=service_time.draw_ns)
        self._held = HeldCapacity(**size, service_ns=service_time.draw_ns) if directory is not None else None
        self._model = self._held or self._planned
        self._turns: dict[int, _Turn] = {}
        self._locks = Locks(configuration.credential_policy)
        self._counts = {"locked": 0, "directory_asked": 0, "directory_failed": 0}
        self._cache = CredentialCache(seconds=configuration.credential_cache_s)
        self._records = records
        self._clock_ns = clock_ns
        self._unix_s = unix_s
        self._until = until or self._sleep_until
        self._late_fractions: deque[float] = deque(maxlen=LATENESS_SAMPLES_MAX)
        self._finding = Finding(
            configuration.finding,
            users=users,
            registry=Registry() if registry is None else registry,
            administrator=configuration.administrator,
            attempts=attempts or Attempts(),
            records=records,
            clock_ns=clock_ns,
            unix_s=unix_s,
        )

    def locked(self, user: User) -> bool:
        """Whether the credential policy refuses this user now; never one of the directory, which has its own locks."""
        return self._locks.locked(user.name, user.digest, self._clock_ns())

    def unlock(self, user: User) -> None:
        """End the lock of this user."""
        self._locks.succeeded(user.name)

    async def handle(self, request: Request, *, secured: bool = False) -> Answer:
        """Answer one request: when the model says so, with the exact bytes of its face.

        Args:
            request: whole.
            secured: whether it came over TLS.
        """
        face = face_of(request.path)
        if face is None:
            found = await self._finding.handle(request, secured=secured)
            if found is not None:
                return found
            return Answer(not_found(unix_s=self._unix_s()))
        if request.method not in {"GET", "POST"}:
            return Answer(wrong_method(unix_s=self._unix_s()))
        now_ns = self._clock_ns()
        question = read_question(query=request.query, body=request.body if request.method == "POST" else b"")
        user = self.users.get(question.user) if question else None
        starts = True
        if question and user and not self.locked(user) and self._cache.hits(user, question.password, now_ns):
            plan = self._model.arrive_cached(now_ns)
        elif self._held is not None:
            plan, starts = self._held.arrive(now_ns)
        else:
            plan = self._planned.arrive(now_ns)
        connection = address_text(request.peer)
        fields: dict[str, Any] = {
            "phone": question.device if question and is_device_name(question.device) else None,
            "connection": connection,
            "user": user.name if user else None,
        }
        if not plan.admitted:
            fields.update(answer="rejected", reason="queue")
            return Answer(busy(face, unix_s=self._unix_s()), on_sent=functools.partial(self._sent, plan, fields))
        try:
            if self._held is not None and plan.service_ns:
                plan = await self._hold(self._held, question, plan, fields, starts=starts)
            else:
                await self._until(plan.ends_ns)
                self._judge(question, fields)
        except trio.Cancelled:
            fields.update(answer="abandoned", detail="stopped")
            self._record(plan, fields, self._clock_ns())
            raise
        if plan.service_ns:
            self._remember(user, fields, plan)
        data = answer(face, _WORDS[fields["answer"]], seed=self._seed, ordinal=plan.ordinal, unix_s=self._unix_s())
        return Answer(data, on_sent=functools.partial(self._sent, plan, fields))

    async def _hold(
        self, held: HeldCapacity, question: Question | None, plan: Plan, fields: dict[str, Any], *, starts: bool
    ) -> Plan:
        """Wait for a worker, hold it for the drawn time and for the directory's; the plan as it came to be."""
        if not starts:
            turn = self._turns[plan.ordinal] = _Turn()
            try:
                await turn.come.wait()
            except trio.Cancelled:
                if turn.plan is None:
                    held.leave(plan.ordinal)
                else:  # the worker came at the same moment
                    self._give_back(held)
                raise
            finally:
                del self._turns[plan.ordinal]
            assert turn.plan is not None
            plan = turn.plan
        try:
            await self._until(plan.ends_ns)
            if question is None or self._directory is None or not self._is_directory_s(question.user):
                self._judge(question, fields)
                return plan
            began_ns = self._clock_ns()
            await self._ask(self._directory, question, fields)
            ends_ns = self._clock_ns()
            fields["directory_ms"] = round((ends_ns - began_ns) / NS_PER_MS, 3)
            return replace(plan, ends_ns=ends_ns)
        finally:
            self._give_back(held)

    def _give_back(self, held: HeldCapacity) -> None:
        following = held.give_back(self._clock_ns())
        if following is not None:
            turn = self._turns[following.ordinal]
            turn.plan = following
            turn.come.set()

    def _is_directory_s(self, name: str) -> bool:
        user = self.users.get(name)
        return user is None or user.directory

    async def _ask(self, directory: Answering, question: Question, fields: dict[str, Any]) -> None:
        """Let the directory say whether the password is right; what the user may do is CallManager's."""
        if len(question.user) > USER_NAME_CHARACTERS_MAX:
            self._decide(Check(authorised=False, user=None, reason="user"), fields)
            return
        if len(question.password) > PASSWORD_CHARACTERS_MAX:
            self._decide(Check(authorised=False, user=None, reason="password"), fields)
            return
        self._counts["directory_asked"] += 1
        try:
            verdict = await directory.authenticate(question.user, question.password)
        except DirectoryError as error:
            self._counts["directory_failed"] += 1
            fields.update(answer="error", reason="directory", detail=error.kind, user=None)
            return
        if verdict.reason is not None or verdict.name is None:
            check = Check(authorised=False, user=verdict.name, reason=verdict.reason or "user")
        elif (user := self.users.of_directory(verdict.name)) is None:
            # A person of the directory whom nobody gave anything here.
            check = Check(authorised=False, user=verdict.name, reason="cti")
        else:
            check = permitted(user, question.device)
        self._decide(check, fields)

    def _judge(self, question: Question | None, fields: dict[str, Any]) -> None:
        """Decide by CallManager's own users, and count what its credential policy counts."""
        if question is None:
            fields.update(answer="error", reason="parameters")
            return
        user = self.users.get(question.user)
        now_ns = self._clock_ns()
        if user is not None and self._locks.locked(user.name, user.digest, now_ns):
            self._counts["locked"] += 1
            self._decide(Check(authorised=False, user=user.name, reason="locked"), fields)
            return
        check = self.users.check(name=question.user, password=question.password, device=question.device)
        if user is not None:
            if check.reason == "password":
                self._locks.failed(user.name, user.digest, now_ns)
            else:
                self._locks.succeeded(user.name)
        self._decide(check, fields)

    @staticmethod
    def _decide(check: Check, fields: dict[str, Any]) -> None:
        answered = "authorized" if check.authorised else "unauthorized"
        fields.update(user=check.user, answer=answered, reason=check.reason)

    async def _sleep_until(self, due_ns: int) -> None:
        await trio.sleep(max(0, due_ns - self._clock_ns()) / NS_PER_S)

    def _remember(self, user: User | None, fields: dict[str, Any], plan: Plan) -> None:
        """Cache what was looked up, unless the user was changed meanwhile. What a directory said is never kept."""
        right = fields["reason"] in {None, "cti", "association"}
        if user is not None and not user.directory and right and self.users.get(user.name) is user:
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
        working, waiting = self._model.occupation(now_ns)
        load = self._model.load(now_ns)
        return {"authentications": load.authentications, "busy": working, "queue": waiting, "rejected": load.rejected}

    def write_summary(self) -> None:
        """Write the last records: how well the schedule was kept, and what the load was."""
        lateness: dict[str, Any] = distribution(array("d", self._late_fractions))
        self._records.write("schedule.lateness", schedule="callmanager_model", **lateness)
        load = asdict(self._model.load(self._clock_ns()))
        counts = {**self._counts, "accounts_locked": self._locks.locked_count}
        self._records.write("callmanager.ended", **{**load, "busy_s": round(load["busy_s"], 3)}, **counts)


class _Turn:
    """Somebody who waits for a worker."""

    def __init__(self) -> None:
        self.come = trio.Event()
        self.plan: Plan | None = None
        """Given together with the worker."""


def address_text(peer: tuple[str, int]) -> str:
    """`address:port` as in all records; an IPv6 address stands in brackets."""
    host, port = peer
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
