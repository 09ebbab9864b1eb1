"""The running gateway's accounts: who a cookie or a token stands for, logging in and out.

Theory of operation: accounts, sessions and tokens are held in memory and looked up there, so that a disk that hangs or
is gone ends no session and stops no page. The store is read again every few seconds, because the console command
writes to it too. A session that could not be written holds all the same, until the next restart.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import trio

from gateway.accounts import tables
from gateway.accounts.passwords import Passwords, password_defect
from gateway.accounts.roles import Role
from gateway.accounts.tables import Account, AccountError, ApiToken
from gateway.accounts.throttle import Throttle, network_of
from gateway.store import Database, StoreError

IDLE_S: Final = 1800
"""A session that nobody uses ends."""
ABSOLUTE_S: Final = 12 * 3600
"""Every session ends: a shift."""
MAX_SESSIONS: Final = 1000
"""The one unused longest ends."""
RELOAD_S: Final = 2.0
SEEN_S: Final = 60
"""How exactly the store knows when a session was last used."""
KNOWN_S: Final = 90 * 86_400
"""How long an address stays known to an account."""
MAX_TOKEN_S: Final = 10 * 365 * 86_400
_SET_UP: Final = "\0set-up"
"""Guesses at the set-up token are counted under this name, which nobody can log in with."""
_log = logging.getLogger("gateway.accounts")


class LoginRefusedError(Exception):
    """A login was not accepted. The same for a wrong name and a wrong password.

    Attributes:
        wait_s: seconds until the next attempt is looked at; 0: at once.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__("the name or the password is wrong")
        self.wait_s = wait_s


@dataclass(kw_only=True, slots=True)
class Session:
    """Somebody who has logged in. Ages are measured on a clock that nobody sets."""

    digest: bytes = field(repr=False)
    account: str
    csrf: str = field(repr=False)
    """What each form of this session carries."""
    address: str
    began_s: int
    """Seconds since 1970, to show."""
    began: float = field(repr=False)
    seen: float = field(repr=False)
    written: float = field(repr=False)
    """`seen` as the store has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who asks."""

    name: str
    """As the audit trail shows it."""
    role: Role
    kind: Literal["session", "token"]
    session: Session | None = None

    def owns(self, csrf: str) -> bool:
        """Whether this is the token of the session's forms."""
        return self.session is not None and hmac.compare_digest(self.session.csrf.encode(), csrf.encode())


