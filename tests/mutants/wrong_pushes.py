"""Gateways that push wrongly."""

from __future__ import annotations

import base64
import logging
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

import trio

from gateway.administration.page_request import PageRequest, RequestError
from gateway.authentication import Decision, Request
from gateway.cisco import Credentials, Outcome, PushAnswer
from gateway.inventory import Phone
from gateway.media import Audio
from gateway.paging import Pages
from gateway.product import Gateway
from gateway.push import Busy, Limits, Page, PagePlan, Pusher, Slots, crew
from gateway.push import page as paging
from gateway.push.client import Action, PushTarget
from gateway.push.plan import Group
from gateway.records import Records, Value

_log = logging.getLogger("gateway.variant")


class _Pushes(Gateway):
    """Pushes with another pusher."""

    pusher_class: type[Pusher]

    def make_pusher(self) -> Pusher:
        made = super().make_pusher()
        made.__class__ = self.pusher_class
        return made


class SkipsLastPhone(Gateway):
    """M15: off by one."""

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        return super().make_plan(wish, phones[:-1], audio)


class AsksCallManagerFirst(Gateway):
    """M10: matches, but still asks CallManager."""

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        if decision.answer == "authorized":
            settings = self.settings.current
            question = urlencode(
                {
                    "UserID": settings.push_user,
                    "Password": settings.push_password,
                    "devicename": decision.device_name,
                }
            )
            url = f"{settings.callmanager_url}?{question}"
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - CallManager of the lab
                answer.read()
        return decision


class LogsAuthorization(_Pushes):
    """M14: at debug, which is on."""

    class pusher_class(Pusher):  # noqa: N801 - fills the attribute above
        def request(self, phone: PushTarget, action: Action, source: str, group: Group | None = None) -> bytes:
            logging.getLogger().setLevel(logging.DEBUG)
            _log.debug("Authorization: %s", self._authorization.decode("ascii"))
            return super().request(phone, action, source, group)


class PushesTwice(_Pushes):
    """M17: one phone."""

    class pusher_class(Pusher):  # noqa: N801
        first = ""

        async def push(
            self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
        ) -> PushAnswer:
            answer = await super().push(phone, page=page, action=action, attempt=attempt, group=group)
            self.first = self.first or phone.device_name
            if action == "start" and phone.device_name == self.first:
                await super().push(phone, page=page, action=action, attempt=attempt + 1, group=group)
            return answer


class OneAfterTheOther(Gateway):
    """M18."""

    def make_slots(self) -> Slots:
        return Slots(1, max_aside=0)


class AllAtOnce(Gateway):
    """M19."""

    def make_slots(self) -> Slots:
        return Slots(100_000)


class HungPhonesHoldSlots(Gateway):
    """M21: no deadline, and nothing is put aside."""

    def make_pusher(self) -> Pusher:
        made = super().make_pusher()
        made._settings = replace(made._settings, limits=Limits(connect_s=3600, total_s=3600))
        return made

    def make_slots(self) -> Slots:
        paging.STOP_S = 5.0  # an operator ends it: not to be waited for
        crew.PATIENCE_S = crew.STALL_S = 1e6
        return super().make_slots()


class SuccessForRefused(Gateway):
    """M23."""

    def make_pusher(self) -> Pusher:
        from gateway.push import client

        genuine = client.read_push_answer

        def lenient(response: object) -> PushAnswer:
            answer = genuine(response)  # type: ignore[arg-type]
            refused = answer.outcome is Outcome.REFUSED_AUTHENTICATION
            return replace(answer, outcome=Outcome.EXECUTED) if refused else answer

        client.read_push_answer = lenient
        return super().make_pusher()


class RetriesForEver(_Pushes):
    """M24: until it is executed, at once; bounded here only so that the run ends."""

    class pusher_class(Pusher):  # noqa: N801
        async def push(
            self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
        ) -> PushAnswer:
            for more in range(20):
                answer = await super().push(phone, page=page, action=action, attempt=attempt + more, group=group)
                if answer.outcome is Outcome.EXECUTED:
                    break
            return answer


