"""Waking tasks at instants of CLOCK_MONOTONIC, more exactly than the event loop's own timers.

epoll counts in whole milliseconds, so a task that sleeps in trio wakes about 1 ms late even when nothing else runs
(docs/design/performance.md measured 1 ms against 0.2 ms). For short service times that is a tenth of the time itself.
So all waiting stands on one timerfd, always set to the earliest instant: one descriptor, however many wait.
"""

import contextlib
import ctypes
import errno
import heapq
import os
import time
from types import TracebackType
from typing import Final, Self

import trio

_NS_PER_S: Final = 1_000_000_000
_TFD_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC
_TFD_TIMER_ABSTIME: Final = 1


class _Timer(ctypes.Structure):
    """`struct itimerspec`: interval (unused) and first expiry."""

    _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns")]


class Alarm:
    """Wakes whoever waits in `until`. `run` has to run meanwhile; a context manager because it holds a descriptor."""

    def __init__(self) -> None:
        """Create the timer.

        Raises:
            OSError: the kernel gives none (descriptors have run out, or it is no Linux).
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        create = getattr(self._libc, "timerfd_create", None)
        self._descriptor = create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC) if create is not None else -1
        if self._descriptor < 0:
            code = ctypes.get_errno() or errno.ENOSYS
            raise OSError(code, os.strerror(code))
        self._waiting: list[tuple[int, int, trio.Event]] = []  # heap; the ordinal keeps events from being compared
        self._ordinal = 0

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wake the waiting until cancelled."""
        task_status.started()
        while True:
            await trio.lowlevel.wait_readable(self._descriptor)
            with contextlib.suppress(BlockingIOError):  # it was set anew between the two
                os.read(self._descriptor, 8)
            now_ns = time.monotonic_ns()
            while self._waiting and self._waiting[0][0] <= now_ns:
                heapq.heappop(self._waiting)[2].set()
            if self._waiting:
                self._set(self._waiting[0][0])

    async def until(self, due_ns: int) -> None:
        """Return when CLOCK_MONOTONIC has reached `due_ns`; at once if it has."""
        if due_ns <= time.monotonic_ns():
            await trio.lowlevel.checkpoint()
            return
        event = trio.Event()
        self._ordinal += 1
        heapq.heappush(self._waiting, (due_ns, self._ordinal, event))
        if self._waiting[0][2] is event:
            self._set(due_ns)
        await event.wait()

    def _set(self, due_ns: int) -> None:
        # An instant that has passed meanwhile fires at once.
        timer = _Timer(0, 0, *divmod(due_ns, _NS_PER_S))
        if self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(timer), None) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
