"""Ground `lab`: the run stands in its user's own network, on this machine, and brings no network of its own.

Every part may be another's: a gateway, a CallManager, phones. What is started here shares one machine, so a packet
between two of its parts passes `lo`, and one to or from somebody else passes the `interface` of `[lab]`: each tap
stands where its packets pass. Emulated phones are a whole network that is routed to this machine (AnyIP); the route is
made and taken away by a keeper (harness/net/anyip.py), or is there already.

Nothing starts unless everything is there; what is missing is told at once, with the command that mends it.
"""

import errno
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import urlsplit

from pyroute2 import IPRoute

from harness.bed.errors import BedError
from harness.bed.faults import drifts_at
from harness.bed.ground import Addresses, Ground, HostName, TapPlace
from harness.net.anyip import AnyIpError, held
from harness.scenario.model import LabPlace, Scenario
from harness.scenario.outside import RESERVED, host_of

NOBODY: Final = "192.0.2.250"
"""Canaries come from here: of TEST-NET-1, which is on no network (RFC 5737)."""
NOBODYS_PHONE: Final = "192.0.2.253"
"""And go there, where no emulated phones have an address to spare."""
_IFF_UP: Final = 1
_ETHERNET: Final = frozenset({1, 772})
"""ARPHRD_ETHER and ARPHRD_LOOPBACK: frames as the taps read them (include/uapi/linux/if_arp.h)."""
_HTTP: Final = 80


class LabGround(Ground):
    """The user's network, as this machine sees it."""

    def __init__(self, scenario: Scenario, addresses: Addresses) -> None:
        super().__init__(name="lab", addresses=addresses, lab=None)
        assert scenario.lab is not None
        self._interface = scenario.lab.interface
        self._here = {
            "phones": not scenario.fleet.real,
            "gateway": not scenario.gateway.external,
            "callmanager": not scenario.callmanager.external,
        }

    @property
    def canaries_by_frame(self) -> bool:
        """They are written onto the captured interface: no host of the user's network is bothered."""
        return True

    def tap(self, name: HostName) -> TapPlace | None:
        """Where packets to that host pass: what phones and servers say to each other elsewhere is not seen here."""
        # Audio goes from the gateway to phones, questions from phones to the servers.
        other = "gateway" if name == "phones" else "phones"
        if self._here[name] and self._here[other]:
            return TapPlace(interface="lo", namespace=None, incoming_only=True)
        if not self._here[name] and not self._here[other]:
            return None
        # Both directions: a frame passes it once, the canary on its way out.
        return TapPlace(interface=self._interface, namespace=None, incoming_only=False)


@contextmanager
def stand_in_lab(scenario: Scenario) -> Iterator[LabGround]:
    """Look whether everything is there, have the phones' network, and stand.

    Raises:
        BedError: with all that is missing.
    """
    place = scenario.lab
    if place is None or (place.gateway is None and not scenario.gateway.external):
        raise BedError("[lab] gateway is missing: this machine's address for the program in the gateway's place")
    addresses = addresses_of(scenario)
    problems = [*_interface(place.interface), *_own_addresses(scenario, place)]
    with ExitStack() as stack:
        if not scenario.fleet.real:
            network = addresses.phones_network
            swallowed = list(_swallowed(network))
            problems += swallowed
            if not swallowed:
                try:
                    stack.enter_context(held(network))
                except AnyIpError as error:
                    problems.append(
                        f"[lab] phones_network {network} is not routed to this machine, and cannot be ({error}); as "
                        f"root: ip route add local {network} dev lo"
                    )
        problems += _ports(scenario, addresses)
        if problems:
            raise BedError("\n".join([f"ground lab: {len(problems)} things are missing", *problems]))
        yield LabGround(scenario, addresses)


def addresses_of(scenario: Scenario) -> Addresses:
    """The addresses and ports of every part, as `[lab]` and the parts' URLs say."""
    place, gateway, manager = scenario.lab, scenario.gateway, scenario.callmanager
    assert place is not None
    gateway_at = gateway.address or host_of(gateway.url) or place.gateway or ""
    network = ipaddress.IPv4Network(place.phones_network) if place.phones_network else None
    emulated = network if not scenario.fleet.real else None
    return Addresses(
        phones_network=str(network) if network else "",
        first_phone=place.first_phone or (str(network[1]) if network else ""),
        control_phone=str(emulated[-2]) if emulated else "",
        canary_phone=str(emulated[-RESERVED + 1]) if emulated else NOBODYS_PHONE,
        gateway=gateway_at,
        callmanager=host_of(manager.url) or place.callmanager or "",
        phones=place.harness,
        harness=place.harness,
        directory=place.harness,
        canary_source=NOBODY,
        probe_source=str(emulated[-RESERVED]) if emulated else "",
        phone_port=place.phone_port,
        authentication_port=_port(gateway.url, _HTTP if gateway.external else place.gateway_port),
        callmanager_port=_port(manager.url, place.callmanager_port),
        gateway_url=gateway.url,
        callmanager_url=manager.url,
        gateway_administration_port=place.gateway_administration_port,
        callmanager_administration_port=place.callmanager_administration_port,
        configuration_port=place.configuration_port,
        tftp_port=place.tftp_port,
        phones_control_port=place.phones_control_port,
        ldap_port=0,
        ldaps_port=0,
    )


