"""What may stand together on ground `lab`: own, foreign and real parts, and the addresses that each of them needs.

Only what is said in a scenario is looked at here. Whether the addresses are there, and the ports free, the bed finds
out (harness/bed/lab_ground.py).
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final
from urllib.parse import urlsplit

from harness.scenario.faults import CREDENTIAL_DRIFT, FAULTS, Carrier
from harness.scenario.findings import ASSUMED, DEFAULT, Findings
from harness.scenario.lines import Path
from harness.scenario.model import Scenario

LAB: Final = "lab"
EXTERNAL_KEYS: Final = ("url", "address", "trigger", "wait_s", "quiet_s", "limit_s")
"""Of `[gateway]`, for kind = "external" alone."""
CAPACITY_KEYS: Final = ("workers", "service_ms", "queue", "credential_cache_s")
"""Of `[callmanager]`, for the emulated one alone."""
EMULATED_KEYS: Final = ("models", "authentication_timeout_s")
"""Of `[fleet]`, for emulated phones alone."""
RESERVED: Final = 4
"""Addresses at the end of the phones' network: broadcast, control phone, canary's target, probe's source."""

_Wrong = Iterator[tuple[Path, str]]


def contradictions(values: Mapping[str, Any], findings: Findings) -> None:
    """Note what cannot be together, on this ground or at all."""
    on_lab = values["ground"] == LAB
    if _given(findings, "witnesses"):
        for witness, why in _silent(values).items():
            if witness in values["witnesses"]:
                findings.wrong(("witnesses",), f"{witness} tells nothing with {why}; leave it out")
    for check in (_gateway, _callmanager, _fleet, _addresses if on_lab else _nowhere_else):
        for path, message in check(values, findings):
            findings.wrong(path, message)


