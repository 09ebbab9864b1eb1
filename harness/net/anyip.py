"""A network whose every address is this machine's (AnyIP), for as long as somebody holds it.

Theory of operation. The route `local NET dev lo` is the machine's and outlives every process. So a small process of its
own adds it and keeps it: its standard input is a pipe from the run. When the run ends, whatever it dies of, the kernel
closes the pipe, and the keeper takes the route away. It leads a session of its own and ignores the signals that end a
run, so that it is always last. The route carries a mark; one that a killed keeper left behind is taken over.

Source: ip-route(8), type `local`; Linux uapi/linux/rtnetlink.h, rtm_protocol.
"""

import errno
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyroute2 import IPRoute, NetlinkError

OWN: Final = 171
"""rtm_protocol of our routes: above RTPROT_STATIC, a number that no routing daemon uses."""
READY_S: Final = 20.0
"""Python and pyroute2 take half a second to load on an idle machine."""
_TABLE_LOCAL: Final = 255
_RTN_LOCAL: Final = 2
_RT_SCOPE_HOST: Final = 254


class AnyIpError(Exception):
    """The route cannot be had; the message is the system's word."""


@contextmanager
def held(network: str) -> Iterator[bool]:
    """Make every address of a network this machine's own until the end.

    Yields:
        Whether it was made; False where such a route is there already, which stays.

    Raises:
        AnyIpError: the route cannot be added.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-m", "harness.net.anyip", network],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        said = keeper.stdout.readline()
        told = json.loads(said) if said else {"error": "its keeper did not start"}
        if "error" in told:
            raise AnyIpError(told["error"])
        yield bool(told["made"])
    finally:
        keeper.stdin.close()
        keeper.stdout.close()
        keeper.wait()


def main(network: str) -> None:
    """Add the route, say so, wait for the end of standard input, take it away."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    with IPRoute() as route:
        loopback = route.link_lookup(ifname="lo")[0]
        wanted = {
            "dst": network,
            "oif": loopback,
            "table": _TABLE_LOCAL,
            "type": _RTN_LOCAL,
            "scope": _RT_SCOPE_HOST,
            "proto": OWN,
        }
        try:
            route.route("add", **wanted)
            made = True
        except NetlinkError as error:
            made = error.code == errno.EEXIST and _is_ours(route, network)
            if error.code != errno.EEXIST:
                _say({"error": error.args[1] if len(error.args) > 1 else str(error)})
                return
        _say({"made": made})
        sys.stdin.buffer.read()
        if made:
            route.route("del", **wanted)


def _is_ours(route: IPRoute, network: str) -> bool:
    address, _, bits = network.partition("/")
    return any(
        found["dst_len"] == int(bits) and found.get_attr("RTA_DST") == address and found["proto"] == OWN
        for found in route.get_routes(table=_TABLE_LOCAL)
    )


def _say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)  # noqa: T201 - what its parent reads


if __name__ == "__main__":
    main(sys.argv[1])
