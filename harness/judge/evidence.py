"""All that a run left behind, read once: records, wire, roster, scenario, and who of them is no part of the fleet."""

import csv
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from harness.capture.pcap import CaptureError
from harness.capture.reader import TCP, DamagedCaptureError, Packets, address, read
from harness.capture.rtp import Stream, analyse
from harness.observe.records import Record, Records, RecordsError, read_records
from harness.scenario import Scenario, read_resolved
from harness.scenario.model import MAX_RECORDINGS

SCENARIO: Final = "scenario.toml"
ROSTER: Final = "roster.csv"
EVENTS: Final = "events.jsonl.gz"
CAPTURE: Final = "capture.pcap.gz"
CAPTURE_FACTS: Final = "capture.json"
AUDIO_FILES: Final = ("audio.wav", *(f"audio-{number}.wav" for number in range(2, MAX_RECORDINGS + 1)))
"""The recordings as they were paged: a folder can be judged where its scenario's files are not."""
RTP_PORT: Final = 32674
"""Port of pushed audio (Citrix CTX111243)."""
IN_FLIGHT_NS: Final = 50_000_000
"""A packet may be on its way for this long when a phone stops listening: two packet times and a busy machine."""
CLOCK_SLACK_NS: Final = 1_000_000_000
"""How far times of the wire may lie beyond the capture's ends: the taps are opened and closed just outside of them."""
MAX_FACTS_BYTES: Final = 2**24
"""capture.json is a few kilobytes."""


