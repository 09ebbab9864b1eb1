"""The hermetic lab: four hosts on a bridge, each a network namespace of its own, built over netlink.

    harness ── bridge ──┬── gateway
                        ├── callmanager
                        └── phones, and the phones' whole networks by AnyIP on lo

The topology is docs/design/parts.md. Two things keep the wire quiet and the figures steady: every host knows the
others' hardware addresses from the start (no ARP in a burst), and IPv6 is off. AnyIP (`local 10.20.0.0/17 dev lo`)
makes one wildcard listener answer for every phone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute

from harness.net.barrier import Barrier
from harness.net.netns import NetNamespace

INTERFACE: Final = "eth0"
"""A host's way to the bridge."""
_BRIDGE: Final = "bridge"
_RT_SCOPE_LINK: Final = 253
_RT_SCOPE_HOST: Final = 254
_RTN_LOCAL: Final = 2
_RTN_UNICAST: Final = 1
_TABLE_LOCAL: Final = 255
_NUD_PERMANENT: Final = 0x80
_NUD_NOARP: Final = 0x40
_NTF_MASTER: Final = 0x04
_MULTICAST: Final = "224.0.0.0/4"

SYSCTLS: Final[Mapping[str, str]] = {
    # Nothing of IPv6 (neighbour discovery, MLD) on the wire that is captured. First, before there is a link to speak
    # on.
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    # A burst opens thousands of connections within a second: room for ports, for SYNs, for the accept queue.
    "ipv4/ip_local_port_range": "10000 65535",
    "ipv4/ip_local_reserved_ports": "32674",
    "ipv4/tcp_max_syn_backlog": "65535",
    "core/somaxconn": "65535",
    "ipv4/tcp_tw_reuse": "1",
    # A foreign gateway that gives up its rights may still listen on port 80.
    "ipv4/ip_unprivileged_port_start": "0",
    # Phones answer from addresses that are on no interface; the answer to ARP is always the host's own.
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/arp_announce": "2",
    "ipv4/conf/all/arp_ignore": "1",
    # Replies to broadcast and redirects would be packets that no part has sent.
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    # Multicast: as many groups a socket as there are addresses in a pool (default 20).
    "ipv4/igmp_max_memberships": "128",
}
"""Settings of each host under /proc/sys/net; one that a kernel lacks or forbids is left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """One host: its name, its address, further addresses on the same interface."""

    name: str
    address: str
    more: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlan:
    """What to build.

    Attributes:
        hosts: the hosts on the bridge; their addresses lie in `link`.
        link: the network of the bridge, `10.20.128.0/24`.
        behind: a network that one host answers for as a whole by AnyIP.
        also_behind: further ones of that host; none overlaps another.
        behind_host: that host's name.
    """

    hosts: Sequence[HostPlan]
    link: str
    behind: str
    behind_host: str
    also_behind: Sequence[str] = ()


class Lab:
    """A built lab. It ends with the process, or with `close`."""

    def __init__(self, plan: LabPlan) -> None:
        """Build it (about 0.1 s; blocks).

        Raises:
            OSError: where the right to make namespaces is missing.
        """
        self.plan = plan
        self._switch = NetNamespace()
        self._namespaces = {host.name: NetNamespace() for host in plan.hosts}
        self._barrier: Barrier | None = None
        self._switch.call(self._build_switch)
        for index, host in enumerate(plan.hosts):
            self._namespaces[host.name].call(partial(self._build_host, host, index))

    def namespace(self, host: str) -> NetNamespace:
        """The namespace of the host with that name."""
        return self._namespaces[host]

    @property
    def blocks(self) -> bool:
        """Whether something was ever blocked."""
        return self._barrier is not None

    @property
    def barrier(self) -> Barrier:
        """What drops packets in the middle of the path, on the bridge; made when first asked for."""
        if self._barrier is None:
            self._barrier = Barrier(self._switch)
        return self._barrier

    def close(self) -> None:
        """Let go of all namespaces; they end with the last process in them."""
        for namespace in (*self._namespaces.values(), self._switch):
            namespace.close()

    def _build_switch(self) -> None:
        _set_sysctls()
        with IPRoute() as route:
            # No spanning tree: a port forwards at once. No snooping: multicast reaches every host, as on a plain
            # switch.
            route.link("add", ifname=_BRIDGE, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
            bridge = route.link_lookup(ifname=_BRIDGE)[0]
            for index, host in enumerate(self.plan.hosts):
                # The far end is made in its own namespace, with a hardware address that the neighbour tables know
                # already.
                peer = {"ifname": INTERFACE, "net_ns_fd": self._namespaces[host.name].fd, "address": _mac(index)}
                route.link("add", ifname=host.name, kind="veth", peer=peer)
                port = route.link_lookup(ifname=host.name)[0]
                route.link("set", index=port, master=bridge, state="up")
                # Hosts that only listen would never be learnt, and everything sent to them would be copied to all.
                route.fdb("add", ifindex=port, lladdr=_mac(index), state=_NUD_NOARP, flags=_NTF_MASTER)
            route.link("set", index=bridge, state="up")

    def _build_host(self, host: HostPlan, own_index: int) -> None:
        _set_sysctls()
        plan = self.plan
        link_bits = int(plan.link.partition("/")[2])
        with IPRoute() as route:
            loopback = route.link_lookup(ifname="lo")[0]
            interface = route.link_lookup(ifname=INTERFACE)[0]
            route.link("set", index=loopback, state="up")
            route.link("set", index=interface, state="up")
            # The first address is the one that unbound clients leave with.
            route.addr("add", index=interface, address=host.address, prefixlen=link_bits)
            for address in host.more:
                route.addr("add", index=interface, address=address, prefixlen=32)
            for index, other in enumerate(plan.hosts):
                if index != own_index:
                    for address in (other.address, *other.more):
                        route.neigh("add", ifindex=interface, dst=address, lladdr=_mac(index), state=_NUD_PERMANENT)
            door = next(other.address for other in plan.hosts if other.name == plan.behind_host)
            for network in (plan.behind, *plan.also_behind):
                if host.name == plan.behind_host:
                    route.route(
                        "add", dst=network, oif=loopback, table=_TABLE_LOCAL, type=_RTN_LOCAL, scope=_RT_SCOPE_HOST
                    )
                else:
                    route.route("add", dst=network, gateway=door)
            route.route("add", dst=_MULTICAST, oif=interface, scope=_RT_SCOPE_LINK, type=_RTN_UNICAST)


def _mac(index: int) -> str:
    """A locally administered hardware address for the host with that place in the plan."""
    return f"02:20:00:00:00:{index + 1:02x}"


def _set_sysctls() -> None:
    for name, value in SYSCTLS.items():
        try:
            (Path("/proc/sys/net") / name).write_text(value, encoding="ascii")
        except OSError:
            # Absent in this kernel, or /proc/sys is read-only in a container: the defaults serve smaller fleets.
            continue