class Accounts:
    """See above.

    Args:
        database: where they are kept.
        file_token: the configuration file's token, an administrator's.
        passwords: hashes them.
        clock: seconds since 1970.
        monotonic: seconds on a clock that is never set.
    """

    def __init__(
        self,
        database: Database,
        *,
        file_token: str | None = None,
        passwords: Passwords | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._file_token = tables.digest_of(file_token) if file_token is not None else None
        self._passwords = passwords or Passwords()
        self._clock = clock
        self._monotonic = monotonic
        self._throttle = Throttle()
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[bytes, ApiToken] = {}
        self._sessions: dict[bytes, Session] = {}
        self._known: set[tuple[str, str]] = set()
        self._unwritten: set[bytes] = set()
        self._ended: set[bytes] = set()
        self._changes = 0
        self.failures = 0
        """Logins that were refused."""
        self._take(database.read_now(_read_all))

    # who asks

    @property
    def nobody_yet(self) -> bool:
        """Whether the first administrator has still to be made."""
        return not self._accounts

    def by_token(self, token: str) -> Principal | None:
        """Who brings this bearer token."""
        digest = tables.digest_of(token)
        if self._file_token is not None and hmac.compare_digest(digest, self._file_token):
            return Principal(name="token of the configuration file", role=Role.ADMINISTRATOR, kind="token")
        found = self._tokens.get(digest)
        if found is None or (found.expires_s is not None and found.expires_s <= self._clock()):
            return None
        return Principal(name=f"token {found.name}", role=found.role, kind="token")

    def by_session(self, secret: str, *, touch: bool = True) -> Principal | None:
        """Whose cookie this is. `touch`: somebody did something; a page that refreshes itself is nobody's doing."""
        session = self._sessions.get(tables.digest_of(secret))
        if session is None:
            return None
        account = self._accounts.get(session.account)
        now = self._monotonic()
        if account is None or now - session.seen > IDLE_S or now - session.began > ABSOLUTE_S:
            return None
        if touch:
            session.seen = now
        return Principal(name=account.name, role=account.role, kind="session", session=session)

    # logging in and out

    async def log_in(self, name: str, password: str, address: str) -> str:
        """Begin a session; returns the cookie's secret.

        Raises:
            LoginRefusedError: wrong, or too many were wrong.
            BusyError: too many log in at this moment.
        """
        name = tables.normal_name(name)[:64].replace("\0", "")
        await self._verify(name, password, address)
        return await self._begin(name, address)

    async def confirm(self, principal: Principal, password: str, address: str) -> None:
        """Ask somebody who has logged in for the password once more.

        Raises:
            LoginRefusedError: wrong, or too many were wrong.
            BusyError: too many are being asked.
        """
        await self._verify(principal.name, password, address)

    async def _verify(self, name: str, password: str, address: str) -> None:
        known = (name, network_of(address)) in self._known
        now = self._monotonic()
        wait_s = self._throttle.wait_s(name, address, known=known, now=now)
        if wait_s > 0:
            self.failures += 1
            raise LoginRefusedError(wait_s)
        self._throttle.begin(name, address, known=known, now=now)
        account = self._accounts.get(name)
        try:
            right = await self._passwords.verify(account.password if account else None, password)
        except BaseException:
            self._throttle.withdraw(name, address, known=known)
            raise
        if not right:
            self.failures += 1
            raise LoginRefusedError(self._throttle.wait_s(name, address, known=known, now=self._monotonic()))
        self._throttle.succeeded(name, address, known=known)

    async def _begin(self, name: str, address: str) -> str:
        secret = tables.new_secret()
        now, now_s = self._monotonic(), int(self._clock())
        session = Session(
            digest=tables.digest_of(secret),
            account=name,
            csrf=secrets.token_urlsafe(24),
            address=address,
            began_s=now_s,
            began=now,
            seen=now,
            written=now,
        )
        self._sessions[session.digest] = session
        self._known.add((name, network_of(address)))
        if len(self._sessions) > MAX_SESSIONS:
            oldest = min(self._sessions.values(), key=lambda each: each.seen)
            del self._sessions[oldest.digest]
        self._unwritten.add(session.digest)

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)",
                (session.digest, name, session.csrf, address, now_s, now_s),
            )
            connection.execute(
                "INSERT OR REPLACE INTO known_address VALUES (?, ?, ?)", (name, network_of(address), now_s)
            )

        await self._write_if_possible(keep)
        return secret

    async def log_out(self, principal: Principal) -> None:
        """End the session on the server."""
        if principal.session is not None:
            digest = principal.session.digest
            self._sessions.pop(digest, None)
            self._ended.add(digest)  # also where the store does not take it
            await self._write_if_possible(
                lambda connection: connection.execute("DELETE FROM session WHERE digest = ?", (digest,))
            )

    # the first start

    async def new_set_up_token(self) -> str:
        """A token that opens the set-up page for an hour.

        Raises:
            StoreError: it cannot be kept.
        """
        token = tables.new_set_up_token()
        now_s = int(self._clock())
        await self._database.write(lambda connection: tables.set_set_up_token(connection, token, now_s))
        return token

    async def set_up(self, token: str, name: str, password: str, address: str) -> str:
        """Make an administrator with the set-up token, and begin a session; returns the cookie's secret.

        Raises:
            AccountError: what is wrong.
            LoginRefusedError: too many tokens were wrong.
            BusyError: too many passwords are being hashed.
            StoreError: the account cannot be kept.
        """
        now = self._monotonic()
        if (wait_s := self._throttle.wait_s(_SET_UP, address, known=False, now=now)) > 0:
            raise LoginRefusedError(wait_s)
        name, now_s = self._checked(name, password), int(self._clock())
        self._throttle.begin(_SET_UP, address, known=False, now=now)
        hashed = await self._passwords.hash(password)

        def work(connection: sqlite3.Connection) -> None:
            tables.take_set_up_token(connection, token, now_s)
            tables.add_account(connection, name, Role.ADMINISTRATOR, hashed, now_s)

        await self._change(work)
        self._throttle.succeeded(_SET_UP, address, known=False)
        return await self._begin(name, address)

    # administration

    def accounts(self) -> tuple[Account, ...]:
        """All of them, by name."""
        return tuple(self._accounts.values())

    def tokens(self) -> tuple[ApiToken, ...]:
        """All of them, by name."""
        return tuple(self._tokens.values())

    def sessions(self) -> tuple[Session, ...]:
        """Those that are open, the one used last first."""
        now = self._monotonic()
        live = [s for s in self._sessions.values() if now - s.seen <= IDLE_S and now - s.began <= ABSOLUTE_S]
        return tuple(sorted(live, key=lambda session: -session.seen))

    async def add(self, name: str, role: Role, password: str) -> str:
        """Make an account; returns its name. Raises AccountError, BusyError, StoreError."""
        name = self._checked(name, password)
        if name in self._accounts:
            raise AccountError("name", f"there is an account {name} already")
        hashed, now_s = await self._passwords.hash(password), int(self._clock())
        await self._change(lambda connection: tables.add_account(connection, name, role, hashed, now_s))
        return name

    async def set_role(self, name: str, role: Role) -> None:
        """Give another role. Raises AccountError, StoreError."""
        await self._change(lambda connection: tables.set_role(connection, name, role))

    async def set_password(self, name: str, password: str) -> None:
        """Give another password, and end the account's sessions. Raises AccountError, BusyError, StoreError."""
        defect = password_defect(password, name)
        if defect:
            raise AccountError("password", defect)
        hashed, now_s = await self._passwords.hash(password), int(self._clock())
        await self._change(lambda connection: tables.set_password(connection, name, hashed, now_s))

    async def remove(self, name: str) -> None:
        """Remove an account. Raises AccountError, StoreError."""
        await self._change(lambda connection: tables.remove_account(connection, name))

    async def add_token(self, name: str, role: Role, lifetime_s: int | None, created_by: str) -> str:
        """Make a token; returns it, for the only time. Raises AccountError, StoreError."""
        name, secret, now_s = tables.checked_token_name(name), tables.TOKEN_PREFIX + tables.new_secret(), self._clock()
        if lifetime_s is not None and not 0 < lifetime_s <= MAX_TOKEN_S:
            raise AccountError("lifetime", "must be from 1 day to 10 years, or none")
        token = ApiToken(
            name=name,
            role=role,
            digest=tables.digest_of(secret),
            created_by=created_by,
            created_s=int(now_s),
            expires_s=int(now_s) + lifetime_s if lifetime_s is not None else None,
        )
        await self._change(lambda connection: tables.add_token(connection, token))
        return secret

    async def remove_token(self, name: str) -> None:
        """Remove a token. Raises AccountError, StoreError."""
        await self._change(lambda connection: tables.remove_token(connection, name))

    # the store

    async def keep_up(self) -> None:
        """Read what others write, and write when sessions were used, until cancelled."""
        while True:
            await trio.sleep(RELOAD_S)
            await self._note_use()
            changes = self._changes
            try:
                found = await self._database.read(_read_all)
            except StoreError:
                continue  # what is in memory holds
            if changes == self._changes:
                self._take(found)

    async def _note_use(self) -> None:
        now, now_s = self._monotonic(), self._clock()
        used = [session for session in self._sessions.values() if session.seen - session.written > SEEN_S]
        ended = [s.digest for s in self._sessions.values() if now - s.seen > IDLE_S or now - s.began > ABSOLUTE_S]
        for digest in ended:
            del self._sessions[digest]
        if not used and not ended:
            return

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE session SET seen_s = ? WHERE digest = ?",
                [(int(now_s - (now - session.seen)), session.digest) for session in used],
            )
            connection.executemany("DELETE FROM session WHERE digest = ?", [(digest,) for digest in ended])
            connection.execute("DELETE FROM known_address WHERE seen_s < ?", (int(now_s) - KNOWN_S,))

        await self._write_if_possible(work)
        for session in used:
            session.written = session.seen

    def _checked(self, name: str, password: str) -> str:
        name = tables.checked_name(name)
        defect = password_defect(password, name)
        if defect:
            raise AccountError("password", defect)
        return name

    async def _change(self, work: Callable[[sqlite3.Connection], object]) -> None:
        def both(connection: sqlite3.Connection) -> _Rows:
            work(connection)
            return _read_all(connection)

        self._changes += 1
        found = await self._database.write(both)
        self._changes += 1
        self._take(found)

    async def _write_if_possible(self, work: Callable[[sqlite3.Connection], object]) -> None:
        self._changes += 1
        try:
            await self._database.write(work)
            self._unwritten.clear()
        except StoreError as error:
            _log.error("sessions cannot be kept over a restart: %s", error)
        except sqlite3.IntegrityError:
            pass  # the account was removed at this moment
        finally:
            self._changes += 1

    def _take(self, found: _Rows) -> None:
        self._accounts, self._tokens = found.accounts, found.tokens
        self._known |= found.known
        now, now_s = self._monotonic(), self._clock()
        sessions = {}
        for digest, account, csrf, address, began_s, seen_s in found.sessions:
            if digest in self._ended:
                continue
            session = self._sessions.get(digest)
            if session is None:
                # A clock that was set back makes a session no younger than just begun.
                seen = now - max(0.0, now_s - seen_s)
                session = Session(
                    digest=digest,
                    account=account,
                    csrf=csrf,
                    address=address,
                    began_s=began_s,
                    began=now - max(0.0, now_s - began_s),
                    seen=seen,
                    written=seen,
                )
            sessions[digest] = session
        for digest in self._unwritten & self._sessions.keys():
            sessions[digest] = self._sessions[digest]
        self._sessions = sessions


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rows:
    accounts: dict[str, Account]
    tokens: dict[bytes, ApiToken]
    sessions: list[tuple[bytes, str, str, str, int, int]]
    known: set[tuple[str, str]]


def _read_all(connection: sqlite3.Connection) -> _Rows:
    return _Rows(
        accounts=tables.accounts(connection),
        tokens=tables.tokens(connection),
        sessions=connection.execute("SELECT digest, account, csrf, address, began_s, seen_s FROM session").fetchall(),
        known=set(connection.execute("SELECT account, address FROM known_address")),
    )