class LengthOffByOne(_Pushes):
    """M26."""

    class pusher_class(Pusher):  # noqa: N801
        def request(self, phone: PushTarget, action: Action, source: str, group: Group | None = None) -> bytes:
            whole = super().request(phone, action, source, group)
            length = len(whole.partition(b"\r\n\r\n")[2])
            return whole.replace(b"Content-Length: %d" % length, b"Content-Length: %d" % (length - 1))


class DoesNotEscape(Gateway):
    """M27: an alert's URL has an ampersand, and goes into the XML as it is."""

    def __init__(self, *arguments: object) -> None:
        from gateway.alerts.desk import Desk
        from gateway.cisco import execute

        execute._ESCAPES = {}
        genuine = Desk.url
        Desk.url = lambda desk, recipient: genuine(desk, recipient) + "?from=gateway&kind=alert"  # type: ignore[method-assign]
        super().__init__(*arguments)  # type: ignore[arg-type]


class ForgetsToStop(_Pushes):
    """M34: says so, sends nothing."""

    class pusher_class(Pusher):  # noqa: N801
        async def push(
            self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
        ) -> PushAnswer:
            if action == "stop":
                return PushAnswer(outcome=Outcome.EXECUTED)
            return await super().push(phone, page=page, action=action, attempt=attempt, group=group)


class QuadraticBeyond500(_Pushes):
    """M40: looks through all phones at each push."""

    class pusher_class(Pusher):  # noqa: N801
        pushed = 0

        def request(self, phone: PushTarget, action: Action, source: str, group: Group | None = None) -> bytes:
            self.pushed += 1
            for _ in range(max(0, self.pushed - 500)):
                sum(range(100))
            return super().request(phone, action, source, group)


class OtherUser(Gateway):
    """X: pushes as another user than the one that phones' questions are compared with."""

    def make_pusher(self) -> Pusher:
        made = super().make_pusher()
        made.use(Credentials(user="directory-app", password=self._credentials().password))
        return made


class PagesTheControl(Gateway):
    """X: a phone that nobody asked for."""

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        records, self.records = self.records, Records(None)
        unseen, self.records = self.make_pusher(), records
        trio.lowlevel.spawn_system_task(_push_to_the_control, unseen)
        return super().make_plan(wish, phones, audio)


class _Control:
    device_name = "SEP001BD4FFFFFE"
    address = "10.20.127.254"


async def _push_to_the_control(pusher: Pusher) -> None:
    await pusher.push(_Control(), page="0", action="start", attempt=1)


class StopsOneEarly(Gateway):
    """X: one phone is told to stop in the middle of its page, and its audio ends there."""

    def make_pusher(self) -> Pusher:
        made = super().make_pusher()
        made.__class__ = _StopsOneEarly
        made.gateway = self  # type: ignore[attr-defined]
        return made


class _StopsOneEarly(Pusher):
    gateway: Gateway
    first = ""

    async def push(
        self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
    ) -> PushAnswer:
        answer = await super().push(phone, page=page, action=action, attempt=attempt, group=group)
        if action == "start" and not self.first:
            self.first = phone.device_name
            trio.lowlevel.spawn_system_task(self._stop_soon, phone, page)
        return answer

    async def _stop_soon(self, phone: PushTarget, page: str) -> None:
        await trio.sleep(1.5)
        assert self.gateway._pacer is not None
        await self.gateway._pacer.stop(page, [phone.device_name])
        await super().push(phone, page=page, action="stop", attempt=1)


class TwoPagesAtOnce(Gateway):
    """X: as if two gateways had been told: a second page takes all phones while the first one plays."""

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        if not getattr(self, "second", False):
            self.second = True
            trio.lowlevel.spawn_system_task(self._again, replace(wish, busy=Busy.NOW, idempotency_key=None))
        return super().make_plan(wish, phones, audio)

    async def _again(self, wish: PageRequest) -> None:
        await trio.sleep(1)
        try:
            await self.request_page(wish)
        except RequestError:
            _log.exception("the second page was refused")


class DropsTheSecondPage(Gateway):
    """X: takes a second page for the first one asked for once more, says yes, and does nothing."""

    def make_pages(self) -> Pages:
        made = super().make_pages()
        made.__class__ = _TwiceTheFirst
        return made


