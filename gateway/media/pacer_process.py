"""The pacer: a process of its own that sends RTP on the clock and does nothing else.

In the gateway's own process the answers to phones would hold packets up by tens of milliseconds; here nothing runs but
this loop: send what is due, then wait in `select` for the next tick or a command. It is started by
`gateway.media.pacer.Pacer` as `python -m gateway.media.pacer_process` with the channel as standard input.

It ends when the channel ends: a gateway that is killed takes its packets with it. SIGINT and SIGTERM are left to the
gateway, which first tells the phones to stop; a terminal or a service manager sends them to both.

Commands (see `gateway.media.channel`): `open`, `load`, `start`, `join`, `stop`, `measure`, each with an `id` that its
answer carries. Reports: `started`, `stopped`, `status`, `warning` for the gateway's log, and `done` for each command.
Times are CLOCK_MONOTONIC.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import time
import zlib
from collections.abc import Iterable
from random import Random, SystemRandom

from gateway.media import rtp
from gateway.media.channel import Decoder, Message, encode
from gateway.media.lateness import Lateness
from gateway.media.schedule import FRAME_NS, Schedule, Stream, Visit
from gateway.media.sendmmsg import PacketSender, socket_address

FRAME_BYTES = 160
MAX_IDLE_PAGES = 64
"""Pages kept after their end, for phones that start late. Ten seconds of audio are 80 kB."""
STATUS_NS = 200_000_000
"""Counters are reported this often while packets flow."""
READ_BYTES = 65_536
"""Read from the channel between two looks at the clock."""

_SEND_BUFFER_BYTES = 4 << 20
_PRIORITY = 10  # any real-time priority is above all ordinary processes; low leaves room for the kernel's own threads
_PR_SET_TIMERSLACK = 29
_PORT_TRIES = 32


class PacerProcess:
    """Everything in the process, around one channel."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._decoder = Decoder()
        self._outgoing = bytearray()
        self._schedule = Schedule(epoch_ns=time.monotonic_ns())
        self._lateness = Lateness()
        self._payloads: dict[str, bytes | bytearray] = {}
        self._random: Random = SystemRandom()
        self._rtp_port = 0
        self._source: tuple[str, int] = ("", 0)
        self._socket: socket.socket | None = None
        self._sender: PacketSender | None = None
        self._packets = 0
        self._skipped = 0
        self._reported_ns = 0

    def run(self) -> None:
        """Work until the channel ends."""
        while True:
            self._send_due()
            self._flush()
            next_ns = self._schedule.next_ns()
            self._collect_garbage_when_idle(idle=next_ns is None)
            timeout = None if next_ns is None else max(next_ns - time.monotonic_ns(), 0) / 1e9
            writable = [self._channel] if self._outgoing else []
            ready, _, _ = select.select([self._channel], writable, [], timeout)
            if ready and not self._read_commands():
                return

    @staticmethod
    def _collect_garbage_when_idle(*, idle: bool) -> None:
        if idle and not gc.isenabled():
            gc.enable()
        elif not idle and gc.isenabled():
            gc.disable()

    # Packets

    def _send_due(self) -> None:
        now_ns = time.monotonic_ns()
        for visit in self._schedule.visits(now_ns):
            self._send(visit)
        if self._schedule.streams and now_ns - self._reported_ns >= STATUS_NS:
            self._reported_ns = now_ns
            self._report({"event": "status"})

    def _send(self, visit: Visit) -> None:
        now_ns = time.monotonic_ns()
        for missed in range(visit.overdue):
            self._lateness.add(now_ns - visit.due_ns + missed * FRAME_NS)
        cohort = visit.cohort
        self._skipped += visit.skipped * len(cohort.members)
        for packet in visit.packets:
            at = packet.frame * FRAME_BYTES
            header = rtp.header(
                marker=packet.marker, sequence=packet.sequence, timestamp=packet.timestamp, ssrc=cohort.numbering.ssrc
            )
            data = header + self._payloads[cohort.page][at : at + FRAME_BYTES]
            if not packet.first:
                self._send_to(data, cohort.members.values(), cohort.addresses())
                continue
            newcomers = list(cohort.newcomers.values())
            self._send_to(data, newcomers, b"".join(stream.address for stream in newcomers))
            cohort.settle()
            self._report(
                {
                    "event": "started",
                    "page": cohort.page,
                    "ssrc": cohort.numbering.ssrc,
                    "sequence": packet.sequence,
                    "timestamp": packet.timestamp,
                    "frame": packet.frame,
                    "t_ns": now_ns,
                    "streams": [[stream.phone, stream.source, stream.destination] for stream in newcomers],
                }
            )
        if visit.ended:
            self._report_stopped(cohort.page, self._schedule.end(cohort), now_ns)

    def _send_to(self, data: bytes, streams: Iterable[Stream], addresses: bytes) -> None:
        assert self._sender
        failures: list[tuple[int, int]] = []
        self._packets += self._sender.send(data, addresses, lambda index, number: failures.append((index, number)))
        if not failures:
            return
        by_index = list(streams)
        for index, number in failures:
            stream = by_index[index]
            if not stream.unsent:
                self.warn(f"packets to {stream.phone} at {stream.destination} are not sent: {os.strerror(number)}")
            stream.unsent += 1

    def _report_stopped(self, page: str, stopped: list[tuple[Stream, int]], now_ns: int) -> None:
        known = self._schedule.page(page)
        streams = [[stream.phone, packets - stream.unsent, stream.unsent] for stream, packets in stopped]
        playing = known is not None and known.playing
        self._report({"event": "stopped", "page": page, "playing": playing, "t_ns": now_ns, "streams": streams})

    # Commands

    def _read_commands(self) -> bool:
        try:
            data = self._channel.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        for message, payload in self._decoder.feed(data):
            answer: Message = {"event": "done", "id": message["id"], "page": message.get("page", "")}
            try:
                answer |= self._do(message, payload) or {}
            except (ValueError, OSError) as error:
                answer["error"] = (error.strerror if isinstance(error, OSError) else None) or str(error)
            page = self._schedule.page(answer["page"])
            answer["playing"] = page is not None and page.playing
            self._report(answer)
        return True

    def _do(self, message: Message, payload: bytes) -> Message | None:
        match message["command"]:
            case "open":
                return self._open(message)
            case "load":
                self._load(message["page"], message["crc32"], payload)
                if message.get("live"):
                    self._payloads[message["page"]] = bytearray(payload)
            case "feed":
                self._feed(message["page"], message["frame"], payload)
            case "shorten":
                if self._schedule.page(message["page"]) is not None:
                    self._schedule.shorten(message["page"], message["frames"])
            case "start":
                self._start(message)
            case "join":
                self._known(message["page"])
                # The end may come between the wish to join and its arrival here: then from the beginning.
                if not self._schedule.join(message["page"], self._streams(message["phones"])):
                    self._start(message)
            case "stop":
                self._stop(message["page"], message["phones"])
            case "measure":
                return self._measurements()
            case other:
                raise ValueError(f"unknown command {other!r}")
        return None

    def _start(self, message: Message) -> None:
        self._known(message["page"])
        streams = self._streams(message["phones"])
        numbering = rtp.Numbering.draw(self._random)
        self._schedule.start(message["page"], streams, numbering, time.monotonic_ns(), message.get("frame", 0))

    def _open(self, message: Message) -> Message:
        if message["seed"] is not None:
            self._random = Random(message["seed"])
        self._rtp_port = message["rtp_port"]
        self._schedule.catch_up_frames = message["catch_up_frames"]
        self._socket = _bind(message["source"] or "0.0.0.0")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        _prepare_multicast(self._socket, message["source"], message["multicast_ttl"])
        self._source = (message["source"] or "", self._socket.getsockname()[1])
        self._sender = PacketSender(self._socket)
        return {"port": self._source[1]}

    def _load(self, name: str, crc32: str, payload: bytes) -> None:
        if not payload or len(payload) % FRAME_BYTES or f"{zlib.crc32(payload):08x}" != crc32:
            raise ValueError(f"payload of page {name} is damaged: {len(payload)} bytes")
        known = self._schedule.page(name)
        if known is not None and known.playing:
            raise ValueError(f"page {name} is playing, it cannot be loaded again")
        self._drop(name)
        idle = [each for each in self._payloads if not self._known(each)]
        for each in idle[: max(len(idle) - MAX_IDLE_PAGES + 1, 0)]:
            self._drop(each)
        self._payloads[name] = payload
        self._schedule.add(name, len(payload) // FRAME_BYTES)

    def _feed(self, name: str, frame: int, payload: bytes) -> None:
        held = self._payloads.get(name)
        if held is None:
            return  # stopped meanwhile
        at = frame * FRAME_BYTES
        if not isinstance(held, bytearray) or len(payload) % FRAME_BYTES or at + len(payload) > len(held):
            raise ValueError(f"page {name} takes no {len(payload)} bytes at frame {frame}")
        held[at : at + len(payload)] = payload

    def _stop(self, name: str, phones: list[str] | None) -> None:
        if self._schedule.page(name) is None:
            return
        stopped = self._schedule.stop(name, phones)
        if phones is None:
            self._drop(name)
        self._report_stopped(name, stopped, time.monotonic_ns())

    def _drop(self, name: str) -> None:
        self._schedule.drop(name)
        self._payloads.pop(name, None)

    def _known(self, name: str) -> bool:
        """Tell whether a page is playing; refuse one that was not loaded."""
        page = self._schedule.page(name)
        if page is None:
            raise ValueError(f"page {name} was not loaded")
        return page.playing

    def _streams(self, phones: list[list[str]]) -> list[Stream]:
        return [self._stream(phone, *_destination(destination, self._rtp_port)) for phone, destination in phones]

    def _stream(self, phone: str, address: str, port: int) -> Stream:
        return Stream(
            phone=phone,
            source=f"{self._source[0] or _local_address(address)}:{self._source[1]}",
            destination=f"{address}:{port}",
            address=_socket_address(phone, address, port),
        )

    def _measurements(self) -> Message:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "lateness": self._lateness.summary() | {"skipped": self._skipped},
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "rss_bytes": usage.ru_maxrss * 1024,
        }

    # Reports

    def warn(self, text: str) -> None:
        """Have the gateway log it: two processes that write to one standard error would tear each other's lines."""
        self._report({"event": "warning", "text": text})

    def _report(self, message: Message) -> None:
        message["counters"] = [self._packets, self._schedule.streams]
        self._outgoing += encode(message)

    def _flush(self) -> None:
        """Write what the gateway takes at once; a slow gateway must not hold packets up."""
        if not self._outgoing:
            return
        try:
            written = self._channel.send(self._outgoing)
        except (BlockingIOError, ConnectionError):
            return  # a broken channel is noticed by reading
        del self._outgoing[:written]


