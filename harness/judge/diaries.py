"""What became of each phone's page pushes, put together from the gateway's records and the phones' diaries.

A push is known to both by the same name. Which pushes are the page's own is what the gateway says; where no gateway
wrote records, every push that starts or stops audio is, but for those of other applications and of the control.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from harness.judge.end_states import GatewaySays, PhoneTruth
from harness.judge.evidence import Evidence, host
from harness.observe.records import Record

START: Final = "start"
SHOW: Final = "show"
"""The push of an alert: what a start is to a page."""
STOP: Final = "stop"
RTP_START: Final = "RTPRx"
RTP_GROUP_START: Final = "RTPMRx"
RTP_STOP: Final = "RTPRx:Stop"
_FETCHES: Final = frozenset({"Fetch", "Fetch:Waiting", "Fetch:Dropped"})
_AUTHORIZED: Final = "authorized"
_ERROR_BUSY: Final = 1
_ERROR_AUTHENTICATION: Final = 4


@dataclass(kw_only=True)
class PushDiary:
    """One push as its phone saw it."""

    name: str
    received: Record | None = None
    asked: list[Record] = field(default_factory=list)
    answered: list[Record] = field(default_factory=list)
    """Answers to its authentication requests."""
    executed: Record | None = None
    reply: Record | None = None
    """What the phone answered to the gateway."""
    starts: bool = False
    """It carries an RTPRx item that is no Stop."""
    stops: bool = False

    @property
    def answered_first(self) -> bool:
        """Whether it told the gateway of success before it knew whether the push was genuine."""
        told = self.reply is not None and self.reply.text("answer") == "response"
        return told and self.reply is not None and bool(self.answered) and self.reply.t_ns < self.answered[-1].t_ns

    @property
    def truth(self) -> PhoneTruth:
        """How far it came."""
        if self.executed is not None:
            return PhoneTruth.EXECUTED
        if self.received is None:
            return PhoneTruth.NOT_SEEN
        if not self.received.flag("well_formed"):
            return PhoneTruth.MALFORMED
        authorised = bool(self.answered) and self.answered[-1].text("answer") == _AUTHORIZED
        reply = self.reply.text("answer") if self.reply else ""
        number = self.reply.whole("error_number") if self.reply else 0
        if authorised:
            if reply == "error" and number in (_ERROR_BUSY, _ERROR_AUTHENTICATION):
                return PhoneTruth.BUSY
            # It answered as it should, and did not do what was asked: a port or an item that it does not know.
            return PhoneTruth.MALFORMED if reply not in ("none", "") else PhoneTruth.UNKNOWN
        if self.answered or reply == "unauthorized" or (reply == "error" and number == _ERROR_AUTHENTICATION):
            return PhoneTruth.REFUSED
        if reply == "error" and number == _ERROR_BUSY:
            return PhoneTruth.BUSY
        return PhoneTruth.GARBLED if reply not in ("none", "") else PhoneTruth.UNKNOWN


@dataclass(kw_only=True)
class Attempt:
    """One push as the gateway saw it."""

    sent: Record | None = None
    ended: Record | None = None
    use: int = 1
    """How often this phone has been pushed to under this name, with this one: systems give a port again."""

    @property
    def push(self) -> str:
        """The push's name as its phone calls it; empty where no connection was made."""
        for record in (self.sent, self.ended):
            if record is not None and record.push:
                return record.push if self.use == 1 else f"{record.push}#{self.use}"
        return ""


