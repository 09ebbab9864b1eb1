"""The gateway put together: what its parts are, and how they hear of each other."""

from __future__ import annotations

import logging
import resource
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import trio

from gateway.accounts import Accounts
from gateway.administration.page_request import PageRequest, RequestError
from gateway.alarms import Alarms
from gateway.alerts import AlertPusher, AlertPushSettings, Alerts
from gateway.audit import AUDIT_KEY, AuditTrail
from gateway.authentication import Authenticator, Decision, Failures, Flights, Request, answer_request
from gateway.authentication.decision import UNAUTHORIZED
from gateway.cisco import Credentials
from gateway.configuration import Configuration, ConfigurationError
from gateway.inventory import (
    Listed,
    Listing,
    Phone,
    Phonebook,
    PhoneListError,
    Reader,
    SelectionError,
    ZoneStore,
    load_phone_list,
)
from gateway.inventory.synchronisation import Synchronisation
from gateway.media import Audio, LastingPacer, Pacer, StreamStarted, StreamStopped
from gateway.media.audio import FRAME_MS
from gateway.paging import Journal, Pages, Recordings
from gateway.paging.pages import AnyPage, Parts
from gateway.phone_port import PhonePort, local_address
from gateway.push import Limits, Page, PagePlan, Pusher, Slots
from gateway.push.client import PushSettings
from gateway.push.crew import MAX_ASIDE
from gateway.records import Records, Value
from gateway.settings import Network, Settings, SettingsStore
from gateway.store import Cipher, Database, KeyFileError
from gateway.store.watch import watch_store

RESERVED_DESCRIPTORS = 512
"""For phones that ask, for those who page, for the journal: pushes that hang never take these."""
OWN_DESCRIPTORS = 48
"""The process itself, where the system gives few: database, listeners, pacer, log, and some who page."""
MAX_FORMER = 4
"""Changes of the credentials that are remembered while pages run with the former ones."""
WATCH_S = 5.0
"""How often failures are looked at for alarms."""

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


