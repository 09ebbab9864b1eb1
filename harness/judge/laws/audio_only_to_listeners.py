"""Audio is sent only to phones that listen."""

import numpy as np

from harness.judge.evidence import IN_FLIGHT_NS, host
from harness.judge.laws.law import Case, Finding, Law

_FOR_EVER = 2**62


def find(case: Case) -> Finding:
    """Packets before a phone listened, after it ceased to, or to no phone at all.

    Packets within the clocks' uncertainty, and those on their way when a phone stopped, are let pass.
    """
    finding = Finding()
    evidence = case.evidence
    packets = evidence.wire.packets
    slack = evidence.uncertainty_ns
    by_address = evidence.by_address
    if "wire" in case.present and packets is not None:
        for stream in evidence.audio_streams:
            if not evidence.from_gateway(stream.source_address):
                continue
            finding.looked_at += 1
            phone = by_address.get(stream.destination_address)
            names = [phone.name] if phone else evidence.listeners.get(stream.destination_address, [])
            if not names:
                finding.add(f"{stream.packets} packets to {stream.destination_address}, which is no phone's")
                continue
            t_ns = packets.t_ns[stream.rows]
            allowed = np.zeros(len(t_ns), bool)
            # To a group: while any phone listens to it. That one hears nothing before it joins, the network sees to.
            for begin, end in {period for name in names for period in case.stories[name].periods(_FOR_EVER)}:
                allowed |= (t_ns >= begin - slack) & (t_ns <= end + IN_FLIGHT_NS + slack)
            if not allowed.all():
                who = names[0] if phone else ""
                finding.add(f"{int((~allowed).sum())} packets while it did not listen", who)
    else:
        _by_diaries(case, finding)
    _to_the_right_address(case, finding)
    return finding


def _to_the_right_address(case: Case, finding: Finding) -> None:
    """A stream that is one phone's by the gateway's word and went to another address."""
    for phone, story in case.fleet():
        for record in story.stream_started:
            place = host(record.text("destination"))
            if record.phone == phone.name and place != phone.address:
                finding.add(f"its audio was sent to {place}, it is at {phone.address}", phone.name)


def _by_diaries(case: Case, finding: Finding) -> None:
    """Where there is no wire: what the phones themselves saw while they did not listen."""
    for phone, story in case.fleet():
        finding.looked_at += 1
        stops = [record.t_ns for record in story.stopped]
        for record in story.unlistened:
            last, first = record.whole("last_t_ns", record.t_ns), record.whole("first_t_ns", record.t_ns)
            in_flight = any(stop <= first and last <= stop + IN_FLIGHT_NS for stop in stops)
            if case.evidence.from_gateway(host(record.text("source"))) and not in_flight:
                finding.add(f"{record.whole('packets')} packets while it did not listen", phone.name)


LAW = Law(
    name="audio-only-to-listeners",
    sentence="Every audio packet went to a phone that listened.",
    witnesses=("wire", "phones"),
    essential=("phones",),
    scopes=("rtp",),
    find=find,
)
