"""What arrived at the phones' host is what the phones counted."""

from collections import Counter
from collections.abc import Mapping

from harness.capture.rtp import Stream
from harness.judge.diaries import PhoneStory
from harness.judge.evidence import Phone, host, is_group
from harness.judge.laws.law import Case, Finding, Law
from harness.judge.ledger import Row
from harness.scenario.faults import IMPAIRMENT


def find(case: Case) -> Finding:
    """A phone that counted other than the wire, per source; heard and unlistened packets together.

    Where the scenario impairs a phone's door, which stands behind the tap, the packets that the door says it took away
    or doubled are put back: the phone must have counted exactly the rest.
    """
    finding = Finding()
    evidence = case.evidence
    if evidence.wire.packets is None:
        finding.undecided = "nothing was captured"
        return finding
    on_wire: dict[str, Counter[str]] = {}
    streams: dict[tuple[str, str, int], Stream] = {}
    for stream in evidence.audio_streams:
        if is_group(stream.destination_address):
            continue
        streams[stream.destination_address, stream.source_text, stream.ssrc] = stream
        on_wire.setdefault(stream.destination_address, Counter())[stream.source_address] += stream.packets
    in_groups = set()
    for row in case.rows:
        if any(is_group(record.text("source")) for record in row.story.listening):
            finding.looked_at += 1
            in_groups.add(row.phone.name)
            _compare_group(finding, row)
    for one, story in case.fleet():
        if one.name in in_groups:
            continue
        finding.looked_at += 1
        wire = on_wire.get(one.address, Counter())
        phone: Counter[str] = Counter()
        for record in (*story.heard, *story.unlistened):
            source = host(record.text("source"))
            if source not in evidence.outsiders:
                phone[source] += record.whole("packets")
        impaired = evidence.excused.get(one.name) == IMPAIRMENT
        _compare_streams(finding, one, story, streams, impaired=impaired)
        if impaired:
            for door in story.impaired:
                phone[host(door.text("source"))] += door.whole("lost") - door.whole("duplicated")
        for source in sorted(wire.keys() | phone.keys()):
            if wire[source] != phone[source]:
                finding.add(f"counted {phone[source]} packets from {source}, the wire saw {wire[source]}", one.name)
    return finding


def _compare_streams(
    finding: Finding,
    phone: Phone,
    story: PhoneStory,
    streams: Mapping[tuple[str, str, int], Stream],
    *,
    impaired: bool,
) -> None:
    """Each stream that a phone heard is one that flew to it, and what came twice on the wire came twice to it."""
    for record in story.heard:
        if record.whole("malformed"):
            continue  # what is no RTP has no source that two would read alike
        stream = streams.get((phone.address, record.text("source"), record.whole("ssrc")))
        if stream is None:
            finding.add(f"heard a stream of {record.text('source')} that the wire never saw", phone.name)
        elif not impaired and record.whole("packets") == stream.packets:
            twice = record.whole("duplicates")
            if twice != stream.duplicates:
                finding.add(f"counted {twice} packets twice, the wire saw {stream.duplicates}", phone.name)


def _compare_group(finding: Finding, row: Row) -> None:
    """A group's packets come whether a phone listens or not: it counts those of its time, give or take the clocks."""
    hearing = row.hearing
    if not hearing.due <= hearing.packets + hearing.lost <= hearing.expected + 1:
        finding.add(
            f"counted {hearing.packets} packets of its group and missed {hearing.lost}, the wire saw {hearing.due} to "
            f"{hearing.expected} while it listened",
            row.phone.name,
        )


LAW = Law(
    name="wire-agrees-with-phones",
    sentence="Each phone counted exactly the packets that the wire saw, less what was injected at its door.",
    witnesses=("wire", "phones"),
    essential=("wire", "phones"),
    scopes=("rtp",),
    find=find,
)