@dataclass(kw_only=True)
class PhoneStory:
    """All of one phone."""

    name: str
    start_attempts: list[Attempt] = field(default_factory=list)
    stop_attempts: list[Attempt] = field(default_factory=list)
    pushes: dict[str, PushDiary] = field(default_factory=dict)
    """By name, page pushes and foreign ones."""
    page_pushes: set[str] = field(default_factory=set)
    listening: list[Record] = field(default_factory=list)
    stopped: list[Record] = field(default_factory=list)
    heard: list[Record] = field(default_factory=list)
    impaired: list[Record] = field(default_factory=list)
    """What was injected at its door."""
    unlistened: list[Record] = field(default_factory=list)
    shown: list[Record] = field(default_factory=list)
    pressed: list[Record] = field(default_factory=list)
    """Keys of what it showed."""
    stream_started: list[Record] = field(default_factory=list)
    stream_stopped: list[Record] = field(default_factory=list)

    @property
    def starts(self) -> list[PushDiary]:
        """The page's start pushes that the phone saw, in order of time."""
        return [push for name, push in self.pushes.items() if name in self.page_pushes and push.starts]

    @property
    def stops(self) -> list[PushDiary]:
        """The page's stop pushes that the phone saw."""
        return [push for name, push in self.pushes.items() if name in self.page_pushes and push.stops]

    @property
    def last_start(self) -> PushDiary | None:
        """The start push that decided: the one that was executed, else the last."""
        found = self.starts
        executed = [push for push in found if push.executed is not None]
        decisive = executed or found
        return decisive[-1] if decisive else None

    @property
    def truth(self) -> PhoneTruth:
        """How far the page came at this phone (its web access apart)."""
        last = self.last_start
        return PhoneTruth.NOT_SEEN if last is None else last.truth

    @property
    def says(self) -> GatewaySays | None:
        """The gateway's outcome of the last start push; None where it says nothing that is known."""
        ended = [attempt.ended for attempt in self.start_attempts if attempt.ended is not None]
        if not ended:
            return GatewaySays.INDETERMINATE if self.start_attempts else GatewaySays.NOTHING
        try:
            return GatewaySays(ended[-1].text("outcome"))
        except ValueError:
            return None

    def periods(self, end_ns: int) -> list[tuple[int, int]]:
        """When it was to listen to the page: begin and end, CLOCK_MONOTONIC; without an end it goes to `end_ns`.

        A page ends by the gateway's own stop. Where somebody else made the phone stop, the gateway does not know and
        goes on sending: what the phone misses by that is lost to its user.
        """
        ends = [stop.t_ns for stop in self.stopped if not stop.push or stop.push in self.page_pushes]
        ends += [push.executed.t_ns for push in self.stops if push.executed is not None]
        return [
            (begin.t_ns, min((end for end in ends if end >= begin.t_ns), default=end_ns))
            for begin in self.listening
            if begin.push in self.page_pushes
        ]

    @property
    def stopped_by_others(self) -> bool:
        """Whether a push that is not the page's made it stop listening."""
        return any(stop.push and stop.push not in self.page_pushes for stop in self.stopped)


def stories(evidence: Evidence) -> Mapping[str, PhoneStory]:
    """The story of every phone of the fleet, and of phones that records name and the roster does not."""
    found = {name: PhoneStory(name=name) for name in evidence.roster}

    def story(record: Record) -> PhoneStory:
        return found.setdefault(record.phone, PhoneStory(name=record.phone))

    _attempts(evidence, story_of=found)
    _diaries(evidence, story_of=found)
    for kind in (
        "stream.listening", "stream.stopped", "stream.heard", "stream.impaired", "rtp.unlistened", "screen.shown",
        "softkey.pressed",
    ):  # fmt: skip
        for record in evidence.of("phones", kind):
            own = story(record)
            {
                "stream.listening": own.listening,
                "stream.stopped": own.stopped,
                "stream.heard": own.heard,
                "stream.impaired": own.impaired,
                "rtp.unlistened": own.unlistened,
                "screen.shown": own.shown,
                "softkey.pressed": own.pressed,
            }[kind].append(record)
    _streams(evidence, found)
    _own_pushes(evidence, found)
    return found


