"""The pages and alerts of a run, and what of a phone's records belongs to which of them.

Theory of operation. One page or alert to one phone is a *delivery*, and the ledger has a row for each. Where a run has
one page, everything of a phone is of that page. Where it has several, a push belongs to the page that the gateway's
records name beside it; of a gateway that writes none, to the page that was due last when the phone received it. The
rest follows from the push: a phone begins to listen by one, what it hears it hears since then, and it ceases by the
next. A stream on the wire is the page's during whose listening the phone got it, whatever its sender says of it: so
audio that is sent to another page's phones is heard, and is wrong, where it arrived.
"""

import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from harness.capture.rtp import Stream
from harness.judge.diaries import Attempt, PhoneStory
from harness.judge.end_states import PhoneTruth, Rival
from harness.judge.evidence import Evidence, Phone, is_group
from harness.judge.source import FRAME
from harness.observe.records import Record
from harness.scenario.schedule import Planned, schedule

RATE: Final = 8000
FOR_EVER: Final = 2**62
AT_ONCE_NS: Final = 500_000_000
"""Of two pages that are asked for so close to each other either may be first at a phone."""
QUEUE_SLACK_NS: Final = 3_000_000_000
"""A page is over some seconds after its audio: its phones are stopped first. So much earlier another may have ended,
and a phone that waited in the queue came too late all the same."""


