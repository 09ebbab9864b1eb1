"""Nobody but the gateway sends audio to phones."""

from harness.judge.evidence import host
from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """Packets on the audio port from another source, heard, unheard, or on the wire."""
    finding = Finding()
    evidence = case.evidence
    for phone, story in case.fleet():
        finding.looked_at += 1
        for record in (*story.heard, *story.unlistened):
            source = record.text("source")
            foreign = record.flag("foreign") or not evidence.from_gateway(host(source))
            if foreign and host(source) not in evidence.outsiders:
                finding.add(f"{record.whole('packets')} packets from {source}", phone.name)
    for stream in evidence.audio_streams:
        if not evidence.from_gateway(stream.source_address):
            to = evidence.by_address.get(stream.destination_address)
            finding.add(f"{stream.packets} packets from {stream.source_text} on the wire", to.name if to else "")
    return finding


LAW = Law(
    name="no-foreign-audio",
    sentence="All audio at the phones' door came from the gateway.",
    witnesses=("phones", "wire"),
    essential=("phones",),
    scopes=("rtp",),
    find=find,
)