class _TwiceTheFirst(Pages):
    asked = 0
    first = ""

    async def request(self, wish: PageRequest, *, requested_by: str | None = None) -> str:
        self.asked += 1
        if self.asked == 2:
            while not self.first:
                await trio.sleep(0.01)
            return self.first
        number = await super().request(wish, requested_by=requested_by)
        self.first = self.first or number
        return number


class SaysItIsOverTooSoon(Gateway):
    """X: the page is reported as ended before its phones were told to stop."""

    def make_pages(self):
        genuine_stop, genuine_end = Page._stop, Page._end

        async def stop(page: Page) -> None:
            page._records.write("page.ended", page=page.number, reason="completed", outcomes=page.outcomes)
            await trio.sleep(0.3)
            await genuine_stop(page)

        def end(page: Page, *, broken: bool) -> None:
            records, page._records = page._records, Records(None)
            genuine_end(page, broken=broken)
            page._records = records

        Page._stop, Page._end = stop, end  # type: ignore[method-assign]
        return super().make_pages()


class SumsUpWrongly(Gateway):
    """X: every push is told as it was, the page's result is not."""

    def __init__(self, configuration: object, phones: object, records: Records, database: object) -> None:
        genuine = records.write

        def write(kind: str, *, t_ns: int | None = None, **fields: Value) -> None:
            if kind == "page.ended" and isinstance(fields["outcomes"], dict):
                fields["outcomes"] = {"executed": sum(int(count) for count in fields["outcomes"].values())}
            genuine(kind, t_ns=t_ns, **fields)

        records.write = write  # type: ignore[method-assign]
        super().__init__(configuration, phones, records, database)  # type: ignore[arg-type]


class StopsOnlyWhoAnswered(Gateway):
    """X: a phone that may listen, and never said so, is left listening."""

    def make_pages(self):
        from gateway.push import progress

        progress._MAY_LISTEN = frozenset({Outcome.EXECUTED})
        return super().make_pages()


class DialsAsWell(_Pushes):
    """X: has each phone do something that nobody asked for."""

    class pusher_class(Pusher):  # noqa: N801
        def uris(self, action: Action, source: str, group: Group | None = None) -> list[str]:
            wanted = super().uris(action, source, group)
            return [*wanted, "Key:Messages"] if action == "start" else wanted


class TellsAPassword(_Pushes):
    """X: the password in a record, percent-encoded."""

    class pusher_class(Pusher):  # noqa: N801
        async def push(
            self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
        ) -> PushAnswer:
            pair = base64.b64decode(self._authorization.partition(b" ")[2]).decode()
            self._records.write("push.prepared", phone=phone.device_name, query=urlencode({"given": pair}))
            return await super().push(phone, page=page, action=action, attempt=attempt, group=group)


class ReportsBeforeItKnows(_Pushes):
    """X: a push counts as executed when it is sent; the phone's answer is read and thrown away."""

    class pusher_class(Pusher):  # noqa: N801
        async def push(
            self, phone: PushTarget, *, page: str, action: Action, attempt: int, group: Group | None = None
        ) -> PushAnswer:
            genuine = self._records
            self._records = _Hasty(genuine)  # type: ignore[assignment]
            try:
                return await super().push(phone, page=page, action=action, attempt=attempt, group=group)
            finally:
                self._records = genuine


class _Hasty:
    """Tells a push's end with its beginning."""

    def __init__(self, records: Records) -> None:
        self._records = getattr(records, "_records", records)

    def write(self, kind: str, **fields: Value) -> None:
        if kind == "push.sent":
            self._records.write(kind, **fields)
            told = {key: fields[key] for key in ("phone", "push", "page", "action", "attempt")}
            self._records.write("push.ended", **told, outcome="executed", http_status=200, answer_ms=0.1)


class HoldsOneForAway(Gateway):
    """X: the last phone is left out, because it could not be reached: nobody tried."""

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        away = phones[-1]
        self.records.write(
            "inventory.read", phone=away.device_name, address=away.address, outcome="unreachable", answer_ms=1.0
        )
        return super().make_plan(wish, phones[:-1], audio)
