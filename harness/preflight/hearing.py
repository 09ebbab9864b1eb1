"""Whether audio reaches a phone: one second of silence is pushed to it, and its own statistics tell what came.

In this order: the phone is asked whether it is in use, and then left alone; `RTPRx` (or `RTPMRx`) is pushed with the
push user's credentials; its statistics are read; 50 packets leave in a second; the statistics are read again;
`RTPRx:Stop` is pushed, whatever happened before. Silence is µ-law silence: who holds the handset hears nothing.
"""

import base64
import secrets
import socket
import struct
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import quoteattr

import trio

from harness.preflight.asking import Asked, ask, get
from harness.preflight.pace import Pace
from harness.preflight.pages import PageError, Statistics, read_line_state, read_push_answer, read_statistics
from harness.preflight.reading import HTTP_PORT, JAVA

RTP_PORT: Final = 32674
"""Of pushed audio (CTX111243)."""
PACKETS: Final = 50
"""A second."""
PACKET_S: Final = 0.02
_SILENCE: Final = b"\xff" * 160
"""µ-law zero (ITU-T G.711), 20 ms."""
SETTLE_S: Final = 0.3
"""A phone counts what came when it has played it: longer than its jitter buffer."""
_STOP_S: Final = 6.0
_MULTICAST_HOPS: Final = 16
"""Routers that the group may cross; more is no voice network."""
STATISTICS: Final = ("/StreamingStatisticsX?1", "/StreamingStatistics?1", f"{JAVA}streaming.0")
_AT_REST: Final = frozenset({"", "ONHOOK"})
"""LineState of a phone that nobody uses (88ADM)."""

