"""Run folders made by hand: a right run, in which a test then breaks one thing."""

import gzip
import json
import struct
import wave
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.capture.pcap import file_header
from harness.scenario.file import parse
from harness.scenario.resolved import write_resolved

MS = 1_000_000
SEND = 10_000 * 1_000 * MS
REALTIME = 1_700_000_000_000_000_000 - SEND
AUDIO = SEND + 200 * MS
GATEWAY, CALLMANAGER, HARNESS, CANARY = "10.20.128.10", "10.20.128.20", "10.20.128.40", "10.20.128.250"
SERVERS = {"gateway": f"{GATEWAY}:80", "callmanager": f"{CALLMANAGER}:80"}
CONTROL, CONTROL_ADDRESS, CANARY_PHONE = "SEP001BD4FFFFFE", "10.20.127.254", "10.20.127.253"
CLAUSES = ("rtp", "authentication-gateway", "authentication-callmanager")
TIME_TO_LIVE = 64
TIMES = {"count": 10, "p50": 0.1, "p90": 0.2, "p95": 0.3, "p99": 0.4, "max": 0.5}

Record = dict[str, Any]


@dataclass
class Packet:
    t_ns: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    payload: bytes | None = None
    """None: a SYN."""


def name_of(index: int) -> str:
    return f"SEP001BD4{index + 1:06X}"


def address_of(index: int) -> str:
    return f"10.20.{(index + 1) >> 8}.{(index + 1) & 255}"


def mulaw(samples: np.ndarray) -> bytes:
    """G.711 by its segments: add the bias, the leading bit is the segment, the next four bits the step."""
    magnitude = np.minimum(np.abs(samples), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int64) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    return bytes((~((samples < 0) * 0x80 | exponent << 4 | mantissa) & 0xFF).astype(np.uint8))


