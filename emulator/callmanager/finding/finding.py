"""The three services at CallManager's own ports: who may, which one is meant, and when its work goes on.

Theory of operation. These requests are rare and long, authentications are many and short, and both are answered by one
event loop. So the work is cut into pieces (the cores are generators), between two of which the loop's other tasks run;
and one request at a time has such work done, so that many of them together hold up nobody more than one does.

They take no worker of the capacity model: in life other services of CallManager answer them, from its database, and
how much that slows down authentication nobody has measured (assumed: not at all).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Generator
from dataclasses import KW_ONLY, dataclass
from typing import Final, TypeVar

import trio

from emulator.callmanager.attempts import Attempts
from emulator.callmanager.basic import credentials
from emulator.callmanager.cluster import Administrator
from emulator.callmanager.finding import axl, devicelistx, face, risport, selection, wsdl
from emulator.callmanager.finding.rate import OneAtATime, RequestsPerMinute
from emulator.callmanager.finding.settings import FindingSettings
from emulator.callmanager.finding.soap import Element, Fault, fault_document, read_operation
from emulator.callmanager.finding.wsdl_encoded import risport_wsdl
from emulator.callmanager.gate import TooManyAttemptsError, admits
from emulator.callmanager.registry import Registry
from emulator.callmanager.users import Users
from emulator.engine import Answer, Request
from emulator.records import Records

_log = logging.getLogger("emulator.callmanager.finding")

BODY_BYTES_MAX: Final = 2 * 1024 * 1024
"""A user with 30,000 associated phones, each in an element with a line of its own, has 1.8 MB."""
AXL_PATHS: Final = frozenset({"/axl", "/axl/"})
ROOMY_TARGETS: Final = (b"/axl", b"/realtimeservice")
"""Beginnings of the targets whose body may have `BODY_BYTES_MAX`."""
AXL_VERSION_DEFAULT: Final = "12.5"
"""Of the description at `/axl/?wsdl`; requests of any version are answered in their own."""
NOBODY: Final = "DeviceListX, RisPort70 and AXL refuse everybody: add [administrator] with name and password_file"
_HOST: Final = re.compile(rb"[A-Za-z0-9.\-\[\]:]{1,255}")
_NS_PER_MS: Final = 1_000_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """An answer before HTTP, and what is recorded of it."""

    status: int
    body: bytes
    _: KW_ONLY
    kind: str = "text/xml;charset=UTF-8"
    operation: str | None = None
    """Only one that is known."""
    fault: str | None = None
    """DeviceListX's number, or SOAP's faultcode."""
    objects: int | None = None
    """Phones or users in the answer."""


class Finding:
    """DeviceListX, RisPort70 and AXL of one mock CallManager."""

    def __init__(
        self,
        settings: FindingSettings,
        *,
        users: Users,
        registry: Registry,
        administrator: Administrator | None,
        attempts: Attempts,
        records: Records,
        clock_ns: Callable[[], int],
        unix_s: Callable[[], float],
    ) -> None:
        """Start with nobody having asked.

        Args:
            settings: the limits.
            users: changed by AXL.
            registry: of the phones.
            administrator: whose credentials are asked for; None: everybody is refused.
            attempts: failed ones to be him.
            records: where each request is recorded.
            clock_ns: of the limits, nanoseconds that never go back.
            unix_s: of the Date field and of TimeStamp, seconds since 1970.
        """
        self._settings = settings
        self._registry = registry
        self._database = axl.Database(users=users, registry=registry)
        self._administrator = administrator
        self._attempts = attempts
        self._records = records
        self._clock_ns = clock_ns
        self._unix_s = unix_s
        self._started_s = int(unix_s())
        self._rate = RequestsPerMinute(settings.ris_requests_per_minute)
        self._list = OneAtATime(settings.device_list_interval_s)
        self._work = trio.Lock()
        self._said = False

    async def handle(self, request: Request, *, secured: bool) -> Answer | None:
        """Answer a request of one of the three services; None where the path is none of theirs.

        Args:
            request: whole.
            secured: whether it came over TLS, which the address in a description shows.
        """
        path = request.path
        answer: Callable[[Request], Awaitable[_Outcome]]
        if path.lower() == devicelistx.PATH:
            interface, answer = "devicelistx", self._device_list
        elif path in AXL_PATHS:
            interface, answer = "axl", self._axl
        elif path in risport.PATHS:
            interface, answer = "risport", self._ris
        else:
            return None
        began_ns = self._clock_ns()
        refused = await self._refused(request)
        if refused:
            outcome = _Outcome(refused, face.UNAUTHORIZED_PAGE if refused == 401 else b"", kind="text/html")
        elif interface != "devicelistx" and request.method == "GET":
            outcome = self._page(request, interface, secured=secured)
        elif request.method != ("GET" if interface == "devicelistx" else "POST"):
            outcome = _Outcome(405, b"", kind="text/html")
        else:
            outcome = await answer(request)
        self._records.write(
            "finding.answered",
            interface=interface,
            operation=outcome.operation,
            http_status=outcome.status,
            fault=outcome.fault,
            objects=outcome.objects,
            connection=f"{request.peer[0]}:{request.peer[1]}",
            answer_ms=round((self._clock_ns() - began_ns) / _NS_PER_MS, 3),
        )
        if interface == "devicelistx":
            return Answer(self._iis(request, outcome))
        close = request.http_version == "1.0" or not request.keep_alive
        return Answer(self._tomcat(outcome, close=close), close=close)

    async def _refused(self, request: Request) -> int:
        """0 for the administrator; else the status: 401, or 503 where he would have to wait too long."""
        if self._administrator is None:
            if not self._said:
                self._said = True
                _log.warning(NOBODY)
            return 401
        given = credentials(request.headers.get(b"authorization", b""))
        if given is None:
            return 401  # how clients learn that they have to say who they are: no failure
        name, password = given
        try:
            if await admits(
                self._administrator, self._attempts, address=request.peer[0], name=name, password=password
            ):
                return 0
        except TooManyAttemptsError:
            return 503
        return 401

    def _iis(self, request: Request, outcome: _Outcome) -> bytes:
        extra = {
            # IIS names its own address where nothing else is configured (inferred).
            401: f'WWW-Authenticate: Basic realm="{request.local[0]}"\r\n',
            405: "Allow: GET\r\n",
        }.get(outcome.status, "")
        return face.iis(outcome.status, outcome.body, kind=outcome.kind, extra=extra, unix_s=self._unix_s())

    def _tomcat(self, outcome: _Outcome, *, close: bool) -> bytes:
        extra = {
            401: f'WWW-Authenticate: Basic realm="{face.TOMCAT_REALM}"\r\n',
            405: "Allow: GET, POST\r\n",
        }.get(outcome.status, "")
        return face.tomcat(
            outcome.status, outcome.body, kind=outcome.kind, extra=extra, close=close, unix_s=self._unix_s()
        )

    def _page(self, request: Request, interface: str, *, secured: bool) -> _Outcome:
        """What is read with GET: the service's description, or AXL's sign of life."""
        if not request.query.lower().startswith(b"wsdl"):
            if interface == "axl":
                return _Outcome(200, axl.GET_PAGE, kind="text/html")
            return _Outcome(405, b"", kind="text/html")
        host = request.headers.get(b"host", b"")
        if _HOST.fullmatch(host) is None:
            address, port = request.local
            host = (f"[{address}]:{port}" if ":" in address else f"{address}:{port}").encode("ascii")
        location = f"{'https' if secured else 'http'}://{host.decode('ascii')}{request.path}"
        if interface == "axl":
            return _Outcome(200, wsdl.axl_wsdl(location, AXL_VERSION_DEFAULT), operation="wsdl")
        describe = risport_wsdl if request.path in risport.OLD_PATHS else wsdl.ris_wsdl
        return _Outcome(200, describe(location), operation="wsdl")

    async def _device_list(self, request: Request) -> _Outcome:  # noqa: ARG002 - a request says nothing more
        error = self._list.begin(self._clock_ns())
        if error:
            return _Outcome(200, devicelistx.error_document(error), kind="text/xml", fault=str(error))
        try:
            devices = self._registry.all()
            pieces = []
            async with self._work:
                for piece in devicelistx.device_list(devices):
                    pieces.append(piece)
                    await trio.lowlevel.checkpoint()
        except BaseException:
            self._list.give_up()
            raise
        self._list.end(self._clock_ns())
        return _Outcome(200, b"".join(pieces), kind="text/xml", objects=len(devices))

    async def _ris(self, request: Request) -> _Outcome:
        if not self._rate.passes(self._clock_ns()):
            return _refused(risport.rate_fault(self._settings.ris_requests_per_minute), None)
        node = self._settings.node or request.local[0]

        def work(operation: Element) -> Generator[bytes, None, int]:
            criteria = selection.read_criteria(operation, devices_max=self._settings.ris_devices_max)
            devices = yield from _breathing(selection.select(self._registry, criteria))
            yield from risport.answer(operation, criteria, devices, node=node, started_s=self._started_s)
            return len(devices)

        return await self._soap(request, work, selection.OPERATIONS)

    async def _axl(self, request: Request) -> _Outcome:
        def work(operation: Element) -> Generator[bytes, None, int]:
            return axl.carry_out(self._database, operation)

        return await self._soap(request, work, axl.OPERATIONS)

    async def _soap(
        self, request: Request, work: Callable[[Element], Generator[bytes, None, int]], known: frozenset[str]
    ) -> _Outcome:
        name: str | None = None
        try:
            async with self._work:
                operation, _ = await _driven(_breathing(read_operation(request.body)))
                name = operation.name if operation.name in known else None
                objects, body = await _driven(work(operation))
        except Fault as fault:
            return _refused(fault, name)
        return _Outcome(200, body, operation=name, objects=objects)


def _refused(fault: Fault, operation: str | None) -> _Outcome:
    return _Outcome(500, fault_document(fault), operation=operation, fault=fault.code)


def _breathing(work: Generator[None, None, _T]) -> Generator[bytes, None, _T]:
    """The same work as one that writes nothing."""
    while True:
        try:
            next(work)
        except StopIteration as ended:
            result: _T = ended.value
            return result
        yield b""


async def _driven(work: Generator[bytes, None, _T]) -> tuple[_T, bytes]:
    """Let work run in pieces, the loop's other tasks between them; its result and what it wrote."""
    pieces = []
    while True:
        try:
            pieces.append(next(work))
        except StopIteration as ended:
            return ended.value, b"".join(pieces)
        await trio.lowlevel.checkpoint()