@dataclass(frozen=True, kw_only=True)
class Sending(Planned):
    """One page or alert, as it was asked for."""

    size: int
    """How many they are by the scenario's word: each is to have one end state."""
    number: str
    """As the gateway calls it; empty where that is not known."""
    sent_t_ns: int | None
    """Send, the zero of its times; of an open load the planned time. None: it was never asked for."""
    requested: Record | None
    over_t_ns: int
    """When the gateway told that it was over."""
    dropped: Record | None
    """It was not sent: who decided so, and why."""
    audio: Path
    audio_sha256: str

    @property
    def asked(self) -> bool:
        """Whether the gateway was asked for it: a load's page that its generator dropped never was."""
        return self.dropped is None or self.dropped.text("by") == "gateway"

    @cached_property
    def addressed(self) -> frozenset[str]:
        """`phones` as a set."""
        return frozenset(self.phones)

    @cached_property
    def frames(self) -> int:
        """Frames of its audio, one more or less; 0 where its file is gone."""
        try:
            with wave.open(str(self.audio), "rb") as file:
                return round(file.getnframes() * RATE / file.getframerate()) // FRAME
        except (OSError, wave.Error, EOFError, ZeroDivisionError):
            return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One page or alert to one phone."""

    sending: Sending
    phone: Phone
    story: PhoneStory
    """What of the phone's records is this page's."""
    streams: tuple[Stream, ...]
    """On the wire, while it listened to this page."""
    rival: Rival
    rival_name: str
    """Of the page that had the phone, or took it."""


def sendings(evidence: Evidence) -> tuple[Sending, ...]:
    """Every page and alert of the run, pages first, dropped ones too."""
    recorded = _recorded(evidence)
    planned = schedule(evidence.scenario, list(evidence.roster))
    accepted = {r.text("item"): r.text("page") or r.text("alert") for r in _harness(evidence, "accepted")}
    requested = {r.text("item"): r for r in _harness(evidence, "requested")}
    dropped = {r.text("item"): r for r in _harness(evidence, "dropped")}
    over = {("page", r.text("page")): r.t_ns for r in evidence.of("gateway", "page.ended")}
    first_s = min(one.at_s for one in planned) if len(planned) > 1 else None
    by_phones = {} if accepted else _numbers_by_phones(evidence, planned, recorded)
    found: dict[str, Sending] = {}
    for one in sorted(planned, key=lambda item: item.at_s):
        record = recorded.get(one.name)
        names = tuple(record.texts("phones")) if record and record.fields.get("phones") is not None else one.phones
        everybody = len(names) == len(evidence.roster)
        kind = one.name.split()[0]
        number = (accepted or by_phones).get(one.name, "")
        request = requested.get(one.name)
        found[one.name] = Sending(
            name=one.name,
            wish=one.wish,
            at_s=one.at_s,
            phones=tuple(name for name in names if name in evidence.roster),
            size=evidence.scenario.fleet.phones if everybody else len(names),
            number=number,
            sent_t_ns=_sent(evidence, one, request, first_s),
            requested=request,
            over_t_ns=over.get((kind, number), FOR_EVER),
            dropped=dropped.get(one.name),
            audio=evidence.audios[one.page.audio_path] if one.page else Path(),
            audio_sha256=record.text("audio_sha256") if record else _lab_digest(evidence),
        )
    return tuple(found[one.name] for one in planned)


def _harness(evidence: Evidence, what: str) -> list[Record]:
    return [r for kind in ("page", "alert") for r in evidence.records.of("harness", f"{kind}.{what}")]


def _recorded(evidence: Evidence) -> Mapping[str, Record]:
    return {record.text("item"): record for record in _harness(evidence, "planned")}


def _lab_digest(evidence: Evidence) -> str:
    return evidence.lab.text("audio_sha256") if evidence.lab else ""


def _numbers_by_phones(
    evidence: Evidence, planned: Sequence[Planned], recorded: Mapping[str, Record]
) -> Mapping[str, str]:
    """What another gateway calls the scenario's pages: each page of its records is the one to most of its phones.

    Of several to the same phones, in the order in which they are due.
    """
    pushed: dict[str, set[str]] = {record.text("page"): set() for record in evidence.of("gateway", "page.started")}
    for record in evidence.of("gateway", "push.sent"):
        pushed.setdefault(record.text("page"), set()).add(record.phone)
    meant = {
        one.name: frozenset(recorded[one.name].texts("phones") if one.name in recorded else ()) or frozenset(one.phones)
        for one in sorted(planned, key=lambda item: item.at_s)
        if one.page
    }
    found: dict[str, str] = {}
    for number, phones in pushed.items():
        free = [name for name in meant if name not in found]
        if free and number:
            # The first of the best: `max` keeps the order.
            best = max(free, key=lambda name: len(phones & meant[name]) - len(phones - meant[name]))
            found[best] = number
    return found


def _sent(evidence: Evidence, planned: Planned, request: Record | None, first_s: float | None) -> int | None:
    if first_s is None:
        return evidence.sent_t_ns if request is None else request.whole("planned_t_ns", request.t_ns)
    if request is not None:
        return request.whole("planned_t_ns", request.t_ns)
    if _harness(evidence, "requested") or evidence.sent_t_ns is None:
        return None
    # Another gateway sends by itself: its first page is the zero.
    return evidence.sent_t_ns + round((planned.at_s - first_s) * 1e9)


def deliveries(evidence: Evidence, stories: Mapping[str, PhoneStory], items: Sequence[Sending]) -> tuple[Delivery, ...]:
    """One for each page or alert that was asked for and each phone that it goes to, in the order of both."""
    asked = [item for item in items if item.asked]
    if len(asked) == 1 and len(items) == 1:
        (sole,) = asked
        return tuple(_sole(evidence, sole, evidence.roster[name], stories[name]) for name in sole.phones)
    owners = _Owners(evidence, asked)
    parts = {name: owners.parts(stories[name]) for name in evidence.roster}
    return tuple(
        owners.delivery(item, evidence.roster[name], stories[name], parts[name])
        for item in asked
        for name in item.phones
    )


def _sole(evidence: Evidence, sending: Sending, phone: Phone, story: PhoneStory) -> Delivery:
    streams = tuple(evidence.streams_of.get(phone.name, ()))
    return Delivery(sending=sending, phone=phone, story=story, streams=streams, rival=Rival.NONE, rival_name="")


class _Owners:
    """Whose a record is, of a run with several pages and alerts."""

    def __init__(self, evidence: Evidence, items: Sequence[Sending]) -> None:
        self._evidence = evidence
        self._items = {item.name: item for item in items}
        self._numbers = {(item.name.split()[0], item.number): item.name for item in items if item.number}
        self._due = sorted((item for item in items if item.sent_t_ns is not None), key=lambda item: item.sent_t_ns or 0)

    def parts(self, story: PhoneStory) -> Mapping[str, PhoneStory]:
        """A phone's story, cut into one for each page and alert that any of it belongs to; `""`: to none."""
        parts: dict[str, PhoneStory] = {}
        owner: dict[str, str] = {}

        def part(name: str | None) -> PhoneStory:
            return parts.setdefault(name or "", PhoneStory(name=story.name))

        for attempt in (*story.start_attempts, *story.stop_attempts):
            name = self._of_attempt(story, attempt)
            starts = any(attempt is one for one in story.start_attempts)
            (part(name).start_attempts if starts else part(name).stop_attempts).append(attempt)
            if attempt.push:
                owner[attempt.push] = name
        self._of_untold(story, owner)
        for push, name in owner.items():
            if push in story.pushes:
                part(name).pushes[push] = story.pushes[push]
            part(name).page_pushes.add(push)
        for record in story.listening:
            part(owner.get(record.push)).listening.append(record)
        for record in story.heard:
            part(owner.get(record.push)).heard.append(record)
        for record in story.impaired:
            part(owner.get(record.push)).impaired.append(record)
        for record in story.stopped:
            begun = [one for one in story.listening if one.t_ns <= record.t_ns]
            part(owner.get(begun[-1].push) if begun else None).stopped.append(record)
        for record in story.stream_started:
            part(self._of_stream(record)).stream_started.append(record)
        for record in story.stream_stopped:
            part(self._of_stream(record)).stream_stopped.append(record)
        self._screens(story, part, owner)
        parts.pop("", None)
        return parts

    def _of_stream(self, record: Record) -> str | None:
        return self._numbers.get(("page", record.text("page")))

    def _of_attempt(self, story: PhoneStory, attempt: Attempt) -> str:
        for record in (attempt.sent, attempt.ended):
            if record is not None:
                for kind in ("page", "alert"):
                    if number := record.text(kind):
                        return self._numbers.get((kind, number), "")
        record = attempt.sent or attempt.ended
        return "" if record is None else self._last_due(story, record.t_ns)

    def _of_untold(self, story: PhoneStory, owner: dict[str, str]) -> None:
        """Of a gateway that writes no records: a start is the page's that was due last, a stop that of the start."""
        told = {attempt.push for attempt in (*story.start_attempts, *story.stop_attempts)}
        last = ""
        received = [push for push in story.pushes.values() if push.received is not None]
        for push in sorted(received, key=lambda one: one.received.t_ns if one.received else 0):
            if push.name not in story.page_pushes or push.name in told or push.received is None:
                continue
            if push.starts or not last:
                last = self._last_due(story, push.received.t_ns)
            owner[push.name] = last

    def _last_due(self, story: PhoneStory, t_ns: int) -> str:
        own = [item for item in self._due if story.name in item.addressed] or self._due
        due = [item for item in own if (item.sent_t_ns or 0) <= t_ns]
        return (due or own)[-1 if due else 0].name if own else ""

    def _screens(self, story: PhoneStory, part: Callable[[str | None], PhoneStory], owner: Mapping[str, str]) -> None:
        """What came onto a screen: by its push, else by its words; a key belongs to what was shown last."""
        shown_by: list[tuple[int, str]] = []
        for record in story.shown:
            name = owner.get(record.push) if record.push else self._by_words(story.name, record)
            if name:
                part(name).shown.append(record)
                shown_by.append((record.t_ns, name))
        for record in story.pressed:
            before = [name for t_ns, name in shown_by if t_ns <= record.t_ns]
            if before:
                part(before[-1]).pressed.append(record)

    def _by_words(self, phone: str, record: Record) -> str | None:
        for item in reversed(self._due):
            alert = item.alert
            if alert is None or phone not in item.addressed or (item.sent_t_ns or 0) > record.t_ns:
                continue
            if (record.text("title"), record.text("text")) == (alert.title, alert.text.strip()):
                return item.name
        return None

    def delivery(self, item: Sending, phone: Phone, whole: PhoneStory, parts: Mapping[str, PhoneStory]) -> Delivery:
        """What is known of one page at one phone."""
        own = parts.get(item.name) or PhoneStory(name=phone.name)
        streams = tuple(self._streams(whole, parts).get(item.name, ())) if item.page else ()
        rival, name = self._rival(item, own, parts) if item.page else (Rival.NONE, "")
        return Delivery(sending=item, phone=phone, story=own, streams=streams, rival=rival, rival_name=name)

    def _streams(self, whole: PhoneStory, parts: Mapping[str, PhoneStory]) -> Mapping[str, list[Stream]]:
        """Each stream to this phone, by the page that it listened to for most of it."""
        found: dict[str, list[Stream]] = {}
        for stream in self._evidence.streams_of.get(whole.name, ()):
            best, most = "", 0
            for name, part in parts.items():
                for listening, (begin, end) in zip(part.listening, part.periods(FOR_EVER), strict=True):
                    to_group = is_group(stream.destination_address)
                    if to_group and listening.text("source") != stream.destination_address:
                        continue
                    over = min([end, *(stop.t_ns for stop in part.stopped if stop.t_ns >= begin)])
                    common = min(over, stream.last_t_ns) - max(begin, stream.first_t_ns) + 1
                    if common > most:
                        best, most = name, common
            if not best:
                told = (
                    n for n, part in parts.items() if any(r.whole("ssrc") == stream.ssrc for r in part.stream_started)
                )
                best = next(told, "")
            found.setdefault(best, []).append(stream)
        return found

    def _rival(self, item: Sending, own: PhoneStory, parts: Mapping[str, PhoneStory]) -> tuple[Rival, str]:
        """Whether another page of the run had the phone and might keep it, or took it, and whether it might."""
        others = [self._items[name] for name in parts if name != item.name and self._items[name].page]
        for other in others:
            taken = [stop for stop in own.stopped if stop.push and stop.push in parts[other.name].page_pushes]
            if taken and not self._all_heard(item, own):
                return (Rival.TOOK if gives_way(item, other) else Rival.ROBBED), other.name
        if own.start_attempts or own.starts:
            return Rival.NONE, ""
        for other in others:
            begin, end = self._has(other, parts[other.name])
            if begin is None or item.sent_t_ns is None or begin > item.over_t_ns or item.sent_t_ns > end:
                continue
            if gives_way(item, other) and begin >= item.sent_t_ns:
                return Rival.TOOK, other.name
            queued = item.page is not None and item.page.busy_rule == "queue"
            in_time = queued and end < item.over_t_ns - QUEUE_SLACK_NS
            first = begin <= item.sent_t_ns + AT_ONCE_NS
            if first and not gives_way(other, item) and not in_time:
                return Rival.HELD, other.name
        return Rival.NONE, ""

    @staticmethod
    def _all_heard(item: Sending, own: PhoneStory) -> bool:
        """Whether the page was over at this phone when another took it."""
        first = min((record.whole("first_frame") for record in own.stream_started), default=0)
        heard = sum(record.whole("packets") - record.whole("duplicates") for record in own.heard)
        return bool(item.frames) and heard >= item.frames - first - 1

    @staticmethod
    def _has(other: Sending, part: PhoneStory) -> tuple[int | None, int]:
        """From when to when a page has a phone: while it may listen, to the page's end; else until its start failed."""
        if other.sent_t_ns is None or not (part.start_attempts or part.starts):
            return None, 0
        ended = [attempt.ended.t_ns for attempt in part.start_attempts if attempt.ended is not None]
        if part.truth in (PhoneTruth.EXECUTED, PhoneTruth.UNKNOWN) or not ended:
            return other.sent_t_ns, other.over_t_ns
        return other.sent_t_ns, max(ended)


def gives_way(holder: Sending, asking: Sending) -> bool:
    """Whether a page has to give up its phones to another.

    An emergency takes from a normal page; between equals `busy` of the one that asks decides (gateway.md, Pages).
    """
    if holder.page is None or asking.page is None:
        return False
    if holder.page.priority != asking.page.priority:
        return asking.page.priority == "emergency"
    return asking.page.busy_rule == "now"

