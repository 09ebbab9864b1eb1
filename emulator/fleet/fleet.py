"""Thousands of phones on one listener: the phone that is meant is the local address of the connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

import trio

from emulator.engine import Answer, BindError, Limits, Request, listen, serve
from emulator.fleet.question import Client
from emulator.fleet.reception import Reception, address_text
from emulator.fleet.view import view
from emulator.phone import answer, pages
from emulator.phone.execute import Credentials, Push, read_credentials, read_push
from emulator.phone.phone import RTP_PORT, Executed, Phone
from emulator.phone.stream import Period, Stream
from emulator.records import Records

_ANSWER_S: Final = 20.0
"""What a request may take beside its authentication."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the fleet stands on this host."""

    port: int
    rtp_port: int = RTP_PORT
    interface: str | None = None
    authentication_timeout_s: float = 10.0


class Fleet:
    """All phones of a process."""

    def __init__(
        self, phones: Sequence[Phone], settings: Settings, *, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._phones = {phone.address: phone for phone in phones}
        self._settings = settings
        self._clock = clock
        self._pushes = self._listening = 0
        self._date = (0, "")
        self._client: Client
        self._reception: Reception
        self._records: Records
        self._dropped = self._packets = 0

    def status(self) -> Mapping[str, int]:
        """Counters of the status line."""
        return {
            "pushes": self._pushes,
            "authentications": self._client.questions,
            "listening": self._listening,
            "packets": self._reception.packets,
        }

    def ended(self) -> Mapping[str, Any]:
        """Fields of `part.ended`."""
        return {"dropped": self._dropped}

    async def run(self, records: Records, *, task_status: trio.TaskStatus[Mapping[str, str]]) -> None:
        """Be the phones until cancelled; open streams are then ended and recorded.

        Raises:
            BindError: the HTTP or the RTP port cannot be had.
        """
        settings = self._settings
        self._records = records
        self._client = Client(records, timeout_s=settings.authentication_timeout_s, clock=self._clock)
        guard = _guard(settings.port)
        with guard:
            self._reception = Reception(settings.rtp_port, interface=settings.interface)
            try:
                listener = listen("0.0.0.0", settings.port, reuse_port=True, interface=settings.interface)
                port = listener.getsockname()[1]
                limits = Limits(
                    body_bytes=131072,  # 40 kB of XML, each byte written %xx
                    total_s=settings.authentication_timeout_s + _ANSWER_S,
                )
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._reception.run)
                    await nursery.start(self._serve, listener, limits)
                    first = next(iter(self._phones.values()))
                    task_status.started(
                        {
                            "phones": f"http://{first.address}:{port}",
                            "rtp": f"{first.address}:{self._reception.port}",
                        }
                    )
            finally:
                self._end()
                self._reception.close()

    async def _serve(self, listener: socket.socket, limits: Limits, *, task_status: trio.TaskStatus[None]) -> None:
        await serve([listener], self.handle, limits=limits, admit=self._admit, task_status=task_status)

    def _admit(self, _peer: tuple[str, int], local: tuple[str, int]) -> bool:
        phone = self._phones.get(local[0])
        return phone is not None and phone.web_access

    async def handle(self, request: Request) -> Answer:
        """Answer one request to one phone."""
        phone = self._phones[request.local[0]]
        close = not request.keep_alive
        if request.path == "/CGI/Execute" and request.method == "POST":
            if b"transfer-encoding" in request.headers:
                return Answer(answer.not_found(phone.model, self._http_date(), close=True))  # CUIPP
            return await self._execute(phone, request, close=close)
        data = await self._page(phone, request, close=close)
        if request.method == "HEAD":
            data = data[: data.index(b"\r\n\r\n") + 4]
        return Answer(data, close)

    async def _page(self, phone: Phone, request: Request, *, close: bool) -> bytes:
        model = phone.model
        found = None
        if request.method == "HEAD" and model.head_answer == "error-4":
            return answer.error(model, answer.AUTHENTICATION_ERROR, self._http_date(), close=close)
        if request.method not in {"GET", "HEAD"}:
            pass
        elif pages.is_protected(model, request.path):
            credentials = read_credentials(request.headers.get(b"authorization"))
            authorised, _ = await self._authorise(phone, credentials, _identity(request))
            if not authorised:
                return answer.unauthorized(model, self._http_date(), close=close)
            found = pages.protected(model, request.path, view(phone, self._clock()))
        else:
            query = request.query.decode("latin-1")
            found = pages.page(model, request.path, query, view(phone, self._clock()))
        if found is None:
            return answer.not_found(model, self._http_date(), close=close)
        return answer.whole(model, found.body, self._http_date(), close=close, kind=found.kind)

    def _http_date(self) -> str:
        now = int(time.time())
        if now != self._date[0]:
            self._date = (now, formatdate(now, usegmt=True))
        return self._date[1]

    async def _execute(self, phone: Phone, request: Request, *, close: bool) -> Answer:
        self._pushes += 1
        identity = _identity(request)
        push = read_push(request.body, object_bytes=phone.model.object_bytes)
        self._records.write(
            "push.received",
            phone=phone.device_name,
            push=identity,
            items=list(push.urls),
            well_formed=push.well_formed,
        )
        result: Executed | None = None
        finished = False
        try:
            credentials = read_credentials(request.headers.get(b"authorization"))
            authorised, by = await self._authorise(phone, credentials, identity)
            if authorised:
                result = self._carry_out(phone, push, identity, by)
            finished = True
        finally:
            if not finished:  # the server ends, or the total deadline has come
                self._answered(phone, identity, "none", None, None)
        model, date = phone.model, self._http_date()
        if result is None:
            data = answer.unauthorized(model, date, close=close)
            said = ("unauthorized", 401, None) if model.unauthorized == "401" else ("error", 200, 4)
        elif result.error is not None:
            data = answer.error(model, result.error, date, close=close)
            said = ("error", 200, result.error)
        else:
            data = answer.response(model, result.items, date, close=close)
            said = ("response", 200, None)

        def on_sent(there: bool) -> None:  # noqa: FBT001 - the engine's callback
            self._answered(phone, identity, *(said if there else ("none", None, None)))

        return Answer(data, close, on_sent)

    def _answered(
        self, phone: Phone, identity: str, kind: str, http_status: int | None, number: int | None
    ) -> None:
        self._records.write(
            "push.answered",
            phone=phone.device_name,
            push=identity,
            answer=kind,
            http_status=http_status,
            error_number=number,
        )

    async def _authorise(
        self, phone: Phone, credentials: Credentials | None, identity: str
    ) -> tuple[bool, str | None]:
        if phone.server is None:
            return True, None
        if credentials is None:
            return False, None
        asked = await self._client.ask(phone, phone.server, credentials, identity)
        return asked.authorized, asked.by

    def _carry_out(self, phone: Phone, push: Push, identity: str, by: str | None) -> Executed:
        result = phone.execute(push, identity=identity, now_ns=self._clock(), rtp_port=self._settings.rtp_port)
        for change in result.changes:
            self._records.write(
                "push.executed", phone=phone.device_name, push=identity, action=change.action, authorised_by=by
            )
            if change.period is None:
                continue
            if change.action == "RTPRx":
                self._listening += 1
                self._reception.listen(phone.address, change.period)
                self._records.write(
                    "stream.listening",
                    t_ns=change.period.since_ns,
                    phone=phone.device_name,
                    push=identity,
                    source=change.period.source,
                    port=change.period.port,
                )
            else:
                self._stopped(phone, change.period, "push", identity)
        return result

    def _stopped(self, phone: Phone, period: Period, reason: str, identity: str | None) -> None:
        self._listening -= 1
        self._reception.stop(phone.address, period)
        for stream in period.streams.values():
            self._records.write("stream.heard", phone=phone.device_name, push=period.push, **_heard(stream))
        self._records.write("stream.stopped", phone=phone.device_name, push=identity, reason=reason)

    def _end(self) -> None:
        self._reception.drain()
        for phone in self._phones.values():
            period = phone.end()
            if period is not None:
                self._stopped(phone, period, "end", None)
        for (destination, source), count in self._reception.unlistened.items():
            phone_meant = self._phones.get(socket.inet_ntoa(destination))
            if phone_meant is not None:
                self._records.write(
                    "rtp.unlistened",
                    phone=phone_meant.device_name,
                    source=address_text(source),
                    packets=count.packets,
                    first_t_ns=count.first_t_ns,
                    last_t_ns=count.last_t_ns,
                )
        self._dropped = self._reception.dropped


