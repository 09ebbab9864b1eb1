"""The thin processes around a run in namespaces of its own.

A program by itself, run by its path with `python -I -S` so that it starts in a few milliseconds and drags in nothing:
only the standard library, nothing of this project.

    first_process.py run ARGUMENTS...      run ARGUMENTS in new namespaces, return its exit code
    first_process.py probe                 only try; one JSON line says at which step it failed

Three processes stand in a row: the *outer* one, which the user's shell knows, still in the old process namespace; its
child, *process 1* of the new one; and the run. Each watches the next. The kernel kills process 1 when the outer one
dies, however it dies (parent-death signal), and everything in a process namespace when its process 1 dies: so
`kill -9` of the outer process takes the run, its parts, the namespaces and the scratch file system with it.

An ordinary user gets a user namespace first, in which he is user 0; root needs none. Where root is a root without
rights (in a container), a user namespace is tried as well.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from typing import Final, NoReturn

# include/uapi/linux/sched.h, prctl.h, mount.h, sockios.h, if.h
CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000
PR_SET_PDEATHSIG: Final = 1
MS_NOSUID_NODEV_NOEXEC: Final = 2 | 4 | 8
MS_REC_PRIVATE: Final = 0x4000 | 0x4_0000
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
IFF_UP: Final = 1

FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
SCRATCH: Final = "/proc/fs/nfsd"
"""Where the scratch file system goes.

A mount point that procfs always has and keeps empty, so that it hides nobody's files.
"""
SCRATCH_OPTIONS: Final = "mode=0700,size=256m"
"""Limit: passwords, configuration and sockets of one run need kilobytes; spools of a long run may use the rest."""
ENVIRONMENT_INSIDE: Final = "PUSHLAB_NETNS"
ENVIRONMENT_SCRATCH: Final = "PUSHLAB_SCRATCH"
EXIT_BED: Final = 5
EXIT_NO_COMMAND: Final = 127

_libc: Final = ctypes.CDLL(None, use_errno=True)


class StepError(Exception):
    """A system call on the way into the namespaces was refused; `step` names it, `number` is its errno."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(f"{step}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")
        self.step = step
        self.number = number


def _check(result: int, step: str) -> None:
    if result != 0:
        raise StepError(step, ctypes.get_errno())


def _die_with_parent() -> None:
    _check(_libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def _unshare() -> None:
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    if os.geteuid() == 0 and _libc.unshare(flags) == 0:
        return
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
    # An ordinary user may map his group only after giving up setgroups (user_namespaces(7)).
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs a third of the start
                file.write(text)
        except OSError as error:
            raise StepError(f"write /proc/self/{name}", error.errno or 0) from None
    _check(_libc.unshare(flags), "unshare(CLONE_NEWNET)")


def _loopback_up() -> None:
    """Also the proof of rights over the network.

    Where AppArmor guards namespaces, it is here that they turn out empty.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        try:
            (_, flags) = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
        except OSError as error:
            raise StepError("bring lo up", error.errno or 0) from None


def _mount(source: bytes, target: str, kind: bytes | None, flags: int, options: str = "") -> bool:
    return bool(_libc.mount(source, target.encode(), kind, ctypes.c_ulong(flags), options.encode()) == 0)


def _mount_own() -> bool:
    """Mount /proc for the new process namespace and the scratch file system.

    False where the system does not allow it.
    """
    return (
        _mount(b"none", "/", None, MS_REC_PRIVATE)
        and _mount(b"proc", "/proc", b"proc", MS_NOSUID_NODEV_NOEXEC)
        and _mount(b"scratch", SCRATCH, b"tmpfs", MS_NOSUID_NODEV_NOEXEC, SCRATCH_OPTIONS)
    )


def _watch(child: int) -> int:
    """Wait for `child`, reap orphans, pass signals on; return its exit code as a shell would report it.

    A signal from the terminal is not passed on: the terminal sent it to the whole group already.
    """
    while True:
        received = signal.sigwaitinfo({signal.SIGCHLD, *FORWARDED})
        if received.si_signo != signal.SIGCHLD:
            if received.si_code <= 0:  # SI_USER and its like: from a process, not from the kernel
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, received.si_signo)
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return EXIT_BED
            if pid == 0:
                break
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return 128 - code if code < 0 else code


def _fail(error: StepError) -> NoReturn:
    sys.stderr.write(f"pushlab: cannot enter the lab: {error}\n")
    sys.stderr.flush()
    os._exit(EXIT_BED)


def _process_1(parent_alive: int, arguments: list[str]) -> NoReturn:
    try:
        _die_with_parent()
        os.set_blocking(parent_alive, False)
        with contextlib.suppress(BlockingIOError):
            os.read(parent_alive, 1)
            os._exit(EXIT_BED)  # end of file: the parent died before the kernel knew that we want to follow
        environment = dict(os.environ)
        environment.pop(ENVIRONMENT_SCRATCH, None)
        if _mount_own():
            environment[ENVIRONMENT_SCRATCH] = SCRATCH
        _loopback_up()
    except StepError as error:
        _fail(error)
    environment[ENVIRONMENT_INSIDE] = str(os.stat("/proc/self/ns/net").st_ino)  # noqa: PTH116 - as above
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        try:
            os.execvpe(arguments[0], arguments, environment)  # noqa: S606 - a list of arguments, no shell
        except OSError as error:
            sys.stderr.write(f"pushlab: cannot run {arguments[0]}: {error.strerror}\n")
            sys.stderr.flush()
            os._exit(EXIT_NO_COMMAND)
    # Exit without clean-up: the kernel kills whatever is left in here.
    os._exit(_watch(child))


def run(arguments: list[str]) -> NoReturn:
    """Run `arguments` in new namespaces and exit with its code; 5 where the namespaces are refused."""
    # Blocked before the first fork, so that no signal falls between two processes. Blocked also means: process 1, which
    # ignores what it has no handler for, still gets them from sigwaitinfo.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *FORWARDED})
    try:
        _unshare()
    except StepError as error:
        _fail(error)
    reader, _writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(_writer)
        _process_1(reader, arguments)
    os._exit(_watch(child))


def probe() -> int:
    """Go all the way in, without mounting or running anything; print what was refused as one JSON line."""
    failed: dict[str, object] = {}
    try:
        _unshare()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        _loopback_up()
        _check(_libc.unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET)")
    except StepError as error:
        failed = {"step": error.step, "errno": error.number}
    except OSError as error:
        failed = {"step": "fork", "errno": error.errno}
    sys.stdout.write(json.dumps(failed) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1] == "probe":
        sys.exit(probe())
    run(sys.argv[2:])
