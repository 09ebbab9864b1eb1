"""Which frame is due when, and for whom. Time is a parameter here; nothing is sent.

Time is cut into ticks of 2 ms on one grid; ten ticks are a frame, and a cohort (phones that began together, all
receiving the same packets) is due at every tenth tick from its first. So the streams of a page that begin at different
moments are spread over the 20 ms by themselves, and a large cohort is divided over the ticks on purpose: a burst of a
thousand packets at once would meet full receive buffers.

A late process catches up with at most `catch_up_frames`; what is overdue beyond that is skipped. The timestamp keeps to
the clock then, the sequence number to the packets, and the marker bit tells the phone (RFC 3551, 4.1: as after
silence). A cohort that has sent nothing yet is moved instead: an announcement begins with its beginning.

A phone that joins gets the packets of the cohort it joins, from the one that is due, its first one marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.media.rtp import Numbering

TICK_NS = 2_000_000
SLOTS = 10
"""Ticks in a frame of 20 ms."""
FRAME_NS = SLOTS * TICK_NS
CATCH_UP_FRAMES = 3
"""Frames sent at once after a stall, unless another number is set: a phone's jitter buffer takes about 60 ms."""
PART_PHONES = 64
"""A cohort up to this size stays whole; larger ones are divided over the ticks of a frame."""


@dataclass(kw_only=True, slots=True, eq=False)
class Stream:
    """One phone that receives a page."""

    phone: str
    source: str
    destination: str
    address: bytes
    """The destination as the kernel takes it."""
    packets_before: int = 0
    """Packets that the cohort had sent when this stream began."""
    unsent: int = 0


@dataclass(kw_only=True, slots=True, eq=False)
class Cohort:
    """Phones that receive the same packets."""

    page: str
    begin_tick: int
    frames: int
    numbering: Numbering
    next_frame: int = 0
    first_frame: int = 0
    packets: int = 0
    members: dict[str, Stream] = field(default_factory=dict)
    newcomers: dict[str, Stream] = field(default_factory=dict)
    """Phones whose first packet is still to come."""
    _addresses: bytes | None = None

    @property
    def phones(self) -> int:
        """Phones in it, newcomers included."""
        return len(self.members) + len(self.newcomers)

    def addresses(self) -> bytes:
        """Return the members' addresses one after the other."""
        if self._addresses is None:
            self._addresses = b"".join(stream.address for stream in self.members.values())
        return self._addresses

    def settle(self) -> None:
        """Make members of the newcomers: they have had their first packet."""
        self.members.update(self.newcomers)
        self.newcomers.clear()
        self._addresses = None

    def remove(self, phone: str) -> Stream | None:
        """Take a phone out; return its stream if it had begun."""
        if self.newcomers.pop(phone, None) is not None:
            return None
        self._addresses = None
        return self.members.pop(phone, None)


class Packet(NamedTuple):
    """One packet for the members or the newcomers of a cohort. A tuple: 50,000 a second may be made."""

    frame: int
    sequence: int
    timestamp: int
    marker: bool
    first: bool
    """For the newcomers: the first packet of their streams."""


class Visit(NamedTuple):
    """What is due for one cohort at one tick."""

    cohort: Cohort
    due_ns: int
    """When the newest of its frames was to be sent."""
    overdue: int
    """Frames due at this and earlier ticks that had not been sent; 1 on time, 0 when the audio has ended."""
    packets: tuple[Packet, ...]
    skipped: int
    """Of the overdue frames those that phones never get: too old to catch up with."""
    ended: bool


@dataclass(kw_only=True, slots=True, eq=False)
class Page:
    """A page that is playing, was playing or may be started."""

    frames: int
    cohorts: list[Cohort] = field(default_factory=list)
    first_parts: tuple[Cohort, ...] = ()
    streams: dict[str, Cohort] = field(default_factory=dict)
    streamed: bool = False
    """A phone was started or joined, ever."""

    @property
    def playing(self) -> bool:
        """Streams are there, or a clock runs that was started for phones still to come."""
        return bool(self.streams) or (not self.streamed and bool(self.cohorts))