def _streams(evidence: Evidence, story_of: dict[str, PhoneStory]) -> None:
    """The gateway's streams, by phone; a group's stream is that of each phone that listened to the group."""
    groups: dict[str, str] = {}
    for record in evidence.of("gateway", "stream.started"):
        if record.phone:
            names: Iterable[str] = [record.phone]
        else:
            group = host(record.text("destination"))
            groups[record.text("page")] = group
            names = evidence.listeners.get(group, ())
        for name in names:
            story_of.setdefault(name, PhoneStory(name=name)).stream_started.append(record)
    for record in evidence.of("gateway", "stream.stopped"):
        names = [record.phone] if record.phone else evidence.listeners.get(groups.get(record.text("page"), ""), ())
        for name in names:
            story_of.setdefault(name, PhoneStory(name=name)).stream_stopped.append(record)


def _attempts(evidence: Evidence, story_of: dict[str, PhoneStory]) -> None:
    open_attempts: dict[tuple[str, str, int], Attempt] = {}
    merged = sorted(
        evidence.of("gateway", "push.sent") + evidence.of("gateway", "push.ended"), key=lambda record: record.t_ns
    )
    for record in merged:
        story = story_of.setdefault(record.phone, PhoneStory(name=record.phone))
        action = record.text("action")
        key = (record.phone, action, record.whole("attempt", 1))
        attempts = story.start_attempts if action in (START, SHOW) else story.stop_attempts
        if record.kind == "push.sent":
            attempt = Attempt(sent=record)
            attempts.append(attempt)
            open_attempts[key] = attempt
        else:
            known = open_attempts.pop(key, None)
            if known is None:
                attempts.append(Attempt(ended=record))
            else:
                known.ended = record
    for story in story_of.values():
        _count_uses(story)


def _count_uses(story: PhoneStory) -> None:
    """Tell pushes apart that left from one port, in their order, as the phone does (docs/reference/events.md)."""
    uses: Counter[str] = Counter()
    for attempt in sorted(story.start_attempts + story.stop_attempts, key=_begun_ns):
        name = attempt.push
        if name:
            uses[name] += 1
            attempt.use = uses[name]


def _begun_ns(attempt: Attempt) -> int:
    record = attempt.sent or attempt.ended
    return record.t_ns if record is not None else 0


def _diaries(evidence: Evidence, story_of: dict[str, PhoneStory]) -> None:
    def diary(record: Record) -> PushDiary:
        story = story_of.setdefault(record.phone, PhoneStory(name=record.phone))
        return story.pushes.setdefault(record.push, PushDiary(name=record.push))

    fetching = bool(evidence.scenario.alerts)  # an alert is fetched: what a start is to a page
    for record in evidence.of("phones", "push.received"):
        push = diary(record)
        push.received = record
        for item in record.texts("items"):
            push.stops |= item.startswith(RTP_STOP)
            push.starts |= item.startswith((RTP_START, RTP_GROUP_START)) and not item.startswith(RTP_STOP)
            push.starts |= fetching and item.startswith("http:")
    for record in evidence.of("phones", "authentication.asked"):
        diary(record).asked.append(record)
    for record in evidence.of("phones", "authentication.answered"):
        diary(record).answered.append(record)
    for record in evidence.of("phones", "push.executed"):
        push = diary(record)
        push.executed = record
        push.stops |= record.text("action") == RTP_STOP
        push.starts |= record.text("action") in (RTP_START, RTP_GROUP_START)
        push.starts |= fetching and record.text("action") in _FETCHES
    for record in evidence.of("phones", "push.answered"):
        diary(record).reply = record


def _own_pushes(evidence: Evidence, found: Mapping[str, PhoneStory]) -> None:
    told = bool(evidence.of("gateway", "push.sent"))
    for story in found.values():
        if told:
            for attempts, action in ((story.start_attempts, START), (story.stop_attempts, STOP)):
                for attempt in attempts:
                    if not attempt.push:
                        continue
                    story.page_pushes.add(attempt.push)
                    push = story.pushes.get(attempt.push)
                    if push is not None and not (push.starts or push.stops):
                        # A request that was not well formed names no items: what it was to do, its sender knows.
                        push.starts, push.stops = action == START, action == STOP
        else:
            story.page_pushes.update(
                name
                for name, push in story.pushes.items()
                if (push.starts or push.stops) and name not in evidence.foreign_pushes
            )
