"""A phone's story: what each witness recorded of it, in plain words and in order of time.

Records hold no secret (docs/reference/events.md). A foreign gateway writes records of its own, so what looks like one
is left out here all the same: fields with a telling name, and whatever stands behind the `?` of a URL.
"""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.report import figures
from harness.report.send import SENDS, send_ns
from harness.run_folder import EVENTS

Record = Mapping[str, Any]

MOMENTS_MAX: Final = 200
"""Moments told of one phone; an ordinary page has about 20."""
_TEXT_MAX: Final = 300
"""Characters of one value: a foreign gateway's words can be long."""
_PHONE: Final = re.compile(r'"phone": ?"([^"]*)"')
_SECRET: Final = re.compile("passw|pwd|secret|token|credential|authorization|cookie", re.IGNORECASE)
_QUERY: Final = re.compile(r"\?[^\s\"',;<>]*[=&][^\s\"',;<>]*")
_KNOWN_TO_ALL: Final = frozenset({"t_ns", "witness", "kind", "phone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One record in words."""

    at_ms: float
    """after Send"""
    witness: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that was recorded of one phone."""

    phone: str
    moments: tuple[Moment, ...]
    left_out: int
    """moments beyond `MOMENTS_MAX`"""
    groups: frozenset[str]
    """multicast addresses that it listened to"""

    @property
    def lines(self) -> tuple[str, ...]:
        """`    12.345 ms  gateway      sent the start push …`, one line a moment."""
        told = [f"{moment.at_ms:>13,.3f} ms  {moment.witness:<11}  {moment.words}" for moment in self.moments]
        if self.left_out:
            told.append(f"and {self.left_out:,} more in {EVENTS}")
        return tuple(told)


def read_stories(folder: Path, phones: Collection[str]) -> Mapping[str, Story]:
    """The stories of these phones, as far as the folder's records can be read; empty where there are none."""
    if not phones:
        return {}
    records: list[Record] = []
    try:
        with gzip.open(folder / EVENTS, "rt", encoding="utf-8", errors="replace") as lines:
            records.extend(_relevant(lines, frozenset(phones)))
    except (OSError, EOFError, zlib.error):
        if not records:
            return {}
    return tell(records, phones)


def tell(records: Iterable[Record], phones: Collection[str]) -> Mapping[str, Story]:
    """The stories of these phones out of records in order of time."""
    known = sorted(records, key=lambda record: record["t_ns"])
    zero = send_ns(known)
    servers: dict[str, str] = {}
    for record in known:
        given = record.get("authentication_servers")
        if record["kind"] == "lab.described" and isinstance(given, dict):
            servers = {str(place): str(name) for name, place in given.items()}
    found: dict[str, list[Moment]] = {phone: [] for phone in phones}
    groups: dict[str, set[str]] = {phone: set() for phone in phones}
    for record in known:
        named = record.get("phones") if record["kind"] == "fault.applied" else [record.get("phone")]
        for phone in named if isinstance(named, list) else ():
            if not isinstance(phone, str) or phone not in found:
                continue
            words = _words(record, zero, servers)
            at_ms = (record["t_ns"] - zero) / 1e6
            found[phone].append(Moment(at_ms=at_ms, witness=_text(record.get("witness")), words=words))
            source = record.get("source")
            if record["kind"] == "stream.listening" and isinstance(source, str) and is_group(source):
                groups[phone].add(source)
    for group, moment in _group_streams(known, zero, servers):
        for phone, heard in groups.items():
            if group in heard:
                found[phone].append(moment)
    for moments in found.values():
        moments.sort(key=lambda moment: moment.at_ms)
    return {
        phone: Story(
            phone=phone,
            moments=tuple(moments[:MOMENTS_MAX]),
            left_out=max(0, len(moments) - MOMENTS_MAX),
            groups=frozenset(groups[phone]),
        )
        for phone, moments in found.items()
        if moments
    }


def _group_streams(
    records: Iterable[Record], zero: int, servers: Mapping[str, str]
) -> Iterable[tuple[str, Moment]]:
    """The gateway's streams to groups, which name no phone: the group and what is to be told to its listeners."""
    group_of: dict[str, str] = {}
    for record in records:
        if record["kind"] not in ("stream.started", "stream.stopped") or record.get("phone"):
            continue
        page = str(record.get("page"))
        if record["kind"] == "stream.started":
            group_of[page] = str(record.get("destination")).rpartition(":")[0]
        if is_group(group_of.get(page, "")):
            at_ms = (record["t_ns"] - zero) / 1e6
            words = _words(record, zero, servers)
            yield group_of[page], Moment(at_ms=at_ms, witness=_text(record.get("witness")), words=words)


def is_group(address: str) -> bool:
    """Whether a dotted IPv4 address is a multicast one (RFC 5771: 224.0.0.0/4)."""
    first, _, _ = address.partition(".")
    return first.isascii() and first.isdigit() and 224 <= int(first) <= 239


def _relevant(lines: Iterable[str], phones: frozenset[str]) -> Iterable[Record]:
    """Records of these phones, those that belong to no phone, and what may be Send; only these are taken apart."""
    for line in lines:
        named = _PHONE.search(line)
        if named is not None and named[1] not in phones and not any(kind in line for kind in SENDS):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("kind"), str) and type(record.get("t_ns")) is int:
            yield record


def _words(record: Record, zero: int, servers: Mapping[str, str]) -> str:
    teller = _TELLERS.get((str(record.get("witness")), record["kind"]))
    if teller is not None:
        try:
            return teller(record, zero, servers)
        except (LookupError, TypeError, ValueError, OverflowError):
            pass  # a foreign record with other fields: told as one that is not known
    fields = (
        f"{figures.clean(str(name))} {_text(value)}"
        for name, value in record.items()
        if name not in _KNOWN_TO_ALL and not _SECRET.search(str(name))
    )
    return f"{_text(record['kind'])}: {', '.join(fields)}".rstrip(": ")


def _text(value: object) -> str:
    """A value for people: cleaned, without query strings, not endless."""
    if isinstance(value, bool) or value is None:
        text = {True: "yes", False: "no", None: ""}[value]
    elif isinstance(value, list):
        text = ", ".join(_text(each) for each in value) or "none"
    elif isinstance(value, dict):
        told = {figures.clean(str(name)): _text(each) for name, each in value.items() if not _SECRET.search(str(name))}
        text = ", ".join(f"{name} {each}" for name, each in told.items())
    else:
        text = _QUERY.sub("?…", figures.clean(str(value)))
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"


def _server(record: Record, servers: Mapping[str, str], field: str = "server") -> str:
    place = _text(record.get(field))
    name = {"gateway": "the gateway", "callmanager": "CallManager"}.get(servers.get(place, ""), "")
    return f"{name} ({place})" if name else place or "nobody"


def _after(record: Record, field: str = "answer_ms") -> str:
    return f" after {float(record[field]):,.1f} ms" if record.get(field) is not None else ""


def _status(record: Record) -> str:
    parts = [f"HTTP {_text(record['http_status'])}"] if record.get("http_status") else []
    parts += [f"error {_text(record['error_number'])}"] if record.get("error_number") else []
    return f" ({', '.join(parts)})" if parts else ""


def _detail(record: Record, field: str = "detail") -> str:
    return f": {_text(record[field])}" if record.get(field) else ""


def _push_sent(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    attempt = f"attempt {_text(record.get('attempt', 1))}, from {_text(record.get('push'))}"
    return f"sent the {_text(record['action'])} push, {attempt}"


def _push_ended(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    outcome = f"{_text(record['outcome'])}{_status(record)}{_after(record)}{_detail(record)}"
    return f"{_text(record['action'])} push: {outcome}"


def _gateway_asked(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    own = "" if record.get("own_user") in (None, True) else ", not its own push user"
    return f"was asked whether the push is genuine, answered {_text(record['answer'])}{own}"


def _stream_started(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    frame = record.get("first_frame")
    late = f", from frame {_text(frame)} on" if frame else ""
    return f"began to send audio from {_text(record.get('source'))} to {_text(record.get('destination'))}{late}"


def _stream_sent(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    return f"stopped sending audio after {int(record['packets']):,} packets"


def _inventory(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    number = f", directory number {_text(record['directory_number'])}" if record.get("directory_number") else ""
    return f"read its web server before the page: {_text(record['outcome'])}{number}"


def _received(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    what = _text(record.get("items") or [])
    return f"received a push: {what}" if record.get("well_formed") else f"received a request that is no push: {what}"


def _asked(record: Record, _zero_ns: int, servers: Mapping[str, str]) -> str:
    way = ", sent there by a redirect" if record.get("hop") else ""
    return f"asked {_server(record, servers)} whether the push is genuine{way}"


def _told(record: Record, _zero_ns: int, servers: Mapping[str, str]) -> str:
    return f"{_server(record, servers)} answered {_text(record['answer'])}{_status(record)}{_after(record)}"


def _executed(record: Record, _zero_ns: int, servers: Mapping[str, str]) -> str:
    by = f", authorised by {_server(record, servers, 'authorised_by')}" if record.get("authorised_by") else ""
    return f"executed {_text(record['action'])}{by}"


def _answered(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    spoilt = f", spoilt on its way by its fault {_text(record['spoilt'])}" if record.get("spoilt") else ""
    return f"answered the push: {_text(record['answer'])}{_status(record)}{spoilt}"


def _listening(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    source = f" to audio from {_text(record['source'])}" if record.get("source") else ""
    return f"listens on port {_text(record['port'])}{source}"


def _heard(record: Record, zero_ns: int, _servers: Mapping[str, str]) -> str:
    first, last = ((record[name] - zero_ns) / 1e6 for name in ("first_t_ns", "last_t_ns"))
    counts = [
        f"{int(record[name]):,} {word}"
        for name, word in (
            ("lost", "lost"),
            ("duplicates", "twice"),
            ("reordered", "out of order"),
            ("malformed", "that are no G.711"),
        )
        if record.get(name)
    ]
    gap = f"; longest silence {float(record['gap_ms']):,.1f} ms" if record.get("gap_ms") is not None else ""
    stranger = " a STRANGER," if record.get("foreign") else ""
    return (
        f"heard {int(record['packets']):,} packets from{stranger} {_text(record['source'])}, "
        f"first at {first:,.3f} ms, last at {last:,.3f} ms; {', '.join(counts) or 'none lost'}{gap}"
    )


def _stopped(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    why = {"push": "a push told it to", "end": "the run ended", "call": "a call began", "reset": "it was reset"}
    reason = _text(record.get("reason"))
    return f"stopped listening: {why.get(reason, reason)}"


def _misbehaves(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    return f"is a phone that misbehaves: {_text(record['misbehaviour'])}{_detail(record, 'parameters')}"


def _unlistened(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    return f"got {int(record['packets']):,} packets from {_text(record['source'])} while it did not listen"


def _shown(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    title = f" titled {_text(record['title'])!r}" if record.get("title") else ""
    return f"shows {_text(record['object'])}{title}{_detail(record, 'text')}"


def _pressed(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    return f"its key {_text(record['name'])!r} was pressed"


def _judged(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    reason = f", reason {_text(record['reason'])}" if record.get("reason") else ""
    wait = f", of which {float(record['wait_ms']):,.1f} ms in its queue" if record.get("wait_ms") else ""
    return f"was asked whether the push is genuine, answered {_text(record['answer'])}{reason}{_after(record)}{wait}"


def _fault(record: Record, _zero_ns: int, _servers: Mapping[str, str]) -> str:
    return f"put the fault {_text(record['fault'])} upon it{_detail(record)}"


_TELLERS: Final[dict[tuple[str, str], Callable[[Record, int, Mapping[str, str]], str]]] = {
    ("gateway", "push.sent"): _push_sent,
    ("gateway", "push.ended"): _push_ended,
    ("gateway", "authentication.answered"): _gateway_asked,
    ("gateway", "stream.started"): _stream_started,
    ("gateway", "stream.stopped"): _stream_sent,
    ("gateway", "inventory.read"): _inventory,
    ("phones", "push.received"): _received,
    ("phones", "authentication.asked"): _asked,
    ("phones", "authentication.answered"): _told,
    ("phones", "push.executed"): _executed,
    ("phones", "push.answered"): _answered,
    ("phones", "stream.listening"): _listening,
    ("phones", "stream.heard"): _heard,
    ("phones", "stream.stopped"): _stopped,
    ("phones", "phone.misbehaves"): _misbehaves,
    ("phones", "rtp.unlistened"): _unlistened,
    ("phones", "screen.shown"): _shown,
    ("phones", "softkey.pressed"): _pressed,
    ("callmanager", "authentication.answered"): _judged,
    ("harness", "fault.applied"): _fault,
}
"""How a record is told; a kind that is not here, as of a later version, is told by its name and fields."""
