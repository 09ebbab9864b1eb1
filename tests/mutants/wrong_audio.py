"""Gateways that send other audio than they should, or send it otherwise."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gateway.administration.page_request import PageRequest
from gateway.cisco import Outcome
from gateway.inventory import Phone
from gateway.media import Audio, Pacer, rtp, schedule
from gateway.media.audio import FRAME_MS
from gateway.media.pacer_process import PacerProcess
from gateway.media.schedule import Stream, Visit
from gateway.product import Gateway
from gateway.push import Page, PagePlan, Start

PACER = str(Path(__file__).with_name("pacer_variant.py"))


class _WithPacer(Gateway):
    """Its pacer process is a wrong one: `PACERS`, by this name."""

    pacer_name: ClassVar[str]
    pacer_class: ClassVar[type[Pacer]] = Pacer

    def make_pacer(self) -> AbstractAsyncContextManager[Pacer]:
        return self.pacer_class.open(
            source=self.configuration.source,
            rtp_port=self.configuration.rtp_port,
            multicast_ttl=self.configuration.multicast_ttl,
            catch_up_frames=self.configuration.catch_up_ms // FRAME_MS,
            on_started=self._observe_started,
            on_stopped=self._observe_stopped,
            process=(sys.executable, PACER, self.pacer_name),
        )


class WrongPort(Gateway):
    """M28: two ports further, at both ends."""

    port: ClassVar[int] = 32676

    def __init__(self, configuration: object, *others: object) -> None:
        super().__init__(replace(configuration, rtp_port=self.port), *others)  # type: ignore[type-var,arg-type]


class OddPort(WrongPort):
    """M28: a port that no phone takes."""

    port: ClassVar[int] = 32675


class SendsALaw(Gateway):
    """M29: PCMA, said to be PCMU."""

    def __init__(self, *arguments: object) -> None:
        from gateway.media import mulaw

        mulaw.encode = alaw
        super().__init__(*arguments)  # type: ignore[arg-type]


class SilentSecond(Gateway):
    """X: half a second of the audio is silence, and by the gateway's own word that is the audio."""

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        at = audio.frames // 3 * 160
        object.__setattr__(audio, "payload", audio.payload[:at] + b"\xff" * 4000 + audio.payload[at + 4000 :])
        return super().make_plan(wish, phones, audio)


class AudioBeforeTheyListen(Gateway):
    """X: a phone counts as listening as soon as it is pushed to."""

    def make_pages(self):
        genuine = Page._push

        async def push(page: Page, name: str, action: str) -> object:
            if action == "start":
                page._outcome(name, Outcome.EXECUTED)
            return await genuine(page, name, action)  # type: ignore[arg-type]

        Page._push = push  # type: ignore[assignment,method-assign]
        return super().make_pages()

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        return super().make_plan(replace(wish, start=Start.EACH), phones, audio)


class SwapsTwoPhones(_WithPacer):
    """X: two phones' streams go to each other's address."""

    pacer_name = "clean"

    class pacer_class(Pacer):  # noqa: N801 - fills the attribute above
        async def start(self, page: str, phones: Sequence[tuple[str, str]], *, frame: int = 0) -> None:
            swapped = list(phones)
            if len(swapped) > 1:
                (first, here), (second, there) = swapped[:2]
                swapped[:2] = [(first, there), (second, here)]
            await super().start(page, swapped, frame=frame)


class MixesUpPages(_WithPacer):
    """X: of two pages at once, the second one's audio goes to the first one's phones."""

    pacer_name = "clean"

    class pacer_class(Pacer):  # noqa: N801
        first: Sequence[tuple[str, str]] = ()
        mixed_up = False

        async def start(self, page: str, phones: Sequence[tuple[str, str]], *, frame: int = 0) -> None:
            if phones and not self.first:
                self.first = list(phones)
            elif phones and not self.mixed_up:
                self.mixed_up, phones = True, self.first
            await super().start(page, phones, frame=frame)


class OnePhoneMore(_WithPacer):
    """X: the audio goes to a phone as well that is not in the page."""

    pacer_name = "clean"

    class pacer_class(Pacer):  # noqa: N801
        async def start(self, page: str, phones: Sequence[tuple[str, str]], *, frame: int = 0) -> None:
            await super().start(page, [*phones, ("SEP0000000000FF", "10.20.99.99")], frame=frame)