@dataclass
class Run:
    phones: int = 3
    frames: int = 50
    url: str = "gateway"
    scenario: str = ""
    """TOML put behind the fleet's and the page's."""
    fleet: str = ""
    """TOML put into the fleet's."""
    head: str = ""
    """TOML put above all tables."""
    alert: str = ""
    """TOML of an alert in place of the page's; the records are the test's business."""
    pages: str = ""
    """TOML of several pages in place of the one; {audio} is the recording."""
    to: tuple[int, ...] | None = None
    """Phones of the first page; None: all."""
    records: list[Record] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    roster: list[list[str]] = field(default_factory=list)
    samples: np.ndarray = field(default_factory=lambda: np.zeros(0))
    payload: bytes = b""
    page: int = 1
    """Which page is being made, and how much later than the first."""
    shift_ns: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    """How many phones each page goes to."""

    def __post_init__(self) -> None:
        seconds = np.arange(self.frames * 160) / 8000
        self.samples = (8000 * np.sin(2 * np.pi * 440 * seconds) * (1 - seconds / 100)).astype(np.int16)
        self.payload = mulaw(self.samples.astype(np.int64))
        self.audio_end = AUDIO + self.frames * 20 * MS
        # All listen before the audio begins.
        self.step_ns = min(MS // 10, 150 * MS // self.phones)
        self._harness()
        for index in range(self.phones):
            self.roster.append([name_of(index), str(2001 + index), "", "CP-7960G", address_of(index), "", "true"])
            self._inventory(index)
            if self.to is None or index in self.to:
                self._phone(index)
        self.roster.append([CONTROL, "9999", "", "CP-7960G", CONTROL_ADDRESS, "", "true"])
        self._parts()
        self.facts = {
            "schema": 1,
            "clauses": [
                {"name": name, "received": 100, "kept": 100, "dropped": 0, "left_out": 0, "accounted": True}
                for name in CLAUSES
            ],
            "started_t_ns": SEND - 1000 * MS,
            "ended_t_ns": self.audio_end + 10_000 * MS,
            "clock": [{"monotonic_ns": SEND, "realtime_ns": SEND + REALTIME, "uncertainty_ns": 1000}],
        }

    # What a test uses to find and to break.

    def add(self, t_ns: int, witness: str, kind: str, **fields: object) -> Record:
        record = {"t_ns": t_ns, "witness": witness, "kind": kind, **fields}
        self.records.append(record)
        return record

    def find(self, witness: str, kind: str, **wanted: object) -> list[Record]:
        return [
            r
            for r in self.records
            if r["witness"] == witness and r["kind"] == kind and all(r.get(k) == v for k, v in wanted.items())
        ]

    def one(self, witness: str, kind: str, **wanted: object) -> Record:
        return self.find(witness, kind, **wanted)[0]

    def drop(self, condition: Callable[[Record], bool]) -> None:
        self.records = [r for r in self.records if not condition(r)]

    def audio(self, index: int) -> list[Packet]:
        return [p for p in self.packets if p.destination == address_of(index) and p.payload is not None]

    def change(self, packet: Packet, at: int, value: bytes) -> None:
        assert packet.payload is not None
        packet.payload = packet.payload[:at] + value + packet.payload[at + len(value) :]

    def _outcomes(self, page: str) -> dict[str, int]:
        """As each start push ended by the gateway's own records: what a right gateway sums up."""
        ended = [r for r in self.find("gateway", "push.ended", action="start") if r.get("page", page) == page]
        counts = Counter({r["phone"]: r["outcome"] for r in ended}.values())
        counts["not_sent"] = self.sizes[page] - len({r["phone"] for r in ended})
        return dict(counts)

    def also(self, number: int, to: tuple[int, ...], at_ms: int) -> None:
        """Another right page: `at_ms` after the first one, to these phones."""
        self.page, self.shift_ns = number, at_ms * MS
        self._asked(to)
        self.add(
            SEND + self.shift_ns + MS,
            "gateway",
            "page.started",
            page=str(number),
            phones=len(to),
            audio="announcement",
            audio_frames=self.frames,
            audio_crc32=f"{zlib.crc32(self.payload):08x}",
        )
        for index in to:
            self._phone(index)
        at = self.audio_end + self.shift_ns + 900 * MS
        self.add(at, "gateway", "page.ended", page=str(number), reason="completed")

    def _asked(self, to: tuple[int, ...]) -> None:
        item, page, at = f"page {self.page}", str(self.page), SEND + self.shift_ns
        self.sizes[page] = len(to)
        self.add(SEND - 490 * MS, "harness", "page.planned", item=item, phones=[name_of(index) for index in to])
        self.add(at, "harness", "page.requested", item=item, audio="announcement")
        self.add(at, "harness", "page.accepted", item=item, page=page)

    # The right run.

    def _harness(self) -> None:
        at = SEND - 500 * MS
        self.add(
            at,
            "harness",
            "lab.described",
            ground="netns",
            phones_network="10.20.0.0/17",
            gateway=GATEWAY,
            callmanager=CALLMANAGER,
            authentication_servers=SERVERS,
            control_phone=CONTROL,
            reserved=[CANARY, CANARY_PHONE],
        )
        places = {
            "rtp": f"{CANARY_PHONE}:32674",
            "authentication-gateway": SERVERS["gateway"],
            "authentication-callmanager": SERVERS["callmanager"],
        }
        for number, (clause, place) in enumerate(places.items()):
            for when, t_ns in (("before", at + number * MS), ("after", self.audio_end + 1000 * MS + number * MS)):
                port = 40000 + number + (10 if when == "after" else 0)
                self.add(
                    t_ns,
                    "harness",
                    "canary.sent",
                    clause=clause,
                    source=f"{CANARY}:{port}",
                    destination=place,
                    when=when,
                )
                host, _, to = place.rpartition(":")
                self.packets.append(
                    Packet(t_ns + MS, CANARY, port, host, int(to), b"canary" if clause == "rtp" else None)
                )
        push = f"{HARNESS}:50000"
        self.add(
            at + 10 * MS, "harness", "control.pushed", phone=CONTROL, push=push, user="control", outcome="executed"
        )
        self.add(
            at + 10 * MS, "phones", "push.received", phone=CONTROL, push=push, items=["Key:Services"], well_formed=True
        )
        self._question(at + 11 * MS, CONTROL, CONTROL_ADDRESS, 51000, push, "callmanager", 0)
        if self.pages:
            self._asked(self.to if self.to is not None else tuple(range(self.phones)))
        else:
            self.sizes["1"] = self.phones
            self.add(SEND, "harness", "page.requested", page="1", audio="announcement")
        self.add(self.audio_end + 2000 * MS, "harness", "secrets.searched", files=9, found=[])
        self.add(
            SEND + MS,
            "gateway",
            "page.started",
            page="1",
            phones=self.phones if self.to is None else len(self.to),
            audio="announcement",
            audio_frames=self.frames,
            audio_crc32=f"{zlib.crc32(self.payload):08x}",
        )
        self.add(self.audio_end + 900 * MS, "gateway", "page.ended", page="1", reason="completed")

    def _question(
        self,
        t_ns: int,
        phone: str,
        address: str,
        port: int,
        push: str,
        server: str,
        hop: int,
        answer: str = "authorized",
    ) -> None:
        connection, place = f"{address}:{port}", SERVERS[server]
        same = {"phone": phone, "connection": connection}
        self.add(t_ns, "phones", "authentication.asked", **same, push=push, server=place, hop=hop)
        host, _, to = place.rpartition(":")
        self.packets.append(Packet(t_ns + MS // 10, address, port, host, int(to)))
        word = {"refused": "unauthorized"}.get(answer, answer) if server == "callmanager" else answer
        at = t_ns + MS
        if server == "callmanager":
            self.add(
                at,
                "callmanager",
                "authentication.answered",
                **same,
                answer=word,
                arrived_ns=t_ns + MS // 5,
                queue_on_arrival=0,
                busy_on_arrival=0,
                wait_ms=0.0,
                service_ms=0.8,
                answer_ms=0.8,
                late_ms=0.04,
                late_fraction=0.05,
            )
        else:
            self.add(at, "gateway", "authentication.answered", **same, answer=word, own_user=True, answer_ms=0.1)
        self.add(
            at + MS // 2,
            "phones",
            "authentication.answered",
            **same,
            push=push,
            server=place,
            hop=hop,
            answer=answer,
            http_status=200,
            answer_ms=1.5,
        )

    def _inventory(self, index: int) -> None:
        phone = name_of(index)
        self.add(
            SEND - 400 * MS,
            "gateway",
            "inventory.read",
            phone=phone,
            address=address_of(index),
            outcome="read",
            directory_number=str(2001 + index),
            mac=phone[3:],
        )

    def _push(self, index: int, t_ns: int, port: int, action: str) -> str:
        phone, address = name_of(index), address_of(index)
        push = f"{GATEWAY}:{port}"
        item = f"RTPRx:{GATEWAY}:32674" if action == "start" else "RTPRx:Stop"
        self.add(
            t_ns,
            "gateway",
            "push.sent",
            phone=phone,
            push=push,
            page=str(self.page),
            action=action,
            attempt=1,
            address=address,
        )
        self.add(t_ns + MS, "phones", "push.received", phone=phone, push=push, items=[item], well_formed=True)
        self._question(t_ns + 2 * MS, phone, address, 30000 + (port & 1) + 2 * self.page, push, self.url, 0)
        done = item if action == "stop" else "RTPRx"
        self.add(
            t_ns + 5 * MS,
            "phones",
            "push.executed",
            phone=phone,
            push=push,
            action=done,
            authorised_by=SERVERS[self.url],
        )
        self.add(t_ns + 6 * MS, "phones", "push.answered", phone=phone, push=push, answer="response", http_status=200)
        self.add(
            t_ns + 7 * MS,
            "gateway",
            "push.ended",
            phone=phone,
            push=push,
            page=str(self.page),
            action=action,
            attempt=1,
            outcome="executed",
            http_status=200,
            answer_ms=7.0,
        )
        return push

    def _phone(self, index: int) -> None:
        phone, address = name_of(index), address_of(index)
        begin = SEND + self.shift_ns + 5 * MS + index * self.step_ns
        push = self._push(index, begin, 1000 * self.page + 2 * index, "start")
        self.add(begin + 5 * MS, "phones", "stream.listening", phone=phone, push=push, source=GATEWAY, port=32674)
        ssrc, sequence, timestamp, port = 7_000_000 * self.page + index, (65_500 + index) & 0xFFFF, 123_456, 20_000
        at = AUDIO + self.shift_ns + index * MS // 100
        self.add(
            at - MS,
            "gateway",
            "stream.started",
            phone=phone,
            page=str(self.page),
            source=f"{GATEWAY}:{port}",
            destination=f"{address}:32674",
            ssrc=ssrc,
            first_sequence=sequence,
            first_timestamp=timestamp,
            first_frame=0,
        )
        for frame in range(self.frames):
            header = struct.pack(
                ">BBHII", 0x80, 0, (sequence + frame) & 0xFFFF, (timestamp + 160 * frame) & 0xFFFFFFFF, ssrc
            )
            sound = self.payload[160 * frame : 160 * frame + 160]
            self.packets.append(Packet(at + frame * 20 * MS, GATEWAY, port, address, 32674, header + sound))
        self.add(
            self.audio_end + self.shift_ns,
            "gateway",
            "stream.stopped",
            phone=phone,
            page=str(self.page),
            packets=self.frames,
        )
        end = self.audio_end + self.shift_ns + 100 * MS + index * self.step_ns
        stop = self._push(index, end, 1000 * self.page + 1 + 2 * index, "stop")
        self.add(
            end + 5 * MS,
            "phones",
            "stream.heard",
            phone=phone,
            push=push,
            source=f"{GATEWAY}:{port}",
            ssrc=ssrc,
            packets=self.frames,
            lost=0,
            duplicates=0,
            reordered=0,
            malformed=0,
            foreign=False,
            first_t_ns=at,
            last_t_ns=at + (self.frames - 1) * 20 * MS,
            first_sequence=sequence,
            last_sequence=(sequence + self.frames - 1) & 0xFFFF,
            first_timestamp=timestamp,
            jitter_ms=0.0,
            gap_ms=20.0,
            crc32=f"{zlib.crc32(self.payload):08x}",
        )
        self.add(end + 5 * MS, "phones", "stream.stopped", phone=phone, push=stop, reason="push")

    def _parts(self) -> None:
        at = self.audio_end + 2000 * MS
        for part, witness in (
            ("gateway", "gateway"),
            ("pacer", "gateway"),
            ("phones", "phones"),
            ("callmanager", "callmanager"),
            ("capture", "harness"),
        ):
            self.add(at, witness, "part.ended", part=part, cpu_s=1.0, rss_bytes=1000, loop_lag_ms=TIMES, dropped=0)
        self.add(at, "gateway", "schedule.lateness", schedule="pacer", **TIMES)
        self.add(at, "callmanager", "schedule.lateness", schedule="callmanager_model", **TIMES)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        audio = folder.parent / "source.wav"
        with wave.open(str(audio), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(self.samples.astype("<i2").tobytes())
        page = self.alert or self.pages.replace("{audio}", str(audio)) or f'[[page]]\naudio = "{audio}"'
        text = f"""
name = "synthetic"
purpose = "A run made by hand."
{self.head}
[fleet]
{"" if "csv =" in self.fleet else f"phones = {self.phones}"}
authentication_url = "{self.url}"
{self.fleet}
{page}
{self.scenario}
"""
        header = ["device_name", "directory_number", "mac", "model", "address", "authentication_url", "web_access"]
        lines = [",".join(line) for line in (header, *self.roster)]
        if "csv =" in self.fleet:
            (folder / "site.csv").write_text("\n".join(lines) + "\n")
        scenario = parse(text, folder / "synthetic.toml", files=False)
        write_resolved(scenario, folder / "scenario.toml", {"python": "3.11"}, {"cores": 2})
        (folder / "roster.csv").write_text("\n".join(lines) + "\n")
        for ended in self.find("gateway", "page.ended"):
            ended.setdefault("outcomes", self._outcomes(ended["page"]))
        ordered = sorted(self.records, key=lambda r: r["t_ns"])
        body = "\n".join(json.dumps(r) for r in ordered) + "\n"
        (folder / "events.jsonl.gz").write_bytes(gzip.compress(body.encode(), 1))
        (folder / "capture.json").write_text(json.dumps({"packets": len(self.packets)} | self.facts))
        pcap = file_header() + b"".join(map(_record, sorted(self.packets, key=lambda packet: packet.t_ns)))
        (folder / "capture.pcap.gz").write_bytes(gzip.compress(pcap, 1))
        return folder


def _record(packet: Packet) -> bytes:
    if packet.payload is None:
        transport = struct.pack(
            ">HHIIBBHHH", packet.source_port, packet.destination_port, 1, 0, 0x50, 0x02, 65535, 0, 0
        )
        protocol = 6
    else:
        transport = struct.pack(">HHHH", packet.source_port, packet.destination_port, 8 + len(packet.payload), 0)
        transport += packet.payload
        protocol = 17
    addresses = bytes(map(int, f"{packet.source}.{packet.destination}".split(".")))
    internet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(transport), 0, 0, TIME_TO_LIVE, protocol, 0) + addresses
    frame = b"\x02" * 12 + b"\x08\x00" + internet + transport
    seconds, fraction = divmod(packet.t_ns + REALTIME, 1_000_000_000)
    return struct.pack("<IIII", seconds, fraction, len(frame), len(frame)) + frame
