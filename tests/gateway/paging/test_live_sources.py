"""Who gives live audio, and what happens when nobody does any more: in virtual time."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from gateway.live_giving import rtp_payload
from gateway.media import Fed
from gateway.paging.live import STALL_S, LiveSources, LiveState, NotLiveError


class Page:
    number = "7"

    def __init__(self) -> None:
        self.state = "playing"
        self.note: str | None = None
        self.fed: list[bytes] = []
        self.takes: Fed | None = Fed(taken=1000, ahead=50)
        self.ended = trio.Event()
        self.interrupted = False

    async def feed(self, payload: bytes) -> Fed | None:
        self.fed.append(payload)
        if self.takes is None:
            return None
        return Fed(taken=min(self.takes.taken, len(payload) // 160), ahead=self.takes.ahead)

    async def end_live(self) -> None:
        self.ended.set()

    async def wait_ended(self) -> None:
        await self.ended.wait()

    def interrupt(self) -> None:
        self.interrupted = True


async def test_pieces_are_filled_up_to_whole_frames(autojump_clock: MockClock) -> None:
    sources, page = LiveSources(), Page()
    sources.add("7")
    state = await sources.take(page, b"\x01" * 200, end=False)  # type: ignore[arg-type]
    assert state == LiveState(taken=200, buffered_ms=1000, state="playing")
    assert page.fed == [b"\x01" * 200 + b"\xff" * 120]
    page.takes = Fed(taken=1, ahead=250)
    assert (await sources.take(page, b"\x01" * 480, end=True)).taken == 160  # type: ignore[arg-type]
    assert not page.ended.is_set()  # the rest is still to be given
    page.takes = Fed(taken=9, ahead=9)
    await sources.take(page, b"\x01" * 320, end=True)  # type: ignore[arg-type]
    assert page.ended.is_set()
    with pytest.raises(NotLiveError):
        await sources.take(page, b"", end=True)  # type: ignore[arg-type]


async def test_a_giver_that_is_silent_ends_the_page(autojump_clock: MockClock) -> None:
    sources, page = LiveSources(), Page()
    sources.add("7")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sources.watch, page)
        await trio.sleep(STALL_S - 1)
        await sources.take(page, b"\x01" * 160, end=False)  # type: ignore[arg-type]
        await trio.sleep(STALL_S - 1)
        assert not page.ended.is_set()
        await trio.sleep(2)
        assert page.ended.is_set()
        assert page.note is not None
        assert "stopped coming" in page.note


async def test_a_page_that_waits_for_its_turn_is_not_given_up(autojump_clock: MockClock) -> None:
    sources, page = LiveSources(), Page()
    page.state, page.takes = "waiting", None
    sources.add("7")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sources.watch, page)
        await trio.sleep(10 * STALL_S)
        assert await sources.take(page, b"\x01", end=False) == LiveState(taken=0, buffered_ms=0, state="waiting")  # type: ignore[arg-type]
        page.state = "stopping"
        with pytest.raises(NotLiveError):
            await sources.take(page, b"\x01", end=False)  # type: ignore[arg-type]
        page.ended.set()


async def test_a_page_that_was_not_begun_as_live_takes_none() -> None:
    with pytest.raises(NotLiveError):
        await LiveSources().take(Page(), b"\x01", end=False)  # type: ignore[arg-type]


@given(st.binary(max_size=60))
def test_any_datagram_is_rtp_or_none(data: bytes) -> None:
    payload = rtp_payload(data)
    assert payload is None or (payload in data and len(payload) <= len(data) - 12)


def test_rtp_with_everything() -> None:
    head = bytes([0b10110010, 0x80]) + bytes(10)  # padding, extension, two contributing sources, marker, type 0
    packet = head + bytes(8) + b"\xbe\xde\x00\x01" + bytes(4) + b"sound" + b"\x00\x00\x03"
    assert rtp_payload(packet) == b"sound"
    assert rtp_payload(b"\x80\x08" + bytes(10) + b"sound") is None  # A-law
    assert rtp_payload(b"\x80\x00" + bytes(10)) is None
