"""Where a run stands: its hosts, their addresses and ports, and how to start something on them.

`netns` is the hermetic lab (harness/net), `loopback` the fallback, `lab` the user's own network
(harness/bed/lab_ground.py). All have the same hosts by the same names, so
that the
run on top asks no question about the ground, except what only a network of its own can do: `can_block`, `hermetic`.
"""

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final, Literal, TypeVar

import trio
from pyroute2 import NetlinkError

from harness.bed.choice import GroundName
from harness.bed.errors import BedError
from harness.bed.processes import Part, PartPlan, run_part
from harness.net.lab import INTERFACE, HostPlan, Lab, LabPlan
from harness.net.netns import NetNamespace

T = TypeVar("T")

HostName = Literal["harness", "gateway", "callmanager", "phones", "directory"]

IP_BIND_ADDRESS_NO_PORT: Final = 24
"""include/uapi/linux/in.h: choose the port at connect, by the whole connection, so that ports do not run out."""
_EXEC_INSIDE: Final = Path(__file__).parent.parent / "net" / "exec_inside.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Addresses and ports of every part on one ground (docs/design/parts.md).

    Attributes:
        phones_network: CIDR of the fleet; `first_phone` is the fleet's first address.
        more_networks: further ones, of a fleet at a site's own addresses; then controls alone are in `phones_network`.
        control_phone: the positive control, outside the fleet.
        canary_phone: takes the RTP canary; no phone.
        canary_source: canaries leave from here.
        probe_source: the probe's questions come from here: an address of the phones' network, on their host.
        phone_port: where phones' web servers listen.
        authentication_port: where both authentication servers listen.
        callmanager_port: where CallManager's does, if elsewhere.
        gateway_url, callmanager_url: the authentication URLs of servers that are not started here; None of our own.
        gateway_administration_port, callmanager_administration_port: JSON interfaces.
        configuration_port, tftp_port: where CallManager gives phones their configuration.
        phones_control_port: the fleet's control API, on the address `phones`.
        directory: the host of a directory server, there only where a scenario has one.
        ldap_port, ldaps_port: its ports, a Samba domain controller's excepted.
    """

    phones_network: str
    first_phone: str
    control_phone: str
    canary_phone: str
    gateway: str
    callmanager: str
    phones: str
    harness: str
    directory: str
    canary_source: str
    probe_source: str
    phone_port: int
    authentication_port: int
    gateway_administration_port: int
    callmanager_administration_port: int
    configuration_port: int
    tftp_port: int
    phones_control_port: int
    ldap_port: int
    ldaps_port: int
    rtp_port: int = 32674
    callmanager_port: int | None = None
    gateway_url: str | None = None
    callmanager_url: str | None = None
    more_networks: tuple[str, ...] = ()

    @property
    def phones_networks(self) -> tuple[str, ...]:
        """Every network that phones are in."""
        return (self.phones_network, *self.more_networks)

    @property
    def link(self) -> str:
        """The network of the lab's own hosts."""
        return str(IPv4Network(f"{self.gateway}/24", strict=False))

    @property
    def callmanager_authentication_port(self) -> int:
        """Where CallManager's authentication server listens."""
        return self.authentication_port if self.callmanager_port is None else self.callmanager_port

    @property
    def gateway_authentication_url(self) -> str:
        """The gateway's authentication URL, as phones are given it."""
        own = f"http://{_authority(self.gateway, self.authentication_port)}/cisco_auth/authenticate.html"
        return self.gateway_url or own

    @property
    def callmanager_authentication_url(self) -> str:
        """CallManager's authentication URL, as phones are given it."""
        own = f"http://{_authority(self.callmanager, self.callmanager_authentication_port)}/CCMCIP/authenticate.asp"
        return self.callmanager_url or own


