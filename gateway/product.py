"""The gateway put together: what its parts are, and how they hear of each other."""

from __future__ import annotations

import logging
import resource
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_address

import trio

from gateway.administration.page_request import PageRequest, RequestError
from gateway.alarms import Alarms
from gateway.authentication import Authenticator, Decision, Request, answer_request
from gateway.cisco import Credentials
from gateway.configuration import Configuration, ConfigurationError
from gateway.inventory import Inventory, Phone, PhoneListError, load_phone_list
from gateway.media import Audio, LastingPacer, Pacer, StreamStarted, StreamStopped
from gateway.paging import Journal, Pages, Recordings
from gateway.paging.pages import AnyPage, Parts
from gateway.phone_port import PhonePort
from gateway.push import Limits, PagePlan, Pusher, Slots
from gateway.push.client import PushSettings
from gateway.push.crew import MAX_ASIDE
from gateway.records import Records, Value
from gateway.settings import Network, Settings, SettingsStore
from gateway.store import Cipher, Database, KeyFileError

RESERVED_DESCRIPTORS = 512
"""For phones that ask, for those who page, for the journal: pushes that hang never take these."""

_log = logging.getLogger("gateway")


def load_phones(configuration: Configuration) -> tuple[Phone, ...]:
    """Read the configured phone list; without one there are no phones.

    Raises:
        ConfigurationError: The list is wrong, or names addresses outside ``phones.networks``.
    """
    if configuration.phones_csv is None:
        return ()
    try:
        phones = load_phone_list(configuration.phones_csv)
    except PhoneListError as error:
        raise ConfigurationError(list(error.errors)) from None
    networks = configuration.fixed.get("phone_networks")
    if isinstance(networks, tuple) and networks:
        outside = [phone for phone in phones if not is_inside(networks, phone.address)]
        if outside:
            raise ConfigurationError(
                [f"{configuration.phones_csv}: {phone.address} is outside phones.networks" for phone in outside[:50]]
            )
    return phones


def is_inside(networks: Sequence[Network], address: str) -> bool:
    """Whether an address is in one of these networks."""
    place = ip_address(address)
    return any(place in network for network in networks)


def _cipher(configuration: Configuration) -> Cipher:
    if configuration.key_file is None or configuration.store_folder is None:
        return Cipher.ephemeral()
    try:
        return Cipher.load(configuration.key_file, data_folder=configuration.store_folder)
    except KeyFileError as error:
        raise ConfigurationError([f"store.key_file: {error}"]) from None


