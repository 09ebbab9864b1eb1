"""One network namespace as a file descriptor, and calls made inside it.

A namespace lives as long as something holds it: here a descriptor, which ends with the process. It has no name in
/run/netns, so nothing can be left behind. A call inside runs in a thread of its own that moves there first and ends
after it: a socket made in the thread stays in the namespace wherever it is used later.
"""

import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

CLONE_NEWNET: Final = 0x4000_0000
"""include/uapi/linux/sched.h"""

_libc: Final = ctypes.CDLL(None, use_errno=True)


def _in_thread(work: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who waits for it
            errors.append(error)

    thread = threading.Thread(target=target, name="netns")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _check(result: int, step: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{step}: {os.strerror(number)}")


class NetNamespace:
    """A network namespace that this process made."""

    def __init__(self) -> None:
        """Make one.

        Raises:
            OSError: without the right (CAP_SYS_ADMIN in the process's user namespace).
        """

        def work() -> int:
            _check(_libc.unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET)")
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        self.fd = _in_thread(work)
        """The descriptor; give it to a child with `pass_fds`."""

    def call(self, work: Callable[[], T]) -> T:
        """Run `work` inside and return what it returns; blocks the caller meanwhile."""

        def inside() -> T:
            _check(_libc.setns(self.fd, CLONE_NEWNET), "setns")
            return work()

        return _in_thread(inside)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that lives inside."""
        return self.call(lambda: socket.socket(family, kind, protocol))

    def close(self) -> None:
        """Let go; the namespace ends when its last process and socket have."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
