"""Asking an LDAP directory: sansldap's protocol over trio's streams.

One connection per question: TLS, bind as the manager, search the name, bind as the DN that was found, unbind. Binding
anew on a kept connection would be cheaper; but then a lost answer of one question could be taken for that of the next.

A name never becomes part of a filter's text: filters are built as objects, and their values travel as octet strings
(RFC 4511 section 4.5.1.7), so that there is nothing to escape and nothing to inject.

This module needs the extra `directory` (sansldap) and is imported only where a directory is configured.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Final

import trio
from sansldap import (
    BindResponse,
    ExtendedOperations,
    ExtendedResponse,
    FilterAnd,
    FilterEquality,
    FilterOr,
    FilterPresent,
    FilterSubstrings,
    LDAPClient,
    LDAPError,
    LDAPFilter,
    LDAPMessage,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
)

from emulator.callmanager.directory import DirectoryError, DirectorySettings, Person, Tls, Verdict, reason_of

_RECEIVE_BYTES: Final = 16384
ANSWER_BYTES_MAX: Final = 1024 * 1024
"""Of all answers on one connection: two entries with one attribute have hundreds of bytes, a list of 100 some 30 kB."""
FOUND_MAX: Final = 100
"""Entries of one list in the Global Directory."""
_SIZE_LIMIT_EXCEEDED: Final = 4


def parse_filter(text: str) -> LDAPFilter:
    """The filter that a text describes (RFC 4515).

    Raises:
        ValueError: it describes none; the text says why.
    """
    return LDAPFilter.from_string(text)


class Directory:
    """One directory. Every question has a deadline; so many at a time as the settings allow, the others wait."""

    def __init__(self, settings: DirectorySettings) -> None:
        """Read the filter and the authorities.

        Raises:
            ValueError: the filter is none.
            OSError: the file of authorities cannot be read (ssl.SSLError, if there is no certificate in it).
        """
        self._settings = settings
        self._persons = parse_filter(settings.persons())
        self._context = None
        if settings.tls is not Tls.NONE:
            self._context = ssl.create_default_context(cafile=settings.ca_file)
        self._places = trio.CapacityLimiter(settings.connections)

    async def authenticate(self, name: str, password: str) -> Verdict:
        """Whether this is the password of this person: as sAMAccountName, UPN or uid, by the settings.

        Raises:
            DirectoryError: the directory could not say. Also where two persons have this name.
        """
        if not password:
            # RFC 4513 section 5.1.2: a bind with a DN and no password succeeds as nobody. It must never be sent.
            return Verdict(reason="password")
        async with self._asked() as session:
            await session.bind_manager()
            person = await session.one(self._named(name))
            if person is None:
                return Verdict(reason="user")
            return Verdict(name=person.name, reason=await session.bind(person.dn, password))

    async def person(self, name: str) -> Person | None:
        """Who has this name; DirectoryError as for `authenticate`."""
        async with self._asked() as session:
            await session.bind_manager()
            return await session.one(self._named(name))

    async def find(self, beginning: str) -> list[Person]:
        """Up to `FOUND_MAX` persons whose name begins so, by name; DirectoryError as for `authenticate`."""
        attribute = self._settings.names()[0]
        named: LDAPFilter = FilterPresent(attribute)
        if beginning:
            named = FilterSubstrings(attribute, initial=_octets(beginning), any=[], final=None)
        async with self._asked() as session:
            await session.bind_manager()
            found = await session.search(FilterAnd([self._persons, named]), FOUND_MAX)
        return sorted(found, key=lambda person: person.name.casefold())

    def _named(self, name: str) -> LDAPFilter:
        value = _octets(name)
        return FilterAnd([self._persons, FilterOr([FilterEquality(each, value) for each in self._settings.names()])])

    @contextlib.asynccontextmanager
    async def _asked(self) -> AsyncIterator["_Session"]:
        """A connection with TLS as configured; whatever goes wrong comes out as DirectoryError."""
        kind = "unreachable"
        with trio.move_on_after(self._settings.total_s) as scope:
            async with self._places:
                try:
                    stream: trio.abc.Stream = await trio.open_tcp_stream(*self._settings.server)
                    async with _closing(stream):
                        kind = "tls"
                        if self._settings.tls is Tls.STARTTLS:
                            await _Session(stream, self._settings).start_tls()
                        if self._context is not None:
                            name = self._settings.server_name or self._settings.server[0]
                            stream = trio.SSLStream(stream, self._context, server_hostname=name)
                            await stream.do_handshake()
                        kind = "connection_lost"
                        session = _Session(stream, self._settings)
                        yield session
                        await session.unbind()
                except ssl.SSLError:
                    raise DirectoryError("tls") from None
                except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    # trio wraps what TLS has to say about a certificate.
                    raise DirectoryError("tls" if isinstance(error.__cause__, ssl.SSLError) else kind) from None
                except LDAPError:
                    raise DirectoryError("garbled") from None  # its text may quote the server
        if scope.cancelled_caught:
            raise DirectoryError("timed_out")


@contextlib.asynccontextmanager
async def _closing(stream: trio.abc.Stream) -> AsyncIterator[None]:
    try:
        yield
    finally:
        # No farewell of TLS: its answer may never come, and every question was answered or given up.
        await trio.aclose_forcefully(stream)


class _Session:
    """One LDAP session on a stream, one operation at a time."""

    def __init__(self, stream: trio.abc.Stream, settings: DirectorySettings) -> None:
        self._stream = stream
        self._settings = settings
        self._client = LDAPClient()
        self._waiting: list[LDAPMessage] = []
        self._received = 0

    async def start_tls(self) -> None:
        self._client.extended_request(ExtendedOperations.LDAP_START_TLS.value)
        answer = await self._next()
        if not isinstance(answer, ExtendedResponse) or answer.result.result_code != 0:
            raise DirectoryError("tls")
        if self._waiting:
            raise DirectoryError("garbled")  # somebody slipped plain text in front of the TLS (as CVE-2011-0411)

    async def bind_manager(self) -> None:
        if await self._bind(self._settings.manager_dn, self._settings.manager_password) != (0, ""):
            raise DirectoryError("manager")

    async def bind(self, dn: str, password: str) -> str | None:
        """Bind as a person; the reason of a refusal."""
        return reason_of(*await self._bind(dn, password))

    async def _bind(self, dn: str, password: str) -> tuple[int, str]:
        self._client.bind_simple(dn, password)
        answer = await self._next()
        if not isinstance(answer, BindResponse):
            raise DirectoryError("garbled")
        code = int(answer.result.result_code)
        return code, answer.result.diagnostics_message if code else ""

    async def one(self, wanted: LDAPFilter) -> Person | None:
        """The only person; None where there is nobody."""
        found = await self.search(wanted, 2)
        if len(found) > 1:
            raise DirectoryError("ambiguous")
        return found[0] if found else None

    async def search(self, wanted: LDAPFilter, most: int) -> list[Person]:
        """Persons, at most so many."""
        attribute = self._settings.names()[0]
        self._client.search_request(
            self._settings.base_dn,
            size_limit=most,
            time_limit=max(1, int(self._settings.total_s)),
            filter=wanted,
            attributes=[attribute],
        )
        found: list[Person] = []
        while True:
            answer = await self._next()
            if isinstance(answer, SearchResultEntry):
                if person := _person(answer, attribute):
                    found.append(person)
            elif isinstance(answer, SearchResultDone):
                if answer.result.result_code not in {0, _SIZE_LIMIT_EXCEEDED}:
                    raise DirectoryError(f"search_result_{int(answer.result.result_code)}")
                return found[:most]
            elif not isinstance(answer, SearchResultReference):  # to other domains: they are not followed
                raise DirectoryError("garbled")

    async def unbind(self) -> None:
        self._client.unbind()
        with contextlib.suppress(trio.BrokenResourceError):  # everything has been said
            await self._stream.send_all(self._client.data_to_send())

    async def _next(self) -> LDAPMessage:
        if data := self._client.data_to_send():
            await self._stream.send_all(data)
        while not self._waiting:
            received = bytes(await self._stream.receive_some(_RECEIVE_BYTES))
            if not received:
                raise DirectoryError("connection_lost")
            self._received += len(received)
            if self._received > ANSWER_BYTES_MAX:
                raise DirectoryError("garbled")
            try:
                self._waiting = self._client.receive(received)
            except LDAPError:
                raise
            except Exception:  # noqa: BLE001 - whatever sansldap trips over (IndexError, OverflowError), it is the answer
                raise DirectoryError("garbled") from None
        return self._waiting.pop(0)


def _person(entry: SearchResultEntry, attribute: str) -> Person | None:
    """An entry's name and DN; None without either: a bind with an empty DN would be somebody else's."""
    for each in entry.attributes:
        if each.name.casefold() == attribute.casefold() and each.values and entry.object_name:
            return Person(name=each.values[0].decode("utf-8", "replace"), dn=entry.object_name)
    return None


def _octets(text: str) -> bytes:
    # A lone surrogate (JSON can carry one) matches nobody's name.
    return text.encode("utf-8", "surrogatepass")
