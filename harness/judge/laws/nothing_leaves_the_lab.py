"""Pushes, questions and audio stay inside the lab."""

import ipaddress
from urllib.parse import urlsplit

from harness.judge.evidence import host
from harness.judge.laws.law import Case, Finding, Law


def find(case: Case) -> Finding:
    """Something sent to an address that is neither a phone's nor an authentication server's."""
    finding = Finding()
    evidence = case.evidence
    if evidence.lab is None:
        finding.undecided = "nobody described the lab"
        return finding
    try:
        told = (evidence.lab.text("phones_network"), *evidence.lab.texts("more_networks"))
        networks = [ipaddress.IPv4Network(text) for text in told]
    except ValueError:
        finding.undecided = "nobody described the phones' network"
        return finding
    named = ", ".join(told)
    inside: dict[str, bool] = {}

    def is_phone(address: str) -> bool:
        if address not in inside:
            try:
                # A group of the lab is one that a phone of the lab listened to.
                found = ipaddress.IPv4Address(address)
                inside[address] = any(found in network for network in networks) or address in evidence.listeners
            except ValueError:
                inside[address] = False
        return inside[address]

    for kind, name in (("push.sent", "address"), ("stream.started", "destination")):
        for record in evidence.of("gateway", kind):
            place = record.text(name)
            finding.looked_at += 1
            if place and not is_phone(host(place)):
                finding.add(f"{kind.split('.')[0]} to {place}, outside {named}", record.phone)
    servers = {host(place) for place in evidence.servers}
    url = evidence.scenario.fleet.authentication_url
    if url not in ("gateway", "callmanager"):
        servers.add(urlsplit(url).hostname or "")
    for record in evidence.of("phones", "authentication.asked"):
        finding.looked_at += 1
        if host(record.text("server")) not in servers:
            finding.add(f"asked {record.text('server')}, which is no server of the lab", record.phone)
    for stream in evidence.audio_streams:
        finding.looked_at += 1
        if not is_phone(stream.destination_address):
            finding.add(f"{stream.packets} audio packets to {stream.destination_address}, outside {named}")
    return finding


LAW = Law(
    name="nothing-leaves-the-lab",
    sentence="Everything sent went to addresses of the lab.",
    witnesses=("gateway", "phones"),
    essential=(),
    find=find,
)
