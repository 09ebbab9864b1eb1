"""Ending early: SIGTERM as Ctrl-C, and Ctrl-C found in a group of errors."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_STDIN: Final = 0


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: parts stopped in order, evidence kept. trio knows when that is safe.

    A shell without job control lets what it puts into the background ignore SIGINT: SIGTERM would do nothing then.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def interrupted_when_stdin_ends() -> None:
    """From now on, end this process as SIGTERM does once its standard input ends.

    The lifeline of a run that another program started: however that program ends, the run does not outlive it.
    """

    def listen() -> None:
        with suppress(OSError):  # a standard input that is closed has ended, too
            while os.read(_STDIN, 4096):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, name="lifeline", daemon=True).start()


@contextmanager
def interruption_alone() -> Iterator[None]:
    """Raise the KeyboardInterrupt that a nursery put into a group by itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        raise
