"""What the Administration Tool stands on: the services of the gateway, and one call with who makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.accounts import Accounts, Principal, Role
from gateway.administration.idempotency import Repeats
from gateway.administration.page_request import PageRequest
from gateway.alarms import Alarms
from gateway.audit import AuditTrail
from gateway.configuration import Configuration
from gateway.inventory import Phonebook, Synchronisation
from gateway.settings import SettingsStore
from gateway.store import Database

Json = dict[str, object]


class PageStatus(Protocol):
    """A page, as far as it is shown."""

    @property
    def state(self) -> str:
        """starting, playing, stopping or ended."""

    @property
    def reason(self) -> str | None:
        """Once it has ended: completed, interrupted or failed."""

    @property
    def outcomes(self) -> dict[str, int]:
        """Outcome to count."""

    @property
    def size(self) -> int:
        """Number of phones."""

    def interrupt(self) -> None:
        """End it now."""


class PageService(Protocol):
    """Pages."""

    async def request_page(self, wish: PageRequest) -> str:
        """Begin a page and return its number. Raises RequestError."""

    def page(self, number: str) -> PageStatus | None:
        """A page by number."""

    def pages(self) -> Sequence[tuple[str, PageStatus]]:
        """Those that are kept, the newest first."""

    def status(self) -> dict[str, int]:
        """Cumulative counters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Everything that handlers work with."""

    service: PageService
    phonebook: Phonebook
    synchronisation: Synchronisation
    accounts: Accounts
    audit: AuditTrail
    settings: SettingsStore
    alarms: Alarms
    database: Database
    configuration: Configuration
    version: str
    began_s: float
    """When the gateway started, seconds since 1970."""
    authentication_url: str
    """This gateway's own, to be entered in CallManager."""
    certificate: str | None
    """SHA-256 fingerprint of the certificate in use; None: plain HTTP."""
    repeats: Repeats = field(default_factory=Repeats)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, authorised."""

    desk: Desk
    principal: Principal | None
    """None on the few routes that are open."""
    address: str
    query: Mapping[str, str]
    path: Mapping[str, str]
    key: str | None
    """The Idempotency-Key."""
    form: Mapping[str, str] = field(repr=False, default_factory=dict)
    """Fields of a form: may hold secrets."""
    files: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    """Files of a form."""
    choices: Mapping[str, Sequence[str]] = field(repr=False, default_factory=dict)
    """Fields of a form that may be given several times."""
    body: object = field(repr=False, default=None)
    """A JSON document: may hold secrets."""

    @property
    def who(self) -> Principal:
        """Who asks, on a route that is not open."""
        assert self.principal is not None
        return self.principal

    def may(self, role: Role) -> bool:
        """Whether who asks has the rights of `role`."""
        return self.principal is not None and self.principal.role.may(role)

    def note(self, action: str, subject: str = "", **detail: object) -> None:
        """Put into the audit trail what is done here."""
        name = self.principal.name if self.principal is not None else "nobody"
        self.desk.audit.note(name, self.address, action, subject, **detail)
