"""Runs a command in a user and network namespace of its own, `lo` up: python namespace_entry.py CMD...

Exit code 77: the system does not allow such namespaces; the reason is on stderr.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNET):
        sys.stderr.write(f"no namespaces here: {os.strerror(ctypes.get_errno())}")
        sys.exit(77)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    from pyroute2 import IPRoute

    with IPRoute() as route:
        route.link("set", index=route.link_lookup(ifname="lo")[0], state="up")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the test's own command


main()