class EvidenceError(Exception):
    """The folder cannot be judged: its scenario or its roster cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One line of the roster."""

    name: str
    directory_number: str
    model: str
    address: str
    web_access: bool
    zone: str = ""
    subnet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What the capture holds, or why it holds nothing."""

    packets: Packets | None
    facts: Mapping[str, Any]
    """capture.json."""
    problems: tuple[str, ...]
    """Why it is not whole."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One run."""

    scenario: Scenario
    roster: Mapping[str, Phone]
    """The fleet by device name; the control phone is left out."""
    control: Phone | None
    records: Records
    problems: tuple[str, ...]
    """Why the records are not whole."""
    wire: Wire
    audios: Mapping[Path, Path]
    """The recordings by the scenario's path: the folder's copy, or where the scenario says it was."""
    lab: Record | None
    sent_t_ns: int | None
    """Send, the zero of the ledger's times."""
    excused: Mapping[str, str] = field(default_factory=dict)
    """Phones under a fault: device name → kind of fault."""

    @cached_property
    def servers(self) -> Mapping[str, str]:
        """Authentication servers: `address:port` → `gateway` or `callmanager`."""
        given = self.lab.fields.get("authentication_servers") if self.lab else None
        return {str(place): str(name) for name, place in given.items()} if isinstance(given, dict) else {}

    @cached_property
    def server_places(self) -> Mapping[str, str]:
        """`gateway` or `callmanager` → `address:port`."""
        return {name: place for place, name in self.servers.items()}

    @cached_property
    def gateway_address(self) -> str:
        """Where pushes and audio come from."""
        return self.lab.text("gateway") if self.lab else ""

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """Clauses of the capture whose packets do not pass the machine of the run: ground `lab` alone has some."""
        return self.lab.texts("unseen") if self.lab else ()

    @cached_property
    def outsiders(self) -> frozenset[str]:
        """Addresses of control phone and canaries: no metric and no ledger counts them."""
        found = set(self.lab.texts("reserved")) if self.lab else set()
        for canary in self.records.of("harness", "canary.sent"):
            found.add(host(canary.text("source")))
            if canary.text("clause") == "rtp":
                found.add(host(canary.text("destination")))
        if self.control is not None:
            found.add(self.control.address)
        return frozenset(found)

    @cached_property
    def by_address(self) -> Mapping[str, Phone]:
        """The fleet by address."""
        return {phone.address: phone for phone in self.roster.values()}

    def of(self, witness: str, kind: str) -> list[Record]:
        """Records of the fleet: those of the control phone and of canaries are left out."""
        return self._fleet_records.get((witness, kind), [])

    @cached_property
    def _fleet_records(self) -> Mapping[tuple[str, str], list[Record]]:
        control = self.control.name if self.control else ""
        outsiders = self.outsiders

        def counts(record: Record) -> bool:
            connection = record.text("connection")
            return not (
                (control and record.phone == control) or (connection and connection.rpartition(":")[0] in outsiders)
            )

        return {key: [r for r in found if counts(r)] for key, found in self.records.by_kind.items()}

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """Why CallManager refused, in its own words (events.md): the phone's end of the connection → reason."""
        log = self.of("callmanager", "authentication.answered")
        return {record.text("connection"): reason for record in log if (reason := record.text("reason"))}

    @cached_property
    def foreign_pushes(self) -> frozenset[str]:
        """Pushes of other applications and of the control: not the page's."""
        kinds = ("application.pushed", "control.pushed")
        return frozenset(r.push for kind in kinds for r in self.records.of("harness", kind) if r.push)

    @cached_property
    def outsiders_packets(self) -> int:
        """Captured packets of control phone and canaries."""
        packets = self.wire.packets
        if packets is None:
            return 0
        return int((np.isin(packets.source, self._outside) | np.isin(packets.destination, self._outside)).sum())

    @cached_property
    def _outside(self) -> npt.NDArray[np.uint32]:
        numbers = [int(ipaddress.IPv4Address(a)) for a in self.outsiders if _is_address(a)]
        return np.array(numbers, np.uint32)

    @cached_property
    def audio_streams(self) -> list[Stream]:
        """Streams on the wire to the audio port, canaries left out."""
        packets = self.wire.packets
        if packets is None or not len(packets):
            return []
        rows = packets.protocol != TCP
        rows &= ~np.isin(packets.source, self._outside) & ~np.isin(packets.destination, self._outside)
        return analyse(packets, rows)

    @cached_property
    def streams_of(self) -> Mapping[str, list[Stream]]:
        """Streams from the gateway, by the phone that they go to."""
        found: dict[str, list[Stream]] = {}
        for stream in self.audio_streams:
            if not self.from_gateway(stream.source_address):
                continue
            phone = self.by_address.get(stream.destination_address)
            for name in [phone.name] if phone else self.listeners.get(stream.destination_address, ()):
                found.setdefault(name, []).append(stream)
        return found

    @cached_property
    def listeners(self) -> Mapping[str, list[str]]:
        """Multicast group to the phones of the fleet that listened to it at any time, by their own diaries."""
        found: dict[str, dict[str, None]] = {}
        for record in self.of("phones", "stream.listening"):
            if is_group(record.text("source")) and record.phone in self.roster:
                found.setdefault(record.text("source"), {})[record.phone] = None
        return {group: list(names) for group, names in found.items()}

    def from_gateway(self, source: str) -> bool:
        """Whether audio from this address is the gateway's; where nobody described the lab, all of it is."""
        return not self.gateway_address or source == self.gateway_address

    @cached_property
    def syns(self) -> Mapping[str, frozenset[str]]:
        """Connections that the wire saw begin, by server name; canaries and the control phone are left out."""
        return {
            name: frozenset(c for c in found if host(c) not in self.outsiders) for name, found in self.all_syns.items()
        }

    @cached_property
    def all_syns(self) -> Mapping[str, frozenset[str]]:
        """Connections that the wire saw begin, by server name, each counted once however often its SYN came."""
        packets = self.wire.packets
        found: dict[str, frozenset[str]] = {}
        for place, name in self.servers.items():
            if packets is None:
                found[name] = frozenset()
                continue
            server, _, port = place.rpartition(":")
            if not _is_address(server) or not port.isdecimal():
                found[name] = frozenset()
                continue
            rows = (
                (packets.protocol == TCP)
                & (packets.destination == int(ipaddress.IPv4Address(server)))
                & (packets.destination_port == int(port))
                & (packets.tcp_flags & 0x12 == 0x02)
            )
            ends = packets.source[rows].astype(np.uint64) << np.uint64(16) | packets.source_port[rows]
            found[name] = frozenset(f"{address(end >> 16)}:{end & 0xFFFF}" for end in np.unique(ends).tolist())
        return found

    @property
    def uncertainty_ns(self) -> int:
        """How far a time of the wire may be off against times of records."""
        return 0 if self.wire.packets is None else self.wire.packets.uncertainty_ns


def is_group(place: str) -> bool:
    """Whether an address is a multicast group."""
    return _is_address(place) and ipaddress.IPv4Address(place).is_multicast


def place_of(evidence: Evidence, url: str) -> str:
    """The `address:port` of an authentication URL of the scenario: `gateway`, `callmanager`, or a URL."""
    if url in ("gateway", "callmanager"):
        return evidence.server_places.get(url, "")
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def host(place: str) -> str:
    """The address of `address:port`."""
    return place.rpartition(":")[0] or place


