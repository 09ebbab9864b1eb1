"""Push to one phone and say how it ended: one outcome, one pair of records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

import trio

from gateway.cisco import Credentials, Outcome, PushAnswer, execute_body, execute_request, read_push_answer
from gateway.push.exchange import Exchange, Limits, exchange
from gateway.push.plan import Group
from gateway.records import Records

Action = Literal["start", "stop"]
UNASKED: Final = "it did not ask this gateway first: its authentication URL leads elsewhere, or it asks nobody"
"""Detail of a push that was executed: the phone was not reset since its URL was changed, or trusts anybody."""


class PushTarget(Protocol):
    """A phone, as far as pushing goes."""

    @property
    def device_name(self) -> str:
        """SEP and 12 hex digits."""

    @property
    def address(self) -> str:
        """Where its web server is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PushSettings:
    """What all pushes have in common."""

    credentials: Credentials
    source: str | None
    port: int
    rtp_port: int
    limits: Limits


class Flying(Protocol):
    """Who is to know which phones have a push in flight (`gateway.authentication.Flights`)."""

    def begun(self, phone: str) -> None:
        """A push is about to be sent."""

    def ended(self, phone: str, now: float) -> bool:
        """It is over; whether the phone has asked meanwhile."""


class Pusher:
    """Sends pushes. How many at once is the business of who calls (`gateway.push.crew`)."""

    def __init__(self, *, settings: PushSettings, records: Records, flights: Flying | None = None) -> None:
        self._settings = settings
        self._flights = flights
        self._records = records
        self._authorization = settings.credentials.basic()
        self._bodies: dict[tuple[Action, str, Group | None], bytes] = {}
        self._host_suffix = "" if settings.port == 80 else f":{settings.port}"
        self.answered = 0
        """Pushes that got any answer."""

    def use(self, credentials: Credentials) -> None:
        """Push with these credentials from now on."""
        self._authorization = credentials.basic()

    def uris(self, action: Action, source: str, group: Group | None = None) -> list[str]:
        """What the phone is asked to execute.

        Args:
            action: Start or stop; one URI stops both kinds of reception (XSI development notes, RTP URIs).
            source: Where the audio comes from by unicast.
            group: Where it goes to by multicast.
        """
        if action == "stop":
            return ["RTPRx:Stop"]
        return [f"RTPMRx:{group}" if group is not None else f"RTPRx:{source}:{self._settings.rtp_port}"]

    def request(self, phone: PushTarget, action: Action, source: str, group: Group | None = None) -> bytes:
        """The bytes of a push."""
        body = self._bodies.get((action, source, group))
        if body is None:
            body = self._bodies[action, source, group] = execute_body(self.uris(action, source, group))
        return execute_request(host=phone.address + self._host_suffix, authorization=self._authorization, body=body)

    async def push(
        self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
    ) -> PushAnswer:
        """Push the start or the stop of reception and wait for what comes of it."""

        def sent(state: Exchange) -> None:
            self._records.write(
                "push.sent",
                t_ns=state.sent_ns,
                phone=phone.device_name,
                push=state.connection,
                page=page,
                action=action,
                attempt=attempt,
                address=phone.address,
            )

        state = Exchange()
        if self._flights is not None:
            self._flights.begun(phone.device_name)
        answer = PushAnswer(outcome=Outcome.INDETERMINATE, detail="interrupted")
        try:
            await exchange(
                state,
                address=phone.address,
                port=self._settings.port,
                source=self._settings.source,
                limits=self._settings.limits,
                request=lambda source: self.request(phone, action, source, group),
                on_sent=sent,
            )
            if state.response is not None:
                self.answered += 1
                answer = read_push_answer(state.response)
            else:
                answer = PushAnswer(outcome=state.failure or Outcome.INDETERMINATE, detail=state.detail)
        finally:
            asked = self._flights is None or self._flights.ended(phone.device_name, trio.current_time())
            if answer.outcome is Outcome.EXECUTED and not asked:
                answer = replace(answer, detail=UNASKED)
            # Also when cancelled: whatever was sent has an end in the records.
            self._records.write(
                "push.ended",
                phone=phone.device_name,
                push=state.connection,
                page=page,
                action=action,
                attempt=attempt,
                outcome=answer.outcome,
                http_status=answer.http_status,
                error_number=answer.error_number,
                answer_ms=state.answer_ms,
                detail=answer.detail,
            )
        return answer