def _port(url: str | None, otherwise: int) -> int:
    return otherwise if url is None else urlsplit(url).port or _HTTP


def _interface(name: str) -> Iterator[str]:
    # By netlink: /sys shows the interfaces of whoever mounted it.
    with IPRoute() as route:
        links = {link.get_attr("IFLA_IFNAME"): link for link in route.get_links()}
    link = links.get(name)
    if link is None:
        yield f"[lab] interface {name}: there is none; there are {', '.join(sorted(links))}. List: ip link"
        return
    if link["ifi_type"] not in _ETHERNET:
        yield f"[lab] interface {name}: it carries no Ethernet frames (type {link['ifi_type']}); expected one that does"
    if not link["flags"] & _IFF_UP:
        yield f"[lab] interface {name} is down; as root: ip link set {name} up"


def _own_addresses(scenario: Scenario, place: LabPlace) -> Iterator[str]:
    """Addresses that have to be this machine's and are not."""
    for key, address in (
        ("harness", place.harness),
        ("gateway", None if scenario.gateway.external else place.gateway),
        ("callmanager", None if scenario.callmanager.external else place.callmanager),
    ):
        if address is not None and not _is_own(address):
            yield (
                f"[lab] {key} {address} is not an address of this machine; as root: ip address add {address}/32 "
                f"dev {place.interface}"
            )


def _is_own(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
        return True


def _swallowed(network: str) -> Iterator[str]:
    """What this machine could no more reach, or would no more be, if that whole network ended at it."""
    inside = ipaddress.IPv4Network(network)
    with IPRoute() as route:
        own = {found.get_attr("IFA_ADDRESS") for found in route.get_addr(family=socket.AF_INET)}
        routers = {found.get_attr("RTA_GATEWAY") for found in route.get_routes(family=socket.AF_INET)}
    for what, found in (("an address of this machine", own), ("a router that it uses", routers)):
        for address in sorted(address for address in found if address):
            if ipaddress.IPv4Address(address) in inside:
                yield f"[lab] phones_network {network} holds {address}, {what}; give phones a network of their own"


def _ports(scenario: Scenario, addresses: Addresses) -> Iterator[str]:
    """Ports that the parts will listen at, and that somebody has."""
    gateway, manager = scenario.gateway, scenario.callmanager
    tcp: list[tuple[str, str, int]] = []
    if not scenario.fleet.real:
        tcp.append(("phone_port", "0.0.0.0", addresses.phone_port))
        yield from _taken("UDP", socket.SOCK_DGRAM, "rtp port", "0.0.0.0", addresses.rtp_port)
    if not gateway.external:
        tcp.append(("gateway_port", addresses.gateway, addresses.authentication_port))
    if gateway.kind == "own":
        tcp.append(("gateway_administration_port", addresses.gateway, addresses.gateway_administration_port))
    if not manager.external:
        tcp.append(("callmanager_port", addresses.callmanager, addresses.callmanager_authentication_port))
        if scenario.fleet.boot == "fetch" or drifts_at(scenario, "callmanager"):
            port = addresses.callmanager_administration_port
            tcp.append(("callmanager_administration_port", addresses.callmanager, port))
        if scenario.fleet.boot == "fetch":
            tcp.append(("configuration_port", addresses.callmanager, addresses.configuration_port))
    for key, address, port in tcp:
        yield from _taken("TCP", socket.SOCK_STREAM, key, address, port)


def _taken(protocol: str, kind: socket.SocketKind, key: str, address: str, port: int) -> Sequence[str]:
    with socket.socket(socket.AF_INET, kind) as trial:
        if kind == socket.SOCK_STREAM:
            # As servers do: a connection of the run before that is not quite forgotten is no obstacle.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
            if kind == socket.SOCK_STREAM:
                trial.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return ()  # told already
            if error.errno == errno.EACCES:
                remedy = f"run as root, or: sysctl -w net.ipv4.ip_unprivileged_port_start={port}"
                return (f"[lab] {key} {port}: only root may listen below 1024; {remedy}",)
            flag = "t" if protocol == "TCP" else "u"
            return (f"[lab] {key} {port} ({protocol}) of {address} is taken; by whom: ss -ln{flag}p sport = :{port}",)
    return ()
