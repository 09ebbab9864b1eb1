"""Which frame goes when: time is a number here, so everything is compared exactly."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.rtp import Numbering
from gateway.media.schedule import CATCH_UP_FRAMES, FRAME_NS, PART_PHONES, TICK_NS, Schedule, Stream

NUMBERING = Numbering(ssrc=9, sequence=65_530, timestamp=2**32 - 320)
MS = 1_000_000


def stream(phone: str) -> Stream:
    return Stream(phone=phone, source="s:2", destination="d:4", address=phone.encode())


def streams(*phones: str) -> list[Stream]:
    return [stream(phone) for phone in phones]


class Player:
    """Plays a schedule in imagined time and keeps what each phone got."""

    def __init__(self, frames: int = 10, catch_up_frames: int = 3) -> None:
        self.schedule = Schedule(epoch_ns=0, catch_up_frames=catch_up_frames)
        self.schedule.add("1", frames)
        self.heard: dict[str, list[tuple[int, int, int, int, bool]]] = defaultdict(list)
        self.stopped: dict[str, tuple[int, int]] = {}
        self.late: list[int] = []
        self.skipped = 0

    def frames(self, phone: str) -> list[int]:
        return [frame for _, frame, _, _, _ in self.heard[phone]]

    def at(self, now_ns: int) -> None:
        for visit in self.schedule.visits(now_ns):
            cohort = visit.cohort
            self.skipped += visit.skipped * len(cohort.members)
            self.late += [now_ns - visit.due_ns + missed * FRAME_NS for missed in range(visit.overdue)]
            for packet in visit.packets:
                for phone in list(cohort.newcomers if packet.first else cohort.members):
                    self.heard[phone].append((now_ns, packet.frame, packet.sequence, packet.timestamp, packet.marker))
                if packet.first:
                    cohort.settle()
            if visit.ended:
                self.note(self.schedule.end(cohort), now_ns)

    def note(self, stopped: list[tuple[Stream, int]], now_ns: int) -> None:
        for each, packets in stopped:
            self.stopped[each.phone] = (now_ns, packets)

    def until(self, end_ns: int) -> None:
        """Wake exactly when the schedule asks to, before `end_ns`."""
        while (next_ns := self.schedule.next_ns()) is not None and next_ns < end_ns:
            self.at(next_ns)

    def to_the_end(self) -> None:
        self.until(10**15)


def test_a_cohort_begins_at_the_next_tick_and_steps_20_ms():
    player = Player(frames=4)
    player.schedule.start("1", streams("A", "B"), NUMBERING, 3 * MS)
    player.to_the_end()
    assert player.heard["A"] == player.heard["B"]
    assert player.heard["A"] == [
        (4 * MS, 0, 65_530, 2**32 - 320, True),
        (24 * MS, 1, 65_531, 2**32 - 160, False),
        (44 * MS, 2, 65_532, 0, False),
        (64 * MS, 3, 65_533, 160, False),
    ]
    assert player.stopped == {"A": (84 * MS, 4), "B": (84 * MS, 4)}
    assert player.late == [0, 0, 0, 0]
    assert player.schedule.next_ns() is None


def test_phones_that_start_apart_are_due_apart_and_those_at_one_tick_share_packets():
    player = Player(frames=2)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.schedule.start("1", streams("B"), Numbering(ssrc=1, sequence=1, timestamp=1), 1)
    player.until(5 * MS)
    player.schedule.start("1", streams("C"), Numbering(ssrc=2, sequence=2, timestamp=2), 5 * MS)
    player.to_the_end()
    assert player.heard["A"] == player.heard["B"]
    assert [(now, sequence) for now, _, sequence, _, _ in player.heard["C"]] == [(6 * MS, 2), (26 * MS, 3)]


def test_a_large_cohort_is_divided_over_the_frame():
    player = Player(frames=3)
    phones = [f"P{number}" for number in range(10 * PART_PHONES)]
    player.schedule.start("1", streams(*phones), NUMBERING, 0)
    player.to_the_end()
    first = defaultdict(int)
    for phone in phones:
        assert player.frames(phone) == [0, 1, 2]
        first[player.heard[phone][0][0]] += 1
    assert first == {(2 + 2 * part) * MS: PART_PHONES for part in range(10)}
    assert {tuple(each[1:] for each in player.heard[phone]) for phone in phones} == {
        ((0, 65_530, 2**32 - 320, True), (1, 65_531, 2**32 - 160, False), (2, 65_532, 0, False))
    }


def test_a_phone_that_joins_begins_with_the_frame_that_is_due_marked():
    player = Player()
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.until(65 * MS)
    assert player.schedule.join("1", streams("B"))
    player.to_the_end()
    assert player.frames("A") == list(range(10))
    assert player.frames("B") == [4, 5, 6, 7, 8, 9]
    assert player.heard["B"][0] == (82 * MS, 4, 65_534, 320, True)
    assert player.heard["A"][4] == (82 * MS, 4, 65_534, 320, False)
    assert player.heard["B"][1:] == player.heard["A"][5:]
    assert player.stopped["B"] == (202 * MS, 6)


def test_joining_a_clock_that_was_started_for_nobody():
    player = Player()
    player.schedule.start("1", [], NUMBERING, 0)
    page = player.schedule.page("1")
    assert page
    assert page.playing
    player.until(50 * MS)
    player.schedule.join("1", streams("B"))
    player.to_the_end()
    assert player.frames("B") == [3, 4, 5, 6, 7, 8, 9]
    assert not page.playing


def test_joining_follows_the_first_cohort_even_when_its_phones_are_gone():
    player = Player()
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.until(30 * MS)
    player.schedule.start("1", streams("X"), NUMBERING, 30 * MS)
    player.note(player.schedule.stop("1", ["A"]), 31 * MS)
    player.schedule.join("1", streams("B"))
    player.to_the_end()
    assert player.stopped["A"] == (31 * MS, 2)
    assert player.frames("B") == list(range(2, 10))
    assert player.frames("X") == list(range(10))


def test_nothing_is_sent_to_a_phone_that_joins_after_the_end():
    player = Player(frames=2)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.until(23 * MS)  # the last frame has gone, its 20 ms are running
    assert not player.schedule.join("1", streams("B"))
    player.to_the_end()
    assert not player.schedule.join("1", streams("C"))
    assert player.schedule.streams == 0
    assert set(player.stopped) == {"A"}


def test_what_cannot_be_started():
    player = Player()
    with pytest.raises(ValueError, match="not started"):
        player.schedule.join("1", streams("A"))
    with pytest.raises(ValueError, match="A already"):
        player.schedule.start("1", streams("A", "A"), NUMBERING, 0)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    with pytest.raises(ValueError, match="A already"):
        player.schedule.start("1", streams("B", "A"), NUMBERING, 0)
    assert player.schedule.streams == 1


def test_a_stopped_phone_gets_nothing_more_and_the_others_go_on():
    player = Player()
    player.schedule.start("1", streams("A", "B", "C"), NUMBERING, 0)
    player.until(50 * MS)
    player.note(player.schedule.stop("1", ["B", "nobody"]), 50 * MS)
    player.until(90 * MS)
    player.note(player.schedule.stop("1", None), 90 * MS)
    player.to_the_end()
    assert player.frames("B") == [0, 1, 2]
    assert player.frames("A") == player.frames("C") == [0, 1, 2, 3, 4]
    assert player.stopped == {"A": (90 * MS, 5), "B": (50 * MS, 3), "C": (90 * MS, 5)}


def test_a_phone_stopped_before_its_first_packet_had_no_stream():
    player = Player()
    player.schedule.start("1", streams("A", "B"), NUMBERING, 0)
    assert player.schedule.stop("1", ["A"]) == []
    player.to_the_end()
    assert set(player.heard) == {"B"}


def test_a_short_stall_is_caught_up_whole():
    player = Player()
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.until(23 * MS)
    player.at(82 * MS)
    assert player.frames("A") == [0, 1, 2, 3, 4]
    assert player.late[2:] == [0, 20 * MS, 40 * MS]
    assert not any(marker for *_, marker in player.heard["A"][1:])
    assert player.skipped == 0


def test_after_a_long_stall_three_frames_go_and_the_timestamp_keeps_to_the_clock():
    player = Player(frames=50)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.until(23 * MS)
    player.at(23 * MS + 500 * MS)
    burst = player.heard["A"][2:]
    assert [frame for _, frame, *_ in burst] == [24, 25, 26]
    assert [sequence for _, _, sequence, *_ in burst] == [65_532, 65_533, 65_534]
    assert [timestamp for *_, timestamp, _ in burst] == [(2**32 - 320 + 160 * frame) % 2**32 for frame in (24, 25, 26)]
    assert [marker for *_, marker in burst] == [True, False, False]
    assert len(player.late) == 2 + 25  # every overdue frame is counted, also those that were skipped
    assert max(player.late) == 523 * MS - 42 * MS
    assert player.skipped == 22
    player.to_the_end()
    assert player.heard["A"][5][:2] == (542 * MS, 27)  # on the old grid again
    assert player.stopped["A"] == (1002 * MS, 2 + 3 + 23)


def test_as_much_is_caught_up_with_as_is_set():
    player = Player(frames=50, catch_up_frames=10)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.until(23 * MS)
    player.at(23 * MS + 180 * MS)
    assert player.frames("A") == list(range(11))
    assert player.skipped == 0
    player.at(23 * MS + 480 * MS)
    assert player.frames("A")[11:] == list(range(16, 26))
    assert player.skipped == 5


def test_a_stall_before_the_first_packet_moves_the_beginning():
    player = Player(frames=3)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.at(205 * MS)
    player.to_the_end()
    assert [(now, frame) for now, frame, *_ in player.heard["A"]] == [(205 * MS, 0), (222 * MS, 1), (242 * MS, 2)]
    assert player.skipped == 0


def test_a_stall_beyond_the_end_ends():
    player = Player(frames=5)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.until(23 * MS)
    player.at(5_000 * MS)
    assert player.frames("A") == [0, 1]
    assert player.stopped["A"] == (5_000 * MS, 2)
    assert player.skipped == 3
    assert player.schedule.next_ns() is None


def test_pages_play_beside_each_other():
    player = Player(frames=3)
    player.schedule.add("2", 2)
    player.schedule.start("1", streams("A"), NUMBERING, 0)
    player.schedule.start("2", streams("B"), Numbering(ssrc=1, sequence=0, timestamp=0), 0)
    player.to_the_end()
    assert player.frames("A") == [0, 1, 2]
    assert player.frames("B") == [0, 1]


def test_a_dropped_page_leaves_no_tick_behind():
    player = Player()
    player.schedule.start("1", [], NUMBERING, 0)
    player.schedule.drop("1")
    assert player.schedule.next_ns() is None
    assert player.schedule.page("1") is None


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["start", "join", "stop", "wait", "stall"]), st.integers(1, 200)), max_size=40
    )
)
def test_whatever_happens_streams_are_well_formed(steps: list[tuple[str, int]]):
    player = Player(frames=20)
    schedule = player.schedule
    schedule.start("1", streams("P0"), NUMBERING, 0)
    now, phones = 0, 1
    for action, amount in steps:
        match action:
            case "start":
                new = [f"P{number}" for number in range(phones, phones + amount)]
                phones += amount
                schedule.start("1", streams(*new), NUMBERING, now)
            case "join":
                schedule.join("1", streams(f"P{phones}"))
                phones += 1
            case "stop":
                player.note(schedule.stop("1", [f"P{amount % phones}"]), now)
            case "wait":
                now += amount * MS // 4
                player.until(now)
            case "stall":
                now += amount * MS
                player.at(now)
    player.to_the_end()
    assert schedule.streams == 0
    assert schedule.next_ns() is None
    assert set(player.stopped) == {phone for phone, heard in player.heard.items() if heard}
    for phone, heard in player.heard.items():
        assert player.stopped[phone][1] == len(heard)
        assert heard[0][4]
        at_once = defaultdict(int)
        for (now_a, frame_a, sequence_a, _, _), (now_b, frame_b, sequence_b, timestamp_b, marker) in pairwise(heard):
            assert now_b >= now_a
            assert frame_b > frame_a
            assert sequence_b == (sequence_a + 1) % 65_536
            assert timestamp_b == (NUMBERING.timestamp + 160 * frame_b) % 2**32
            assert marker == (frame_b != frame_a + 1)
            at_once[now_b] += 1
        assert max(at_once.values(), default=0) <= CATCH_UP_FRAMES
    assert all(late >= 0 for late in player.late)
    assert TICK_NS * 10 == FRAME_NS


def test_a_cohort_that_goes_on_in_the_middle():
    player = Player(frames=10)
    player.schedule.start("1", streams("A"), NUMBERING, 3 * MS, first_frame=7)
    player.to_the_end()
    assert player.heard["A"] == [
        (4 * MS, 7, 65_530, NUMBERING.timestamp_at(7), True),
        (24 * MS, 8, 65_531, NUMBERING.timestamp_at(8), False),
        (44 * MS, 9, 65_532, NUMBERING.timestamp_at(9), False),
    ]
    assert player.stopped == {"A": (64 * MS, 3)}
    assert player.late == [0, 0, 0]


def test_a_late_process_moves_a_cohort_that_goes_on_in_the_middle_too():
    player = Player(frames=10)
    player.schedule.start("1", streams("A"), NUMBERING, 0, first_frame=5)
    player.schedule.join("1", streams("B"))
    player.at(100 * MS)
    player.to_the_end()
    assert player.frames("A") == player.frames("B") == [5, 6, 7, 8, 9]


def test_a_frame_that_is_not_there_is_refused():
    player = Player(frames=10)
    with pytest.raises(ValueError, match="cannot be started at 10"):
        player.schedule.start("1", streams("A"), NUMBERING, 0, first_frame=10)