@dataclass(frozen=True, slots=True)
class _Former:
    """Credentials that were changed while pages ran with them."""

    credentials: tuple[str, str] = field(repr=False)
    pages: list[Page]


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
        cipher = _cipher(configuration)
        self.accounts = Accounts(database, file_token=configuration.token)
        self.audit = AuditTrail(database, cipher.derive(AUDIT_KEY), self.alarms)
        self.settings = SettingsStore(database, cipher, configuration.fixed)
        self.settings.observe(self._settings_changed)
        self._note_start()
        self.failures = Failures()
        self.flights = Flights()
        self._former: list[_Former] = []
        self.authenticator = self.make_authenticator()
        self.pusher = self.make_pusher()
        reader = Reader(source=configuration.source, port=configuration.phones_port, limits=self._limits())
        self.phonebook = Phonebook(
            database,
            ZoneStore(database),
            reader=reader,
            concurrency=configuration.concurrency,
            records=records,
            alarms=self.alarms,
            allowed=self._may_be_a_phone,
        )
        self.synchronisation = Synchronisation(
            database,
            cipher,
            self.phonebook,
            reader=reader,
            allowed=self._may_be_a_phone,
            concurrency=configuration.concurrency,
            alarms=self.alarms,
        )
        if configuration.phones_csv is not None:
            listed = [Listed(device_name=phone.device_name, address=phone.address) for phone in phones]
            self.phonebook.take_at_start(Listing(source=f"file {configuration.phones_csv.name}", phones=listed))
        self._phone_port = (configuration.phone_port.host, configuration.phone_port.port)
        self.slots = self.make_slots()
        self.alerts = Alerts(
            database,
            book=self.phonebook,
            pusher=self.make_alert_pusher(),
            slots=self.slots,
            base=self._phone_port_url,
            records=records,
            alarms=self.alarms,
        )
        self._pacer: LastingPacer | None = None
        folder = configuration.store_folder
        self.recordings = Recordings(None if folder is None else folder / "recordings", self.alarms)
        self.pages = self.make_pages()
        self.authentications = 0
        """Requests for authentication that were answered."""
        self.redirected = 0
        """Those of them that were sent to CallManager."""
        self.unexpected = 0
        """Those with right credentials from phones that had no push in flight."""

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
            former=[each.credentials for each in self._former],
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
            flights=self.flights,
        )

    def make_slots(self) -> Slots:
        """How many pushes go out at once, for pages and alerts together."""
        wanted = self.configuration.concurrency
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # A phone asks before it answers: a push that takes the descriptor of its own question waits for itself.
        concurrency = max(1, min(wanted, (descriptors - OWN_DESCRIPTORS) // 3))
        if concurrency < wanted:
            self.alarms.sound(
                "descriptors-few",
                f"the system gives this process {descriptors} descriptors, so {concurrency} phones are pushed to at "
                f"once instead of {wanted}: raise the limit (LimitNOFILE)",
            )
        return Slots(concurrency, max_aside=max(0, min(MAX_ASIDE, descriptors - concurrency - RESERVED_DESCRIPTORS)))

    def make_journal(self) -> Journal:
        """Who remembers pages."""
        return Journal(self.database, self.alarms)

    def make_pages(self) -> Pages:
        """Who runs pages."""
        return Pages(
            Parts(
                pusher=self.pusher,
                slots=self.slots,
                records=self.records,
                journal=self.make_journal(),
                alarms=self.alarms,
                recordings=self.recordings,
                select=self._select,
                make_plan=self.make_plan,
                settings=lambda: self.settings.current,
            )
        )

    def make_pacer(self) -> AbstractAsyncContextManager[Pacer]:
        """Who sends audio: a process, started again in place of one that died."""
        return Pacer.open(
            source=self.configuration.source,
            rtp_port=self.configuration.rtp_port,
            multicast_ttl=self.configuration.multicast_ttl,
            catch_up_frames=self.configuration.catch_up_ms // FRAME_MS,
            on_started=self._observe_started,
            on_stopped=self._observe_stopped,
        )

    def make_alert_pusher(self) -> AlertPusher:
        """Who sends phones to their alerts."""
        return AlertPusher(
            settings=AlertPushSettings(
                credentials=self._credentials,
                source=self.configuration.source,
                port=self.configuration.phones_port,
                limits=self._limits(),
            ),
            records=self.records,
            flights=self.flights,
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
        self._phone_port = listener.getsockname()[:2]
        return PhonePort(
            listener=listener,
            respond=self.respond,
            others=self._answer_about_alerts,
            observe=self._observe_answer,
            slow=self._slow,
            networks=lambda: self.settings.current.phone_networks,
        )

    def respond(self, request: Request) -> Decision:
        """Answer one request of a phone."""
        if self._former:
            self._forget_former()
        decision = answer_request(request, self.authenticator)
        return self._expected(decision) if decision.answer == "authorized" else decision

    def _answer_about_alerts(self, request: Request, source: str) -> Decision | None:
        answer = self.alerts.answer(request, source)
        if answer is None:
            return None
        return Decision(answer="served", own_user=False, device_name=answer.device_name, response=answer.response)

    def _phone_port_url(self, phone: str) -> str:
        """The phone port, as a phone at this address reaches it."""
        host, port = self._phone_port
        if ip_address(host).is_unspecified:
            host = self.configuration.source or local_address(phone)
        where = f"[{host}]" if ":" in host else host
        return f"http://{where}" if port == 80 else f"http://{where}:{port}"

    def _credentials(self) -> Credentials:
        settings = self.settings.current
        return Credentials(user=settings.push_user, password=settings.push_password)

    def _settings_changed(self, before: Settings, after: Settings) -> None:
        changed = (before.push_user, before.push_password) != (after.push_user, after.push_password)
        running = self.pages.running()
        if changed and running and before.push_user and before.push_password:
            # Phones that were pushed to with the former credentials may ask about them until their page is over.
            self._former.append(_Former((before.push_user, before.push_password), running))
            del self._former[:-MAX_FORMER]
        self.authenticator = self.make_authenticator()
        self.pusher.use(self._credentials())
        self.pages.settings_changed()

    def _forget_former(self) -> None:
        kept = [each for each in self._former if any(page.state != "ended" for page in each.pages)]
        if len(kept) != len(self._former):
            self._former = kept
            self.authenticator = self.make_authenticator()

    def _expected(self, decision: Decision) -> Decision:
        """The decision about right credentials, with a look at whether this phone was pushed to."""
        self.flights.asked(decision.device_name)
        settings = self.settings.current
        expected = self.flights.expects(decision.device_name, trio.current_time(), within_s=settings.authorise_after_s)
        if expected:
            return decision
        self.unexpected += 1
        if settings.authorise == "in-flight":
            return replace(decision, answer="refused", response=UNAUTHORIZED, in_flight=False)
        return replace(decision, in_flight=False)

    def _slow(self, decision: Decision, source: str) -> float | None:
        if decision.answer in {"redirected", "refused"}:
            return self.failures.delay_s(source, trio.current_time())
        return 0.0

    async def watch_failures(self) -> None:
        """Sound an alarm for each source that keeps failing, until cancelled."""
        sounding: set[str] = set()
        while True:
            await trio.sleep(WATCH_S)
            flooding = set(self.failures.flooding(trio.current_time()))
            for source in flooding - sounding:
                self.alarms.sound(
                    f"authentication-failures:{source}",
                    f"{source} asks with wrong credentials again and again: a wrong password, or an attack",
                )
            for source in sounding - flooding:
                self.alarms.clear(f"authentication-failures:{source}")
            sounding = flooding

    def _note_start(self) -> None:
        if self.database.quarantined is not None:
            self.alarms.sound(
                "store-damaged",
                f"the database could not be read and was put aside as {self.database.quarantined.name}: "
                "restore a backup, or enter settings and phones again",
                stays=True,
            )
        if self.database.refusing is not None:
            self.alarms.sound(
                "store-refused",
                f"nothing can be kept ({self.database.refusing}): pages go out; settings and phones cannot "
                "be changed until the gateway is started again on a disk that takes changes",
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
        async with LastingPacer.open(self.make_pacer, on_change=self._observe_pacer) as pacer:
            self._pacer = pacer
            async with trio.open_nursery() as alerting, trio.open_nursery() as paging:
                await paging.start(self.pages.run, pacer)
                alerting.start_soon(self.alerts.run)
                try:
                    yield
                finally:
                    self.alerts.close()  # ends by itself, with what is to be kept on disk
                    self.pages.begin_finish()
                    paging.cancel_scope.cancel()
        lateness: dict[str, Value] = dict(pacer.lateness)
        self.records.write("schedule.lateness", t_ns=None, schedule="pacer", **lateness)
        self.records.write("part.ended", part="pacer", cpu_s=pacer.cpu_s, rss_bytes=pacer.rss_bytes)

    async def keep_books(self) -> None:
        """Write the audit trail and look after sessions until cancelled; what was noted last is still written."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.audit.run)
                nursery.start_soon(self.accounts.keep_up)
                nursery.start_soon(watch_store, self.database, self.alarms)
        finally:
            await self.audit.finish()

    async def finish(self) -> None:
        """Take no more pages, interrupt those that run, wait until their phones are stopped."""
        self.alerts.close()
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
        return await self.phonebook.read()

    def inventory(self) -> Sequence[dict[str, object]]:
        """One object for each phone of the list."""
        return [dict(entry.as_json()) for entry in self.phonebook.entries.values()]

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
        try:
            return list(self.phonebook.select(phones=wish.phones, zones=wish.zones, lists=wish.lists).phones)
        except SelectionError as error:
            raise RequestError(error.errors) from None

    def _may_be_a_phone(self, address: str) -> bool:
        """Whether this gateway may talk to an address at all (C24): only to networks of phones, where they are set."""
        networks = self.settings.current.phone_networks
        if networks:
            return is_inside(networks, address)
        place = ip_address(address)
        return not (place.is_loopback or place.is_link_local or place.is_multicast or place.is_unspecified)

    def _limits(self) -> Limits:
        return Limits(connect_s=self.configuration.connect_s, total_s=self.configuration.total_s)

    # facts

    def _observe_answer(self, decision: Decision, *, connection: str, answer_ms: float) -> None:
        if decision.answer == "served":
            return  # no question: what it told is in the records of alerts
        self.authentications += 1
        self.redirected += decision.answer == "redirected"
        self.records.write(
            "authentication.answered",
            phone=decision.device_name,
            connection=connection,
            answer=decision.answer,
            own_user=decision.own_user,
            in_flight=decision.in_flight,
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