State = Literal["heard", "busy", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of it."""

    state: State
    why: str = ""
    number: int | None = None
    """Of `refused`: the error that the phone told."""
    sent: int = 0
    received: int = 0
    stopped: bool = True
    """Whether the phone said yes to RTPRx:Stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """With what is pushed."""

    address: str
    port: int
    user: str
    password: str = field(repr=False)


def execute(push: Push, url: str) -> bytes:
    """A push of one URI, as public clients write it (VOIPINFO, PTT)."""
    xml = f'<CiscoIPPhoneExecute><ExecuteItem Priority="0" URL={quoteattr(url)}/></CiscoIPPhoneExecute>'
    body = f"XML={quote(xml, safe='')}".encode("ascii")
    token = base64.b64encode(f"{push.user}:{push.password}".encode()).decode("ascii")
    host = push.address if push.port == HTTP_PORT else f"{push.address}:{push.port}"
    head = (
        f"POST /CGI/Execute HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {token}\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def packet(number: int, source: int) -> bytes:
    """One packet of silence (RFC 3550, 5.1; payload type 0)."""
    first = 0x80 if number == 0 else 0
    return struct.pack("!BBHII", 0x80, first, number, number * 160, source) + _SILENCE


async def hear(push: Push, pace: Pace, *, group: str = "", rtp_port: int = RTP_PORT) -> Heard:
    """Let the phone hear a second of silence; by multicast where there is a group."""
    busy = await _busy(push, pace)
    if busy is not None:
        return busy
    sender = _sender(group or push.address, rtp_port)
    with sender:
        source = sender.getsockname()[0]
        url = f"RTPMRx:{group}:{rtp_port}" if group else f"RTPRx:{source}:{rtp_port}"
        heard: Heard | None = None
        stopped = True
        try:
            heard = await _execute(push, url, pace)
            if heard is None:
                heard = await _listen(push, sender, pace)
        finally:
            # Also where no answer came: the phone may listen all the same. Only a refusal is sure.
            if heard is None or heard.state != "refused":
                stopped = False
                with trio.move_on_after(_STOP_S, shield=True):
                    stopped = await _execute(push, "RTPRx:Stop", pace) is None
    return replace(heard, stopped=stopped)


async def _busy(push: Push, pace: Pace) -> Heard | None:
    """Why the phone is to be left alone; None where nobody uses it."""
    statistics = await _statistics(push, pace)
    if isinstance(statistics, str):
        return Heard(state="failed", why=f"its statistics cannot be read: {statistics}")
    if statistics.active:
        return Heard(state="busy", why="it hears or sends a stream now")
    # Who may not see this page is told nothing: the stream above has to do then.
    asked = await _ask(push, _authorised(push, "/CGI/CallInfo"), pace)
    if asked.answer is not None and asked.answer.status == 200:
        state = read_line_state(asked.answer.body)
        if state not in _AT_REST:
            return Heard(state="busy", why=f"its line is in use ({state.lower()})")
    return None


async def _listen(push: Push, sender: socket.socket, pace: Pace) -> Heard:
    before = await _statistics(push, pace)
    source = secrets.randbits(32)
    begun = trio.current_time()
    sent = 0
    for number in range(PACKETS):
        await trio.sleep_until(begun + number * PACKET_S)
        try:
            sender.send(packet(number, source))
            sent += 1
        except OSError:
            continue  # "port unreachable" of an earlier packet; the phone's statistics tell what counts
    await trio.sleep(SETTLE_S)
    after = await _statistics(push, pace)
    if isinstance(after, str) or after.received is None:
        why = after if isinstance(after, str) else "its page tells no Rcvr Packets"
        return Heard(state="failed", why=why, sent=sent)
    earlier = before.received if isinstance(before, Statistics) and before.received is not None else 0
    # A count that fell belongs to a stream that began since.
    received = after.received - earlier if after.received >= earlier else after.received
    return Heard(state="heard", sent=sent, received=min(received, sent))


async def _execute(push: Push, url: str, pace: Pace) -> Heard | None:
    """Push a URI; None where the phone carried it out."""
    asked = await _ask(push, execute(push, url), pace)
    location = asked.answer.location if asked.answer is not None else None
    if location is not None:
        # Old phones answer elsewhere (CUAE): asked there without credentials, and at this phone only.
        parts = urlsplit(location)
        if parts.hostname not in {None, push.address}:
            return Heard(state="failed", why="its answer points at another host")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        async with pace.turn():
            asked = await ask(push.address, parts.port or push.port, get(push.address, path))
    if asked.answer is None:
        return Heard(state="failed", why=asked.why)
    if asked.answer.status == 401:
        return Heard(state="refused", number=4, why="status 401")
    try:
        number = read_push_answer(asked.answer.body)
    except PageError as error:
        return Heard(state="failed", why=str(error))
    if number is None or asked.answer.status != 200:
        return Heard(state="failed", why=f"status {asked.answer.status}, and no answer to a push")
    return None if number == 0 else Heard(state="refused", number=number, why=f"error {number}")


async def _statistics(push: Push, pace: Pace) -> Statistics | str:
    """Of the first stream; else why they cannot be read."""
    why = ""
    host = push.address if push.port == HTTP_PORT else f"{push.address}:{push.port}"
    for path in STATISTICS:
        asked = await _ask(push, get(host, path), pace)
        if asked.answer is None:
            return asked.why
        try:
            if asked.answer.status != 200:
                raise PageError(f"status {asked.answer.status}")
            return read_statistics(asked.answer.body)
        except PageError as error:
            why = why or str(error)
    return why


def _authorised(push: Push, path: str) -> bytes:
    token = base64.b64encode(f"{push.user}:{push.password}".encode()).decode("ascii")
    plain = get(push.address, path)
    return plain.removesuffix(b"\r\n") + f"Authorization: Basic {token}\r\n\r\n".encode("ascii")


async def _ask(push: Push, request: bytes, pace: Pace) -> Asked:
    async with pace.turn():
        # The phone asks its server before it answers: that takes up to 10 s.
        return await ask(push.address, push.port, request, answer_s=12.0)


def _sender(destination: str, port: int) -> socket.socket:
    """A socket that sends there, from the address by which this machine reaches it.

    Raises:
        OSError: there is no way there.
    """
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sender.setblocking(False)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _MULTICAST_HOPS)
        sender.connect((destination, port))
    except BaseException:
        sender.close()
        raise
    return sender
