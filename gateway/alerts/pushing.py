"""Send phones to their alert: one Execute with an http URL, one outcome, one pair of records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import trio

from gateway.alerts.alert import Recipient
from gateway.authentication import Flights
from gateway.cisco import Credentials, Outcome, PushAnswer, execute_body, execute_request, read_push_answer
from gateway.push import Exchange, Limits, exchange
from gateway.records import Records

Action = Literal["show", "withdraw"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertPushSettings:
    """What all pushes have in common."""

    credentials: Callable[[], Credentials]
    """Those in force."""
    source: str | None
    port: int
    limits: Limits


class AlertPusher:
    """Pushes; how many at once is the business of who calls."""

    def __init__(self, *, settings: AlertPushSettings, records: Records, flights: Flights) -> None:
        self._settings = settings
        self._records = records
        self._flights = flights
        self._host_suffix = "" if settings.port == 80 else f":{settings.port}"

    async def push(
        self, recipient: Recipient, *, alert: int, url: str, priority: int, action: Action
    ) -> PushAnswer:
        """Have a phone fetch ``url``.

        A push that is refused while the credentials were changed is sent once more with the new ones.
        """
        credentials = self._settings.credentials()
        answer = await self._push(recipient, alert, url, priority, action, credentials, 1)
        if answer.outcome is Outcome.REFUSED_AUTHENTICATION and self._settings.credentials() != credentials:
            answer = await self._push(recipient, alert, url, priority, action, self._settings.credentials(), 2)
        return answer

    async def _push(
        self,
        recipient: Recipient,
        alert: int,
        url: str,
        priority: int,
        action: Action,
        credentials: Credentials,
        attempt: int,
    ) -> PushAnswer:
        note = partial(
            self._records.write, phone=recipient.device_name, alert=str(alert), action=action, attempt=attempt
        )

        def sent(state: Exchange) -> None:
            note("push.sent", t_ns=state.sent_ns, push=state.connection, address=recipient.address)

        request = execute_request(
            host=recipient.address + self._host_suffix,
            authorization=credentials.basic(),
            body=execute_body([url], priority=priority),
        )
        state = Exchange()
        answer = PushAnswer(outcome=Outcome.INDETERMINATE, detail="interrupted")
        self._flights.begun(recipient.device_name)
        try:
            await exchange(
                state,
                address=recipient.address,
                port=self._settings.port,
                source=self._settings.source,
                limits=self._settings.limits,
                request=lambda _source: request,
                on_sent=sent,
            )
            if state.response is not None:
                answer = read_push_answer(state.response)
            else:
                answer = PushAnswer(outcome=state.failure or Outcome.INDETERMINATE, detail=state.detail)
        finally:
            self._flights.ended(recipient.device_name, trio.current_time())
            note(
                "push.ended",
                push=state.connection,
                outcome=answer.outcome,
                http_status=answer.http_status,
                error_number=answer.error_number,
                answer_ms=state.answer_ms,
                detail=answer.detail,
            )
        return answer
