"""Thousands of phones on one listener: the phone that is meant is the local address of the connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import trio

from emulator import misbehaviour
from emulator.engine import Answer, BindError, Connections, Limits, Request, Wire, claim, listen, serve
from emulator.fleet.boot import Boot, Source
from emulator.fleet.diary import Diary
from emulator.fleet.faults import Faults
from emulator.fleet.fetch import fetch
from emulator.fleet.impairment import Door
from emulator.fleet.notify import notify
from emulator.fleet.question import Client
from emulator.fleet.recorder import Recorder
from emulator.fleet.silence import Silence
from emulator.fleet.streams import Streams
from emulator.fleet.trust import Trust
from emulator.fleet.view import view
from emulator.phone import answer, pages
from emulator.phone.answer import SUCCESS, Item
from emulator.phone.authentication import Server, read_url, unusable
from emulator.phone.configuration import PhoneConfiguration
from emulator.phone.execute import Credentials, Push, read_credentials, read_push
from emulator.phone.media import Medium
from emulator.phone.phone import RTP_PORT, Change, Event, Executed, Phone, Reply, Transmission
from emulator.phone.stream import Period
from emulator.phone.streaming import stream_media
from emulator.phone.uri import Fetch, read_uri
from emulator.records import Records

NAMES_KEPT: Final = 4
"""Of each phone's pushes: a port comes back within a page, if at all."""
_ANSWER_S: Final = 20.0
"""What a request may take beside its authentication."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the fleet stands on this host."""

    port: int
    rtp_port: int = RTP_PORT
    https: tuple[int, ssl.SSLContext] | None = None
    """Port and certificate of HTTPS, which phones offer whose model has it; one certificate for all of them (ours)."""
    interface: str | None = None
    authentication_timeout_s: float = 10.0
    record: Path | None = None
    """Folder for what phones heard, as WAV; None keeps no audio."""
    control: tuple[str, int] | None = None
    """Address and port of the control API; not an address of a phone."""
    faults: Faults = field(default_factory=Faults)
    seed: int = 1
    """Of what faulty phones do; which ones are faulty is decided already."""
    reset_s: float = 1.0
    """How long a phone that is reset is away (assumed; real ones take a minute)."""
    callmanager: Source | None = None
    """Where phones fetch their configuration when they start; None: they have it already."""
    trust: Path | None = None
    """Certificates that phones trust, PEM; None: those that CallManager names."""


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
        self._streams: Streams
        self._nursery: trio.Nursery
        self._fetching: dict[str, trio.CancelScope] = {}
        self._playing: dict[str, trio.CancelScope] = {}
        self._away: set[str] = set()
        self._connections = Connections()
        self._names: dict[str, tuple[str, ...]] = {}
        self._misbehaving = settings.faults.misbehaving
        self._doors = {
            address: Door(impairment, seed=settings.seed, phone=self._phones[address].device_name)
            for address, impairment in settings.faults.impaired.items()
        }
        self._recorder = Recorder(settings.record) if settings.record is not None else None
        self._new_period: Callable[..., Period] = Period if self._recorder is None else self._recorder.period
        self._diary: Diary
        self._trust = Trust() if settings.trust is None else Trust.read(settings.trust)
        self._boot: Boot | None = None
        self._servers: dict[str, Server | None] = {"": None}
        self._silence = Silence(settings.interface)
        self._dropped = self._packets = 0

    def status(self) -> Mapping[str, int]:
        """Counters of the status line."""
        return {
            "pushes": self._pushes,
            "authentications": self._client.questions,
            "listening": self._listening,
            "packets": self._streams.packets,
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
        self._diary = Diary(records)
        self._client = Client(
            records, timeout_s=settings.authentication_timeout_s, clock=self._clock, trust=self._trust
        )
        with claim("phones", "0.0.0.0", settings.port):
            self._streams = Streams(settings.rtp_port, interface=settings.interface)
            try:
                listener = listen("0.0.0.0", settings.port, reuse_port=True, interface=settings.interface)
                port = listener.getsockname()[1]
                self._open_port(port)
                limits = Limits(
                    body_bytes=131072,  # 40 kB of XML, each byte written %xx
                    total_s=settings.authentication_timeout_s + _ANSWER_S,
                )
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    for address, name, parameters in settings.faults:
                        self._diary.misbehaves(self._phones[address], name, parameters)
                    nursery.start_soon(self._streams.run)
                    await nursery.start(self._serve, listener, limits)
                    first = next(iter(self._phones.values()))
                    urls = {
                        "phones": f"http://{first.address}:{port}",
                        "rtp": f"{first.address}:{self._streams.port}",
                    }
                    if settings.https is not None:
                        urls["phones_secured"] = await nursery.start(self._serve_https, *settings.https, limits)
                    if settings.control is not None:
                        urls["control"] = await nursery.start(self._serve_control, settings.control)
                    if settings.callmanager is not None:
                        await self._start_all(nursery, settings.callmanager, records)
                    task_status.started(urls)
            finally:
                self._end()
                self._streams.close()
                self._silence.close()

    def _is_silent(self, phone: Phone) -> bool:
        return not phone.web_access or self._misbehaving.get(phone.address) == "silent"

    def _open_port(self, port: int) -> None:
        """From now on there is a web server at this port; BindError as in `Silence.open`."""
        self._silence.open(port, (phone.address for phone in self.phones if self._is_silent(phone)))

    async def _serve(self, listener: socket.socket, limits: Limits, *, task_status: trio.TaskStatus[None]) -> None:
        await serve(
            [listener],
            self.handle,
            limits=limits,
            admit=self._admit,
            connections=self._connections,
            task_status=task_status,
        )

    async def _serve_https(
        self, port: int, context: ssl.SSLContext, limits: Limits, *, task_status: trio.TaskStatus[str]
    ) -> None:
        # Imported here: without --https-port nothing of it is needed.
        from emulator.callmanager.secured import serve as serve_secured  # noqa: PLC0415

        with claim("phones", "0.0.0.0", port):
            listener = listen("0.0.0.0", port, reuse_port=True, interface=self._settings.interface)
            self._open_port(listener.getsockname()[1])
            first = next((phone for phone in self.phones if phone.model.https), self.phones[0])
            task_status.started(f"https://{first.address}:{listener.getsockname()[1]}")
            await serve_secured(
                listener,
                context,
                self.handle,
                limits=limits,
                admit=self._admit_secured,
                connections=self._connections,
            )

    def _admit_secured(self, peer: tuple[str, int], local: tuple[str, int]) -> bool:
        return self._admit(peer, local) and self._phones[local[0]].model.https

    async def _serve_control(self, address: tuple[str, int], *, task_status: trio.TaskStatus[str]) -> None:
        # Imported here: without --control nothing of it is needed.
        from emulator.fleet.control import serve_control  # noqa: PLC0415

        await serve_control(self, *address, task_status=task_status)

    async def _start_all(self, nursery: trio.Nursery, callmanager: Source, records: Records) -> None:
        """Nobody is there before it has its configuration; return when each has tried."""
        self._away.update(self._phones)
        boot = self._boot = Boot(
            callmanager, self._trust, records, self._started, seed=self._settings.seed, clock=self._clock
        )
        await nursery.start(boot.run, list(self._phones.values()))

    def _started(self, phone: Phone, configuration: PhoneConfiguration | None) -> None:
        """The phone has started, with this configuration or with the one that it had."""
        if configuration is not None:
            phone.server = self._server_of(configuration.authentication_url_in_force)
            phone.services_url = sys.intern(configuration.services_url_in_force)  # one text for thousands of phones
            phone.web_access = configuration.web_access
            with contextlib.suppress(BindError):  # out of descriptors: then its connections are reset (`_admit`)
                self._silence.set(phone.address, wanted=self._is_silent(phone))
        self._away.discard(phone.address)

    def _server_of(self, url: str) -> Server | None:
        if url not in self._servers:
            self._servers[url] = read_url(url) or unusable(url)
        return self._servers[url]

    def _admit(self, _peer: tuple[str, int], local: tuple[str, int]) -> bool:
        phone = self._phones.get(local[0])
        if phone is None or not phone.web_access or local[0] in self._away:
            return False
        return self._misbehaving.get(local[0]) != "refuses"

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
                challenge = credentials is None and model.page_challenge == "401"
                return answer.unauthorized(model, self._http_date(), close=close, challenge=challenge)
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

    def _named(self, phone: Phone, request: Request) -> str:
        """The push's name, which is that of its connection; a port that is used again makes another push of it."""
        name = _identity(request)
        lately = self._names.get(phone.address, ())
        self._names[phone.address] = (*lately[1 - NAMES_KEPT :], name)
        uses = lately.count(name) + 1
        return name if uses == 1 else f"{name}#{uses}"

    async def _execute(self, phone: Phone, request: Request, *, close: bool) -> Answer:
        self._pushes += 1
        identity = self._named(phone, request)
        push = read_push(request.body, object_bytes=phone.model.object_bytes)
        manner = self._misbehaving.get(phone.address)
        self._diary.received(phone, identity, push)
        result: Executed | None = None
        finished = False
        credentials = read_credentials(request.headers.get(b"authorization"))
        if manner == "answers-first":
            return self._answer_first(phone, push, credentials, identity)
        try:
            authorised, by = await self._authorise(phone, credentials, identity)
            if manner == "reboots":
                self.happen(phone, "reset")
                finished = True
                return self._reboot(phone, identity)
            if self.away(phone):
                await trio.lowlevel.checkpoint_if_cancelled()  # it was reset while this was being resumed
            if authorised:
                result = self._carry_out(phone, push, identity, by)
                if result.play_s:
                    await self._play(phone, result.play_s)
            finished = True
        finally:
            if not finished:  # the server ends, or the total deadline has come
                self._diary.answered(phone, identity, "none")
        model, date = phone.model, self._http_date()
        said: tuple[str, int | None, int | None]
        if result is None:
            media = push.media is not None and model.media_api
            data = answer.unauthorized(model, date, close=close, challenge=media)
            said = ("unauthorized", 401, None) if media or model.unauthorized == "401" else ("error", 200, 4)
        elif result.reply is not None:
            data = answer.reply(model, result.reply.status, result.reply.body, date, close=close)
            said = _said(result.reply)
        elif result.error is not None:
            data = answer.error(model, result.error, date, close=close)
            said = ("error", 200, result.error)
        else:
            data = answer.response(model, result.items, date, close=close)
            said = ("response", 200, None)

        spoilt = manner if manner in misbehaviour.ANSWERING else None

        def on_sent(there: bool) -> None:  # noqa: FBT001 - the engine's callback
            self._diary.answered(phone, identity, *(said if there else ("none", None, None)), spoilt=spoilt)

        if manner is not None and spoilt:
            write = partial(misbehaviour.play_out, manner, data=data, seed=f"{self._settings.seed} {phone.address}")
            return Answer(data, True, on_sent, write)
        return Answer(data, close, on_sent)

    def _reboot(self, phone: Phone, identity: str) -> Answer:
        return Answer(
            b"\r\n\r\n",
            True,
            lambda _: self._diary.answered(phone, identity, "none"),
            partial(misbehaviour.play_out, "reset-before", data=b"\r\n\r\n", seed=""),
        )

    def _answer_first(self, phone: Phone, push: Push, credentials: Credentials | None, identity: str) -> Answer:
        """Say that all went well, and only then see whether it may."""
        items = [Item(url, *SUCCESS) for url in push.urls]
        data = answer.response(phone.model, items, self._http_date(), close=True)

        async def write(wire: Wire) -> None:
            await wire.send(data)
            self._diary.answered(phone, identity, "response", 200)
            authorised, by = await self._authorise(phone, credentials, identity)
            if authorised:
                self._carry_out(phone, push, identity, by)

        return Answer(data, True, lambda _: None, write)

    async def _authorise(self, phone: Phone, credentials: Credentials | None, identity: str) -> tuple[bool, str | None]:
        manner = self._misbehaving.get(phone.address)
        if manner == "wrong-credentials-cached":
            return False, None
        if phone.server is None or manner == "without-asking":
            return True, None
        if credentials is None:
            return False, None
        if manner == "asks-late":
            await trio.sleep(misbehaviour.LATE_S)
        asked = await self._client.ask(phone, phone.server, credentials, identity)
        if manner == "asks-twice":
            asked = await self._client.ask(phone, phone.server, credentials, identity)
        return asked.authorized, asked.by

    def _carry_out(self, phone: Phone, push: Push, identity: str, by: str | None) -> Executed:
        how: dict[str, Any] = {
            "identity": identity,
            "now_ns": self._clock(),
            "rtp_port": self._settings.rtp_port,
            "new_period": self._new_period,
        }
        result = phone.execute(push, **how) if push.media is None else stream_media(phone, push.media, **how)
        for change in result.changes:
            if change.reason == "push" and change.medium is None:
                self._diary.executed(phone, identity, change.action, by)
            self._follow(phone, change, identity)
        return result

    def _follow(self, phone: Phone, change: Change, identity: str | None) -> None:
        """Do outside what happened to the phone."""
        period, transmission = change.period, change.transmission
        if change.action == "Play:Stop" and phone.device_name in self._playing:
            self._playing[phone.device_name].cancel()
        elif change.action == "Show":
            self._diary.shown(phone, identity)
        elif change.medium is not None:
            self._nursery.start_soon(self._notify, phone, change.medium, change.reason)
        elif change.url is not None:
            self._nursery.start_soon(self._fetch, phone, change.url, identity)
        elif transmission is not None:
            if change.action == "RTPTx:Stop":
                self._sent(phone, transmission, change.reason)
            else:
                self._streams.send(phone.address, transmission)
        elif period is None:
            return
        elif change.action == "RTPRx:Stop":
            self._stopped(phone, period, change.reason, identity)
        else:
            self._listening += 1
            self._streams.listen(phone.address, period, self._doors.get(phone.address))
            self._diary.listening(phone, identity, period)

    async def _play(self, phone: Phone, seconds: float) -> None:
        before = self._playing.get(phone.device_name)
        if before is not None:
            before.cancel()  # one loudspeaker: the newer tone ends the older (assumed)
        scope = self._playing[phone.device_name] = trio.CancelScope(deadline=trio.current_time() + seconds)
        try:
            with scope:
                await trio.sleep_forever()
        finally:
            if self._playing.get(phone.device_name) is scope:
                del self._playing[phone.device_name]

    async def _fetch(self, phone: Phone, url: str, identity: str | None) -> None:
        before = self._fetching.get(phone.device_name)
        if before is not None:
            before.cancel()  # one screen: what was asked for last is shown
        with trio.CancelScope() as scope:
            self._fetching[phone.device_name] = scope
            screen = await fetch(phone, url)
        if self._fetching.get(phone.device_name) is scope:
            del self._fetching[phone.device_name]
        if not scope.cancelled_caught:
            phone.show(screen)
            self._diary.shown(phone, identity)

    async def _notify(self, phone: Phone, medium: Medium, reason: str) -> None:
        told = await notify(phone, medium, reason)
        self._diary.notified(phone, medium, told=told)

    def _sent(self, phone: Phone, transmission: Transmission, reason: str) -> None:
        self._streams.stop_sending(transmission)
        self._diary.sent(phone, transmission, reason)

    def find(self, device_name: str) -> Phone | None:
        """The phone of that name."""
        return next((phone for phone in self._phones.values() if phone.device_name == device_name), None)

    @property
    def phones(self) -> list[Phone]:
        """All of them, in their order."""
        return list(self._phones.values())

    def away(self, phone: Phone) -> bool:
        """Whether it is starting again after a reset."""
        return phone.address in self._away

    def happen(self, phone: Phone, event: Event) -> bool:
        """Something happens to a phone's line, or the phone is reset; False where that is not possible now."""
        if not phone.possible(event) or self.away(phone):
            return False
        if event == "reset":
            if phone.device_name in self._fetching:
                self._fetching[phone.device_name].cancel()
            self._connections.reset(phone.address)
            self._away.add(phone.address)
            self._nursery.start_soon(self._start_again, phone)
        changes = phone.move(event)
        self._diary.changed(phone, event)
        for change in changes:
            self._follow(phone, change, None)
        return True

    def press(self, phone: Phone, name: str) -> bool:
        """Press a soft key of the object that a phone shows: `SoftKey:Exit` leaves it, an http URL is fetched."""
        if phone.screen is None or self.away(phone):
            return False
        urls = [fields.get("URL", "") for _, fields in phone.screen.items if fields.get("Name") == name]
        url = urls[0] if urls else ""
        if url == "SoftKey:Exit":
            phone.show(None)
        elif isinstance(read_uri(url), Fetch):
            self._nursery.start_soon(self._fetch, phone, url, None)
        else:
            return False
        self._diary.pressed(phone, name)
        return True

    async def _start_again(self, phone: Phone) -> None:
        await trio.sleep(self._settings.reset_s)
        if self._boot is None:
            self._away.discard(phone.address)
        else:
            self._boot.begin(phone)

    def _stopped(self, phone: Phone, period: Period, reason: str, identity: str | None) -> None:
        self._listening -= 1
        self._streams.stop(phone.address, period)
        door = self._doors.get(phone.address)
        if door is not None:
            self._diary.impaired(phone, period, door.close())
        if self._recorder is not None:
            self._recorder.keep(phone.device_name, period)
        self._diary.stopped(phone, period, identity, reason)

    def _end(self) -> None:
        self._streams.drain()
        for phone in self._phones.values():
            period = phone.end()
            if period is not None:
                self._stopped(phone, period, "end", None)
            if phone.transmission is not None:
                self._sent(phone, phone.transmission, "end")
        for (destination, source), count in self._streams.unlistened.items():
            phone_meant = self._phones.get(socket.inet_ntoa(destination))
            if phone_meant is not None:
                self._diary.unlistened(phone_meant, source, count)
        self._dropped = self._streams.dropped


def _said(reply: Reply) -> tuple[str, int, int | None]:
    """How the records tell a media object's answer; `UnavailableResource` is its word for busy, error 1."""
    if reply.status == HTTPStatus.OK:
        return ("response", reply.status, None)
    return ("error", reply.status, answer.BUSY_ERROR if b"UnavailableResource" in reply.body else None)


def _identity(request: Request) -> str:
    ordinal = request.connection_ordinal
    return f"{request.peer[0]}:{request.peer[1]}" + (f"/{ordinal}" if ordinal > 1 else "")

