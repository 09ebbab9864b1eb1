"""The way into a run's own namespaces, and whether it is open on this machine.

The theory is in `first_process`, which does the work as a program of its own.
"""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

_FIRST_PROCESS: Final = Path(__file__).with_name("first_process.py")
_ENVIRONMENT_INSIDE: Final = "PUSHLAB_NETNS"
_ENVIRONMENT_SCRATCH: Final = "PUSHLAB_SCRATCH"
PROBE_TIMEOUT_S: Final = 10.0
"""A probe takes 50 ms; a machine that needs seconds is broken in another way."""

_USER_LIMIT: Final = "user.max_user_namespaces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a run can have namespaces of its own here."""

    possible: bool
    why: str
    """What was refused, in one line; empty where it is possible."""
    remedy: str
    """The command or the step that would allow it; empty where it is possible."""


def inside() -> bool:
    """Whether this process already lives in the network namespace that `enter_lab` made.

    The environment variable alone is not believed: it names the namespace, which must be this process's.
    """
    named = os.environ.get(_ENVIRONMENT_INSIDE, "")
    return named != "" and named == str(Path("/proc/self/ns/net").stat().st_ino)


def scratch() -> Path | None:
    """The lab's memory file system, which vanishes with the run, also at `kill -9`.

    None outside, or where mounting is refused.
    """
    named = os.environ.get(_ENVIRONMENT_SCRATCH, "")
    return Path(named) if named and inside() else None


def enter_lab(argv: Sequence[str]) -> NoReturn:
    """Become the waiter around a new run of `argv` in namespaces of its own.

    Never returns: this process *is replaced*, keeps its process id, waits, passes SIGINT, SIGTERM, SIGHUP and SIGQUIT
    on and exits with the run's code (128 + n where signal n ended it; 5 where the namespaces are refused). Call it
    before anything is open that needs an orderly end. `argv` is a whole command line, first the program:
    `[sys.executable, "-m", ...]`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-I", "-S", str(_FIRST_PROCESS), "run", *argv]
    os.execv(command[0], command)  # noqa: S606 - a list of arguments, no shell


def available() -> Availability:
    """Find out by trying, in a process of its own that leaves nothing behind (about 50 ms)."""
    if sys.platform != "linux":
        return Availability(
            possible=False, why=f"namespaces are Linux's, this is {sys.platform}", remedy="run it on Linux"
        )
    command = [sys.executable, "-I", "-S", str(_FIRST_PROCESS), "probe"]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
        failed: dict[str, object] = json.loads(tried.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Availability(
            possible=False, why=f"the probe of namespaces did not work: {error}", remedy="use --ground loopback"
        )
    if not failed:
        return Availability(possible=True, why="", remedy="")
    return diagnose(step=str(failed["step"]), number=int(str(failed["errno"])))


def diagnose(*, step: str, number: int, sysctl_root: Path = Path("/proc/sys")) -> Availability:
    """Say why a step into the namespaces was refused, and which command would allow it.

    Args:
        step: the system call that failed, as `first_process` names it.
        number: its errno.
        sysctl_root: where the kernel's settings are read.

    Source: user_namespaces(7), namespaces(7); Ubuntu 23.10 release notes (AppArmor); Debian's kernel patch
    `kernel.unprivileged_userns_clone`.
    """

    def setting(name: str) -> str:
        try:
            return (sysctl_root / name.replace(".", "/")).read_text(encoding="ascii").strip()
        except OSError:
            return ""

    why = f"{step}: {os.strerror(number)}"
    if number == errno.ENOSPC or setting(_USER_LIMIT) == "0":
        exhausted = [
            name
            for name in (_USER_LIMIT, "user.max_net_namespaces", "user.max_pid_namespaces", "user.max_mnt_namespaces")
            if setting(name) == "0"
        ]
        name = exhausted[0] if exhausted else _USER_LIMIT
        return Availability(
            possible=False, why=f"{why} ({name} = {setting(name) or '?'})", remedy=f"sudo sysctl -w {name}=15000"
        )
    for name, closed, opened in (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ):
        if setting(name) == closed:
            return Availability(
                possible=False, why=f"{why} ({name} = {closed})", remedy=f"sudo sysctl -w {name}={opened}"
            )
    if number in {errno.EINVAL, errno.ENOSYS}:
        return Availability(
            possible=False, why=why, remedy="a kernel with CONFIG_USER_NS, CONFIG_NET_NS and CONFIG_PID_NS"
        )
    return Availability(
        possible=False,
        why=why,
        remedy="run as root; in a container: start it with --cap-add SYS_ADMIN --cap-add NET_ADMIN "
        "--security-opt seccomp=unconfined --security-opt apparmor=unconfined",
    )