def read_evidence(folder: Path) -> Evidence:
    """Read a run's folder.

    Raises:
        EvidenceError: there is no roster, or records cannot be opened.
        ScenarioError: the scenario cannot be read.
    """
    scenario = read_resolved(folder / SCENARIO)
    try:
        records = read_records(folder / EVENTS)
    except RecordsError as error:
        raise EvidenceError(str(error)) from None
    phones = _roster(folder / ROSTER)
    lab = next(iter(records.of("harness", "lab.described")), None)
    named = lab.text("control_phone") if lab else ""
    control = next((phone for phone in phones.values() if named and named in (phone.name, phone.address)), None)
    roster = {name: phone for name, phone in phones.items() if control is None or name != control.name}
    excused = {
        phone: fault.text("fault")
        for fault in records.of("harness", "fault.applied")
        for phone in fault.texts("phones")
    }
    problems = [f"line {p.line}: {p.why}" for p in records.problems]
    problems += [
        f"{damaged.text('file')}: {damaged.whole('lines')} damaged lines"
        for damaged in records.of("harness", "records.damaged")
    ]
    return Evidence(
        scenario=scenario,
        roster=roster,
        control=control,
        records=records,
        problems=tuple(problems),
        wire=_wire(folder),
        audios=_audios(folder, scenario),
        lab=lab,
        sent_t_ns=_zero(records, control, alert=bool(scenario.alerts)),
        excused=excused,
    )


_SENDS: Final = (("harness", "page.requested"), ("harness", "alert.requested"))
_TOLD_SENDS: Final = (("gateway", "page.started"), ("gateway", "push.sent"))


def _audios(folder: Path, scenario: Scenario) -> Mapping[Path, Path]:
    copies = {path: folder / name for path, name in zip(scenario.recordings, AUDIO_FILES, strict=False)}
    return {path: copy if copy.is_file() else path for path, copy in copies.items()}


def _zero(records: Records, control: Phone | None, *, alert: bool) -> int | None:
    """Send: when the harness asked for the page.

    A foreign gateway is asked by nobody. Send is the earliest of what it tells and of what phones saw of it: one that
    tells of its page when half of the pushes are out has not paged quicker by that.
    """
    for witness, kind in _SENDS:
        first = next(iter(records.of(witness, kind)), None)
        if first is not None:
            return first.t_ns
    outside = control.name if control else None
    others = {r.push for kind in ("application.pushed", "control.pushed") for r in records.of("harness", kind)}
    seen = (
        r.t_ns
        for r in records.of("phones", "push.received")
        if r.phone != outside and r.push not in others and (alert or _begins_audio(r))
    )
    told = (found[0].t_ns for witness, kind in _TOLD_SENDS if (found := records.of(witness, kind)))
    return min((*told, *seen), default=None)


def _begins_audio(push: Record) -> bool:
    items = push.texts("items")
    return not items or any(i.startswith(("RTPRx", "RTPMRx")) and not i.endswith(":Stop") for i in items)


def _roster(path: Path) -> dict[str, Phone]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvidenceError(f"{path}: cannot be read: {error}") from None
    phones: dict[str, Phone] = {}
    for number, line in enumerate(lines, start=2):
        name = line.get("device_name") or ""
        if not name or name in phones or not line.get("address"):
            raise EvidenceError(f"{path}:{number}: expected a device name of its own and an address, got {name!r}")
        phones[name] = Phone(
            name=name,
            directory_number=line.get("directory_number") or "",
            model=line.get("model") or "",
            address=line.get("address") or "",
            web_access=(line.get("web_access") or "true").lower() != "false",
            zone=line.get("zone") or "",
            subnet=line.get("subnet") or "",
        )
    return phones


def _wire(folder: Path) -> Wire:
    facts: Mapping[str, Any] = {}
    problems: list[str] = []
    path = folder / CAPTURE_FACTS
    try:
        if path.stat().st_size > MAX_FACTS_BYTES:
            raise ValueError(f"more than {MAX_FACTS_BYTES} bytes")
        parsed = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(parsed, dict):
            raise TypeError("no object")
        facts = parsed
    except FileNotFoundError:
        return Wire(packets=None, facts={}, problems=("nothing was captured",))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        return Wire(packets=None, facts={}, problems=(f"{CAPTURE_FACTS} cannot be read: {error}",))
    packets: Packets | None = None
    try:
        packets = read(folder / CAPTURE, facts)
    except DamagedCaptureError as error:
        packets = error.whole
        problems.append(_without_folder(str(error), folder))
    except CaptureError as error:
        problems.append(_without_folder(str(error), folder))
    if packets is not None and (outside := _outside_of_the_capture(packets, facts)):
        problems.append(f"{outside} packets have times outside of the capture: a clock was set, or times are damaged")
    return Wire(packets=packets, facts=facts, problems=tuple(problems))


def _outside_of_the_capture(packets: Packets, facts: Mapping[str, Any]) -> int:
    """Packets that came before the taps stood or after they were closed, by more than clocks may be wrong."""
    low, high = facts.get("started_t_ns"), facts.get("ended_t_ns")
    if not isinstance(low, int) or not isinstance(high, int):
        return 0
    outside = (packets.t_ns < low - CLOCK_SLACK_NS) | (packets.t_ns > high + CLOCK_SLACK_NS)
    return int(outside.sum())


def _without_folder(text: str, folder: Path) -> str:
    """A judgement is the same wherever the folder lies."""
    return text.replace(f"{folder}/", "")


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