class Drifts(_WithPacer):
    """M30."""

    pacer_name = "drift"


class Bursts(_WithPacer):
    """M32."""

    pacer_name = "bursts"


class ChangesSsrc(_WithPacer):
    """X."""

    pacer_name = "ssrc"


class SendsOn(_WithPacer):
    """X: half a second of silence behind the end, when phones have been stopped."""

    pacer_name = "sends-on"


class SendsReports(_WithPacer):
    """X: RTCP to the audio's port."""

    pacer_name = "rtcp"


class SendsTwice(_WithPacer):
    """X: each packet twice."""

    pacer_name = "twice"


class LeavesOneOut(_WithPacer):
    """X: one packet in the middle is never sent, the numbers go on as if it were not missing."""

    pacer_name = "one-out"


class StopsTheClock(_WithPacer):
    """X: the timestamp stays where it was."""

    pacer_name = "timestamp"


class OtherPort(_WithPacer):
    """X: a second copy of the stream leaves from another port of the gateway."""

    pacer_name = "two-ports"


class SkipsTheBeginning(_WithPacer):
    """X: the audio begins with its second second, and by the gateway's own word all phones joined then."""

    pacer_name = "clean"

    class pacer_class(Pacer):  # noqa: N801
        async def start(self, page: str, phones: Sequence[tuple[str, str]], *, frame: int = 0) -> None:
            await super().start(page, phones, frame=max(frame, 50))


class Wanders(_WithPacer):
    """X: 23 ms between packets in the first half, 17 in the second: 50 a second on average."""

    pacer_name = "wanders"


class StaysNear(_WithPacer):
    """X: packets that no router lets pass."""

    pacer_name = "near"


class Extends(_WithPacer):
    """X: every packet says that it has a header extension, and has none."""

    pacer_name = "extension"


# The pacer processes


class _Bursts(PacerProcess):
    """Five packets every 100 ms."""

    def __init__(self, channel: socket.socket) -> None:
        super().__init__(channel)
        self._kept: dict[bytes, list[bytes]] = {}

    def _send_to(self, data: bytes, streams: Iterable[Stream], addresses: bytes) -> None:
        kept = self._kept.setdefault(addresses, [])
        kept.append(data)
        if len(kept) == 5:
            for each in kept:
                super()._send_to(each, streams, addresses)
            kept.clear()


class _Rewrites(PacerProcess):
    """Sends each packet as `rewritten` has it, counted by destination."""

    def __init__(self, channel: socket.socket) -> None:
        super().__init__(channel)
        self._sent: dict[bytes, int] = {}

    def _send_to(self, data: bytes, streams: Iterable[Stream], addresses: bytes) -> None:
        count = self._sent[addresses] = self._sent.get(addresses, 0) + 1
        for each in self.rewritten(data, count):
            super()._send_to(each, streams, addresses)

    def rewritten(self, data: bytes, count: int) -> Sequence[bytes]:
        raise NotImplementedError


class _Ssrc(_Rewrites):
    def rewritten(self, data: bytes, count: int) -> Sequence[bytes]:
        return [data if count < 60 else data[:8] + bytes(byte ^ 0x55 for byte in data[8:12]) + data[12:]]


class _Twice(_Rewrites):
    def rewritten(self, data: bytes, _count: int) -> Sequence[bytes]:
        return [data, data]


class _OneOut(_Rewrites):
    def rewritten(self, data: bytes, count: int) -> Sequence[bytes]:
        if count == 60:
            return []
        (sequence,) = struct.unpack_from("!H", data, 2)
        return [data if count < 60 else data[:2] + struct.pack("!H", sequence - 1 & 0xFFFF) + data[4:]]


class _Timestamp(_Rewrites):
    def rewritten(self, data: bytes, _count: int) -> Sequence[bytes]:
        return [data[:4] + b"\x12\x34\x56\x78" + data[8:]]