class Schedule:
    """All pages of one pacer on one grid of ticks that begins at `epoch_ns`."""

    def __init__(self, *, epoch_ns: int, catch_up_frames: int = CATCH_UP_FRAMES) -> None:
        self._epoch_ns = epoch_ns
        self.catch_up_frames = catch_up_frames
        """Overdue frames sent at once; at least the one that is due."""
        self._slots: list[list[Cohort]] = [[] for _ in range(SLOTS)]
        self._last_tick = -1
        self._pages: dict[str, Page] = {}

    @property
    def streams(self) -> int:
        """Streams now, over all pages."""
        return sum(len(page.streams) for page in self._pages.values())

    def page(self, name: str) -> Page | None:
        """Return a page that was added."""
        return self._pages.get(name)

    def add(self, name: str, frames: int) -> None:
        """Make a page known."""
        self._pages[name] = Page(frames=frames)

    def shorten(self, name: str, frames: int) -> None:
        """End a page's audio after `frames`, or now where more have been sent: live audio is over."""
        page = self._pages[name]
        page.frames = min(page.frames, frames)
        for cohort in page.cohorts:
            cohort.frames = max(min(cohort.frames, frames), cohort.next_frame)

    def drop(self, name: str) -> None:
        """Forget a page that has no streams."""
        page = self._pages.pop(name, None)
        if page is not None:
            for cohort in page.cohorts:
                self._slots[cohort.begin_tick % SLOTS].remove(cohort)

    def start(
        self, name: str, streams: Iterable[Stream], numbering: Numbering, now_ns: int, first_frame: int = 0
    ) -> None:
        """Begin a cohort at the next tick, from `first_frame`. The first one, even an empty one, is the page's clock.

        Raises:
            ValueError: A phone already receives this page, or is named twice, or the audio is shorter.
        """
        page = self._pages[name]
        if not 0 <= first_frame < page.frames:
            raise ValueError(f"page {name} has {page.frames} frames, it cannot be started at {first_frame}")
        newcomers = self._new(page, streams)
        parts = max(1, min(SLOTS, -(-len(newcomers) // PART_PHONES)))
        tick = max((now_ns - self._epoch_ns) // TICK_NS, self._last_tick) + 1
        begun = []
        for part in range(parts):
            mine = newcomers[part::parts]
            begin_tick = tick + part - first_frame * SLOTS
            cohort = self._beginning_at(page, begin_tick) if page.first_parts and not first_frame else None
            if cohort is None:
                cohort = Cohort(
                    page=name,
                    begin_tick=begin_tick,
                    frames=page.frames,
                    numbering=numbering,
                    next_frame=first_frame,
                    first_frame=first_frame,
                )
                page.cohorts.append(cohort)
                self._slots[cohort.begin_tick % SLOTS].append(cohort)
            self._receive(page, cohort, mine)
            begun.append(cohort)
        if not page.first_parts:
            page.first_parts = tuple(begun)

    def join(self, name: str, streams: Iterable[Stream]) -> bool:
        """Let phones into the first cohort; False when its audio has ended.

        Raises:
            ValueError: The page has no first cohort yet, or a phone already receives it.
        """
        page = self._pages[name]
        if not page.first_parts:
            raise ValueError(f"page {name} was not started, nothing to join")
        running = [
            cohort for cohort in page.first_parts if cohort in page.cohorts and cohort.next_frame < cohort.frames
        ]
        if not running:
            return False
        for stream in self._new(page, streams):
            self._receive(page, min(running, key=lambda cohort: cohort.phones), [stream])
        return True

    def stop(self, name: str, phones: Iterable[str] | None) -> list[tuple[Stream, int]]:
        """End streams; return those that had begun, each with the packets of its cohort since then."""
        page = self._pages[name]
        stopped = []
        for phone in list(page.streams) if phones is None else phones:
            cohort = page.streams.pop(phone, None)
            stream = cohort.remove(phone) if cohort else None
            if cohort and stream:
                stopped.append((stream, cohort.packets - stream.packets_before))
        return stopped

    def visits(self, now_ns: int) -> Iterator[Visit]:
        """Yield what is due, in the order of the plan. Each visit is to be sent before the next is taken."""
        tick_now = (now_ns - self._epoch_ns) // TICK_NS
        earliest = max(self._last_tick + 1, tick_now - SLOTS + 1)
        self._last_tick = max(tick_now, self._last_tick)
        for tick in range(earliest, tick_now + 1):
            for cohort in list(self._slots[tick % SLOTS]):
                if tick >= cohort.begin_tick:
                    yield self._visit(cohort, tick)

    def next_ns(self) -> int | None:
        """Return when the next visit is due; None when nothing is playing."""
        for tick in range(self._last_tick + 1, self._last_tick + 1 + SLOTS):
            if self._slots[tick % SLOTS]:
                return self._epoch_ns + tick * TICK_NS
        return None

    def _visit(self, cohort: Cohort, tick: int) -> Visit:
        due = (tick - cohort.begin_tick) // SLOTS
        late = due - cohort.first_frame
        if cohort.next_frame == cohort.first_frame and late > 0:
            cohort.begin_tick += late * SLOTS
            overdue, due = late + 1, cohort.first_frame
        else:
            overdue = min(due, cohort.frames - 1) - cohort.next_frame + 1
        newest = min(due, cohort.frames - 1)
        oldest = max(cohort.next_frame, due - self.catch_up_frames + 1)
        skipped = min(oldest, newest + 1) - cohort.next_frame
        packets: list[Packet] = []
        for frame in range(oldest, newest + 1):
            sequence = cohort.numbering.sequence_after(cohort.packets)
            timestamp = cohort.numbering.timestamp_at(frame)
            if cohort.members:
                packets.append(Packet(frame, sequence, timestamp, frame == oldest > cohort.next_frame, first=False))
            if cohort.newcomers and frame == due:
                packets.append(Packet(frame, sequence, timestamp, marker=True, first=True))
                for stream in cohort.newcomers.values():
                    stream.packets_before = cohort.packets
            cohort.packets += 1
        cohort.next_frame = max(cohort.next_frame, newest + 1)
        ended = due >= cohort.frames
        if ended:
            self._slots[tick % SLOTS].remove(cohort)
        due_ns = self._epoch_ns + (cohort.begin_tick + newest * SLOTS) * TICK_NS
        return Visit(cohort, due_ns, overdue, tuple(packets), skipped, ended)

    def end(self, cohort: Cohort) -> list[tuple[Stream, int]]:
        """Take a cohort away whose visit said that it ended; return its streams as `stop` does."""
        page = self._pages[cohort.page]
        page.cohorts.remove(cohort)
        return self.stop(cohort.page, [*cohort.members, *cohort.newcomers])

    @staticmethod
    def _beginning_at(page: Page, tick: int) -> Cohort | None:
        """Return a cohort that begins at this very tick: phones that start together share it."""
        latest = page.cohorts[-SLOTS:]
        return next((each for each in latest if each.begin_tick == tick and each.next_frame == 0), None)

    @staticmethod
    def _new(page: Page, streams: Iterable[Stream]) -> list[Stream]:
        new: dict[str, Stream] = {}
        for stream in streams:
            if stream.phone in page.streams or stream.phone in new:
                raise ValueError(f"{stream.phone} already receives this page")
            new[stream.phone] = stream
        return list(new.values())

    @staticmethod
    def _receive(page: Page, cohort: Cohort, streams: Iterable[Stream]) -> None:
        for stream in streams:
            page.streams[stream.phone] = cohort
            cohort.newcomers[stream.phone] = stream
            page.streamed = True