class Gateway:
    """One gateway. Its parts are made by methods, so that a variant can be brought up the same way.

    Args:
        configuration: As read from its file.
        phones: As read from the phone list.
        records: Where event records go.
        database: What survives a restart. Stays the caller's to close.

    Raises:
        ConfigurationError: The key file cannot be used.
    """

    def __init__(
        self, configuration: Configuration, phones: Sequence[Phone], records: Records, database: Database
    ) -> None:
        self.configuration = configuration
        self.records = records
        self.database = database
        self.alarms = Alarms()
        self.settings = SettingsStore(database, _cipher(configuration), configuration.fixed)
        self.settings.observe(self._settings_changed)
        self._note_start()
        self.authenticator = self.make_authenticator()
        self.pusher = self.make_pusher()
        self._inventory = Inventory(
            phones,
            source=configuration.source,
            port=configuration.phones_port,
            limits=self._limits(),
            concurrency=configuration.concurrency,
            records=records,
        )
        self._pacer: LastingPacer | None = None
        self.pages = self.make_pages()
        self.authentications = 0
        """Requests for authentication that were answered."""
        self.redirected = 0
        """Those of them that were sent to CallManager."""

    # parts

    def make_authenticator(self) -> Authenticator:
        """Who decides phones' questions."""
        settings = self.settings.current
        accepted = self.configuration.accepted_password
        return Authenticator(
            user=settings.push_user,
            password=settings.push_password if accepted is None else accepted,
            callmanager_url=settings.callmanager_url,
            own_user_mismatch=settings.own_user_mismatch,
            key=secrets.token_bytes(32),
        )

    def make_pusher(self) -> Pusher:
        """Who pushes."""
        return Pusher(
            settings=PushSettings(
                credentials=self._credentials(),
                source=self.configuration.source,
                port=self.configuration.phones_port,
                rtp_port=self.configuration.rtp_port,
                limits=self._limits(),
            ),
            records=self.records,
        )

    def make_slots(self) -> Slots:
        """How many pushes go out at once."""
        concurrency = self.configuration.concurrency
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return Slots(concurrency, max_aside=max(0, min(MAX_ASIDE, descriptors - concurrency - RESERVED_DESCRIPTORS)))

    def make_journal(self) -> Journal:
        """Who remembers pages."""
        return Journal(self.database, self.alarms)

    def make_pages(self) -> Pages:
        """Who runs pages."""
        folder = self.configuration.store_folder
        return Pages(
            Parts(
                pusher=self.pusher,
                slots=self.make_slots(),
                records=self.records,
                journal=self.make_journal(),
                alarms=self.alarms,
                recordings=Recordings(None if folder is None else folder / "recordings"),
                select=self._select,
                make_plan=self.make_plan,
                settings=lambda: self.settings.current,
            )
        )

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        """What a page is to do."""
        return PagePlan(
            phones=tuple(phone.device_name for phone in phones),
            duration_s=audio.duration_ms / 1000,
            start=wish.start,
            start_fraction=wish.start_fraction,
            start_deadline_s=wish.start_deadline_s,
            delivery=wish.delivery,
            priority=wish.priority,
            busy=wish.busy,
        )

    def make_phone_port(self, listener: socket.socket) -> PhonePort:
        """Who answers phones."""
        return PhonePort(
            listener=listener,
            respond=self.respond,
            observe=self._observe_answer,
            networks=lambda: self.settings.current.phone_networks,
        )

    def respond(self, request: Request) -> Decision:
        """Answer one request of a phone."""
        return answer_request(request, self.authenticator)

    def _credentials(self) -> Credentials:
        settings = self.settings.current
        return Credentials(user=settings.push_user, password=settings.push_password)

    def _settings_changed(self, before: Settings, after: Settings) -> None:
        del before, after
        self.authenticator = self.make_authenticator()
        self.pusher.use(self._credentials())
        self.pages.settings_changed()

    def _note_start(self) -> None:
        if self.database.quarantined is not None:
            self.alarms.sound(
                "store-damaged",
                f"the database could not be read and was put aside as {self.database.quarantined.name}: "
                "restore a backup, or enter settings and phones again",
            )
        if self.settings.unreadable:
            self.alarms.sound(
                "secrets-unreadable",
                f"the key file does not fit {', '.join(self.settings.unreadable)}: restore the key file, or enter "
                "them again",
            )

    # life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ready to page inside. Pages that still run at the end are interrupted and their phones stopped."""

        def open_pacer() -> AbstractAsyncContextManager[Pacer]:
            return Pacer.open(
                source=self.configuration.source,
                rtp_port=self.configuration.rtp_port,
                multicast_ttl=self.configuration.multicast_ttl,
                on_started=self._observe_started,
                on_stopped=self._observe_stopped,
            )

        async with LastingPacer.open(open_pacer, on_change=self._observe_pacer) as pacer:
            self._pacer = pacer
            async with trio.open_nursery() as nursery:
                await nursery.start(self.pages.run, pacer)
                try:
                    yield
                finally:
                    self.pages.begin_finish()
                    nursery.cancel_scope.cancel()
        lateness: dict[str, Value] = dict(pacer.lateness)
        self.records.write("schedule.lateness", t_ns=None, schedule="pacer", **lateness)
        self.records.write("part.ended", part="pacer", cpu_s=pacer.cpu_s, rss_bytes=pacer.rss_bytes)

    async def finish(self) -> None:
        """Take no more pages, interrupt those that run, wait until their phones are stopped."""
        await self.pages.finish()

    # pages, as the JSON interface asks for them

    async def request_page(self, wish: PageRequest, *, requested_by: str | None = None) -> str:
        """Check everything, then begin a page; nothing is sent before all of it is right.

        Raises:
            RequestError: See `Pages.request`.
        """
        return await self.pages.request(wish, requested_by=requested_by)

    def page(self, number: str) -> AnyPage | None:
        """A page by number; the oldest are in the history only."""
        return self.pages.page(number)

    async def read_inventory(self) -> dict[str, int]:
        """Ask all phones who they are; outcome to count."""
        return await self._inventory.read()

    def inventory(self) -> Sequence[dict[str, object]]:
        """One object for each phone of the list."""
        return [dict(entry.as_json()) for entry in self._inventory.entries.values()]

    def status(self) -> dict[str, int]:
        """Cumulative counters (docs/design/parts.md)."""
        return {
            "pushes_answered": self.pusher.answered,
            "authentications": self.authentications,
            "redirected": self.redirected,
            "streams": self._pacer.streams if self._pacer else 0,
            "packets": self._pacer.packets if self._pacer else 0,
        }

    def _select(self, wish: PageRequest) -> list[Phone]:
        known = {phone.device_name: phone for phone in self._inventory.phones}
        if wish.zones or wish.lists:
            raise RequestError([f"there is no zone or list {name!r}" for name in (*wish.zones, *wish.lists)])
        if not known:
            raise RequestError(["the phone list is empty: nobody would be paged. Name one in [phones] csv"])
        if wish.phones is None:
            return list(known.values())
        unknown = [name for name in wish.phones if name not in known]
        if unknown:
            more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
            raise RequestError([f"not in the phone list: {', '.join(name[:40] for name in unknown[:10])}{more}"])
        return [known[name] for name in wish.phones]

    def _limits(self) -> Limits:
        return Limits(connect_s=self.configuration.connect_s, total_s=self.configuration.total_s)

    # facts

    def _observe_answer(self, decision: Decision, *, connection: str, answer_ms: float) -> None:
        self.authentications += 1
        self.redirected += decision.answer == "redirected"
        self.records.write(
            "authentication.answered",
            phone=decision.device_name,
            connection=connection,
            answer=decision.answer,
            own_user=decision.own_user,
            answer_ms=answer_ms,
        )

    def _observe_pacer(self, wrong: str | None) -> None:
        if wrong is None:
            self.alarms.clear("pacer")
        else:
            self.alarms.sound("pacer", f"{wrong}: no audio is sent until another one has started")

    def _observe_started(self, fact: StreamStarted) -> None:
        self.records.write(
            "stream.started",
            t_ns=fact.t_ns,
            phone=_one_phone(fact.phone),
            page=fact.page,
            source=fact.source,
            destination=fact.destination,
            ssrc=fact.ssrc,
            first_sequence=fact.first_sequence,
            first_timestamp=fact.first_timestamp,
            first_frame=fact.first_frame,
        )

    def _observe_stopped(self, fact: StreamStopped) -> None:
        if fact.unsent:
            _log.warning("page %s: %d packets to %s were refused by the system", fact.page, fact.unsent, fact.phone)
        phone = _one_phone(fact.phone)
        self.records.write("stream.stopped", t_ns=fact.t_ns, phone=phone, page=fact.page, packets=fact.packets)


def _one_phone(stream: str) -> str | None:
    """The phone of a stream; None for a group's, which is many phones'."""
    return None if ":" in stream else stream
