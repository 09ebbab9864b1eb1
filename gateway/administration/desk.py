"""What the Administration Tool stands on: the services of the gateway, and one call with who makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.accounts import Accounts, Principal, Role
from gateway.alarms import Alarms
from gateway.alerts import AlertService
from gateway.audit import AuditTrail
from gateway.configuration import Configuration
from gateway.inventory import Phonebook, Synchronisation
from gateway.paging import Pages, Recordings
from gateway.settings import SettingsStore
from gateway.store import Database

Json = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Everything that handlers work with."""

    pages: Pages
    recordings: Recordings
    alerts: AlertService
    counters: Callable[[], dict[str, int]]
    """What is counted anyway, for whoever looks."""
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