def _identity(request: Request) -> str:
    ordinal = request.connection_ordinal
    return f"{request.peer[0]}:{request.peer[1]}" + (f"/{ordinal}" if ordinal > 1 else "")


def _heard(stream: Stream) -> Mapping[str, Any]:
    return {
        "source": f"{address_text(stream.source)}:{stream.source_port}",
        "ssrc": stream.ssrc,
        "packets": stream.packets,
        "lost": stream.lost,
        "duplicates": stream.duplicates,
        "reordered": stream.reordered,
        "malformed": stream.malformed,
        "foreign": stream.foreign,
        "first_t_ns": stream.first_t_ns,
        "last_t_ns": stream.last_t_ns,
        "first_sequence": stream.first_sequence,
        "last_sequence": stream.last_sequence,
        "first_timestamp": stream.first_timestamp,
        "jitter_ms": round(stream.jitter_ms, 3),
        "gap_ms": round(stream.gap_ns / 1e6, 3),
        "crc32": f"{stream.crc:08x}",
    }


def _guard(port: int) -> socket.socket:
    """Hold this port against another fleet of this network namespace.

    The listener shares its port (SO_REUSEPORT), because on the loopback ground the servers listen on the same one with
    their own addresses; two fleets that share one would silently split its connections.
    """
    guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if port:
        try:
            guard.bind(f"\0pushlab-phones-{port}")
        except OSError as error:
            guard.close()
            raise BindError("0.0.0.0", port, error) from error
    return guard
