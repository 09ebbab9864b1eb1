"""Phones boot: each fetches its configuration file from CallManager, from its own address, and again at a reset.

A model's own way comes first, HTTP or TFTP, the other one after it. Phones stand in one queue by the time at which they
are due, and a bounded number fetches at a time; one that fails comes back into it later and later. So ten thousand
phones without a CallManager cost ten thousand entries of a list, and no task.
"""

from __future__ import annotations

import heapq
import random
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Literal
from urllib.parse import urlsplit

import trio

from emulator.fleet.question import connect, exchange
from emulator.fleet.trust import LIST_BYTES, Trust
from emulator.phone import tftp
from emulator.phone.authentication import AnswerReader, Server, question_again
from emulator.phone.configuration import (
    FILE_BYTES,
    ConfigurationFileError,
    PhoneConfiguration,
    read_configuration,
)
from emulator.phone.phone import Phone
from emulator.records import Records

HTTP_PORT: Final = 6970
TFTP_PORT: Final = 69
"""In life (Unified CM's port list)."""
AT_A_TIME: Final = 256
"""Phones that fetch at once: more only wait in CallManager's backlog, and each costs a descriptor."""
FETCH_S: Final = 6.0
"""For one attempt by one way (assumed)."""
FIRST_RETRY_S: Final = 2.0
LONGEST_RETRY_S: Final = 60.0
"""A phone keeps trying, each time twice as long after the last, up to this (assumed)."""
TRIED_S: Final = 20.0
"""How long the fleet's ready line waits for phones that have not tried yet; a CallManager that swallows packets makes
each of them wait for its time-outs."""
TRUST_LIST: Final = "/trust-list.pem"
_IP_RECVERR: Final = 11
"""Let a socket that is not connected hear that nobody listens, instead of waiting for its time-out."""
_HEAD_BYTES: Final = 16384