class _Rtcp(_Rewrites):
    def rewritten(self, data: bytes, count: int) -> Sequence[bytes]:
        report = b"\x80\xc8\x00\x06" + data[8:12] + bytes(20)  # a sender report, RFC 3550, 6.4.1
        return [data, report] if count % 50 == 25 else [data]


class _Extension(_Rewrites):
    def rewritten(self, data: bytes, _count: int) -> Sequence[bytes]:
        return [bytes([data[0] | 0x10]) + data[1:]]


class _Near(PacerProcess):
    def _send_to(self, data: bytes, streams: Iterable[Stream], addresses: bytes) -> None:
        assert self._socket is not None
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        super()._send_to(data, streams, addresses)


class _Wanders(PacerProcess):
    """Each packet of the first half is held back 3 ms longer than the one before, of the second 3 ms less."""

    def __init__(self, channel: socket.socket) -> None:
        super().__init__(channel)
        self._sent: dict[bytes, int] = {}

    def _send_to(self, data: bytes, streams: Iterable[Stream], addresses: bytes) -> None:
        count = self._sent[addresses] = self._sent.get(addresses, 0) + 1
        places = [stream.destination.partition(":") for stream in streams]
        held_s = 0.003 * max(0, min(count, 150 - count))
        threading.Timer(held_s, self._send_later, (data, [(host, int(port)) for host, _, port in places])).start()

    def _send_later(self, data: bytes, places: Sequence[tuple[str, int]]) -> None:
        assert self._socket is not None
        for place in places:
            self._socket.sendto(data, place)


class _TwoPorts(PacerProcess):
    def _send_to(self, data: bytes, streams: Iterable[Stream], addresses: bytes) -> None:
        members = list(streams)
        super()._send_to(data, members, addresses)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((self._source[0], 40_002))
            for stream in members:
                host, _, port = stream.destination.partition(":")
                other.sendto(data, (host, int(port)))


class _SendsOn(PacerProcess):
    """Keeps the streams that ended and feeds them for half a second more."""

    def __init__(self, channel: socket.socket) -> None:
        super().__init__(channel)
        self._after: list[tuple[bytes, bytes]] = []

    def _send(self, visit: Visit) -> None:
        cohort = visit.cohort
        addresses = cohort.addresses()
        super()._send(visit)
        if visit.ended:
            for more in range(25):
                header = rtp.header(
                    marker=False,
                    sequence=cohort.numbering.sequence_after(cohort.packets + more),
                    timestamp=cohort.numbering.timestamp_at(cohort.frames + more),
                    ssrc=cohort.numbering.ssrc,
                )
                self._after.append((header + b"\xff" * 160, addresses))

    def _read_commands(self) -> bool:
        going_on = super()._read_commands()
        if self._after and self._schedule.next_ns() is None:
            threading.Timer(0.4, self._send_rest).start()
        return going_on

    def _send_rest(self) -> None:
        rest, self._after = self._after, []
        for data, addresses in rest:
            assert self._sender is not None
            self._sender.send(data, addresses, lambda _index, _number: None)


def _drifting(channel: socket.socket) -> PacerProcess:
    schedule.TICK_NS = 2_020_000  # 20.2 ms a frame
    return PacerProcess(channel)


PACERS = {
    "clean": PacerProcess,
    "drift": _drifting,
    "bursts": _Bursts,
    "ssrc": _Ssrc,
    "sends-on": _SendsOn,
    "rtcp": _Rtcp,
    "twice": _Twice,
    "one-out": _OneOut,
    "timestamp": _Timestamp,
    "two-ports": _TwoPorts,
    "extension": _Extension,
    "near": _Near,
    "wanders": _Wanders,
}


def alaw(samples: NDArray[np.int16]) -> bytes:
    """G.711 A-law (ITU-T G.711, table 1a): 13 bits, even bits inverted."""
    value = samples.astype(np.int32) >> 3
    sign = np.where(value >= 0, 0x80, 0)
    magnitude = np.minimum(np.where(value >= 0, value, -value - 1), 4095)
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    shift = np.maximum(exponent, 1)
    mantissa = (magnitude >> shift) & 0x0F
    return bytes(((sign | exponent << 4 | mantissa) ^ 0x55).astype(np.uint8))