def _destination(text: str, port: int) -> tuple[str, int]:
    """`address` or `address:port`."""
    address, _, own_port = text.partition(":")
    return (address, int(own_port)) if own_port.isdigit() else (text, port)


def _prepare_multicast(sock: socket.socket, source: str | None, ttl: int) -> None:
    """Leave by the source's interface; copies to listeners on this very machine stay on, as the system has it.

    Without a listener on the machine the system makes no copy, and with one (emulated phones, a monitor) it is wanted.
    """
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    if source is not None:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))


def _socket_address(phone: str, address: str, port: int) -> bytes:
    try:
        return socket_address(address, port)
    except ValueError as error:
        raise ValueError(f"address {address!r} of {phone} is no IPv4 address") from error


def _bind(address: str) -> socket.socket:
    """Bind to an even port of the system's choice (RFC 3550, 11: RTP ports are even)."""
    for _ in range(_PORT_TRIES):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.bind((address, 0))
        except OSError as error:
            sock.close()
            raise OSError(error.errno, f"RTP cannot be sent from {address}: {error.strerror}") from error
        if sock.getsockname()[1] % 2 == 0:
            return sock
        sock.close()
    raise OSError(f"no even UDP port is free at {address}")


def _local_address(destination: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((destination, 9))  # sends nothing: it only asks for the route
        except OSError:
            return "0.0.0.0"
        return str(sock.getsockname()[0])


def _take_priority() -> str:
    """Ask for real-time priority; what is lost without it, where the system refuses."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # ordinary timers are 50 microseconds late by default
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except OSError as error:
        return f"ordinary priority, packets may be some milliseconds late (SCHED_FIFO: {error.strerror})"
    return ""


def main() -> None:
    """Run the pacer on the channel that is standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    refused = _take_priority()
    with socket.socket(fileno=os.dup(0)) as channel:
        process = PacerProcess(channel)
        if refused:
            process.warn(refused)
        process.run()


if __name__ == "__main__":
    main()
