"""The second tier: `make test-all`. The documents' examples run beside the other tests, in a network of their own.

Both wait for recordings to play more than they work, so two processors carry both. Examples start servers at fixed
ports, hence the network; who may not make one, whoever is not root, runs one part after the other. What the examples
say is printed when they end.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile

from pyroute2 import IPRoute

CLONE_NEWNET = 0x40000000
EXAMPLES = "tests/docs"
"""What runs beside the rest."""
PYTEST = [sys.executable, "-m", "pytest", "-m", "slow"]
OF_EXAMPLES = [*PYTEST, "-p", "no:cacheprovider", EXAMPLES]
OF_THE_REST = [*PYTEST, f"--ignore={EXAMPLES}"]


def own_network() -> None:
    """Put this process into a network of its own, with a loopback that is up."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with IPRoute() as routes:
        routes.link("set", index=1, state="up")


def main() -> int:
    """The exit code of whatever failed."""
    if sys.argv[1:] == ["examples"]:
        own_network()
        os.execv(sys.executable, OF_EXAMPLES)  # noqa: S606 - our own arguments
    if os.geteuid() != 0:
        codes = [subprocess.run(command, check=False).returncode for command in (OF_THE_REST, OF_EXAMPLES)]
        return max(codes)
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-m", "tests.second_tier", "examples"]
        beside = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        code = subprocess.run(OF_THE_REST, check=False).returncode
        code = beside.wait() or code
        said.seek(0)
        sys.stdout.buffer.write(said.read())
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