Way = Literal["http", "tftp"]
Outcome = Literal["read", "not_found", "unreachable", "timed_out", "garbled"]
_OTHER: Final[dict[Way, Way]] = {"http": "tftp", "tftp": "http"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where phones find their configuration."""

    address: str
    http_port: int = HTTP_PORT
    tftp_port: int = TFTP_PORT

    @classmethod
    def of(cls, url: str, tftp_port: int = TFTP_PORT) -> Source:
        """From `http://ADDRESS[:PORT]`.

        Raises:
            ValueError: it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.path not in {"", "/"} or parts.query or parts.username is not None:
            raise ValueError(f"expected http://ADDRESS[:{HTTP_PORT}]")
        address = str(IPv4Address(parts.hostname or ""))
        return cls(address=address, http_port=HTTP_PORT if parts.port is None else parts.port, tftp_port=tftp_port)


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    """Unique, so that phones are never compared."""
    phone: Phone
    attempt: int


class Boot:
    """Fetches for all phones of a fleet."""

    def __init__(
        self,
        source: Source,
        trust: Trust,
        records: Records,
        take: Callable[[Phone, PhoneConfiguration | None], None],
        *,
        seed: int = 1,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Fetch nothing yet.

        Args:
            source: where.
            trust: gets CallManager's certificates when the first phone has a secured URL and none are known.
            records: `phone.booted` and `phone.boot_failed`.
            take: called when a phone has started, with what its file says; None: it goes on with what it had.
            seed: of how retries are spread.
            clock: nanoseconds, of the records' durations.
        """
        self._source = source
        self._trust = trust
        self._records = records
        self._take = take
        self._clock = clock
        self._random = random.Random(f"boot-{seed}")
        self._due: list[_Due] = []
        self._numbers = 0
        self._wake = trio.Event()
        self._room = trio.Semaphore(AT_A_TIME)
        self._configured: set[str] = set()
        self._begun: dict[str, int] = {}
        self._untried = 0
        self._all_tried = trio.Event()
        self._trusting = trio.Lock()

    async def run(
        self, phones: Iterable[Phone], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Boot these, then whoever is given to `begin`, until cancelled; started when each of them has tried once."""
        for phone in phones:
            self._untried += 1
            self.begin(phone)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work)
            with trio.move_on_after(TRIED_S):
                await self._all_tried.wait()
            task_status.started()

    def begin(self, phone: Phone) -> None:
        """The phone starts now."""
        self._begun[phone.device_name] = self._clock()
        self._later(phone, 0.0, 1)

    def _later(self, phone: Phone, seconds: float, attempt: int) -> None:
        self._numbers += 1
        heapq.heappush(self._due, _Due(trio.current_time() + seconds, self._numbers, phone, attempt))
        self._wake.set()

    async def _work(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                if not self._due or self._due[0].at > trio.current_time():
                    self._wake = trio.Event()
                    with trio.move_on_at(self._due[0].at if self._due else float("inf")):
                        await self._wake.wait()
                    continue
                due = heapq.heappop(self._due)
                await self._room.acquire()
                nursery.start_soon(self._attempt, due)

    async def _attempt(self, due: _Due) -> None:
        try:
            await self._boot(due.phone, due.attempt)
        finally:
            self._room.release()
            if due.attempt == 1 and self._untried:
                self._untried -= 1
                if not self._untried:
                    self._all_tried.set()

    async def _boot(self, phone: Phone, attempt: int) -> None:
        way: Way = phone.model.configuration
        outcomes: dict[Way, Outcome] = {}
        for tried in (way, _OTHER[way]):
            fetch = self._by_http if tried == "http" else self._by_tftp
            outcomes[tried], data = await fetch(phone)
            if outcomes[tried] == "read":
                try:
                    configuration = read_configuration(data)
                except ConfigurationFileError:
                    outcomes[tried] = "garbled"
                    continue
                await self._has(phone, configuration, tried, attempt)
                return
        if phone.device_name in self._configured and "not_found" not in outcomes.values():
            # Its flash holds the last file (assumed); one whose file is gone does not come up with the old one.
            self._started(phone, None, "kept", attempt)
            return
        seconds = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(attempt - 1, 16)) * self._random.uniform(0.75, 1.25)
        self._records.write(
            "phone.boot_failed",
            phone=phone.device_name,
            attempt=attempt,
            http=outcomes["http"],
            tftp=outcomes["tftp"],
            retry_s=round(seconds, 3),
        )
        self._later(phone, seconds, attempt + 1)

    async def _has(self, phone: Phone, configuration: PhoneConfiguration, way: Way, attempt: int) -> None:
        if configuration.authentication_url_in_force.lower().startswith("https:") and not self._trust.known:
            async with self._trusting:
                if not self._trust.known:
                    await self._fetch_trust(phone)
        self._configured.add(phone.device_name)
        self._started(phone, configuration, way, attempt)

    def _started(self, phone: Phone, configuration: PhoneConfiguration | None, way: str, attempt: int) -> None:
        self._take(phone, configuration)
        begun_ns = self._begun.pop(phone.device_name, self._clock())
        url = phone.server.url if phone.server is not None else ""
        self._records.write(
            "phone.booted",
            phone=phone.device_name,
            way=way,
            attempt=attempt,
            authentication_url=url.partition("?")[0],  # parameters may be secret
            services_url=phone.services_url.partition("?")[0],
            web_access=phone.web_access,
            boot_ms=round((self._clock() - begun_ns) / 1e6, 3),
        )

    async def _fetch_trust(self, phone: Phone) -> None:
        outcome, data = await self._get(phone, TRUST_LIST, LIST_BYTES)
        if outcome == "read":
            try:
                self._trust.add(data)
            except ValueError:
                outcome = "garbled"
        self._records.write("trust.fetched", phone=phone.device_name, outcome=outcome)

    async def _by_http(self, phone: Phone) -> tuple[Outcome, bytes]:
        return await self._get(phone, f"/{phone.device_name}.cnf.xml", FILE_BYTES)

    async def _get(self, phone: Phone, path: str, most_bytes: int) -> tuple[Outcome, bytes]:
        server = Server(self._source.address, self._source.http_port, path)
        reader = AnswerReader(most_bytes=most_bytes + _HEAD_BYTES)
        with trio.move_on_after(FETCH_S):
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                    connect(sock, phone.address, server)
                    await exchange(sock, question_again(phone.model, server), reader)
            except OSError:
                return ("unreachable" if reader.status is None else "garbled"), b""
            if reader.garbled or reader.status not in {200, 404}:
                return "garbled", b""
            return ("read" if reader.status == 200 else "not_found"), reader.body
        return "timed_out", b""

    async def _by_tftp(self, phone: Phone) -> tuple[Outcome, bytes]:
        name = f"{phone.device_name}.cnf.xml"
        reading = tftp.Reading(name, now=trio.current_time(), most_bytes=FILE_BYTES)
        address = self._source.address
        with trio.move_on_after(FETCH_S):
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
                    sock.bind((phone.address, 0))
                    sock.sendto(reading.packet, (address, self._source.tftp_port))
                    await self._converse(sock, reading)
            except OSError:
                return "unreachable", b""
            outcome = reading.outcome
            assert outcome is not None
            return outcome, reading.content
        return "timed_out", b""

    async def _converse(self, sock: socket.socket, reading: tftp.Reading) -> None:
        address = self._source.address
        while reading.outcome is None:
            try:
                data, (host, port) = sock.recvfrom(65536)
            except BlockingIOError:
                with trio.move_on_at(reading.due) as waiting:
                    await trio.lowlevel.wait_readable(sock)
                if waiting.cancelled_caught:
                    packet = reading.late(trio.current_time())
                    if packet is not None:
                        sock.sendto(packet, (address, reading.peer or self._source.tftp_port))
                continue
            if host != address:
                continue
            packet = reading.received(data, port, trio.current_time())
            if packet is not None:
                sock.sendto(packet, (host, port))
