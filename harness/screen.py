"""Writing for whoever reads along: what a reader does who has gone, or a full disk, never changes what a command found.

`pushlab run ... | head -1` is judged like any other run and ends with the run's exit code; only its text is lost.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

PATIENCE_S: Final = 1.0
"""How long work may last before it says what it is at."""


def say(line: str) -> None:
    """Write a line of the command's output."""
    with reader_may_leave(sys.stdout) as stream:
        stream.write(f"{line}\n")


def complain(line: str) -> None:
    """Write a line of the command's error output."""
    with reader_may_leave(sys.stderr) as stream:
        stream.write(f"{line}\n")


@contextmanager
def reader_may_leave(stream: TextIO) -> Iterator[TextIO]:
    """Write to a stream inside; where it takes no more, what is written to it from then on goes nowhere."""
    try:
        yield stream
        stream.flush()
    except (OSError, SystemExit):  # SystemExit(1) is how rich's console meets a closed pipe
        _send_nowhere(stream)


@contextmanager
def told_when_slow(write: Callable[[str], None], patience_s: float = PATIENCE_S) -> Iterator[Callable[[str], None]]:
    """Give a function that takes the stage of some work.

    Work that is quick says nothing. Of slow work the present stage is written once patience ends, from a thread, and
    every later one as it begins.
    """
    lock = threading.Lock()
    present = ""
    slow = False

    def tell(stage: str) -> None:
        nonlocal present
        with lock:
            present = stage
            if slow:
                write(stage)

    def lose_patience() -> None:
        nonlocal slow
        with lock:
            slow = True
            if present:
                write(present)

    timer = threading.Timer(patience_s, lose_patience)
    timer.daemon = True
    timer.start()
    try:
        yield tell
    finally:
        timer.cancel()
        timer.join()  # nothing is written behind the end


def _send_nowhere(stream: TextIO) -> None:
    # The descriptor and not the object: the interpreter flushes it once more when it ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
