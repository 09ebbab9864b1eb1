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
    described = evidence.lab.text("phones_network")
    try:
        # Real phones may be in any network, as a site's twins: each is listed.
        listed = evidence.scenario.fleet.real and not described
        network = None if listed else ipaddress.IPv4Network(described)
    except ValueError:
        finding.undecided = "nobody described the phones' network"
        return finding
    where = network if evidence.scenario.fleet.csv is None else "the list of phones"
    inside: dict[str, bool] = {}

    def is_phone(address: str) -> bool:
        if address not in inside:
            try:
                # A group of the lab is one that a phone of the lab listened to.
                known = address in evidence.by_address or address in evidence.listeners
                inside[address] = known or (network is not None and ipaddress.IPv4Address(address) in network)
            except ValueError:
                inside[address] = False
        return inside[address]

    for kind, name in (("push.sent", "address"), ("stream.started", "destination")):
        for record in evidence.of("gateway", kind):
            place = record.text(name)
            finding.looked_at += 1
            if place and not is_phone(host(place)):
                finding.add(f"{kind.split('.')[0]} to {place}, outside {where}", record.phone)
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
            finding.add(f"{stream.packets} audio packets to {stream.destination_address}, outside {where}")
    return finding


LAW = Law(
    name="nothing-leaves-the-lab",
    sentence="Everything sent went to addresses of the lab.",
    witnesses=("gateway", "phones"),
    essential=(),
    find=find,
)