NETNS: Final = Addresses(
    phones_network="10.20.0.0/17",
    first_phone="10.20.0.1",
    control_phone="10.20.127.254",
    canary_phone="10.20.127.253",
    gateway="10.20.128.10",
    callmanager="10.20.128.20",
    phones="10.20.128.30",
    harness="10.20.128.40",
    directory="10.20.128.50",
    canary_source="10.20.128.250",
    probe_source="10.20.127.252",
    phone_port=80,
    authentication_port=80,
    gateway_administration_port=8443,
    callmanager_administration_port=8080,
    configuration_port=6970,
    tftp_port=69,
    phones_control_port=18090,
    ldap_port=389,
    ldaps_port=636,
)
LOOPBACK: Final = Addresses(
    phones_network="127.20.0.0/17",
    first_phone="127.20.0.1",
    control_phone="127.20.127.254",
    canary_phone="127.20.127.253",
    gateway="127.20.128.10",
    callmanager="127.20.128.20",
    phones="127.20.128.30",
    harness="127.20.128.40",
    directory="127.20.128.50",
    canary_source="127.20.128.250",
    probe_source="127.20.127.252",
    phone_port=18080,
    # Not the phones' port: their wildcard listener has that one on every address.
    authentication_port=18081,
    gateway_administration_port=18443,
    callmanager_administration_port=18082,
    # In life 6970 and 69, which needs root.
    configuration_port=18970,
    tftp_port=18069,
    phones_control_port=18090,
    ldap_port=18389,
    ldaps_port=18636,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TapPlace:
    """Where a tap stands, as the capture's configuration says it."""

    interface: str
    namespace: int | None
    incoming_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of a ground.

    Attributes:
        address: its own address, from which unbound clients leave (on netns only; on loopback bind it).
        interface: where a tap of this host stands.
        network: its namespace; None on loopback.
    """

    name: HostName
    address: str
    interface: str
    network: NetNamespace | None

    @property
    def descriptor(self) -> int | None:
        """The namespace's file descriptor, for a part that works in several hosts (`PartPlan.pass_fds`).

        None on loopback.
        """
        return None if self.network is None else self.network.fd

    async def start(self, nursery: trio.Nursery, plan: PartPlan) -> Part:
        """Start a part on this host; return it ready.

        The nursery holds the task that listens to the part; a part that dies by itself raises PartEndedError there.

        Raises:
            BedError: it cannot be started or is not ready in time.
        """
        part: Part = await nursery.start(run_part, self.placed(plan))
        return part

    def placed(self, plan: PartPlan) -> PartPlan:
        """The same plan, with the command line that runs it on this host."""
        if self.network is None:
            return plan
        enter = [sys.executable, "-I", "-S", str(_EXEC_INSIDE), str(self.network.fd)]
        return replace(plan, argv=[*enter, *plan.argv], pass_fds=[*plan.pass_fds, self.network.fd])

    def call(self, work: Callable[[], T]) -> T:
        """Run blocking `work` on this host and return what it returns; sockets that it makes stay here."""
        return work() if self.network is None else self.network.call(work)

    def socket(self, kind: socket.SocketKind, source: str) -> socket.socket:
        """An IPv4 socket on this host, not blocking, bound to `source`; a TCP socket's port is chosen at connect."""
        made = self.call(lambda: socket.socket(socket.AF_INET, kind))
        try:
            made.setblocking(False)
            if kind == socket.SOCK_STREAM:
                made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            made.bind((source, 0))
        except BaseException:
            made.close()
            raise
        return made


class Ground:
    """A ground that stands."""

    def __init__(self, *, name: GroundName, addresses: Addresses, lab: Lab | None) -> None:
        self.name: GroundName = name
        self.addresses = addresses
        self._lab = lab

    @property
    def hermetic(self) -> bool:
        """Whether nothing can leave: a network of its own, without a way out."""
        return self._lab is not None

    @property
    def can_block(self) -> bool:
        """Whether ports and hosts can be blocked here."""
        return self._lab is not None

    def host(self, name: HostName) -> Host:
        """The host of that name."""
        return Host(
            name=name,
            address=getattr(self.addresses, name),
            interface="lo" if self._lab is None else INTERFACE,
            network=None if self._lab is None else self._lab.namespace(name),
        )

    @property
    def canaries_by_frame(self) -> bool:
        """Whether canaries are written onto the captured interface, and not sent to where they are seen."""
        return False

    def tap(self, name: HostName) -> TapPlace | None:
        """Where packets to that host are seen; None where none of this ground's taps can."""
        at = self.host(name)
        return TapPlace(interface=at.interface, namespace=at.descriptor, incoming_only=True)

    def block_udp(self, destinations: Sequence[str], port: int) -> None:
        """Drop UDP packets to that port of those addresses between the hosts, from now on.

        Raises:
            BedError: this ground or this kernel cannot.
        """
        self._blocking(lambda lab: lab.barrier.block_udp(destinations, port))

    def block_host(self, address: str) -> None:
        """Drop everything from and to that address between the hosts, from now on.

        Raises:
            BedError: this ground or this kernel cannot.
        """
        self._blocking(lambda lab: lab.barrier.block_host(address))

    def unblock_host(self, address: str) -> None:
        """Let everything from and to that address pass again."""
        self._blocking(lambda lab: lab.barrier.unblock_host(address))

    def dropped(self) -> int:
        """Packets dropped by blocks so far; 0 where nothing was blocked."""
        return 0 if self._lab is None or not self._lab.blocks else self._lab.barrier.dropped()

    def _blocking(self, work: Callable[[Lab], None]) -> None:
        if self._lab is None:
            raise BedError("ports can be blocked on ground netns only, this is loopback: use --ground netns")
        try:
            work(self._lab)
        except NetlinkError as error:
            raise BedError(
                f"this kernel refuses nftables for bridges ({error}); it needs CONFIG_NF_TABLES_BRIDGE "
                "(modprobe nf_tables)"
            ) from None


@contextmanager
def stand(
    name: GroundName, *, directory: bool = False, addresses: Addresses = NETNS
) -> Iterator[Ground]:
    """Build the ground and take it down again; netns needs the rights that `namespace.enter_lab` gives.

    Args:
        name: which.
        directory: whether there is a host for a directory server.
        addresses: of netns, where a fleet needs others.

    Raises:
        BedError: the lab cannot be built.
    """
    if name == "loopback":
        yield Ground(name=name, addresses=LOOPBACK, lab=None)
        return
    try:
        lab = Lab(lab_plan(addresses, directory=directory))
    except (OSError, NetlinkError) as error:
        raise BedError(f"the lab cannot be built: {error}; use --ground loopback") from None
    try:
        yield Ground(name=name, addresses=addresses, lab=lab)
    finally:
        lab.close()


def lab_plan(addresses: Addresses, *, directory: bool = False) -> LabPlan:
    """The lab of docs/design/parts.md."""
    return LabPlan(
        hosts=[
            HostPlan(name="harness", address=addresses.harness, more=[addresses.canary_source]),
            HostPlan(name="gateway", address=addresses.gateway),
            HostPlan(name="callmanager", address=addresses.callmanager),
            HostPlan(name="phones", address=addresses.phones),
            *([HostPlan(name="directory", address=addresses.directory)] if directory else []),
        ],
        link=addresses.link,
        behind=addresses.phones_network,
        also_behind=addresses.more_networks,
        behind_host="phones",
    )


def _authority(address: str, port: int) -> str:
    return address if port == 80 else f"{address}:{port}"