def witnesses(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The scenario's witnesses, without parts that are another's: they tell nothing, by the scenario's own word."""
    return tuple(witness for witness in values["witnesses"] if witness not in _silent(values))


def _silent(values: Mapping[str, Any]) -> Mapping[str, str]:
    """Witnesses that cannot be: by which words of the scenario."""
    return {
        witness: f'[{table}] kind = "{kind}"'
        for witness, table, kind in (
            ("gateway", "gateway", "external"),
            ("callmanager", "callmanager", "external"),
            ("phones", "fleet", "real"),
        )
        if values[table]["kind"] == kind
    }


def files(scenario: Scenario, findings: Findings) -> None:
    """Note files that are not there."""
    file = scenario.gateway.password_file
    if file is not None and not file.is_file():
        findings.wrong(("gateway", "password_file"), f"{file}: no such file")


def _given(findings: Findings, *path: str) -> bool:
    return findings.origins.get(".".join(path), DEFAULT) not in (DEFAULT, ASSUMED)


def _nowhere_else(values: Mapping[str, Any], findings: Findings) -> _Wrong:
    """What needs the user's own network."""
    if any(_given(findings, "lab", key) for key in values["lab"]):
        yield ("lab",), f'only of ground = "lab", this is {values["ground"]}: add --ground lab, or leave the table out'
    for table, kind in (("gateway", "external"), ("callmanager", "external"), ("fleet", "real")):
        if values[table]["kind"] == kind:
            yield (table, "kind"), f'{kind!r} needs ground = "lab": nothing from outside is reached on another'
    if values["gateway"]["password_file"] is not None:
        yield ("gateway", "password_file"), 'only on ground = "lab": elsewhere nobody else knows a password'


def _gateway(values: Mapping[str, Any], findings: Findings) -> _Wrong:
    gateway = values["gateway"]
    if gateway["kind"] != "external":
        for key in EXTERNAL_KEYS:
            if _given(findings, "gateway", key):
                yield ("gateway", key), f'only of kind = "external", this is {gateway["kind"]}'
        return
    if gateway["command"]:
        yield ("gateway", "command"), 'only of kind = "command"; what starts an external gateway\'s page is its trigger'
    if gateway["url"] is None and (gateway["address"] is None or values["fleet"]["authentication_url"] == "gateway"):
        no_url = 'of a gateway that answers no phones: address = "..." and [fleet] authentication_url = "callmanager"'
        yield ("gateway", "url"), f'missing: kind = "external" needs the URL that phones are to ask; {no_url}'
    if gateway["push_password"] != "right":  # noqa: S105 - a setting's word, no password
        yield ("gateway", "push_password"), "an external gateway's password is set at that gateway"
    if values["probe"]["when"] != "never":
        yield ("probe", "when"), "an external gateway is probed by itself: pushlab probe URL"


def _callmanager(values: Mapping[str, Any], findings: Findings) -> _Wrong:
    manager = values["callmanager"]
    if manager["kind"] == "own":
        if manager["url"] is not None:
            yield ("callmanager", "url"), 'only of kind = "external", this is own'
        return
    if manager["url"] is None:
        yield ("callmanager", "url"), 'missing: kind = "external" needs its authentication URL'
    for key in CAPACITY_KEYS:
        if _given(findings, "callmanager", key):
            yield ("callmanager", key), "a CallManager that is not started has a capacity of its own"
    if manager["user"]:
        yield ("callmanager", "user"), "a CallManager that is not started has users of its own"
    if manager["directory"]["kind"] != "builtin":
        yield ("callmanager", "directory", "kind"), "a CallManager that is not started has a directory of its own"
    if values["application"]:
        yield ("application",), "other applications need users of the emulated CallManager: kind = own"
    for index, fault in enumerate(values["fault"]):
        if fault["kind"] == CREDENTIAL_DRIFT and fault["where"] != "gateway":
            yield ("fault", str(index), "where"), "a CallManager that is not started keeps its passwords"
    if values["fleet"]["boot"] == "fetch":
        yield ("fleet", "boot"), "phones fetch their configuration from the emulated CallManager: kind = own"
    if values["gateway"]["kind"] != "external" and values["gateway"]["password_file"] is None:
        yield (
            ("gateway", "password_file"),
            "missing: this CallManager knows the push user's password, so a gateway that is started here must have it",
        )


def _fleet(values: Mapping[str, Any], findings: Findings) -> _Wrong:
    fleet = values["fleet"]
    if fleet["kind"] == "emulated":
        if fleet["csv"] is not None and values["ground"] == LAB:
            yield ("fleet", "csv"), "not available yet: emulated phones of a list on ground lab; use --ground netns"
        return
    if fleet["csv"] is None:
        yield ("fleet", "csv"), 'missing: kind = "real" needs the list of the phones'
    if values["gateway"]["kind"] == "external":
        nobody = "real phones and an external gateway: neither tells the run anything"
        yield ("fleet", "kind"), f"{nobody}, so nobody would see; one of them has to stand here"
    if fleet["boot"] == "fetch":
        yield ("fleet", "boot"), "real phones boot as they are configured"
    for key in EMULATED_KEYS:
        if _given(findings, "fleet", key):
            yield ("fleet", key), "real phones are as they are"
    for index, fault in enumerate(values["fault"]):
        yield ("fault", str(index), "kind"), f"real phones are given no faults, and {fault['kind']!r} is one"
    if values["probe"]["when"] != "never":
        yield ("probe", "when"), "beside real phones the gateway is probed by itself: pushlab probe URL"


def _addresses(values: Mapping[str, Any], _: Findings) -> _Wrong:
    lab, gateway, manager = values["lab"], values["gateway"]["kind"], values["callmanager"]["kind"]
    emulated = values["fleet"]["kind"] == "emulated"
    needed = {
        "interface": (True, "the network interface that is captured"),
        "harness": (True, "this machine's address"),
        "phones_network": (emulated, "the network of the emulated phones, routed to this machine"),
        "gateway": (gateway != "external", "this machine's address for the gateway that is started here"),
        "callmanager": (manager == "own", "this machine's address for the emulated CallManager"),
    }
    for key, (wanted, what) in needed.items():
        if wanted and lab[key] is None:
            yield ("lab", key), f"missing: {what}"
    for key, kind in (("gateway", gateway), ("callmanager", manager)):
        if kind == "external" and lab[key] is not None:
            yield ("lab", key), f'of a part that is started here; [{key}] kind = "external" has its own url'
    yield from _network(values)
    yield from _ports(values, emulated=emulated)
    for index, fault in enumerate(values["fault"]):
        if FAULTS[fault["kind"]].carrier is Carrier.BARRIER:
            yield ("fault", str(index), "kind"), f"{fault['kind']!r} needs ground netns: no one's network is blocked"
    if emulated and any(page["delivery"] == "multicast" for page in values["page"]):
        yield ("page", "0", "delivery"), "not available yet: multicast to emulated phones on ground lab"
    if manager == "own" and values["callmanager"]["directory"]["kind"] != "builtin":
        yield ("callmanager", "directory", "kind"), "not available yet: a directory server on ground lab"


def _network(values: Mapping[str, Any]) -> _Wrong:
    """Emulated phones, and who must not be among them: their whole network ends at this machine."""
    lab = values["lab"]
    if lab["phones_network"] is None:
        if lab["first_phone"] is not None:
            yield ("lab", "first_phone"), "only with phones_network"
        return
    network = IPv4Network(lab["phones_network"])
    first = IPv4Address(lab["first_phone"]) if lab["first_phone"] else network[1]
    room = int(network[-RESERVED]) - int(first)
    phones = values["fleet"]["phones"]
    if first not in network:
        yield ("lab", "first_phone"), f"expected an address of {network}"
    elif values["fleet"]["kind"] == "emulated" and phones > room:
        yield ("fleet", "phones"), f"{network} has room for {max(0, room)} phones from {first}, got {phones}"
    if values["fleet"]["kind"] != "emulated":
        return
    for table, key in (
        ("lab", "harness"),
        ("lab", "gateway"),
        ("lab", "callmanager"),
        ("gateway", "url"),
        ("gateway", "address"),
        ("callmanager", "url"),
    ):
        place = host_of(values[table][key])
        if place is not None and IPv4Address(place) in network:
            yield (table, key), f"{place} lies in phones_network {network}, all of which are emulated phones"


def _ports(values: Mapping[str, Any], *, emulated: bool) -> _Wrong:
    """Two that listen at one place. Emulated phones listen at every address of the machine."""
    lab, here = values["lab"], values["gateway"]["kind"] != "external"
    own_manager, fetching = values["callmanager"]["kind"] == "own", values["fleet"]["boot"] == "fetch"
    listeners = [
        ("phone_port", "", emulated),
        ("phones_control_port", lab["harness"], emulated),
        ("gateway_port", lab["gateway"], here),
        ("gateway_administration_port", lab["gateway"], values["gateway"]["kind"] == "own"),
        ("callmanager_port", lab["callmanager"], own_manager),
        ("callmanager_administration_port", lab["callmanager"], own_manager and fetching),
        ("configuration_port", lab["callmanager"], own_manager and fetching),
    ]
    taken: list[tuple[str, str, int]] = []
    for key, place, there in listeners:
        if not there or place is None:
            continue
        for other, at, port in taken:
            if port == lab[key] and (place == at or "" in (place, at)):
                yield ("lab", key), f"{port} is {other} already; expected another port"
        taken.append((key, place, lab[key]))


def host_of(place: str | None) -> str | None:
    """The address of an address or a URL."""
    return place if place is None or "://" not in place else urlsplit(place).hostname
